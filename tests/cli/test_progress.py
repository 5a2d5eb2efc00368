"""The bar of a terminal, the lines of a pipe, rates and times left, and displays that users wrote."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest
from rich.console import Console

from cli.pace import PartPace, fitted, words
from cli.progress import Bars
from schemas.progress import Progress, StageWarning
from tests.command import ROOT


def console(width: int, *, terminal: bool) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=terminal, width=width, color_system=None, highlight=False), out


NOTE = "loss 1.234, 5,120 tokens/s, 3 min left"


@pytest.mark.parametrize("width", [80, 120])
def test_a_bar_has_room_for_the_figures(width):
    shown, out = console(width, terminal=True)
    with Bars(shown) as bars:
        bars.begin("train a_training_with_a_rather_long_name[/]", 1620, "steps")
        bars.advance(12, NOTE)
        bars.status("a line for pipes only")
        bars.warn(StageWarning("train.a", "the loss is not a number"))
        bars.advance(1, NOTE)
        bars.bars.refresh()
    text = out.getvalue()
    assert NOTE in text and "13/1620" in text and "for pipes" not in text and "warning: train.a" in text
    assert max(len(line) for line in text.replace("\r", "\n").split("\n")) < width + 20


def test_a_pipe_gets_lines():
    shown, out = console(80, terminal=False)
    with Bars(shown) as bars:
        bars.begin("train sft", 64, "steps")
        bars.detail("train.sft: 64 steps [/] in all")
        bars.advance(12, NOTE)
        bars.status(f"train.sft: step 12 of 64, {NOTE}, and more so that it is longer than the terminal\x1b[2J")
    first, detail, line, rest = out.getvalue().split("\n")
    assert (
        detail == "train.sft: 64 steps [/] in all"
        and first == "  train sft: 64 steps ..."
        and line.startswith(f"train.sft: step 12 of 64, {NOTE}")
    )
    assert "\x1b" not in line and not rest


def test_a_display_of_a_user_needs_only_advance():
    class Mine(Progress):
        done = 0

        def advance(self, done: int, note: str = "") -> None:
            self.done += done

    mine = Mine()
    mine.begin("train sft", 2, "steps")
    mine.advance(1, NOTE)
    mine.status("ignored")
    mine.detail("ignored")
    assert mine.done == 1


# Rates and times left -------------------------------------------------------------------------------------------------


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_a_part_has_a_rate_and_a_time_left():
    clock = Clock()
    pace = PartPace(600, "replies", clock)
    assert words(pace, "") == []
    clock.now += 5
    assert words(pace, "loading m") == ["loading m", "5 s"], "nothing is done yet: how long it has taken"
    pace.advance(480, at_once=True)  # of an earlier run
    for _ in range(5):
        clock.now += 1
        pace.advance(2)
    assert words(pace, "90 tokens/s, $0.12") == ["1.0 replies/s", "90 tokens/s", "$0.12", "2 min left"]
    assert pace.done == 490
    clock.now += 1000
    pace.advance(1)
    clock.now += 100
    pace.advance(1)
    assert words(pace, "")[0] == "0.6 replies/min", "the rate is that of the last minute or two"


def test_a_training_has_its_own_time_left_and_other_parts_none():
    clock = Clock()
    pace = PartPace(None, "rows", clock)
    clock.now += 2
    pace.advance(400)
    assert words(pace, "") == ["200 rows/s"] and words(pace, NOTE) == ["loss 1.234", "5,120 tokens/s", "3 min left"]


def test_figures_that_do_not_fit_leave_out_the_middle():
    parts = ["23 replies/s", "512 tokens/s", "$0.12", "25 s left"]
    assert fitted(parts, 80) == "23 replies/s, 512 tokens/s, $0.12, 25 s left"
    assert fitted(parts, 40) == "23 replies/s, 512 tokens/s, 25 s left"
    assert fitted(parts, 24) == "23 replies/s, 25 s left" and fitted(parts, 5) == "25 s left"


def test_a_pipe_gets_a_line_a_minute_and_quiet_none(monkeypatch):
    monkeypatch.setattr("cli.progress.LINE_EVERY", 0.0)
    shown, out = console(80, terminal=False)
    with Bars(shown) as bars:
        bars.begin("completions.generate", 600, "replies")
        bars.advance(3, "512 tokens/s")
        bars.advance(1, NOTE)
    assert out.getvalue().splitlines()[1:] == ["  completions.generate: 3 of 600 replies, 512 tokens/s"]
    for terminal in (True, False):
        shown, out = console(80, terminal=terminal)
        with Bars(shown, quiet=True) as bars:
            bars.begin("a", 600, "replies")
            bars.advance(3)
            bars.say("x")
            bars.detail("x")
            bars.status("x")
            bars.end("a", "done")
            bars.warn(StageWarning("a", "empty"))
        assert out.getvalue() == "warning: a: empty\n"


PARTS = """if True:
    from cli.progress import Bars
    with Bars() as bars:
        for label, total, unit, note in [
            ("completions.generate.sample_of_a_long_name", 600000, "replies", "512 tokens/s, $0.12"),
            ("prompts.source.a", None, "rows", ""),
            ("train sft", 1620, "steps", "loss 1.234, 5,120 tokens/s, 3 min left"),
            ("embed (minilm)", 123456, "texts", "loading minilm"),
        ]:
            bars.begin(label, total, unit)
            for done in range(30):
                bars.pace.clock = lambda: bars.pace.began + done
                bars.advance(done, note)
                bars.bars.refresh()
            bars.end(label, "5 prompts (preference); scores: rating (1 to 5, mean 3); and words that go on")
"""


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_no_line_of_a_terminal_is_wider_than_it(width):
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 30, width, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"} | {"PYTHONPATH": str(ROOT), "TERM": "xterm"}
    command = [sys.executable, "-c", PARTS]
    with subprocess.Popen(command, stdin=writer, stdout=writer, stderr=writer, env=environment) as running:
        os.close(writer)
        shown = b""
        try:
            while part := os.read(reader, 65536):
                shown += part
        except OSError:  # the end of a terminal
            pass
    os.close(reader)
    assert running.returncode == 0, shown
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode()).replace("\r", "\n").split("\n")
    assert max(map(len, lines)) <= width
    for seen in (r"replies/s.* left", r"\d rows/s", r"loss 1\.234.* 3 min left", r"texts/s.* left"):
        assert any(re.search(seen, line) for line in lines), seen
