"""The table of an evaluation: which prompts count, how sure a change is, and its note where nothing is known."""

import numpy as np
import polars as pl
import pytest

from cli.evaluating.comparison_table import show_comparison
from curate.algorithms.statistics.student import two_sided_p
from curate.storage.store import Store
from tests.train.tables import write_stage
from train.evaluating.comparison import compare_answers, compare_models
from train.evaluating.comparison_words import notes_on

NAN = float("nan")


def answers(base, after, scorer="x", split="test", families=None, models=("b", "a")) -> pl.DataFrame:
    """Return the rows of an evaluation of two models, an answer a prompt."""
    count = len(base)
    made = pl.DataFrame(
        {
            "model": [models[0]] * count + [models[1]] * count,
            "split": split,
            "scorer": scorer,
            "row_id": [f"r_{i}" for i in range(count)] * 2,
            "prompt_id": [f"p_{i}" for i in range(count)] * 2,
            "sample_index": 0,
            "value": pl.Series([*base, *after], dtype=pl.Float64, strict=False),
        }
    )
    return made if families is None else made.with_columns(family=pl.Series([*families] * 2, dtype=pl.String))


def test_the_comparison_pairs_only_prompts_that_have_scores(store: Store):
    rows = answers([0.0, 1, 0, 0, 1, None], [1.0, 1, 0, 1, None, 1])
    found = compare_models(write_stage(store, "evaluations", rows)).rows(named=True)
    assert [(r["model"], r["n"], r["nulls"], r["mean"]) for r in found] == [("b", 5, 1, 0.4), ("a", 5, 1, 0.8)]
    assert (found[0]["difference"], found[0]["low"]) == (None, None)
    # Four prompts have both scores; their differences are 1, 0, 0, 1: mean 0.5, standard error 0.57735 / 2. t with 3
    # degrees gives -0.4187 to 1.4187. As a share of -1..1 it is 0.75, worth 9 answers, and Wilson's low end is -0.4483.
    assert found[1]["difference"] == pytest.approx(0.5) and (found[1]["prompts"], found[1]["families"]) == (4, 4)
    assert (found[1]["low"], found[1]["high"]) == pytest.approx((-0.4483, 1), abs=1e-4)


def test_scores_without_a_range_have_the_t_interval_and_test():
    draw = np.random.default_rng(0)
    base, after = draw.normal(10, 3, 14), draw.normal(12, 3, 14)
    found = compare_answers(answers(base, after)).row(1, named=True)
    change, error = np.mean(after - base), np.std(after - base, ddof=1) / np.sqrt(14)
    half = 2.160369 * error  # Student's t, 13 degrees
    assert (found["low"], found["high"]) == pytest.approx((change - half, change + half), rel=1e-6)
    assert found["p"] == found["p_holm"] == pytest.approx(two_sided_p(change / error, 13))
    assert found["freedom"] == pytest.approx(13)
    assert found["smallest"] == pytest.approx(3.02 * np.std(after - base, ddof=1) / np.sqrt(14), rel=0.01)


def test_prompts_of_one_family_are_counted_together():
    base, after = [0.0] * 12, [1.0, 1, 1, 1, 0, 0, 0, 0, 1, 0, 1, 0]
    alone = compare_answers(answers(base, after)).row(1, named=True)
    families = ["f"] * 4 + ["g"] * 4 + [None] * 4  # those of an earlier version are each their own
    grouped = compare_answers(answers(base, after, families=families)).row(1, named=True)
    assert (alone["families"], grouped["families"], grouped["prompts"]) == (12, 6, 12)
    assert grouped["high"] - grouped["low"] > 1.4 * (alone["high"] - alone["low"]) and grouped["freedom"] < 5
    one = compare_answers(answers(base, after, families=["f"] * 12)).row(1, named=True)
    assert (one["difference"], one["low"], one["p"]) == (0.5, None, None)
    assert one["why"] == "the prompts are of one family"


