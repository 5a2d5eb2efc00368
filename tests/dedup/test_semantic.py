"""Semantic duplicates against plain loops over all pairs, in full and by buckets, and the laws of every dedup step."""

import os

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dedup.semantic import dedup
from schemas.errors import UserError


def column(vectors: np.ndarray) -> pl.Series:
    return pl.Series("embedding", vectors.astype(np.float32), dtype=pl.Array(pl.Float32, vectors.shape[1]))


def duplicates(vectors, text=None, score=None, known=None, **given):
    """The table alone, of vectors (or a column) and, where not given, texts ``t0``, ``t1``, no scores, none known."""
    embedding = vectors if isinstance(vectors, pl.Series) else column(vectors)
    count = len(embedding)
    text = pl.Series([f"t{row}" for row in range(count)] if text is None else text, dtype=pl.String)
    score = pl.Series([None] * count if score is None else score, dtype=pl.Float64)
    known = pl.Series([False] * count if known is None else known, dtype=pl.Boolean)
    result = dedup(text, embedding, score, known, **given)
    return result[0] if isinstance(result, tuple) else result


def planted(count: int, width: int, seed: int, low: float = 0.95) -> np.ndarray:
    """Unit vectors that lean to one side, the last tenth each at a cosine of ``low`` to 0.99 to one of the first."""
    draw = np.random.default_rng(seed)
    vectors = draw.standard_normal((count, width)) * np.arange(1, width + 1) ** -0.3
    vectors += draw.standard_normal(width) * 0.2
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = count // 10
    aside = draw.standard_normal((pairs, width))
    aside -= (aside * vectors[:pairs]).sum(axis=1, keepdims=True) * vectors[:pairs]
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    cosine = draw.uniform(low, 0.99, (pairs, 1))
    vectors[-pairs:] = cosine * vectors[:pairs] + np.sqrt(1 - cosine**2) * aside
    return vectors.astype(np.float32)


def true(vectors: np.ndarray) -> np.ndarray:
    wide = vectors.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        wide = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    return wide @ wide.T


def keep_first(vectors: np.ndarray, threshold: float) -> list[int | None]:
    cosine, kept, answer = true(vectors), [], []
    for row in range(len(vectors)):
        near = [other for other in kept if cosine[row, other] >= threshold]
        answer.append(max(near, key=lambda other: cosine[row, other], default=None))
        if not near:
            kept.append(row)
    return answer


def components(vectors: np.ndarray, threshold: float) -> list[int]:
    label, near = list(range(len(vectors))), true(vectors) >= threshold
    for row in range(len(vectors)):
        for other in np.flatnonzero(near[row]):
            low, high = sorted((label[row], label[other]))
            label = [low if value == high else value for value in label]
    return label


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.95])
def test_keep_first_is_the_plain_loop(threshold):
    vectors = planted(150, 16, 1)
    assert duplicates(vectors, threshold=threshold)["duplicate_of"].to_list() == keep_first(vectors, threshold)


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.95])
def test_connected_clusters_are_exact_and_via_leads_to_the_kept(threshold):
    vectors = planted(150, 16, 1)
    found, cosine = duplicates(vectors, threshold=threshold, cluster="connected"), true(vectors)
    label = components(vectors, threshold)
    assert found["duplicate_of"].to_list() == [None if label[row] == row else label[row] for row in range(150)]
    for row, (of, similarity, via) in enumerate(found.iter_rows()):
        if of is None:
            continue
        assert similarity == pytest.approx(cosine[row, of], abs=1e-5)
        steps = 0
        while row != of:
            assert cosine[row, via] >= threshold - 1e-6
            row, via, steps = via, found["via"][via], steps + 1
            assert steps < 150


def test_buckets_find_what_comparing_all_finds():
    vectors = planted(4000, 128, 2)
    full = duplicates(vectors, exact_below=10_000)
    result = dedup(
        pl.Series([f"t{row}" for row in range(4000)]),
        column(vectors),
        pl.Series([None] * 4000),
        pl.Series([False] * 4000),
        exact_below=0,
    )
    assert isinstance(result, tuple), "a table alone, without a message"
    table, message = result
    dropped = full["duplicate_of"].is_not_null()
    assert dropped.sum() >= 390
    assert (table["duplicate_of"].is_not_null() & dropped).sum() >= 0.99 * dropped.sum()
    assert not (table["duplicate_of"].is_not_null() & ~dropped).any()
    assert message.startswith("recall ") and "neighbours of 500 rows" in message
    both = table["duplicate_of"].is_not_null()
    assert table.filter(both)["similarity"].equals(full.filter(both)["similarity"])


