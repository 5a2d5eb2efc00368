"""An evaluation's further tables and examples: they fit in 100 columns, and text of rows does not steer a terminal."""

from io import StringIO

import polars as pl
import pytest
from rich.console import Console

from cli.evaluating import changed_examples
from cli.evaluating.changed_examples import show_examples
from cli.evaluating.comparison_table import show_comparison
from cli.evaluating.further_tables import show_tables
from tests.train.evaluating.made_rows import made_table
from train.evaluating.breakdown import COLUMNS as GROUPS
from train.evaluating.changed import EXAMPLES
from train.evaluating.comparison import compare_answers
from train.evaluating.samples import COLUMNS as SAMPLES
from train.evaluating.shown import breakdown_shown, changes_shown, samples_shown, win_rates_shown
from train.evaluating.win_rate import COLUMNS as RATES

LONG = "a-name-of-a-model-that-goes-on-and-on-\x1b[31m"
INTERVAL = {"mean": 0.123, "base": 0.5, "difference": -0.1234, "low": -0.2345, "high": 0.3456, "why": None}
NAMES = {"split": LONG, "scorer": LONG, "model": LONG}


def tables():
    """One of each table, with names as long as can be."""
    base = NAMES | {"model": "base-" + LONG}
    row = NAMES | INTERVAL | {"by": "metadata." + LONG, "group": LONG * 3, "prompts": 123456, "nulls": 0}
    groups = pl.DataFrame([row | base, row], schema=GROUPS)
    row = NAMES | INTERVAL | {"measure": "best of k", "k": 128, "prompts": 123456}
    samples = pl.DataFrame([row | base, row], schema=SAMPLES)
    counts = dict.fromkeys(("won", "lost", "same", "unknown", "right", "wrong"), 123456)
    changes = pl.DataFrame([NAMES | counts | {"against": LONG}])
    rates = {"against": LONG, "won": 12345, "tied": 12345, "lost": 12345, "not_compared": 12345, "win_rate": 0.5,
             "low": 0.4, "high": 0.6, "verdict": "no difference shown", "flips": 2, "longer_won": 0.6,
             "longer_low": 0.51, "longer_high": 0.7, "decided": 9, "why": LONG}  # fmt: skip
    win_rates = pl.DataFrame([{key: (NAMES | rates)[key] for key in RATES}], schema=RATES)
    found = [changes_shown(changes), win_rates_shown(win_rates, [LONG]), samples_shown(samples, 9)]
    return [one for one in (*found, breakdown_shown(groups, 9)) if one]


def test_tables_fit_in_100_columns(capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "100")
    show_tables(tables())
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    lines = [line for line in shown.splitlines() if any(mark in line for mark in "│┃╇")]
    assert len(lines) == 4 * 2 + 5 and max(map(len, lines)) <= 100
    assert shown.count("-0.123 (-0.234 to +0.346)") == 3 and "0.500 (0.400 to 0.600)" in shown
    assert "no difference shown" in shown and "123,456 (123,456 right)" in shown


def example(**changes) -> pl.DataFrame:
    row = {"split": "test", "scorer": "right", "model": "tuned", "verdict": "won", "prompt_id": "p1", "sample_index": 0,
           "prompt": "Why?", "first_model": "base", "first_response": "no \x1b[2J\x9b" * 30, "response": "yes",
           "first_value": 0.0, "value": 1.0}  # fmt: skip
    return pl.DataFrame([row | changes], schema=EXAMPLES)


def test_answers_are_lines_in_a_pipe(capsys):
    show_examples(example(response="<think>hm</think>so it is"))
    shown = capsys.readouterr().out
    assert "test, up: Why?\n  base (0): no [2J" in shown and "\n  tuned (1): so it is\n" in shown
    assert "\x1b" not in shown and "\x9b" not in shown
    show_examples(example().clear())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("width", [60, 80, 200])
def test_answers_are_side_by_side_in_a_terminal(monkeypatch: pytest.MonkeyPatch, width):
    out = Console(file=StringIO(), width=width, force_terminal=True, color_system=None)
    monkeypatch.setattr(changed_examples, "console", lambda: out)
    show_examples(example(verdict="lost", first_response="left " * 300, response="right " * 300))
    assert isinstance(out.file, StringIO)
    lines = out.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width and any("left" in line and "right" in line for line in lines)
    assert sum(map(len, lines)) < 3000 and "…" in out.file.getvalue()  # a long answer is cut


SCORES = {"student": [0.0, 1.0] * 10, "a-model-with-a-longer-name": [1.0] * 20}


@pytest.mark.parametrize("width", [72, 80, 100])
def test_no_figure_is_cut_in_a_narrow_terminal(capsys, monkeypatch: pytest.MonkeyPatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    show_comparison(compare_answers(made_table(SCORES, "constraints")))
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= width and "…" not in shown
    assert "0.500" in shown and "+0.500 (+0.230 to +0.740)" in shown and "0.001" in shown
    assert ("seen from" in shown.split("No room here for")[0]) == (width == 100)
    told = " ".join(shown.split())
    assert "a-model-with-a-longer-name against student: higher: constraints in test (+0.500)." in told


def test_one_model_has_no_empty_columns(capsys):
    show_comparison(compare_answers(made_table({"student": [0.0, 1.0]})))
    assert "change" not in capsys.readouterr().out


def test_a_name_does_not_steer_the_terminal(capsys):
    show_examples(example(split="te\x1b[2Jst", prompt="\u202eevil\u2028line"))
    shown = capsys.readouterr().out
    assert "te[2Jst, up: evilline" in shown and "\x1b" not in shown
