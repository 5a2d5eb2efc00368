"""Dataset rows in TRL's columns: made of row numbers, with the ids they came from and their scores.

Rows are made and written a slice at a time. A score may have any name, so columns beside the scores have names that no
score has.
"""

from collections.abc import Callable, Iterator
from hashlib import sha256

import polars as pl

from curate.algorithms.random_order import CONTENT_ID
from curate.algorithms.text import same_text
from curate.datasets.candidate_table import SLICE, Candidates
from curate.pipeline.prompt_splits import splits_of
from curate.storage.row_table import RowTable, gather, read_row_table
from curate.storage.rows import RowSet
from schemas.ids import content_id
from schemas.recipe import Recipe


def by_prompt(prompts: RowSet, completions: RowSet, by: str | None) -> pl.DataFrame:
    """Return every prompt's id with a summary of its candidates' scores.

    ``pass_rate`` is the mean of the candidates' score of that name where there is one, else the share of its scored
    candidates whose score ``by`` is at least 1; for each scorer there are ``..._mean``, ``..._min`` and ``..._max``.
    All are null for a prompt without candidates.
    """
    scorers = list(completions.scores)
    frame = read_row_table(completions, ["prompt_id"]).frame
    summary = [getattr(pl.col(s), how)().alias(f"{s}_{how}") for s in scorers for how in ("mean", "min", "max")]
    if "pass_rate" in scorers:
        passed = pl.col("pass_rate").mean()
    else:
        passed = (pl.col(by) >= 1).mean() if by in scorers else pl.lit(None, pl.Float64).first()
    summaries = frame.group_by("prompt_id").agg(*summary, pass_rate=passed, n_completions=pl.len().cast(pl.Int64))
    ids = read_row_table(prompts).ids.to_frame()
    return ids.join(summaries, on="prompt_id", how="left", maintain_order="left")


def summary_columns(scorers: list[str]) -> list[str]:
    """Return the names of the columns of ``by_prompt`` that sum up scores."""
    return [f"{scorer}_{how}" for scorer in scorers for how in ("mean", "min", "max")]


def prompt_splits(recipe: Recipe, prompts: RowSet, shares_of: RowSet, table: RowTable) -> pl.Series:
    """Return the split of every prompt, in the order of ``table``, which numbers them.

    Args:
        recipe: The recipe.
        prompts: The prompts.
        shares_of: The prompts that the shares are shares of (``RunState.shares_of``).
        table: The prompts' table.
    """
    if not recipe.splits:
        return pl.select(split=pl.repeat("train", table.height)).to_series()
    return splits_of(recipe, prompts, shares_of)


def sft_rows(candidates: Candidates, made: pl.DataFrame, by: str | None, scorers: list[str]) -> Iterator[pl.DataFrame]:
    """Yield SFT rows for candidates (``__row`` and ``__place``), in their order."""
    return _answer_rows("sft", candidates, made, by, scorers)


def unpaired_rows(
    candidates: Candidates, made: pl.DataFrame, by: str | None, scorers: list[str]
) -> Iterator[pl.DataFrame]:
    """Yield unpaired rows for candidates (``__row``, ``__place`` and ``label``), in their order."""
    return _answer_rows("unpaired", candidates, made, by, scorers)


def _answer_rows(
    kind: str, candidates: Candidates, made: pl.DataFrame, by: str | None, scorers: list[str]
) -> Iterator[pl.DataFrame]:
    """Yield rows of one answer each, with their columns of ``made`` that are no row numbers."""
    for part in made.iter_slices(SLICE):
        own = _answers(candidates, part["__row"], by, scorers)
        yield (
            _prompt_columns(candidates, part)
            .hstack(
                own.select(
                    "completion",
                    "prompt_id",
                    "completion_id",
                    row_id=row_ids(kind, own["completion_id"]),
                    score=_score(own, by),
                    scores=_json(scorers),
                )
            )
            .hstack(part.drop("__row", "__place"))
        )


