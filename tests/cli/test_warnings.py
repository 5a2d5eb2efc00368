"""Warnings on the command line: on stderr after the stages, also of reused ones; --strict ends with the code 2."""

import io
import json
import re

import pytest
from rich.console import Console

from cli.progress import Bars
from tests.command import call, mistake

pytestmark = pytest.mark.slow  # whole runs or many processes: seconds for the file

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
STRICT = "error: 1 warning above, and --strict is given; the work itself is done"
LEFT = "warning: datasets.sft: 2 rows hold placeholders of a template: {{name}} (2); "


def write(folder, *rows, datasets="sft: {type: sft}", more=""):
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    text = f"name: r\nprompts:\n  - source: rows.jsonl\n{more}datasets:\n  {datasets}\n"
    (folder / "r.yaml").write_text(text, encoding="utf-8")
    return folder


def answers(*texts):
    return [{"prompt": f"q{n}", "completion": text} for n, text in enumerate(texts)]


NAMES = answers("I am {{name}}.", "It is {{name}}, again", "plain")


def test_run_warns_after_its_stages_also_when_they_are_reused(tmp_path):
    write(tmp_path, *NAMES)
    for _ in range(2):
        done = call(tmp_path, "run", "r.yaml")
        lines = done.err.splitlines()
        assert done.code == 0 and len(lines) == 3 and lines[2].startswith(LEFT)
        assert "3 recorded completions (prompt-completion); placeholders in 2 texts" in lines[0]
    assert lines[0].startswith("=")


def test_check_warns_on_stderr_before_and_after_a_run(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")  # so that the words that are looked for stand on one line
    write(tmp_path, *NAMES)
    for _ in range(2):
        done = call(tmp_path, "check", "r.yaml")
        assert done.code == 0 and done.err.startswith(LEFT) and len(done.err.splitlines()) == 1
        assert "warning" not in done.out and "placeholders in 2 texts" in done.out
        call(tmp_path, "run", "r.yaml")


@pytest.mark.parametrize("command", ["check", "run"])
def test_strict_ends_with_2_after_the_work(tmp_path, command):
    write(tmp_path, *NAMES)
    done = call(tmp_path, command, "r.yaml", "--strict")
    assert done.code == 2 and done.err.splitlines()[-2].startswith("warning: ") and done.err.splitlines()[-1] == STRICT
    if command == "run":
        assert "3" in call(tmp_path, "sql", "SELECT count(*) FROM sft", "--format", "csv").out
        assert call(tmp_path, "check", "r.yaml", "--strict").code == 2, "also when all is reused"


@pytest.mark.parametrize("command", ["check", "run"])
def test_strict_without_a_warning_ends_with_0(tmp_path, command):
    write(tmp_path, *answers("plain"))
    done = call(tmp_path, command, "r.yaml", "--strict")
    assert done.code == 0 and "warning" not in done.err


def test_no_rows_in_a_dataset_is_a_warning_and_no_error(tmp_path):
    write(tmp_path, {"prompt": "q"})
    for command in ("check", "run"):
        done = call(tmp_path, command, "r.yaml")
        assert done.code == 0 and "warning: datasets.sft: 0 rows: no source recorded an answer" in done.err
        assert call(tmp_path, command, "r.yaml", "--strict").code == 2


def test_rejected_answers_are_a_mistake_in_one_line(tmp_path):
    write(tmp_path, {"prompt": "q", "chosen": "good", "rejected": "bad"})
    for command in ("check", "run"):
        message = mistake(call(tmp_path, command, "r.yaml"))
        assert message.startswith(
            "r.yaml:5: datasets.sft: 1 of 2 candidates are recorded with preference = 0; choose: "
        )
        assert message.endswith('`where: "preference = 1"` (takes the preferred) or `select: all` (takes all)')
    assert not (tmp_path / "store" / "stages").exists() or not list((tmp_path / "store" / "stages").iterdir())


def test_a_file_cannot_steer_the_terminal_or_break_the_line(tmp_path):
    hostile = "Hi [/INST] [bold] [/] {{na me}} <|im_end|>\x1b[31m\x9b2J"
    rows = [{"prompt": "q", "completions": [{"response": hostile, "scores": {"a\x1b[2J[/bold]": 1}}]}]
    for command in ("check", "run"):
        done = call(write(tmp_path, *rows), command, "r.yaml")
        assert done.code == 0 and not CONTROL.search(done.err) and not CONTROL.search(done.out)
        assert "[/INST] (1)" in done.err and done.err.count("warning: ") == 2
    assert "[/bold] (all 1)" in done.err and "{{na me}} (1)" in done.err


@pytest.mark.parametrize(("terminal", "lines"), [(True, 4), (False, 1)])
def test_a_long_line_is_folded_at_its_parts_on_a_terminal(terminal, lines):
    out = io.StringIO()
    bars = Bars(Console(file=out, force_terminal=terminal, width=80, color_system=None, highlight=False))
    bars.end("prompts.source.rows", "5 prompts (preference); scores: rating (1 to 5, mean 3); " + "[/INST] " * 5)
    shown = out.getvalue().splitlines()
    assert len(shown) == lines and out.getvalue().count("[/INST]") == 5
    assert all(line.startswith(" " * 37) for line in shown[1:]) and all(len(line) <= 80 for line in shown[1:])
