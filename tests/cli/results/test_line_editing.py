"""What Tab completes in the shell of ``gristmill sql``."""

import pytest

from cli.results.line_editing import completions
from cli.results.shell import HELP

COMMANDS = {name: [] for name in (line.split()[0] for line in HELP)} | {".schema": ["prompts"], ".format": ["csv"]}


@pytest.mark.parametrize(
    ("before", "text", "offered"),
    [
        ("", ".ta", [".tables"]),
        (".schema ", "Pr", ["prompts"]),
        (".schema ", "", ["prompts"]),
        (".format ", "c", ["csv"]),
        (".format csv ", "p", []),
        (".limit ", "p", []),
        ("SELECT ", "prompt_", ["prompt_id"]),
        ("SELECT ", "p.prompt_", ["p.prompt_id"]),
        ("SELECT a FROM prompts ", "wher", ["where"]),
        ("SELECT a FROM prompts ", "WHER", ["WHERE"]),
        ("SELECT ", "", []),
        ("SELECT ", ".ta", []),
    ],
)
def test_a_word_is_completed_by_where_it_stands(before, text, offered):
    assert completions(text, before, ["prompts", "prompt_id"], COMMANDS) == offered