def preference_rows(
    candidates: Candidates, made: pl.DataFrame, by: str | None, scorers: list[str]
) -> Iterator[pl.DataFrame]:
    """Yield preference rows for pairs of candidates (``chosen``, ``rejected`` and ``__place``), in their order."""
    for part in made.iter_slices(SLICE):
        rows = _prompt_columns(candidates, part)
        for side in ("chosen", "rejected"):
            own = _answers(candidates, part[side], by, scorers)
            rows = rows.hstack(
                own.select(
                    pl.col("completion").alias(side),
                    pl.col("completion_id").alias(f"{side}_id"),
                    _score(own, by).alias(f"{side}_score"),
                    _json(scorers).alias(f"__{side}_scores"),
                )
            )
        both = pl.concat_str(
            pl.lit('{"chosen":'), "__chosen_scores", pl.lit(',"rejected":'), "__rejected_scores", pl.lit("}")
        )
        ids = row_ids("preference", rows["chosen_id"], rows["rejected_id"])
        yield (
            rows.with_columns(scores=both, row_id=ids)
            .drop("__chosen_scores", "__rejected_scores")
            .hstack(own.select("prompt_id"))
        )


def rl_rows(prompts: RowTable, made: pl.DataFrame, summary: list[str]) -> Iterator[pl.DataFrame]:
    """Yield RL prompts (``__place``, ``prompt_id``, ``pass_rate`` and the scores' summary); ``prompt`` is JSON text."""
    for part in made.iter_slices(SLICE):
        columns = gather(prompts, part["__place"], ["messages", "ground_truth", "metadata", "tools"])
        yield columns.rename({"messages": "prompt"}).hstack(
            part.select("prompt_id", "pass_rate", scores=_json(summary), row_id=row_ids("prompt", part["prompt_id"]))
        )


def row_ids(kind: str, *ids: pl.Series) -> pl.Series:
    """Return ``content_id("r", kind, *ids)`` of every row."""
    framed = '["' + '","'.join([kind, *["{}"] * len(ids)]) + '"]'
    ids = tuple(i.rechunk() for i in ids)  # Polars panics at an empty chunk before others
    texts = pl.select(pl.format(framed, *ids)).to_series()  # as content_id frames ids of ours, which need no escaping
    if not all(i.str.contains(CONTENT_ID).all() for i in ids):
        return pl.Series([content_id("r", kind, *row) for row in zip(*ids, strict=True)], dtype=pl.String)
    return pl.Series([f"r_{sha256(text.encode()).hexdigest()[:20]}" for text in texts], dtype=pl.String)


def text_of(candidates: Candidates, made: pl.DataFrame, on: str, *, last: bool) -> pl.Series:
    """Return the texts to compare of rows: the ``prompt``, the (chosen) ``response``, or all texts of the ``row``.

    Of answers that call tools or have several turns, all turns are compared; of prompts that are conversations too,
    unless the last turn's text is asked for (``last``) and not the ``row``'s.
    """
    answers = [name for name in ("__row", "chosen", "rejected") if name in made.columns]
    compared = answers[:1] if on == "response" else answers if on == "row" else []
    more = same_text.more_than_text if on == "row" else None if last else same_text.conversations
    parts = [] if on == "response" else [_text(candidates.prompts, made["__place"], "prompt", "messages", more)]
    parts += [
        _text(candidates.own, made[name], "response", "completion", same_text.more_than_text) for name in compared
    ]
    return pl.select(pl.concat_str([p.fill_null("") for p in parts], separator="\n").alias("text")).to_series()


def _text(
    table: RowTable, rows: pl.Series, text: str, turns: str, more: Callable[[pl.Series], pl.Series] | None
) -> pl.Series:
    """Return the texts of rows, with all turns in place of a text where ``more`` says that it is not all there is."""
    columns = gather(table, rows, [text, turns] if more else [text])
    return same_text.as_text(more(columns[turns])).fill_null(columns[text]) if more else columns[text]


def _prompt_columns(candidates: Candidates, part: pl.DataFrame) -> pl.DataFrame:
    return gather(candidates.prompts, part["__place"], ["messages", "tools"]).rename({"messages": "prompt"})


def _answers(candidates: Candidates, rows: pl.Series, by: str | None, scorers: list[str]) -> pl.DataFrame:
    """Return what a row shows of candidates: their ids and their turns, read from disk, and their scores."""
    names = dict.fromkeys([*scorers, *([by] if by in candidates.short.columns else [])])
    scores = [candidates.short[name].gather(rows) for name in names]
    return gather(candidates.own, rows, ["completion", "completion_id", "prompt_id"]).hstack(scores)


def _score(rows: pl.DataFrame, by: str | None) -> pl.Expr:
    return pl.col(by).cast(pl.Float64) if by in rows.columns else pl.lit(None, pl.Float64)


def _json(names: list[str]) -> pl.Expr:
    return pl.struct(names).struct.json_encode() if names else pl.lit("{}")
