"""The points of a map of embeddings: prompts and candidates whose text has a stored embedding, and what is known.

A text is found by its hash, as the macro ``nearest`` does it. A candidate is found by its response, or by its prompt
and response together, which a dataset's ``dedup`` with ``on: row`` embeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curate.algorithms.vectors import kmeans
from curate.algorithms.vectors.neighbours import usable_vectors
from curate.storage.table_views import literal
from schemas.sql_frames import frame_of

if TYPE_CHECKING:
    import duckdb

CLUSTERS = 12
MOST_VALUES = 40  # of a column; the others are one value
MOST_SCORERS = 12
MOST_SETS = 31  # datasets: a bit each
LONGEST_VALUE = 80  # characters
LEAST_LIFT = 1.5  # times as frequent in a cluster as in all texts: a word of the cluster's name
SEED = 7
OTHERS = "(others)"
MODELS = "SELECT model, count(*) AS texts FROM embeddings GROUP BY model ORDER BY texts DESC, model"
# A point is drawn by the hash of its id, so that a larger sample has the points of a smaller one. No vector is read.
POINTS = """
    CREATE OR REPLACE TEMP TABLE map_points AS
    WITH texts AS (
        SELECT prompt_id AS id, 'prompt' AS kind, prompt_id, prompt AS text, prompt AS embedded, source, NULL AS model
        FROM prompts
        UNION ALL
        SELECT c.completion_id, 'candidate', c.prompt_id, c.response,
            unnest([c.response, p.prompt || chr(10) || c.response]), p.source, c.model
        FROM completions AS c LEFT JOIN prompts AS p USING (prompt_id)
    ),
    found AS (
        SELECT t.id, any_value(t.kind) AS kind, any_value(t.prompt_id) AS prompt_id,
            any_value(left(t.text, {longest})) AS text, any_value(t.source) AS source, any_value(t.model) AS model,
            arg_min(e.text_hash, length(t.embedded)) AS text_hash
        FROM texts AS t JOIN embeddings AS e ON e.text_hash = left(sha256(t.embedded), 32)
        WHERE e.model = {model} GROUP BY t.id
    )
    SELECT *, count(*) OVER () AS total FROM found ORDER BY md5(id), id LIMIT {most}"""
FACTS = """
    WITH drops AS (
        SELECT row_id, min(stage) AS stage, min_by(drop_reason(stage, reason, evidence).kind, stage) AS reason
        FROM decisions WHERE NOT kept AND row_id IN (SELECT id FROM map_points) GROUP BY row_id
    ),
    used AS (
        SELECT id, list_sort(list_distinct(list(dataset))) AS datasets FROM (
            SELECT unnest([prompt_id, completion_id]) AS id, dataset FROM sft
            UNION ALL SELECT unnest([prompt_id, chosen_id, rejected_id]), dataset FROM preferences
            UNION ALL SELECT unnest([prompt_id, completion_id]), dataset FROM unpaired
            UNION ALL SELECT prompt_id, dataset FROM rl_prompts
        ) WHERE id IN (SELECT id FROM map_points) GROUP BY id
    )
    SELECT m.id, m.text, m.total, m.kind, m.source, m.model, u.datasets,
        CASE WHEN u.id IS NULL AND d.row_id IS NOT NULL THEN 'dropped' ELSE 'kept' END AS fate,
        CASE WHEN u.id IS NULL THEN d.stage || ': ' || d.reason END AS reason, e.value
    FROM map_points AS m JOIN (
        SELECT text_hash, value FROM embeddings
        WHERE model = {model} AND text_hash IN (SELECT text_hash FROM map_points)
    ) AS e USING (text_hash)
    LEFT JOIN drops AS d ON d.row_id = m.id LEFT JOIN used AS u ON u.id = m.id
    ORDER BY md5(m.id), m.id"""
SCORES = """
    SELECT row_id, scorer, value FROM scores
    WHERE row_id IN (SELECT id FROM map_points) AND isfinite(value)"""


@dataclass(frozen=True)
class Category:
    """A column of names: the name of each point is ``values[codes[point]]``; the most frequent come first."""

    name: str
    title: str
    values: tuple[str, ...]
    codes: np.ndarray


@dataclass(frozen=True)
class Score:
    """A column of numbers; NaN where a point has none."""

    name: str
    numbers: np.ndarray


@dataclass(frozen=True)
class Points:
    """The points of a map.

    Attributes:
        ids: The id of each prompt or candidate, in an order that is random and always the same.
        texts: The first characters of each text.
        vectors: The unit vectors (float32, points x d, read-only).
        categories: What each point is: fate, reason, dataset, cluster, source, model, kind.
        scores: The scores of candidates.
        sets: By dataset, which points are in it (Boolean).
        model: The model whose embeddings they are.
        total: How many points the store has; ``ids`` are a sample of these if there are fewer.
        notes: What a reader has to know of them, in sentences.
    """

    ids: list[str]
    texts: list[str]
    vectors: np.ndarray
    categories: tuple[Category, ...]
    scores: tuple[Score, ...]
    sets: dict[str, np.ndarray]
    model: str
    total: int
    notes: tuple[str, ...]


def map_points(con: "duckdb.DuckDBPyConnection", most: int, longest: int = 200) -> Points | None:
    """Return the points of a store; None where no prompt and no candidate has a stored embedding.

    Args:
        con: A connection of ``sql_views.connect``, which has every table and macro.
        most: The most points; of more, as many are drawn, always the same ones.
        longest: The characters of a text that are returned.
    """
    models = [model for model, _ in con.execute(MODELS).fetchall()]
    if not models:
        return None
    frame, found = _read(con, models[0], most, longest)
    if not frame.height:
        return None
    total, drawn = frame["total"][0], frame.height
    frame, vectors = _usable(frame)
    if not frame.height:
        return None
    texts = frame["text"].fill_null("").to_list()
    sets = _sets(frame["datasets"])
    return Points(
        frame["id"].to_list(), texts, vectors, _categories(frame, vectors, texts), _scores(frame["id"], found),
        sets, models[0], total, _notes(frame, models, drawn, total),
    )  # fmt: skip


def _read(con: "duckdb.DuckDBPyConnection", model: str, most: int, longest: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the points with what is known of them, and their scores; nothing of it stays in the database."""
    con.execute(POINTS.format(model=literal(model), most=int(most), longest=int(longest)))
    try:
        return _frame(con, FACTS.format(model=literal(model))), _frame(con, SCORES)
    finally:
        con.execute("DROP TABLE map_points")


