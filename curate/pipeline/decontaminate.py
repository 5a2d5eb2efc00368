"""The verb ``decontaminate``: drop rows that contain a benchmark's, naming its row, the rule, and the matching text.

Three rules, each for the rows that those before it let pass: ``exact`` (equal words), ``n-grams``
(``curate.algorithms.overlap.benchmark_overlap``) and, where the recipe gives ``semantic`` a cosine, ``semantic``: the embedding of the row is
that near to a benchmark row's.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import polars as pl

from curate.algorithms.overlap.benchmark_overlap import HEAD, SHARES, Index, check, decontaminate, make_index
from curate.algorithms.vectors.neighbours import nearest, unit
from curate.models.embeddings import check_embedder, embed, embedding_identity
from curate.models.model_ref import ModelRef
from curate.pipeline.decisions import apply_decisions, kept_summary
from curate.pipeline.pipeline import Walk
from curate.pipeline.row_rule import EMBEDDER
from curate.sources.benchmarks import read_benchmarks
from curate.steps.registry import HERE as CURATE
from curate.steps.registry import source_hash
from curate.storage.rows import RowSet, read_batches
from curate.storage.store import StageWriter
from schemas import recipe as recipes
from schemas.errors import UserError, unknown

SETTINGS = ("against", "ngram", "match", "share_of", "semantic", "model", "on")
DEFAULTS = {"ngram": 8, "match": 0.5, "share_of": SHARES[0]}


class Semantic(NamedTuple):
    """The rule by embeddings: from which cosine on, what embeds texts, and the benchmark's vectors and their rows."""

    at: float
    embed: Callable[[pl.Series], pl.Series]
    vectors: np.ndarray
    rows: np.ndarray


def clean(walk: Walk, rows: RowSet, step: recipes.Step, context: RowSet | None) -> None:
    """Drop the rows that a benchmark has too, of prompts or of completions (``on`` names the column)."""
    where = f"{walk.recipe.path}:{step.line}"
    for key in step.settings:
        if key not in SETTINGS:
            raise unknown("setting of decontaminate called", key, SETTINGS, where)
    settings = {name: step.settings.get(name, default) for name, default in DEFAULTS.items()}
    try:
        check(**settings)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    columns = rows.columns(context)
    column = step.settings.get("on", "prompt" if rows.table == "prompts" else "response")
    if not isinstance(column, str) or columns.get(column) != pl.String:
        texts = [name for name, kind in columns.items() if kind == pl.String]
        raise unknown("column (to decontaminate) called", str(column), texts, where)
    at, model = _asked(walk, step, where)
    bench = read_benchmarks(step.settings["against"], walk.recipe.path.parent, walk.store.path, where)
    label = walk.label(rows.table, "decontaminate")
    used = ["algorithms/overlap/benchmark_overlap.py", *(["algorithms/vectors/neighbours.py"] if model else [])]
    what = {
        "settings": settings,
        "semantic": at,
        "model": embedding_identity(model) if model else "",
        "on": column,
        "against": bench.content,
        "source": [source_hash(CURATE / name) for name in used],
        "input": rows.depends([column]),
        "context": context.depends([column]) if context else "",
    }

    def build(writer: StageWriter) -> str:
        index, near = make_index(bench.rows["text"], **settings), None
        if model:
            near = semantic(bench.rows["text"], at, lambda texts: embed(texts, model, walk.store, walk.progress))
        walk.progress.begin(label, rows.kept_ids.height)
        counts: Counter[tuple[str, str]] = Counter()
        for part in read_batches(rows, [column], context):
            found = find(part[column], index, near)
            writer.write("decisions", decisions(part[rows.id], found, bench.rows, label))
            files = bench.rows["file"].gather(found["matched"].drop_nulls())
            counts.update(zip(found["how"].drop_nulls(), files, strict=True))
            if near is None:  # else the embeddings have bars of their own
                walk.progress.advance(part.height)
        return said(kept_summary(writer, rows), counts, index)

    apply_decisions(walk, rows, label, what, build)


