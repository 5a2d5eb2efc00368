"""The verb ``decontaminate``: rows that a benchmark holds too are dropped, with its row, the rule and the shared text.

Of a conversation each turn of the user and of the assistant is compared, as each is learnt or is read by the model.
There are three rules, each for the rows that those before it let pass: ``exact`` (equal words), ``n-grams``
(``curate.algorithms.overlap``) and, where the recipe gives ``semantic`` a cosine, ``semantic``: the embedding of the
row is that near to a benchmark row's.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from curate.algorithms.overlap.benchmark_index import SHARES, BenchmarkIndex, check_overlap_settings, make_index
from curate.algorithms.overlap.benchmark_overlap import HEAD, find_benchmark_overlaps
from curate.algorithms.text import same_text
from curate.algorithms.text.levels import Level
from curate.algorithms.vectors.neighbours import nearest, unit
from curate.models.embeddings import check_embedder, embed, embedding_identity
from curate.models.model_ref import ModelRef
from curate.pipeline.decisions import decision_stage, kept_summary
from curate.pipeline.row_rule import EMBEDDER, TURNS
from curate.pipeline.run_state import RunState
from curate.pipeline.stage_spec import RunContext, StageSpec, input_key
from curate.sources.benchmarks import read_benchmarks
from curate.sources.reference_data import ReferenceData
from curate.storage.rows import RowSet, read_batches
from curate.storage.stage import StageWriter
from schemas import recipe as recipes
from schemas.errors import UserError, unknown
from schemas.json_text import parse

DEFAULTS = {"ngram": 8, "match": 0.5, "share_of": SHARES[0]}
LEVELS = {"nfkc": True, "ignore_case": True, "ignore_punctuation": True, "ignore_indents": True}
SETTINGS = ("against", *DEFAULTS, *LEVELS, "semantic", "model", "on")


class SemanticRule(NamedTuple):
    """The rule by embeddings.

    Attributes:
        least_cosine: From which cosine on a text matches a benchmark's row.
        embed: Returns the unit vectors of texts.
        vectors: The benchmark's vectors, those without a direction left out.
        rows: The benchmark's row of each vector.
    """

    least_cosine: float
    embed: Callable[[pl.Series], pl.Series]
    vectors: np.ndarray
    rows: np.ndarray


def decontaminate_stage(state: RunState, rows: RowSet, step: recipes.Step, prompts: RowSet | None) -> StageSpec:
    """Return the stage that drops the rows that a benchmark holds too.

    Args:
        state: The run's state.
        rows: The prompts, or the candidates, to compare (``on`` names the column).
        step: The recipe's step.
        prompts: The prompts of candidates; None where ``rows`` are prompts.

    Raises:
        UserError: A setting or a column is wrong, or the benchmark cannot be read.
    """
    where = state.recipe.step_where(step)
    for name in step.settings:
        if name not in SETTINGS:
            raise unknown("setting of decontaminate called", name, SETTINGS, where)
    settings = {name: step.settings.get(name, default) for name, default in DEFAULTS.items()}
    try:
        check_overlap_settings(**settings)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    level = _level(step, where)
    columns = rows.columns(prompts)
    column = step.settings.get("on", "prompt" if rows.table == "prompts" else "response")
    if not isinstance(column, str) or columns.get(column) != pl.String:
        texts = [name for name, kind in columns.items() if kind == pl.String]
        raise unknown("column (to decontaminate) called", str(column), texts, where)
    least_cosine, model = _semantic_settings(state, step, where)
    benchmark = read_benchmarks(step.settings["against"], state.recipe.path.parent, state.store.path, where)
    label = state.label(rows.table, "decontaminate")
    key = {
        "settings": settings,
        "level": level,
        "semantic": least_cosine,
        "model": embedding_identity(model) if model else "",
        "on": column,
        "against": benchmark.content,
        **input_key(rows, prompts, [column]),
    }
    build = partial(
        write_overlaps,
        rows=rows,
        prompts=prompts,
        column=column,
        benchmark=benchmark,
        settings=settings,
        level=level,
        semantic=(least_cosine, model) if least_cosine is not None and model else None,
        label=label,
    )
    return decision_stage(rows, label, key, build)


def write_overlaps(
    writer: StageWriter,
    run: RunContext,
    *,
    rows: RowSet,
    prompts: RowSet | None,
    column: str,
    benchmark: ReferenceData,
    settings: dict[str, Any],
    level: Level,
    semantic: tuple[float, ModelRef] | None,
    label: str,
) -> str:
    """Write a decision for every row: whether a benchmark's row overlaps it, by which rule, and what they share."""
    index, rule = make_index(benchmark.rows["text"], **settings, level=level), None
    if semantic:
        least_cosine, model = semantic
        rule = semantic_rule(
            benchmark.rows["text"], least_cosine, lambda texts: embed(texts, model, run.store, run.progress)
        )
    run.progress.begin(label, rows.kept_ids.height)
    counts: Counter[tuple[str, str]] = Counter()
    turns = TURNS.get(column)
    for part in read_batches(rows, [column, turns] if turns else [column], prompts):
        texts, owner = turn_texts(part[column], part[turns]) if turns else (part[column], None)
        found = find_overlaps(texts, index, rule)
        found = found if owner is None else first_overlaps(found, owner, part.height)
        writer.write("decisions", overlap_decisions(part[rows.id], found, benchmark.rows, label))
        files = benchmark.rows["file"].gather(found["matched"].drop_nulls())
        counts.update(zip(found["how"].drop_nulls(), files, strict=True))
        if rule is None:  # else the embeddings have bars of their own
            run.progress.advance(part.height)
    return overlap_summary(kept_summary(writer, rows), counts, index)