def _usable(frame: pl.DataFrame) -> tuple[pl.DataFrame, np.ndarray]:
    """Return the points whose vectors have a direction and the usual length, and their unit vectors."""
    lengths = frame["value"].list.len()
    width = int(lengths.mode().sort()[-1])
    frame = frame.filter(lengths == width) if width else frame.clear()
    if not frame.height:
        return frame, np.zeros((0, 0), np.float32)
    vectors, usable = usable_vectors(frame["value"].cast(pl.Array(pl.Float32, width)))
    return frame.filter(pl.Series(usable)), vectors


def _frame(con: "duckdb.DuckDBPyConnection", query: str) -> pl.DataFrame:
    return frame_of(con.sql(query))


def category(name: str, title: str, values: Sequence[str | None], none: str = "(none)") -> Category:
    """Return a column of names, the most frequent first; of more than ``MOST_VALUES``, the rarest are one value."""
    texts = pl.Series([none if value is None else value[:LONGEST_VALUE] for value in values], dtype=pl.String)
    counts = texts.value_counts().sort("count", texts.name, descending=[True, False])[texts.name].to_list()
    names = counts if len(counts) <= MOST_VALUES else [*counts[: MOST_VALUES - 1], OTHERS]
    codes = {value: min(place, len(names) - 1) for place, value in enumerate(counts)}
    return Category(name, title, tuple(names), texts.replace_strict(codes, return_dtype=pl.UInt8).to_numpy())


def _categories(frame: pl.DataFrame, vectors: np.ndarray, texts: list[str]) -> tuple[Category, ...]:
    """Return all columns of names; those of which every point has the same value are left out, but for the fate."""
    datasets = [", ".join(names) if names is not None else None for names in frame["datasets"].to_list()]
    found = (
        category("fate", "Kept or dropped", frame["fate"].to_list()),
        category("reason", "Dropped by", frame["reason"].to_list(), "(kept)"),
        category("dataset", "Dataset", datasets, "(in none)"),
        clusters(vectors, texts),
        category("source", "Source", frame["source"].to_list()),
        category("model", "Model", frame["model"].to_list(), "(no model)"),
        category("kind", "Prompt or candidate", frame["kind"].to_list()),
    )
    return tuple(one for one in found if one.name == "fate" or len(one.values) > 1)


