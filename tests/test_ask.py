"""The lines of docs/ask.md work: at 80 and 100 columns, in a pipe, on a store that was moved."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.command import call

PAGE = (Path(__file__).parent.parent / "docs" / "ask.md").read_text(encoding="utf-8")
LINES = [shlex.split(line.partition(" | ")[0]) for line in re.findall(r"^    (gristmill .*)$", PAGE, re.MULTILINE)]
RECIPE = """
name: constraints
seed: 7
prompts: [{source: rows.jsonl}]
completions:
  - score: {use: length, as: constraints}
  - score: {use: combine, as: kept, sql: "(constraints > %d)::INT"}
datasets:
  sft: {type: sft, select: best_of_n, by: kept, dedup: exact}
  dpo: {type: preference, select: best_vs_worst, by: constraints}
  spread: {type: sft, select: all}
"""


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """A folder with a store of two runs, which was made elsewhere."""
    folder = tmp_path_factory.mktemp("made")
    rows = [{"prompt": f"question {n % 4}", "completions": ["yes", "yes " * n + "no"]} for n in range(1, 9)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for least in (1, 3):
        (folder / "r.yaml").write_text(RECIPE % least)
        assert call(folder, "run", "r.yaml").code == 0
    return Path(shutil.move(folder, tmp_path_factory.mktemp("there")))


def test_the_page_has_its_lines():
    assert len(LINES) == 17 and {line[1] for line in LINES} == {"show", "sql", "diff"}


@pytest.mark.parametrize("line", LINES, ids=lambda line: " ".join(line[1:])[:40])
@pytest.mark.parametrize("columns", ["80", "100"])
def test_each_line_answers_and_fits(moved, monkeypatch, line, columns):
    monkeypatch.setenv("COLUMNS", columns)
    found = call(moved, *line[1:])
    assert found.code == 0, found.err
    assert "jsonl" in line or all(len(one) <= int(columns) for one in found.out.splitlines())