def _asked(walk: Walk, step: recipes.Step, where: str) -> tuple[float | None, ModelRef | None]:
    """Check the settings of the semantic rule; both None where it is not asked for."""
    at, name = step.settings.get("semantic"), step.settings.get("model", EMBEDDER)
    if at is None:
        if "model" in step.settings:
            raise UserError(f"{where}: decontaminate: model: is for the rule 'semantic'; set that too: semantic: 0.9")
        return None, None
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 < at <= 1:
        raise UserError(f"{where}: decontaminate: semantic: expected a cosine above 0 and at most 1, found {at!r}")
    if not isinstance(name, str):
        raise UserError(f"{where}: decontaminate: model: expected the name of a model, found {name!r}")
    model = walk.model(name, where)
    check_embedder(model, where)
    return float(at), model


def find(text: pl.Series, index: Index, near: Semantic | None) -> pl.DataFrame:
    """Return what ``decontaminate`` does and ``similarity``, for texts found by embeddings only; a row per text."""
    found = decontaminate(text, index).with_columns(similarity=pl.lit(None, pl.Float64))
    if near is None or not len(near.rows):
        return found
    open_ = (found["matched"].is_null() & (text.str.strip_chars().fill_null("") != "")).arg_true()
    if not len(open_):
        return found
    hit, which, cosine = near_ones(near, near.embed(text.gather(open_)))
    at = open_.gather(hit)
    return found.with_columns(
        matched=found["matched"].scatter(at, which),
        how=found["how"].scatter(at, "semantic"),
        similarity=found["similarity"].scatter(at, cosine),
    )


def near_ones(near: Semantic, embedding: pl.Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which embeddings are near enough to a benchmark row's, which row is the nearest, and their cosine."""
    vectors, usable = unit(embedding)
    known = len(near.rows)
    both = np.concatenate((near.vectors, np.where(usable[:, None], vectors, np.float32("nan"))))
    position, cosine = nearest(both, np.arange(known), np.arange(known, len(both)))
    hit = np.flatnonzero(cosine >= near.at)  # what has no direction has a cosine of NaN, which is not
    return hit, near.rows[position[hit]], cosine[hit].astype(np.float64)


def semantic(text: pl.Series, at: float, embed: Callable[[pl.Series], pl.Series]) -> Semantic:
    """Embed a benchmark's texts; blank ones, and those whose vector has no direction, are left out."""
    some = (text.str.strip_chars().fill_null("") != "").arg_true()
    if not len(some):
        return Semantic(at, embed, np.zeros((0, 0), np.float32), np.zeros(0, np.int64))
    vectors, usable = unit(embed(text.gather(some)))
    return Semantic(at, embed, vectors[usable], some.to_numpy().astype(np.int64)[usable])


def decisions(ids: pl.Series, found: pl.DataFrame, bench: pl.DataFrame, label: str) -> pl.DataFrame:
    """Return a decision a row: why it is out and, as JSON, the rule, the benchmark's row and what is shared."""
    matched = found["matched"]
    row = found.with_columns(
        file=bench["file"].gather(matched),
        line=bench["line"].gather(matched),
        overlap=pl.col("overlap").round(4),
        text=bench["text"].gather(matched).str.slice(0, HEAD),
        similarity=pl.col("similarity").round(4),
    )
    out = row["matched"].is_not_null()
    by_words = pl.struct("how", "file", "line", "overlap", "text", "shared").struct.json_encode()
    by_vector = pl.struct("how", "file", "line", "similarity", "text").struct.json_encode()
    return row.select(
        row_id=ids,
        kept=~out,
        stage=pl.lit(label),
        reason=pl.when(out).then(pl.format("overlaps a benchmark ({})", "how")),
        evidence=pl.when(out & (pl.col("how") == "semantic")).then(by_vector).when(out).then(by_words),
    )


def said(kept: str, counts: Counter[tuple[str, str]], index: Index) -> str:
    """``280 of 300 kept; 3 exact, 17 n-grams; gsm8k 20``, and how many benchmark rows are too short for n-grams."""
    parts = [kept]
    for which in (0, 1):
        totals: Counter[str] = Counter()
        for key, count in counts.items():
            totals[key[which]] += count
        if totals:
            ordered = totals.most_common() if which else sorted(totals.items())
            parts.append(", ".join(f"{name} {count:,}" if which else f"{count:,} {name}" for name, count in ordered))
    if index.short:
        parts.append(
            f"{index.short:,} of {index.rows:,} benchmark rows have fewer than {index.n} words and match "
            f"only what equals them"
        )
    return "; ".join(parts)