def _level(step: recipes.Step, where: str) -> Level:
    """Return how the step's texts are levelled."""
    given = {name: step.settings.get(name, default) for name, default in LEVELS.items()}
    for name, value in given.items():
        if not isinstance(value, bool):
            raise UserError(f"{where}: decontaminate: {name}: expected true or false, found {value!r}")
    return Level(
        forms=given["nfkc"],
        case=given["ignore_case"],
        punctuation=given["ignore_punctuation"],
        indents=not given["ignore_indents"],
    )


def _semantic_settings(state: RunState, step: recipes.Step, where: str) -> tuple[float | None, ModelRef | None]:
    """Return the least cosine and the embedding model of the semantic rule; both None where the step has none."""
    at, name = step.settings.get("semantic"), step.settings.get("model", EMBEDDER)
    if at is None:
        if "model" in step.settings:
            raise UserError(f"{where}: decontaminate: model: is for the rule 'semantic'; set that too: semantic: 0.9")
        return None, None
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 < at <= 1:
        raise UserError(f"{where}: decontaminate: semantic: expected a cosine above 0 and at most 1, found {at!r}")
    if not isinstance(name, str):
        raise UserError(f"{where}: decontaminate: model: expected the name of a model, found {name!r}")
    model = state.model(name, where)
    check_embedder(model, where)
    return float(at), model


def turn_texts(text: pl.Series, turns: pl.Series) -> tuple[pl.Series, pl.Series | None]:
    """Return the texts to compare of rows: of a conversation each turn's, of another row its text.

    Args:
        text: The text of each row.
        turns: The messages of each row, as JSON text.

    Returns:
        The texts, and the number of the row that each is of; None where each row has one.
    """
    several = same_text.conversations(turns)
    at = several.is_not_null().arg_true()
    if not len(at):
        return text, None
    said = [
        list(dict.fromkeys(turn["content"] for turn in parse(held) if turn["role"] in ("user", "assistant")))
        for held in several.gather(at)
    ]
    of_turns = pl.DataFrame({"row": at, "text": said}, {"row": pl.UInt32, "text": pl.List(pl.String)}).explode("text")
    others = pl.DataFrame({"text": text}).with_row_index("row").filter(several.is_null())
    every = pl.concat([of_turns, others]).sort("row", maintain_order=True)
    return every["text"], every["row"]


def first_overlaps(found: pl.DataFrame, owner: pl.Series, rows: int) -> pl.DataFrame:
    """Return for each of some rows the overlap of the first of its texts that has one."""
    first = (
        found.with_columns(owner.alias("row"))
        .filter(pl.col("matched").is_not_null())
        .unique("row", keep="first", maintain_order=True)
    )
    every = pl.DataFrame({"row": pl.int_range(rows, dtype=pl.UInt32, eager=True)})
    return every.join(first, on="row", how="left", maintain_order="left").drop("row")


def find_overlaps(text: pl.Series, index: BenchmarkIndex, rule: SemanticRule | None) -> pl.DataFrame:
    """Return the overlap of each text, and its ``similarity`` where embeddings found it."""
    found = find_benchmark_overlaps(text, index).with_columns(similarity=pl.lit(None, pl.Float64))
    if rule is None or not len(rule.rows):
        return found
    unmatched = (found["matched"].is_null() & (text.str.strip_chars().fill_null("") != "")).arg_true()
    if not len(unmatched):
        return found
    hit, which, cosine = nearest_rows(rule, rule.embed(text.gather(unmatched)))
    at = unmatched.gather(hit)
    return found.with_columns(
        matched=found["matched"].scatter(at, which),
        how=found["how"].scatter(at, "semantic"),
        similarity=found["similarity"].scatter(at, cosine),
    )


def nearest_rows(rule: SemanticRule, embedding: pl.Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which embeddings are near enough to a benchmark row's, which row is the nearest, and their cosine."""
    vectors, usable = unit(embedding)
    known = len(rule.rows)
    both = np.concatenate((rule.vectors, np.where(usable[:, None], vectors, np.float32("nan"))))
    position, cosine = nearest(both, np.arange(known), np.arange(known, len(both)))
    hit = np.flatnonzero(cosine >= rule.least_cosine)  # what has no direction has a cosine of NaN, which is not
    return hit, rule.rows[position[hit]], cosine[hit].astype(np.float64)


def semantic_rule(text: pl.Series, least_cosine: float, embed: Callable[[pl.Series], pl.Series]) -> SemanticRule:
    """Embed a benchmark's texts; blank ones, and those whose vector has no direction, are left out."""
    some = (text.str.strip_chars().fill_null("") != "").arg_true()
    if not len(some):
        return SemanticRule(least_cosine, embed, np.zeros((0, 0), np.float32), np.zeros(0, np.int64))
    vectors, usable = unit(embed(text.gather(some)))
    return SemanticRule(least_cosine, embed, vectors[usable], some.to_numpy().astype(np.int64)[usable])


def overlap_decisions(ids: pl.Series, found: pl.DataFrame, benchmark: pl.DataFrame, label: str) -> pl.DataFrame:
    """Return a decision for each row: the reason and, as JSON, the rule, the benchmark's row and the shared text."""
    matched = found["matched"]
    row = found.with_columns(
        file=benchmark["file"].gather(matched),
        line=benchmark["line"].gather(matched),
        overlap=pl.col("overlap").round(4),
        text=benchmark["text"].gather(matched).str.slice(0, HEAD),
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


def overlap_summary(kept: str, counts: Counter[tuple[str, str]], index: BenchmarkIndex) -> str:
    """Return ``280 of 300 kept; 3 exact, 17 n-grams; gsm8k 20``, and how many benchmark rows are too short."""
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
