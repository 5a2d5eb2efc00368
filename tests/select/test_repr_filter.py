"""DEITA's filter against its own loop, in full and by buckets."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.select.repr_filter import subset
from schemas.errors import UserError


def filtered(vectors, score=None, **given):
    """The table and the line summary, of vectors (or a column) and scores, where there are any."""
    column = (
        vectors
        if isinstance(vectors, pl.Series)
        else (pl.Series("embedding", vectors.astype(np.float32), dtype=pl.Array(pl.Float32, vectors.shape[1])))
    )
    score = pl.Series([None] * len(column) if score is None else score, dtype=pl.Float64)
    result = subset(column, score, **given)
    return result if isinstance(result, tuple) else (result, "")


def deita(vectors: np.ndarray, order: np.ndarray, threshold: float, count: int) -> tuple[list[int], dict[int, int]]:
    """DEITA's loop: the kept rows, and for each ruled out the kept one it is nearest to."""
    wide = vectors.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    kept, out = [], {}
    for row in order:
        cosine = wide[kept] @ wide[row]
        if len(kept) and cosine.max() >= threshold:
            out[int(row)] = kept[int(cosine.argmax())]
        else:
            kept.append(int(row))
        if len(kept) == count:
            break
    return kept, out


def crowded(count: int, width: int, seed: int) -> np.ndarray:
    """Unit vectors around a tenth as many centres, at cosines of 0.85 to 0.99 to them."""
    draw = np.random.default_rng(seed)
    centres = draw.standard_normal((count // 10, width)) + 0.3
    vectors = centres[draw.integers(0, len(centres), count)]
    vectors = vectors + draw.uniform(0.1, 0.6, (count, 1)) * draw.standard_normal((count, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("count", [20, 400])
def test_it_is_deitas_loop(threshold, count):
    vectors, score = crowded(400, 16, 1), np.random.default_rng(2).permutation(400) / 400
    kept, out = deita(vectors, np.argsort(-score), threshold, count)
    table, summary = filtered(vectors, score, keep=count, threshold=threshold)
    assert np.flatnonzero(table["kept"]).tolist() == sorted(kept)
    assert {row: table["nearest"][row] for row in out} == out
    assert summary.startswith("exact") and (len(kept) < count) == (f"{len(kept)} of {count} wanted" in summary)
    cosine = vectors @ vectors[kept].T
    for row in set(range(400)) - set(kept):
        assert table["similarity"][row] == pytest.approx(float(vectors[row] @ vectors[table["nearest"][row]]), abs=1e-5)
        assert row in out or table["similarity"][row] == pytest.approx(float(cosine[row].max()), abs=1e-5)


@pytest.mark.slow
def test_buckets_rule_out_what_the_loop_rules_out():
    vectors, score = crowded(8000, 128, 3), np.random.default_rng(4).permutation(8000) / 8000
    for count in (8000, 2000):
        full, _ = filtered(vectors, score, keep=count, exact_below=10_000)
        found, summary = filtered(vectors, score, keep=count, exact_below=0)
        assert summary.startswith("recall")
        out = full["nearest"].is_not_null() & (full["similarity"] >= 0.9)
        assert (found["kept"] & out).sum() <= 0.01 * out.sum() and out.sum() > 500
        assert found["kept"].sum() == (2000 if count == 2000 else pytest.approx(full["kept"].sum(), rel=0.01))
        assert (found["similarity"] <= 1).all()


def test_null_scores_come_last_and_without_any_the_seed_draws():
    vectors = np.eye(8)[np.arange(40) % 8] + 1e-3 * np.random.default_rng(0).standard_normal((40, 8))
    score = [None] * 32 + [0.5] * 8
    table, summary = filtered(vectors, score, keep=20)
    assert np.flatnonzero(table["kept"]).tolist() == list(range(32, 40)) and "8 of 20 wanted" in summary
    drawn = [np.flatnonzero(filtered(vectors, keep=20, seed=seed)[0]["kept"]).tolist() for seed in (0, 1)]
    assert drawn[0] != drawn[1] and len(drawn[0]) == len(drawn[1]) == 8
    assert np.flatnonzero(filtered(vectors[::-1], keep=20)[0]["kept"][::-1]).tolist() == drawn[0]


def test_rows_without_direction_are_not_kept_and_near_nothing():
    nan = float("nan")
    rows = [None, [0, 0], [1, 0], [nan, 0], [1, 1e-6], [0, 1]]
    table, _ = filtered(pl.Series("embedding", rows, dtype=pl.Array(pl.Float32, 2)), [9, 9, 3, 9, 2, nan], keep=1.0)
    assert table["kept"].to_list() == [False, False, True, False, False, True]
    assert table["nearest"].to_list() == [None, None, None, None, 2, None]
    nothing, _ = filtered(pl.Series("embedding", [None, None], dtype=pl.Array(pl.Float32, 2)), keep=1)
    assert nothing.rows() == [(False, None, None)] * 2
    assert filtered(pl.Series("embedding", [], dtype=pl.Array(pl.Float32, 2)), keep=1)[0].height == 0


def test_many_equal_rows_are_compared_with_the_one_kept():
    table, _ = filtered(np.ones((50_000, 8)), np.arange(50_000), keep=0.5)
    assert table["kept"].sum() == 1 and table["kept"][49_999] and (table["similarity"].drop_nulls() == 1).all()


@settings(max_examples=40, deadline=None)
@given(
    table=st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.integers(1, 4)), min_size=1, max_size=25),
    threshold=st.sampled_from([0.4, 0.9]),
    keep=st.sampled_from([0.3, 3, 1.0]),
    scored=st.booleans(),
)
def test_laws(table, threshold, keep, scored):
    vectors = np.array(table, np.float32)
    wide = vectors.astype(float) / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = wide @ wide.T
    found, _ = filtered(vectors, vectors[:, 0] if scored else None, keep=keep, threshold=threshold)
    kept = found["kept"].to_numpy()
    assert 1 <= kept.sum() <= (keep if isinstance(keep, int) else max(1, round(keep * len(table))))
    assert (cosine[np.ix_(kept, kept)] - np.eye(kept.sum()) < threshold + 1e-6).all()
    for row, (stays, other, similarity) in enumerate(found.iter_rows()):
        assert stays == (other is None) == (similarity is None)
        assert stays or (kept[other] and similarity == pytest.approx(cosine[row, other], abs=1e-5))
    order = np.random.default_rng(0).permutation(len(table))
    shuffled, _ = filtered(vectors[order], vectors[order, 0] if scored else None, keep=keep, threshold=threshold)
    way = [tuple(row) for row in wide.round(5)]  # of rows that point the same way either may be kept
    assert {way[row] for row in order[shuffled["kept"].to_numpy()]} == {way[row] for row in np.flatnonzero(kept)}


@pytest.mark.parametrize("given", [{"keep": 0}, {"keep": 1.5}, {"keep": 1, "threshold": 0.0}, {"keep": 1, "recall": 2}])
def test_settings_out_of_range(given):
    with pytest.raises(UserError, match="select repr_filter: "):
        filtered(np.eye(2), **given)
