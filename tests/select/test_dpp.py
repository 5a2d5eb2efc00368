"""DPP: the greedy picks of the determinant itself, quality against likeness, and what a small window forgets."""

import numpy as np
import polars as pl
import pytest

import curate.select.dpp as dpp
from curate.algorithms.vectors.integer_vectors import TO_COSINE, nearest_to_mean, to_integers
from curate.select._hours import refuse_hours
from schemas.errors import UserError
from tests.select.rows import embeddings, numbers, unit


def kernel(vectors, width):
    cosine = (to_integers(vectors) @ to_integers(vectors).T).astype(np.float64) * TO_COSINE
    likeness = np.exp((cosine - 1) / width)
    return likeness + dpp.NUGGET * np.eye(len(vectors))


def by_determinants(likeness, quality, count, picks):
    while len(picks) < count:
        gains = []
        for row in range(len(likeness)):
            some = [*picks, row]
            full = quality[some][:, None] * likeness[np.ix_(some, some)] * quality[some]
            gains.append(-np.inf if row in picks else np.linalg.slogdet(full)[1])
        picks.append(int(np.argmax(gains)))
    return sorted(picks)


def by_columns(likeness, quality, count, first):
    left, factor, picks = np.diag(likeness).copy(), np.zeros((len(likeness), count)), []
    for column in range(count):
        worth = np.log(left) + 2 * np.log(quality)
        worth[picks] = -np.inf
        best = int(worth.argmax()) if picks or first is None else first
        picks.append(best)
        factor[:, column] = (likeness[:, best] - factor[:, :column] @ factor[best, :column]) / np.sqrt(left[best])
        left = np.maximum(left - factor[:, column] ** 2, dpp.NUGGET)
    return sorted(picks)


def standard(score):
    return (score - score.mean()) / score.std()


