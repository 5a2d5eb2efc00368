"""The rows that a dataset would have of recorded answers, before anything is selected: for ``check`` to show.

They are made of what a plan has read of the sources, and of candidates that are there already. Conditions, rules and
splits have not run, so the dataset itself may have fewer rows.
"""

from collections.abc import Iterator

import polars as pl

from curate.datasets.candidate_table import Candidates, read_candidates
from curate.datasets.learnt import NOT_LEARNT, last_is_learnt, with_context
from curate.datasets.trl_rows import preference_rows, sft_rows
from curate.pipeline.run_state import RunState
from curate.select.recorded_pairs import pair
from curate.storage.row_table import gather
from schemas.recipe import Dataset

ANSWERS = {"sft": ["completion"], "preference": ["chosen", "rejected"], "prompt": []}
PREFERENCE = "preference"  # the score of recorded pairs


def first_rows(state: RunState, entry: Dataset, count: int) -> pl.DataFrame:
    """Return the first rows that recorded answers give a dataset, from its sources in turn.

    Pairs are those that are recorded; where none are, the first two answers of a prompt stand for them.

    Args:
        state: The recipe's rows, as far as they are known.
        entry: The dataset, as the recipe has it.
        count: The most rows.

    Returns:
        ``row_id`` (the place in the source), ``prompt``, ``tools`` and the columns of the answers (``completion``, or
        ``chosen`` and ``rejected``); where no answer is there yet, these are missing, and the rows are the prompts.
        ``left_out`` is why the dataset will not have a row, as far as its turns say so; null otherwise.
    """
    candidates = read_candidates(state.completions, state.prompts, ["sample_index"])
    if entry.type != "prompt" and candidates.frame.height:
        made = _answered(candidates, entry, _in_turn(candidates, candidates.frame["__place"].unique()).head(count))
        if made is not None:
            return _as_learnt(made.head(count), entry)
    places = _in_turn(candidates, pl.int_range(candidates.prompts.frame.height, dtype=pl.UInt32, eager=True))
    return _as_learnt(_prompts(candidates, places.head(count)), entry)


def _as_learnt(rows: pl.DataFrame, entry: Dataset) -> pl.DataFrame:
    """Return rows with ids of their own, the marks that the dataset writes, and why it will not have a row."""
    number = pl.col("row_id").cum_count().over("row_id")  # files in two folders may have one name
    name = pl.when(number > 1).then(pl.format("{} ({})", "row_id", number)).otherwise("row_id")
    rows = rows.with_columns(row_id=name)
    if "completion" not in rows.columns:
        return rows.with_columns(left_out=pl.lit(None, pl.String))
    if entry.learn == "last":
        rows = rows.with_columns(with_context(rows["prompt"]))
    learnt = last_is_learnt(rows["completion"])
    return rows.with_columns(left_out=pl.when(~learnt).then(pl.lit(NOT_LEARNT)))


def _in_turn(candidates: Candidates, places: pl.Series) -> pl.Series:
    """Return the places of prompts in another order: the first of each source, the second of each, and so on."""
    places = places.sort()
    sources = gather(candidates.prompts, places, ["source"]).with_columns(place=places)
    return sources.sort(pl.int_range(pl.len()).over("source"), maintain_order=True)["place"]


def _answered(candidates: Candidates, entry: Dataset, places: pl.Series) -> pl.DataFrame | None:
    """Return SFT rows or pairs of the candidates of some prompts, in the order of the prompts; None for no rows."""
    frame = candidates.frame.join(
        places.rename("__place").to_frame(), on="__place", how="inner", maintain_order="right_left"
    )
    if entry.type == "sft":
        made, parts = frame.select("__row", "__place"), sft_rows(candidates, frame.select("__row", "__place"), None, [])
    else:
        made = _pairs(candidates, frame)
        if made.is_empty():
            return None
        parts = preference_rows(candidates, made, None, [])
    rows = pl.concat([part.select("prompt", "tools", *ANSWERS[entry.type]) for part in parts])
    numbers = made["__row"] if entry.type == "sft" else made["chosen"]
    return _names(candidates, made["__place"], candidates.frame["sample_index"][numbers]).hstack(rows)


def _pairs(candidates: Candidates, frame: pl.DataFrame) -> pl.DataFrame:
    """Return pairs of candidates by number: those that are recorded, or else the first two answers that differ."""
    numbers = frame.select("completion_id", "__row", "__place")
    if PREFERENCE in frame.columns:
        recorded = pair(frame["prompt_id"], frame["completion_id"], frame["sample_index"], frame[PREFERENCE])
        sides = [
            recorded.join(numbers, left_on=f"{side}_id", right_on="completion_id", how="left", maintain_order="left")
            for side in ANSWERS["preference"]
        ]
        if recorded.height:
            return sides[0].select(chosen="__row", rejected=sides[1]["__row"], __place="__place")
    texts = gather(candidates.own, frame["__row"], ["completion"])
    firsts = list(_first_two(frame.select("__place", "__row").hstack(texts)))
    return pl.DataFrame(firsts, {"chosen": pl.UInt32, "rejected": pl.UInt32, "__place": pl.UInt32}, orient="row")


def _first_two(frame: pl.DataFrame) -> Iterator[tuple[int, int, int]]:
    for (place,), part in frame.group_by("__place", maintain_order=True):
        different = part.unique("completion", keep="first", maintain_order=True)["__row"]
        if different.len() > 1:
            yield different[0], different[1], place


def _prompts(candidates: Candidates, places: pl.Series) -> pl.DataFrame:
    columns = gather(candidates.prompts, places, ["messages", "tools"]).rename({"messages": "prompt"})
    return _names(candidates, places, pl.repeat(0, places.len(), eager=True)).hstack(columns)


def _names(candidates: Candidates, places: pl.Series, samples: pl.Series) -> pl.DataFrame:
    """Return names for rows: the file or source and the line of the prompt, and which of its answers it is."""
    found = gather(candidates.prompts, places, ["source", "file", "line"]).with_columns(sample=samples)
    line = pl.format("{}:{}", pl.coalesce("file", "source"), "line")
    answer = pl.when(pl.col("sample") > 0).then(pl.format(", answer {}", pl.col("sample") + 1)).otherwise(pl.lit(""))
    return found.select(row_id=pl.concat_str(pl.coalesce(line, "source", pl.lit("?")), answer))
