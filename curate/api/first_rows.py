"""The rows that a dataset would have of recorded answers, before anything is selected: for ``check`` to show.

They are made of what a plan has read of the sources, and of candidates that are there already. The dataset's own
condition (``where``) is applied where all that it reads is there. Other conditions, rules and splits have not run, so
the dataset itself may have fewer rows.
"""

from collections.abc import Iterator

import polars as pl

from curate.datasets.candidate_table import Candidates, read_candidates, with_columns
from curate.datasets.labels import OF_A_VERDICT, label_threshold
from curate.datasets.learnt import NOT_LEARNT, last_is_learnt, with_context
from curate.datasets.selection_rule import makes_pairs, score_name
from curate.datasets.trl_rows import preference_rows, sft_rows, summary_columns, unpaired_rows
from curate.pipeline.run_state import RunState
from curate.select.recorded_pairs import pair
from curate.steps import sql_conditions
from curate.storage.row_table import gather
from schemas.recipe import Dataset
from schemas.rows import PROMPTS

ANSWERS = {"sft": ["completion"], "preference": ["chosen", "rejected"], "unpaired": ["completion"], "prompt": []}
PREFERENCE = "preference"  # the score of recorded pairs


def condition_reads(state: RunState, entry: Dataset) -> list[str] | None:
    """Return the columns that a dataset's condition reads; ``None`` where one of them is not there before a run."""
    own = state.prompts if entry.type == "prompt" else state.completions
    columns = own.columns(None if entry.type == "prompt" else state.prompts)
    of_answers = ["pass_rate", "n_completions", *summary_columns(list(state.completions.scores))]
    later = {name for rows in (state.completions, state.prompts) for name, held in rows.scores.items() if not held}
    later |= {*of_answers} if entry.type == "prompt" else set()
    names = sql_conditions.mentioned(entry.where or "", list(dict.fromkeys([*columns, *later])))
    return None if later.intersection(names) else names


def first_rows(state: RunState, name: str, count: int) -> pl.DataFrame:
    """Return the first rows that recorded answers give a dataset, from its sources in turn.

    Pairs are those that are recorded; where none are, the first two answers of a prompt stand for them.

    Args:
        state: The recipe's rows, as far as they are known.
        name: The name of the dataset.
        count: The most rows.

    Returns:
        ``row_id`` (the place in the source), ``prompt``, ``tools`` and the columns of the answers (``completion``, or
        ``chosen`` and ``rejected``); an unpaired row has its ``label`` too, which is null where it is not known before
        a run; where no answer is there yet, these are missing, and the rows are the prompts.
        ``left_out`` is why the dataset will not have a row, as far as its turns say so; null otherwise.
    """
    entry = state.recipe.datasets[name]
    candidates = read_candidates(state.completions, state.prompts, ["sample_index"])
    frame, places = candidates.frame, pl.int_range(candidates.prompts.height, dtype=pl.UInt32, eager=True)
    reads = condition_reads(state, entry)
    if entry.where and reads is not None:
        where = f"{state.recipe.where('datasets', name, 'where')}: where"
        if entry.type == "prompt":
            texts = gather(candidates.prompts, places, [one for one in reads if one in PROMPTS])
            scored = candidates.prompts.frame.select(one for one in reads if one not in texts.columns)
            places = places.filter(sql_conditions.holds(texts.hstack(scored), entry.where, where))
        else:
            parts = with_columns(candidates, frame, reads)
            held = [
                part.filter(sql_conditions.holds(part.drop("__row", "__place"), entry.where, where))["__row"]
                for part in parts
            ]
            frame = frame.filter(pl.col("__row").is_in(pl.concat(held).implode())) if held else frame
    if entry.type != "prompt" and candidates.frame.height:
        frame = _labelled(state, name, entry, frame) if entry.type == "unpaired" else frame
        made = _answered(candidates, frame, entry, _in_turn(candidates, frame["__place"].unique()).head(count))
        if made is not None:
            return _as_learnt(made.head(count), entry)
    return _as_learnt(_prompts(candidates, _in_turn(candidates, places).head(count)), entry)


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


def _answered(candidates: Candidates, frame: pl.DataFrame, entry: Dataset, places: pl.Series) -> pl.DataFrame | None:
    """Return rows of one answer, or pairs, of the candidates of some prompts, in their order; None for no pairs.

    Args:
        candidates: All candidates.
        frame: Those of ``candidates.frame`` that the dataset may have.
        entry: The dataset, as the recipe has it.
        places: The prompts.
    """
    if frame.is_empty():
        texts = dict.fromkeys(("row_id", "prompt", "tools", *ANSWERS[entry.type]), pl.String)
        return pl.DataFrame(schema=texts | ({"label": pl.Boolean()} if entry.type == "unpaired" else {}))
    frame = frame.join(places.rename("__place").to_frame(), on="__place", how="inner", maintain_order="right_left")
    labels = ["label"] if entry.type == "unpaired" else []
    if entry.type != "preference":
        make, made = (unpaired_rows if labels else sft_rows), frame.select("__row", "__place", *labels)
        parts = make(candidates, made, None, [])
    else:
        made = _pairs(candidates, frame)
        if made.is_empty():
            return None
        parts = preference_rows(candidates, made, None, [])
    rows = pl.concat([part.select("prompt", "tools", *ANSWERS[entry.type], *labels) for part in parts])
    numbers = made["chosen" if entry.type == "preference" else "__row"]
    return _names(candidates, made["__place"], candidates.frame["sample_index"][numbers]).hstack(rows)


def _labelled(state: RunState, name: str, entry: Dataset, frame: pl.DataFrame) -> pl.DataFrame:
    """Return candidates with a ``label``, without those that have no score to be labelled by.

    Labels by pairs are known of recorded pairs only, and labels by a score only where it is there.
    """
    by = score_name(state, name, entry)
    known = by in frame.columns and bool(state.completions.scores.get(by, True))
    if makes_pairs(entry):
        threshold = OF_A_VERDICT if known and by == PREFERENCE else None
    else:
        threshold = label_threshold(state, name, entry, by) if known else None
    if by is None or threshold is None:
        return frame.with_columns(label=pl.lit(None, pl.Boolean))
    scores = frame[by].cast(pl.Float64).fill_nan(None)
    return frame.with_columns(label=scores >= threshold).drop_nulls("label")


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