def test_buckets_find_connected_clusters_too():
    vectors = planted(4000, 128, 3)
    vectors[1000:1010] = chain(vectors[1000], 10, 0.96)
    full = duplicates(vectors, exact_below=10_000, cluster="connected")
    found = duplicates(vectors, exact_below=0, cluster="connected")
    assert full["duplicate_of"][1001:1010].to_list() == [1000] * 9
    assert (found["duplicate_of"].eq_missing(full["duplicate_of"])).mean() > 0.998
    assert full["similarity"][1009] < 0 and found["via"][1001] == 1000


def chain(start: np.ndarray, length: int, cosine: float) -> np.ndarray:
    """Vectors each at ``cosine`` to the one before, turning away from the first in one plane."""
    aside = np.random.default_rng(5).standard_normal(len(start))
    aside -= aside @ start * start
    aside /= np.linalg.norm(aside)
    angle = np.arccos(cosine) * np.arange(length)[:, None]
    return np.cos(angle) * start + np.sin(angle) * aside


def test_rows_without_direction_or_text_are_never_duplicates():
    nan = float("nan")
    rows = [[1, 0], None, [0, 0], [nan, 1], [1, 0], [1, 0], [1, 0], [0, 0], [nan, 1]]
    embedding = pl.Series("embedding", rows, dtype=pl.Array(pl.Float32, 2))
    found = duplicates(embedding, text=["a", "a", "a", "a", "b", " \n", None, "c", "d"])
    assert found["duplicate_of"].to_list() == [None, None, None, None, 0, None, None, None, None]
    assert found["similarity"].to_list() == [None, None, None, None, 1.0, None, None, None, None]


def test_empty_table_and_one_row():
    empty = pl.Series("embedding", [], dtype=pl.Array(pl.Float32, 1))
    assert duplicates(empty).columns == ["duplicate_of", "similarity", "via"]
    assert duplicates(np.ones((1, 3))).rows() == [(None, None, None)]


def test_known_rows_stay_are_not_compared_and_come_first():
    vectors = np.array([[1, 0.01], [1, 0], [1, 0], [0, 1], [0, 1], [-1, 0]])
    for cluster in ("keep_first", "connected"):
        found = duplicates(vectors, known=[False, True, True, False, False, False], cluster=cluster)
        assert found["duplicate_of"].to_list() == [1, None, None, None, 3, None]
        assert found["via"].to_list() == [1, None, None, None, 3, None]


def test_many_equal_known_rows_are_looked_at_once():
    vectors = planted(3000, 128, 10)
    vectors = np.concatenate((np.repeat(vectors[:1], 50_000, axis=0), vectors))
    found = duplicates(vectors, known=(np.arange(53_000) < 50_000).tolist(), exact_below=0)
    assert found["duplicate_of"][:50_000].null_count() == 50_000
    assert found["duplicate_of"][50_000] == 0 and 295 <= found["duplicate_of"].is_not_null().sum() <= 310


def test_only_equal_vectors_are_within_a_threshold_of_one():
    vectors = planted(3000, 128, 11)
    vectors[1::50] = vectors[::50]
    for below in (0, 10_000):
        assert duplicates(vectors, threshold=1.0, exact_below=below)["duplicate_of"].is_not_null().sum() == 60


def test_known_rows_stay_where_buckets_are_used():
    vectors = planted(4000, 128, 4)
    known = np.arange(4000) >= 3600
    full, found = (duplicates(vectors, known=known.tolist(), exact_below=below) for below in (10_000, 0))
    assert full["duplicate_of"].filter(pl.Series(known)).null_count() == 400
    assert found["duplicate_of"].filter(pl.Series(known)).null_count() == 400
    assert found["duplicate_of"].is_not_null().sum() >= 0.99 * full["duplicate_of"].is_not_null().sum() > 380


def test_which_row_stays():
    vectors = np.array([[1, 0]] * 3)
    text, score = ["bb", "aaa", "c"], [0.1, None, 0.9]
    assert duplicates(vectors, text, score)["duplicate_of"].to_list() == [None, 0, 0]
    assert duplicates(vectors, text, score, keep="longest")["duplicate_of"].to_list() == [1, None, 1]
    assert duplicates(vectors, text, score, keep="best")["duplicate_of"].to_list() == [2, 2, None]


