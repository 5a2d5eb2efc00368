"""The bar of a terminal, the lines of a pipe, and displays that users wrote."""

import io

import pytest
from rich.console import Console

from cli.progress import Bars
from schemas.progress import Progress, StageWarning


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