def clusters(vectors: np.ndarray, texts: Sequence[str]) -> Category:
    """Return the k-means cluster of each point, the largest first, named by words that are frequent in it only."""
    cell, _ = kmeans.cells(vectors, kmeans.centres(vectors, min(CLUSTERS, len(vectors)), SEED))
    numbers, counts = np.unique(cell, return_counts=True)
    order = numbers[np.argsort(-counts, kind="stable")]
    place = np.zeros(int(cell.max()) + 1, np.uint8)
    place[order] = np.arange(len(order), dtype=np.uint8)
    codes = place[cell]
    words = _words(codes, texts, len(order))
    names = [f"{number}: {said}" if said else f"{number}" for number, said in enumerate(words, 1)]
    return Category("cluster", "Cluster", tuple(names), codes)


def _words(codes: np.ndarray, texts: Sequence[str], count: int) -> list[str]:
    """Return for each cluster the three words in most of its texts, compared with how many texts have them at all."""
    seen = (
        pl.DataFrame({"cluster": codes, "text": pl.Series(texts, dtype=pl.String)})
        .with_row_index("row")
        .with_columns(word=pl.col("text").str.to_lowercase().str.extract_all(r"\p{L}{4,20}").list.unique())
        .explode("word")
        .drop_nulls("word")
    )
    sizes = pl.Series("size", np.bincount(codes, minlength=count))
    said = seen.group_by("cluster", "word").len("here").with_columns(all=pl.col("here").sum().over("word"))
    size = pl.col("cluster").replace_strict(dict(enumerate(sizes)), return_dtype=pl.Int64)
    said = said.with_columns(share=pl.col("here") / size).filter(pl.col("here") > 1)
    said = said.with_columns(lift=pl.col("share") * len(texts) / pl.col("all")).filter(pl.col("lift") >= LEAST_LIFT)
    said = said.with_columns(weight=pl.col("share") * pl.col("lift").log())
    said = said.sort(["cluster", "weight", "word"], descending=[False, True, False])
    best = dict(said.group_by("cluster", maintain_order=True).agg(pl.col("word").head(3)).iter_rows())
    return [", ".join(best.get(cluster, [])) for cluster in range(count)]


def _scores(ids: pl.Series, found: pl.DataFrame) -> tuple[Score, ...]:
    """Return the scores that most points have, by the names of their scorers."""
    counts = found["scorer"].value_counts().sort(["count", "scorer"], descending=[True, False])
    made = []
    for name in counts["scorer"].head(MOST_SCORERS).to_list():
        own = found.filter(pl.col("scorer") == name).group_by("row_id").agg(pl.col("value").mean())
        numbers = pl.DataFrame({"row_id": ids}).join(own, on="row_id", how="left", maintain_order="left")["value"]
        if numbers.n_unique() > 1:
            made.append(Score(name[:LONGEST_VALUE], numbers.fill_null(float("nan")).to_numpy()))
    return tuple(made)


def _sets(datasets: pl.Series) -> dict[str, np.ndarray]:
    """Return by dataset which points are in it, for the first datasets by name."""
    names = sorted({name for one in datasets.drop_nulls().to_list() for name in one})[:MOST_SETS]
    return {name: datasets.list.contains(name).fill_null(False).to_numpy() for name in names}


def _notes(frame: pl.DataFrame, models: list[str], drawn: int, total: int) -> tuple[str, ...]:
    kinds = frame["kind"].value_counts().sort("kind").rows()
    of = " and ".join(f"{count:,} {kind}{'s' if count != 1 else ''}" for kind, count in kinds)
    said = [f"{of} whose text has an embedding by {models[0]}."]
    if total > drawn:
        said.append(f"They are {drawn:,} of {total:,}, drawn at random.")
    if drawn > frame.height:
        said.append(f"{drawn - frame.height:,} have an embedding without a direction, and are left out.")
    if len(models) > 1:
        said.append(f"Embeddings by {', '.join(models[1:])} are not shown.")
    return tuple(said)