@pytest.mark.slow
@pytest.mark.parametrize(("cluster", "noise"), [("keep_first", 0), ("keep_first", 1e-3), ("connected", 1e-3)])
def test_many_nearly_equal_rows_are_not_compared_pairwise(cluster, noise):
    draw = np.random.default_rng(0)
    vectors = np.ones((40_000 if noise else 200_000, 8), np.float32)
    vectors += noise * draw.standard_normal(vectors.shape).astype(np.float32)
    found = duplicates(vectors, cluster=cluster)
    assert found["duplicate_of"].null_count() == 1 and found["duplicate_of"].drop_nulls().unique().to_list() == [0]


@pytest.mark.slow
def test_nearly_equal_rows_in_the_buckets():
    """Half the rows in ten crowds, which fall in one bucket each, among others that make buckets worth while."""
    draw = np.random.default_rng(0)
    vectors = planted(8000, 256, 6)
    vectors[::2] = vectors[np.arange(4000) % 10 * 2 + 1] + 1e-3 * draw.standard_normal((4000, 256))
    full = duplicates(vectors, exact_below=10_000)
    for cluster in ("keep_first", "connected"):
        found = duplicates(vectors, exact_below=0, cluster=cluster)
        assert abs(found["duplicate_of"].null_count() - full["duplicate_of"].null_count()) <= 8
        assert found["duplicate_of"][::2].null_count() <= 10


def test_vectors_in_a_mapped_file_give_the_same(tmp_path):
    vectors = planted(3000, 128, 7)
    vectors.tofile(tmp_path / "vectors")
    mapped = column(np.memmap(tmp_path / "vectors", np.float32, "r", shape=vectors.shape))
    for below in (0, 10_000):
        assert duplicates(mapped, exact_below=below).equals(duplicates(vectors, exact_below=below))


def test_the_number_of_threads_does_not_matter():
    vectors, cores = planted(4000, 128, 8), os.sched_getaffinity(0)
    whole = duplicates(vectors, exact_below=0)
    try:
        os.sched_setaffinity(0, {min(cores)})
        assert duplicates(vectors, exact_below=0).equals(whole)
    finally:
        os.sched_setaffinity(0, cores)


def test_row_order_does_not_matter_in_buckets_that_keep_longest():
    vectors = planted(4000, 128, 9)
    text = np.array([f"{row * 7919 % 4001:05}" + "x" * (row % 3) for row in range(4000)])
    kept = [
        set(
            text[order][
                duplicates(vectors[order], text[order].tolist(), keep="longest", exact_below=0)["duplicate_of"]
                .is_null()
                .to_numpy()
            ]
        )
        for order in (np.arange(4000), np.random.default_rng(1).permutation(4000))
    ]
    assert kept[0] == kept[1] and len(kept[0]) < 3700


TABLES = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.integers(1, 4)), min_size=1, max_size=30)
CHOICE = {
    "keep": st.sampled_from(["longest", "best"]),
    "cluster": st.sampled_from(["keep_first", "connected"]),
    "threshold": st.sampled_from([0.6, 0.9, 0.97]),
}


@settings(max_examples=60, deadline=None)
@given(table=TABLES, known=st.sets(st.integers(0, 29)), **CHOICE)
def test_laws(table, known, keep, cluster, threshold):
    vectors = np.array(table, np.float32)
    text = [f"{x}{y}{z}" * z for x, y, z in table]  # rows of one vector have one text
    held = np.array([row in known for row in range(len(table))])
    score = vectors[:, 0].astype(float)
    given = {"keep": keep, "cluster": cluster, "threshold": threshold}

    def kept_of(order):
        found = duplicates(vectors[order], [text[row] for row in order], score[order], held[order].tolist(), **given)
        return found, order[found["duplicate_of"].is_null().to_numpy()]

    found, kept = kept_of(np.arange(len(table)))
    cosine, of = true(vectors), found["duplicate_of"].to_list()
    for row, (other, similarity, via) in enumerate(found.iter_rows()):
        assert (other is None) == (similarity is None) == (via is None)
        if other is not None:
            assert of[other] is None and not held[row]  # it names a kept row
            assert similarity == pytest.approx(cosine[row, other], abs=1e-5)
            assert cosine[row, via] >= threshold - 1e-6
            assert cluster == "connected" or similarity >= threshold
    again, _ = kept_of(kept)
    assert again["duplicate_of"].null_count() == len(kept)  # idempotent
    _, shuffled = kept_of(np.random.default_rng(0).permutation(len(table)))
    assert {text[row] for row in shuffled} == {text[row] for row in kept}


@pytest.mark.parametrize("given", [{"threshold": 0.0}, {"threshold": 1.1}, {"recall": 0.0}, {"recall": 2.0}])
def test_settings_out_of_range(given):
    with pytest.raises(UserError, match="above 0 and at most 1"):
        duplicates(np.eye(2), **given)
