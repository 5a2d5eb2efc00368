"""The pairs of a preference file: as the file has them, also several of one prompt, and in any order of the rows."""

import random

import polars as pl
import pytest

from curate.select.recorded_pairs import pair
from tests.choosing import built, pairs


def made(*answers, shuffled=False):
    """The pairs of (prompt, id, sample index, score), as ``chosen rejected``."""
    rows = list(answers)
    if shuffled:
        random.Random(3).shuffle(rows)
    table = pl.DataFrame(
        rows, {"prompt": pl.String, "id": pl.String, "at": pl.Int64, "score": pl.Float64}, orient="row"
    )
    return [" ".join(sides) for sides in pair(table["prompt"], table["id"], table["at"], table["score"]).rows()]


def prompt(text, name="q"):
    """The answers of one prompt: ``c`` is preferred, ``r`` rejected, ``-`` is not there, ``?`` has no score."""
    values = {"c": 1.0, "r": 0.0, "?": None}
    return [(name, f"{side}{at}", at, values[side]) for at, side in enumerate(text) if side != "-"]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ("cr", ["c0 r1"]),
        ("rc", ["c1 r0"]),
        ("crcr", ["c0 r1", "c2 r3"]),
        ("rccrrc", ["c1 r0", "c2 r3", "c5 r4"]),
        ("crr", ["c0 r1", "c0 r2"]),
        ("crc", ["c0 r1", "c2 r1"]),
        ("crrr", ["c0 r1", "c0 r2", "c0 r3"]),
        ("cr-r", ["c0 r1"]),
        ("c-cr", ["c2 r3"]),
        ("c-r", []),
        ("c", []),
        ("cc", []),
        ("rrr", []),
        ("cr?", ["c0 r1"]),
        ("??", []),
        ("", []),
    ],
)
def test_answers_that_follow_each_other_are_a_pair(answers, expected):
    assert made(*prompt(answers)) == expected


def test_the_order_of_the_rows_does_not_matter():
    rows = [*prompt("crcr", "p"), *prompt("cr", "q"), *prompt("crr", "r")]
    rows = [(name, f"{name}{id}", at, score) for name, id, at, score in rows]
    expected = ["pc0 pr1", "pc2 pr3", "qc0 qr1", "rc0 rr1", "rc0 rr2"]
    assert made(*rows) == expected and sorted(made(*rows, shuffled=True)) == expected


def test_values_that_are_no_preference_are_ignored():
    assert made(("q", "a", 0, 0.5), ("q", "b", 1, 0.0), ("q", "c", 2, float("nan"))) == []


def row(chosen, rejected, prompt="q", **more):
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected, **more}


def test_a_bare_dataset_has_every_pair_of_the_file(tmp_path):
    rows = [row("c1", "r1"), row("c2", "r2", chosen_rating=1.0, rejected_rating=2.0), row("c2", "r3"), row("c1", "r1")]
    store, said = built(
        tmp_path, [*rows, row("x", "y", "p")], "d: {type: preference}\nr: {type: preference, by: rating}"
    )
    expected = [("p", "x", "y"), ("q", "c1", "r1"), ("q", "c2", "r2"), ("q", "c2", "r3")]
    assert pairs(store, "d") == expected and said["d"] == "4 pairs (4 train)"
    assert pairs(store, "r") == [("q", "r2", "c2")], "by is obeyed, with the usual rule"


def test_options_of_pairs_and_a_named_rule_hold(tmp_path):
    rows = [row("c1", "r1"), row("c2", "r2"), row("same", " same\n")]
    store, said = built(
        tmp_path,
        rows,
        """
        one: {type: preference, max_pairs: 1, control: random}
        rule: {type: preference, select: best_vs_worst}
        gap: {type: preference, margin: 0.5}
        all: {type: preference}""",
    )
    assert pairs(store, "one") == [("q", "c1", "r1")] and len(pairs(store, "one_random")) == 1
    assert len(pairs(store, "rule")) == len(pairs(store, "gap")) == 1
    assert said["all"] == "2 pairs (2 train); refused: 33% the same text (1)"
