"""Texts and names of any origin, through every command that prints them: none is markup, none steers the terminal."""

import ast
import csv
import io
import json
import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cli.plain_console import PlainConsole
from cli.progress import Bars
from cli.tables import table
from cli.terminal import STEERING, json_text, terminal_text
from schemas.progress import StageWarning
from tests.command import ROOT, Result, call
from tests.stub_server import Stub

MARKS = (
    "[/]", "[/b]", "[red]", "[/INST]", "[link=http://a]", ":warning:", "\x1b]0;owned\x07", "\x1b[2J", "\x9b2J",
    "\u202egpj", "\u2066", "\u2028", "\r", "\t", "\n", "\x00", "|", "<b>", "&lt;", "=1+1", "'", '"', "\\", "é", "字",
)  # fmt: skip
hostile = st.lists(st.one_of(st.sampled_from(MARKS), st.text(max_size=4)), min_size=1, max_size=4).map("".join)
hostile = hostile.filter(lambda text: text.strip() and text.encode(errors="ignore").decode() == text)
ALL = "".join(MARKS)


def safe(done: Result, *codes: int) -> Result:
    """Assert that a command ended with one of the codes (0 by default), in words that steer nothing."""
    assert done.code in (codes or (0,)), done
    assert not STEERING.search(done.out + done.err), ascii(done.out + done.err)
    assert "MarkupError" not in done.err and "bug in gristmill" not in done.err, done.err
    return done


@given(hostile, hostile)
@example(ALL, ALL)
@example("a[/b]", "[/INST]")
def test_what_the_console_prints_is_the_text(name, text):
    out = io.StringIO()
    console = PlainConsole(file=out, width=4000, color_system=None)
    with Bars(console) as bars:
        bars.begin(name, 3, "requests")
        bars.advance(1, text)
        bars.say(text)
        bars.detail(text)
        bars.status(text)
        bars.warn(StageWarning(name, text))
        bars.end(name, text)
    console.print(table(name, [name], [(text,)]))
    console.print(text)
    assert not STEERING.search(out.getvalue().replace("\n", ""))
    shown = " ".join(out.getvalue().split())  # a tab is fewer spaces after a wide character
    for line in terminal_text(text).split("\n"):
        assert " ".join(line.split()) in shown


@given(st.text())
@example(ALL + "\ud800")
def test_json_holds_any_text_exactly_and_steers_nothing(text):
    written = json_text({"a": text})
    assert json.loads(written) == {"a": text} and not STEERING.search(written)


def made(folder: Path, name: str, text: str) -> Result:
    """Write a recipe whose names are ``name`` and whose rows have ``text``, and run it."""
    rows = [
        {"prompt": f"{text} {n}", "chosen": f"{text} yes {n}", "rejected": "no" * n, "metadata": {name: text}}
        for n in range(1, 9)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = {
        "name": "r",
        "prompts": [
            {"source": {"path": "rows.jsonl", "name": name}},
            {"source": {"path": "rows.jsonl", "name": f"{name}2", "on_error": "drop"}},
            {"filter": {name: "length(prompt) < 0"}},
        ],
        "completions": [{"score": {"use": "length", "as": "chars"}}, {"filter": {name: "chars > 100000"}}],
        "datasets": {name: {"type": "sft", "select": "best_of_n", "by": "chars"}, "pairs": {"type": "preference"}},
        "split": {"test": 0.2},
    }
    (folder / "r.yaml").write_text(json.dumps(recipe))  # JSON is YAML
    return call(folder, "run", "r.yaml")


@pytest.mark.slow
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(hostile, hostile)
@example("a[/b]", "[/INST] " + ALL)
@example("=HYPERLINK(1)\x1b[2J\u202e", "\x9b[31m [/red]")
def test_every_command_that_prints_data_is_safe(name, text):
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        done = safe(made(folder, name, text), 0, 2)  # a name that no dataset can have is refused, in one line
        if done.code == 2:
            assert len(done.err.splitlines()) >= 1
            return
        for command in (
            ["check", "r.yaml", "--rows", "0"], ["show"], ["show", "prompts"], ["show", "decisions"], ["show", "sft"],
            ["agree", "chars", "--with", "chosen"], ["agree", "chars", "--with", "chosen", "--format", "json"],
            ["run", "r.yaml", "--set", f"seed={text}"], ["why", name], ["sql", f"SELECT '{name}'"],
        ):  # fmt: skip
            safe(call(folder, *command), 0, 2)
        query = "SELECT * FROM prompts ORDER BY prompt_id"
        for format in ("table", "json", "jsonl"):
            safe(call(folder, "sql", query, "--format", format))
        rows = json.loads(call(folder, "sql", query, "--format", "json").out)
        in_csv = list(csv.DictReader(io.StringIO(call(folder, "sql", query, "--format", "csv").out, newline="")))
        assert [row["prompt"] for row in in_csv] == [row["prompt"] for row in rows], "a file has the data exactly"
        safe(call(folder, "why", rows[0]["prompt_id"]))


def in_terminal(folder: Path, *arguments: str) -> str:
    """Return what a process prints to a terminal."""
    outer, inner = pty.openpty()
    command = [sys.executable, "-m", "cli.main", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "NO_COLOR": "1"}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=inner, stdout=inner, stderr=inner)
    os.close(inner)
    seen = b""
    while True:
        try:
            new = os.read(outer, 65536)
        except OSError:  # the process has ended
            break
        if not new:
            break
        seen += new
    assert process.wait(60) == 0, seen
    return seen.decode()


@pytest.mark.slow
def test_a_terminal_gets_csv_and_json_with_escapes(tmp_path):
    assert made(tmp_path, "a[/b]", "\x1b]0;owned\x07 \x9b2J \u202e =1+1").code == 0
    for format in ("csv", "json", "jsonl", "table"):
        shown = in_terminal(tmp_path, "sql", "SELECT prompt FROM prompts", "--format", format)
        assert "\x1b]0" not in shown and "\x9b" not in shown and "\u202e" not in shown and "=1+1" in shown, ascii(shown)


@pytest.mark.slow
def test_an_error_of_a_server_is_shown_as_it_is(tmp_path):
    (tmp_path / "p.jsonl").write_text("".join(json.dumps({"prompt": f"Question {n}?"}) + "\n" for n in range(4)))
    said = "expected [/INST] before [/b] \x1b[2J :warning: \u202e"
    with Stub(faults={"400": {"message": said, "times": 0}}) as stub:
        (tmp_path / "r.yaml").write_text(
            f"name: r\nmodels:\n  m: {{engine: openai, base_url: '{stub.url}', model: stub}}\n"
            "prompts:\n  - source: p.jsonl\ncompletions:\n  - generate: {use: sample, model: m, n: 1}\n"
            "datasets:\n  a[/b]: {type: sft}\n"
        )
        done = safe(call(tmp_path, "run", "r.yaml"), 0, 1, 2)
        assert "[/INST] before [/b]" in done.err, done.err


def test_nothing_else_prints(tmp_path):
    """What is printed goes through ``say``, ``PlainConsole`` or one of the few places that escape by themselves."""
    may = {"print": {"main.py", "answers.py"}, "Console": set(), "echo": {"terminal.py"}, "secho": set()}
    found = []
    for file in sorted((ROOT / "cli").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "rich.markup":
                found.append(f"{file.name}:{node.lineno} rich.markup")
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                method_of_console = name == "print" and isinstance(node.func, ast.Attribute)
                if name in may and file.name not in may[name] and not method_of_console:
                    found.append(f"{file.name}:{node.lineno} {name}")
    assert found == []
