"""The prompts of a plan with the recorded answers that are known as right, for ``check`` to run through verifiers."""

import numpy as np
import polars as pl

from curate.datasets.candidate_table import read_candidates
from curate.datasets.recorded_verdicts import is_source
from curate.pipeline.run_state import RunState
from curate.sources.rows.layout_names import RANKS, VERDICTS
from curate.storage.row_table import gather

PROMPT_COLUMNS = ["prompt_id", "messages", "prompt", "tools", "ground_truth", "metadata", "source", "file", "line"]
ANSWER_COLUMNS = ["response", "completion", "reasoning_content", "finish_reason"]


def reference_rows(state: RunState, most: int) -> pl.DataFrame:
    """Return prompts with their recorded right answers, while the drafts of a plan are there.

    An answer is known as right where it came with the source, and its verdict says so, or it is the prompt's only one
    and has no verdict. Of several the first is taken.

    Args:
        state: The recipe's rows, as far as they are known.
        most: The most prompts; of more, as many at equal distances.

    Returns:
        A row for each prompt: ``PROMPT_COLUMNS`` (``messages`` is the prompt), ``place`` (file and line) and
        ``ANSWER_COLUMNS`` (null where no answer is known as right).
    """
    candidates = read_candidates(state.completions, state.prompts, ["sample_index"])
    height = candidates.prompts.height
    places = pl.Series("place", np.linspace(0, max(height - 1, 0), min(most, height)).astype(np.uint32)).unique().sort()
    rows = gather(candidates.prompts, places, PROMPT_COLUMNS)
    line = pl.format("{}:{}", pl.coalesce("file", "source"), "line")
    rows = rows.with_columns(place=pl.coalesce(line, "source", "prompt_id"), __place=places)

    sources = {file for stage in state.completions.stages if is_source(stage) for file in stage.files("completions")}
    numbers = [number for number, file in enumerate(candidates.own.files) if file in sources]
    recorded = np.isin(candidates.own.file, numbers)
    frame = candidates.frame.filter(pl.Series(recorded)).filter(pl.col("__place").is_in(places.implode()))
    frame = frame.filter(_is_right(frame)).sort("__place", "sample_index").unique("__place", keep="first")
    frame = frame.sort("__place")
    answers = gather(candidates.own, frame["__row"], ANSWER_COLUMNS).with_columns(frame["__place"])
    return rows.join(answers, on="__place", how="left", maintain_order="left").drop("__place")


def _is_right(frame: pl.DataFrame) -> pl.Expr:
    """Return which recorded candidates are known as right, by their verdicts or because they are alone."""
    named = [name for name in frame.columns if name in VERDICTS]
    good = [pl.col(name) == 1 for name in named]
    good += [pl.col(name) == pl.col(name).min().over("__place") for name in frame.columns if name in RANKS]
    unjudged = pl.all_horizontal(pl.col(name).is_null() for name in named) if named else pl.lit(True)
    alone = (pl.len().over("__place") == 1) & unjudged
    return pl.any_horizontal(alone, *(one.fill_null(False) for one in good))