@pytest.mark.parametrize("quality", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("width", [0.2, 1.0])
def test_each_pick_adds_most_to_the_determinant(quality, width):
    vectors, score = unit(40, 8), np.random.default_rng(1).random(40)
    result, summary = dpp.subset(embeddings(vectors), numbers(score), keep=9, quality=quality, width=width)
    begun = [] if quality else [nearest_to_mean(vectors)]
    expected = by_determinants(kernel(vectors, width), np.exp(quality * standard(score)), 9, begun)
    assert np.flatnonzero(result["kept"]).tolist() == expected and summary == "greedy MAP, exact"


@pytest.mark.parametrize("scored", [True, False])
@pytest.mark.parametrize("count", [1, 2, 100, 300])
def test_the_front_and_the_blocks_change_no_pick(count, scored):
    vectors, score = unit(1200, 24, seed=2), np.random.default_rng(3).standard_normal(1200)
    given = numbers(score if scored else [None] * 1200)
    result, _ = dpp.subset(embeddings(vectors), given, keep=count)
    quality = np.exp(0.2 * standard(score)) if scored else np.ones(1200)
    first = None if scored else nearest_to_mean(vectors)
    assert np.flatnonzero(result["kept"]).tolist() == by_columns(kernel(vectors, 0.5), quality, count, first)


@pytest.mark.parametrize("window", [2, 7, 50])
def test_twins_of_rows_long_out_of_the_window_are_still_known(window):
    vectors = unit(300)
    result, summary = dpp.subset(embeddings([*vectors, *vectors]), numbers([None] * 600), keep=300, window=window)
    kept = result["kept"].to_numpy()
    assert (kept[:300] != kept[300:]).all()
    assert summary == f"greedy MAP, by the last {window // 2} to {window} picks"
    near = result.filter(~pl.col("kept"))
    assert (near["similarity"] > 0.999).all()


def test_a_wide_window_is_the_exact_choice():
    vectors = embeddings(unit(300))
    exact, _ = dpp.subset(vectors, numbers(range(300)), keep=60)
    assert dpp.subset(vectors, numbers(range(300)), keep=60, window=60)[0].equals(exact)


def test_more_rows_than_dimensions_are_distinguished():
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    result, _ = dpp.subset(embeddings(np.stack([np.cos(angle), np.sin(angle)], axis=1)), numbers([None] * 120), keep=12)
    kept = np.flatnonzero(result["kept"].to_numpy())
    gaps = np.diff(kept, append=120 + kept[0])
    assert gaps.max() <= 20 and gaps.min() >= 5


def test_much_quality_keeps_the_best_and_unscored_rows_come_last():
    vectors, score = unit(100), np.random.default_rng(0).random(100)
    result, _ = dpp.subset(embeddings(vectors), numbers(score), keep=10, quality=1000.0)
    assert set(np.flatnonzero(result["kept"])) == set(np.argsort(-score)[:10])
    vectors = np.concatenate([np.repeat(unit(1), 5, axis=0), unit(5, seed=9)])
    some = numbers([0.0, 0, 0, 0, 1] + [None, float("nan"), None, None, float("inf")])
    for count in (5, 7):
        result, _ = dpp.subset(embeddings(vectors), some, keep=count)
        assert result["kept"][:5].all() and result["kept"].sum() == count


def test_rows_without_a_direction_are_not_kept():
    table = embeddings([None, [0, 0], [float("nan"), 1], [float("inf"), 1], [1, 0], [0, 2]])
    result, _ = dpp.subset(table, numbers([9.0, 9, 9, 9, 1, 1]), keep=1.0)
    assert result["kept"].to_list() == [False] * 4 + [True] * 2 and result["nearest"].null_count() == 6
    assert dpp.subset(embeddings([None]), numbers([1.0]), keep=1)[0]["kept"].to_list() == [False]
    empty, _ = dpp.subset(embeddings([]), numbers([]), keep=1)
    assert empty.schema == {"kept": pl.Boolean, "nearest": pl.Int64, "similarity": pl.Float64}


@pytest.mark.parametrize("count", [1, 300, 600])
def test_equal_rows_are_kept_as_many_as_asked(count):
    for score in ([None] * 600, [1.0] * 600):
        table = pl.Series(np.repeat(unit(1, 4), 600, axis=0), dtype=pl.Array(pl.Float32, 4))
        assert dpp.subset(table, numbers(score), keep=count, window=100)[0]["kept"].sum() == count


WRONG = [("quality", -0.1), ("width", 0.0), ("window", 1), ("width", float("nan"))]


@pytest.mark.parametrize(("setting", "value"), WRONG)
def test_a_setting_out_of_range_is_refused(setting, value):
    with pytest.raises(UserError, match=f"select dpp: {setting}: expected a number from"):
        dpp.subset(embeddings([]), numbers([]), keep=1, **{setting: value})


def test_equal_rows_do_no_harm_however_they_are_rounded():
    vectors = unit(300, 32)
    lengths = np.linalg.norm(to_integers(vectors), axis=1)
    for row in (lengths.argmin(), lengths.argmax()):
        table = embeddings(np.repeat(vectors[[row]], 600, axis=0))
        with np.errstate(all="raise"):
            result, _ = dpp.subset(table, numbers([None] * 600), keep=300, window=50)
        assert result["kept"].sum() == 300


@pytest.mark.parametrize("size", [1e300, 1e-300])
def test_scores_may_be_of_any_size(size):
    vectors, score = embeddings(unit(50)), np.random.default_rng(0).uniform(-1, 1, 50)
    with np.errstate(all="raise", under="ignore"):
        result, _ = dpp.subset(vectors, numbers(score * size * 1e8), keep=9)
    assert result.equals(dpp.subset(vectors, numbers(score), keep=9)[0])


def test_a_choice_that_takes_hours_is_refused_with_an_estimate():
    vectors = embeddings(unit(1500))
    with pytest.raises(
        UserError, match=r"select dpp: to keep 500 of 1,500 rows would take about .* set keep to \d+ or less"
    ):
        dpp.subset(vectors, numbers([None] * 1500), keep=500, hours=1e-8)
    with pytest.raises(UserError, match="hours: expected a number above 0, found 0"):
        dpp.subset(vectors, numbers([None] * 1500), keep=500, hours=0)
    assert dpp.subset(vectors, numbers([None] * 1500), keep=5, hours=1e-4)[0]["kept"].sum() == 5


def test_a_tenth_of_a_million_rows():
    """By the estimate alone: dpp is refused."""
    seconds = dpp.SECONDS + dpp.PER_NUMBER * 384 + dpp.PER_PICK * 134
    with pytest.raises(UserError, match="100,000 of 1,000,000 rows would take about 3 hours"):
        refuse_hours("dpp", 1_000_000, 100_000, seconds, 1.0)
