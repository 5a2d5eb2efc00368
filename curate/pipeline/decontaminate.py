"""The verb ``decontaminate``: rows that a benchmark holds too are dropped, with its row, the rule and the shared text.

Of a conversation each turn of the user and of the assistant is compared, as each is learnt or is read by the model.
``curate.pipeline.overlap_rule`` says when a text overlaps.
"""

from collections import Counter
from functools import partial

import polars as pl

from curate.algorithms.overlap.benchmark_index import BenchmarkIndex
from curate.algorithms.overlap.benchmark_overlap import HEAD
from curate.algorithms.text import same_text
from curate.pipeline.decisions import decision_stage, kept_summary
from curate.pipeline.overlap_rule import OverlapRule, SemanticRule, find_overlaps, read_overlap_rule
from curate.pipeline.row_rule import TURNS
from curate.pipeline.run_state import RunState
from curate.pipeline.stage_spec import RunContext, StageSpec, input_key
from curate.storage.rows import RowSet, read_batches
from curate.storage.stage import StageWriter
from schemas import recipe as recipes
from schemas.errors import unknown
from schemas.json_text import parse


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
    rule = read_overlap_rule(state, step.settings, where)
    columns = rows.columns(prompts)
    column = step.settings.get("on", "prompt" if rows.table == "prompts" else "response")
    if not isinstance(column, str) or columns.get(column) != pl.String:
        texts = [name for name, kind in columns.items() if kind == pl.String]
        raise unknown("column (to decontaminate) called", str(column), texts, where)
    label = state.label(rows.table, "decontaminate")
    key = {**rule.key(), "on": column, **input_key(rows, prompts, [column])}
    build = partial(write_overlaps, rows=rows, prompts=prompts, column=column, rule=rule, label=label)
    return decision_stage(rows, label, key, build, (OverlapRule,))


def write_overlaps(
    writer: StageWriter,
    run: RunContext,
    *,
    rows: RowSet,
    prompts: RowSet | None,
    column: str,
    rule: OverlapRule,
    label: str,
) -> str:
    """Write a decision for every row: whether a benchmark's row overlaps it, by which rule, and what they share."""
    index, semantic = rule.prepare(run)
    benchmark = rule.benchmark.rows
    run.progress.begin(label, rows.height)
    counts: Counter[tuple[str, str]] = Counter()
    turns = TURNS.get(column)
    for part in read_batches(rows, [column, turns] if turns else [column], prompts):
        found = overlaps_of(part[column], part[turns] if turns else None, index, semantic)
        writer.write("decisions", overlap_decisions(part[rows.id], found, benchmark, label))
        files = benchmark["file"].gather(found["matched"].drop_nulls())
        counts.update(zip(found["how"].drop_nulls(), files, strict=True))
        if semantic is None:  # else the embeddings have bars of their own
            run.progress.advance(part.height)
    return overlap_summary(kept_summary(writer, rows), counts, index)


def overlaps_of(
    text: pl.Series, turns: pl.Series | None, index: BenchmarkIndex, semantic: SemanticRule | None
) -> pl.DataFrame:
    """Return the overlap of each row: of a conversation the first one of its turns.

    Args:
        text: The text of each row.
        turns: The messages of each row, as JSON text; None where rows are no conversations.
        index: The benchmark.
        semantic: The rule by embeddings, or None.
    """
    texts, owner = (text, None) if turns is None else turn_texts(text, turns)
    found = find_overlaps(texts, index, semantic)
    return found if owner is None else first_overlaps(found, owner, len(text))


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