def test_equal_scores_claim_no_certainty():
    leaks = compare_answers(answers([0.0] * 30, [0.0] * 30)).row(1, named=True)
    assert (leaks["difference"], leaks["p"]) == (0, 1)
    assert (leaks["low"], leaks["high"]) == pytest.approx((-0.1157, 0.1157), abs=1e-4)
    words = compare_answers(answers([7.0] * 30, [9.0] * 30)).row(1, named=True)
    assert (words["difference"], words["low"], words["why"]) == (2, None, "all differences are equal")


@pytest.mark.parametrize(
    ("base", "after", "difference", "why"),
    [
        ([0.0, 1], [None, None], None, "no prompt has a score of both"),
        ([None, None], [0.0, 1], None, "no prompt has a score of both"),
        ([0.0, NAN], [NAN, 1], None, "no prompt has a score of both"),
        ([0.0], [1.0], 1, "one prompt gives no interval"),
        ([2.0, float("inf")], [1.0, 3], None, "a score is infinite"),
    ],
)
def test_what_is_not_known_is_said(base, after, difference, why):
    found = compare_answers(answers(base, after)).row(1, named=True)
    assert (found["difference"], found["low"], found["p"], found["why"]) == (difference, None, None, why)


def test_p_is_corrected_for_all_comparisons_of_the_table():
    draw = np.random.default_rng(4)
    tables = [
        answers(draw.normal(0, 1, 20), draw.normal(gain, 1, 20), scorer, split)
        for gain, scorer, split in ((0.0, "x", "test"), (1.5, "y", "test"), (0.8, "x", "other"))
    ]
    found = compare_answers(pl.concat(tables)).filter(pl.col("p").is_not_null()).sort("p")
    assert found["tests"].to_list() == [3, 3, 3]
    assert found["p_holm"].to_list() == pytest.approx(
        [min(1, p * k) for p, k in zip(found["p"], (3, 2, 1), strict=True)]
    )
    assert "corrected for 3 comparisons (Holm)" in notes_on(found.to_dicts())[0]


def test_no_rows_have_no_comparison():
    assert compare_answers(answers([1.0], [1.0]).clear()).height == 0


def test_the_table_fits_in_100_columns_and_says_what_it_is(capsys: pytest.CaptureFixture, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    draw = np.random.default_rng(1)
    before, after = (draw.random(170) < share for share in (0.44, 0.55))
    families = [f"f{i // 2}" for i in range(170)]
    rows = [
        answers(before, after, "constraints", "identity", families, ("student", "curated")),
        answers([0.0] * 150, [0.0] * 150, "named", "other", None, ("student", "curated")).with_columns(
            family=pl.lit(None, pl.String)
        ),
    ]
    show_comparison(compare_answers(pl.concat(rows)))
    told = capsys.readouterr().out
    assert all(len(line) <= 100 for line in told.splitlines()) and "…" not in told
    head = next(line for line in told.splitlines() if "┃" in line)
    assert [name.strip() for name in head.split("┃")] == [
        "split", "scorer", "model", "answers", "mean", "change to student (95%)", "p", "seen from"
    ]  # fmt: skip
    assert "+0.000 (-0.024 to +0.024)" in told
    assert "Student's t over families of like prompts (85 of 170 in identity, 150 of 150 in other)" in " ".join(
        told.split()
    )
    assert "corrected for 2 comparisons (Holm)" in " ".join(told.split())


def test_missing_scores_and_intervals_are_shown(capsys: pytest.CaptureFixture):
    show_comparison(compare_answers(answers([None, 1.0, 1], [2.0, 3, 3])))
    told = capsys.readouterr().out
    assert "failed" in told and "+2.000 (no interval)" in told
    assert "No interval for x in test: all differences are equal." in told


@pytest.mark.slow
def test_the_interval_covers_the_truth_as_often_as_it_says():
    draw, hits, runs, prompts = np.random.default_rng(5), 0, 400, 80
    for _ in range(runs):
        before = (draw.random(prompts) < 0.4).astype(float)
        after = np.where(draw.random(prompts) < 0.3, draw.random(prompts) < 0.7, before)  # true gain 0.09
        found = compare_answers(answers(before, after)).row(1, named=True)
        hits += found["low"] <= 0.09 <= found["high"]
    assert 0.93 <= hits / runs
