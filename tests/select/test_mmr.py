"""MMR: the picks of the plain loop, scores against likeness, and rows without a score last."""

import numpy as np
import polars as pl
import pytest

import curate.select.mmr as mmr
from curate.algorithms.vectors.integer_vectors import TO_COSINE, to_integers
from curate.select._hours import refuse_hours
from schemas.errors import UserError
from tests.select.rows import embeddings, numbers, unit


def plain_loop(vectors, base, weight, count, first):
    cosine = (to_integers(vectors) @ to_integers(vectors).T) * TO_COSINE
    picks, near = [first], cosine[first]
    while len(picks) < count:
        worth = base - weight * near
        worth[picks] = -np.inf
        picks.append(int(worth.argmax()))
        near = np.maximum(near, cosine[picks[-1]])
    return sorted(picks)


@pytest.mark.parametrize(("rows", "count"), [(50, 1), (50, 12), (1500, 40), (1500, 400)])
@pytest.mark.parametrize("relevance", [0.2, 0.5, 0.95])
def test_the_picks_are_those_of_the_plain_loop(rows, count, relevance):
    vectors = unit(rows, seed=count)
    score = np.random.default_rng(count).standard_normal(rows)
    result, summary = mmr.subset(embeddings(vectors), numbers(score), keep=count, relevance=relevance)
    base = ((score - score.min()) / (score.max() - score.min()) * relevance).astype(np.float32)
    expected = plain_loop(vectors, base, np.float32(1 - relevance), count, int(score.argmax()))
    assert np.flatnonzero(result["kept"]).tolist() == expected
    assert summary.startswith(f"{relevance} of the score")


@pytest.mark.parametrize("count", [1, 30, 500])
def test_without_scores_picks_go_from_the_middle_outwards(count):
    vectors = unit(1500) + np.float32(0.1)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    result, summary = mmr.subset(embeddings(vectors), numbers([None] * 1500), keep=count)
    mean = vectors.mean(axis=0)
    first = int((to_integers(vectors) @ to_integers(mean / np.linalg.norm(mean))).argmax())
    expected = plain_loop(vectors, np.zeros(1500, np.float32), np.float32(1), count, first)
    assert np.flatnonzero(result["kept"]).tolist() == expected and summary == "by cosine alone"


def test_pyversity_picks_the_same():
    peer = pytest.importorskip("pyversity.strategies.mmr").mmr
    vectors = np.abs(unit(400, 32))  # it takes a negative cosine for 0
    score = np.random.default_rng(1).random(400)
    score = (score - score.min()) / (score.max() - score.min())
    ours = set(np.flatnonzero(mmr.subset(embeddings(vectors), numbers(score), keep=60)[0]["kept"]))
    theirs = peer(vectors, score, 60, diversity=0.5).indices
    assert len(ours & set(theirs.tolist())) >= 58  # its cosines are not rounded


def test_score_alone_keeps_the_best_a_twin_must_be_far_better():
    vectors = unit(100)
    score = np.random.default_rng(0).random(100)
    result, _ = mmr.subset(embeddings(vectors), numbers(score), keep=10, relevance=1.0)
    assert set(np.flatnonzero(result["kept"])) == set(np.argsort(-score)[:10])
    result, _ = mmr.subset(embeddings([[1, 0], [1, 0.01], [0, 1]]), numbers([1.0, 0.9, 0.2]), keep=2)
    assert result["kept"].to_list() == [True, False, True]


def test_a_row_without_a_score_is_taken_when_no_other_is_left():
    vectors = np.concatenate([np.repeat(unit(1), 5, axis=0), unit(5, seed=9)])
    score = numbers([0.0] * 5 + [None, float("nan"), None, None, float("inf")])
    for count in (5, 7):
        result, _ = mmr.subset(embeddings(vectors), score, keep=count)
        assert result["kept"][:5].all() and result["kept"].sum() == count
    result, _ = mmr.subset(embeddings(vectors), score, keep=3, relevance=0.0)
    assert result["kept"][:5].sum() == 3


def test_rows_without_a_direction_are_not_kept():
    table = embeddings([None, [0, 0], [float("nan"), 1], [float("inf"), 1], [1, 0], [0, 2]])
    result, _ = mmr.subset(table, numbers([9.0, 9, 9, 9, 1, 1]), keep=1.0)
    assert result["kept"].to_list() == [False] * 4 + [True] * 2 and result["nearest"].null_count() == 6
    assert mmr.subset(embeddings([None]), numbers([1.0]), keep=1)[0]["kept"].to_list() == [False]
    empty, _ = mmr.subset(embeddings([]), numbers([]), keep=1)
    assert empty.schema == {"kept": pl.Boolean, "nearest": pl.Int64, "similarity": pl.Float64}


@pytest.mark.parametrize("count", [1, 700, 5_000])
def test_equal_rows_are_kept_as_many_as_asked(count):
    for score in ([None] * 5_000, [1.0] * 5_000):
        table = pl.Series(np.repeat(unit(1, 4), 5_000, axis=0), dtype=pl.Array(pl.Float32, 4))
        assert mmr.subset(table, numbers(score), keep=count)[0]["kept"].sum() == count


def test_a_keep_or_relevance_out_of_range_is_refused():
    with pytest.raises(UserError, match="relevance: expected a number from 0 to 1, found 1.5"):
        mmr.subset(embeddings([]), numbers([]), keep=1, relevance=1.5)
    with pytest.raises(UserError, match="select mmr: keep"):
        mmr.subset(embeddings([]), numbers([]), keep=0)


@pytest.mark.parametrize("size", [1e300, 1e-300])
def test_scores_may_be_of_any_size(size):
    vectors, score = embeddings(unit(50)), np.random.default_rng(0).uniform(-1, 1, 50)
    with np.errstate(all="raise", under="ignore"):
        result, _ = mmr.subset(vectors, numbers(score * size * 1e8), keep=9)
    assert result.equals(mmr.subset(vectors, numbers(score), keep=9)[0])


def test_a_choice_that_takes_hours_is_refused_with_an_estimate():
    vectors = embeddings(unit(1500))
    with pytest.raises(
        UserError, match=r"select mmr: to keep 500 of 1,500 rows would take about .* set keep to \d+ or less"
    ):
        mmr.subset(vectors, numbers([None] * 1500), keep=500, hours=1e-8)
    with pytest.raises(UserError, match="hours: expected a number above 0, found 0"):
        mmr.subset(vectors, numbers([None] * 1500), keep=500, hours=0)
    assert mmr.subset(vectors, numbers([None] * 1500), keep=5, hours=1e-4)[0]["kept"].sum() == 5


def test_a_tenth_of_a_million_rows():
    """By the estimate alone: mmr takes less than an hour."""
    refuse_hours("mmr", 1_000_000, 100_000, mmr.SECONDS * 384, 1.0)
