"""The pictures in docs/conversations.md are what ``gristmill check`` prints for the rows above them."""

import re
import textwrap
from pathlib import Path

import pytest

from tests.command import ROOT, call
from tests.models.chat.styles import QWEN
from tests.optional import needs
from tests.train.examples.templates import SOURCES

pytestmark = [needs("torch", "tokenizers", "jinja2"), pytest.mark.slow]  # the tiny model

PAGE = ROOT / "docs" / "conversations.md"
RECIPE = """\
name: docs
models: {student: model}
prompts: [{source: rows.jsonl}]
datasets: {sft: {type: sft}}
train: {one: {trainer: sft, dataset: sft, model: student}}
"""


def examples() -> list[tuple[str, list[str]]]:
    """The rows of the page, each with its pictures."""
    blocks = re.findall(r"(?:^    .*\n|^\n)+", PAGE.read_text(encoding="utf-8"), flags=re.M)
    parts = [part for block in blocks for part in textwrap.dedent(block).strip().split("\n\n") if part.strip()]
    found: list[tuple[str, list[str]]] = []
    for part in parts:
        if part.startswith('{"messages"'):
            found.append((part, []))
        else:
            found[-1][1].append(part)
    return found


def test_the_pictures_are_real(tmp_path: Path, tiny: Path):
    if not PAGE.exists():
        pytest.skip("no docs here")
    (tmp_path / "model").mkdir()
    for file in tiny.iterdir():
        (tmp_path / "model" / file.name).symlink_to(file)
    (tmp_path / "model" / "chat_template.jinja").unlink(missing_ok=True)
    (tmp_path / "r.yaml").write_text(RECIPE)
    assert len(examples()) == 5
    for number, (row, pictures) in enumerate(examples()):
        # Without traces, QWEN prints as Qwen2.5's.
        (tmp_path / "model" / "chat_template.jinja").write_text(QWEN if number < 3 else SOURCES["qwen3"])
        (tmp_path / "rows.jsonl").write_text(row + "\n")
        done = call(tmp_path, "check", "r.yaml")
        assert done.code == 0 and pictures and done.err == "", done
        shown = textwrap.dedent(done.out.partition("is shown in ⟦brackets⟧\n")[2]).replace("\n  ", "\n")
        assert all(f"{picture}\n" in shown for picture in pictures), shown
        assert done.out.count("⟦") == 1 + sum(picture.count("⟦") for picture in pictures)
