"""The rows of a run: the ids that no step has dropped, and their columns, read from the stages that wrote them.

Only the columns that are asked for are read, a batch at a time; only the ids stay in memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import polars as pl

from curate.storage.damage import read_table
from curate.storage.polars_types import POLARS, empty
from curate.storage.stage import Stage
from schemas.ids import fingerprint
from schemas.rows import COMPLETIONS, PROMPTS

BATCH = 50_000
# A candidate's columns: as in TRL, its own messages are ``completion``; ``messages`` are its prompt's.
CANDIDATES = {"completion" if name == "messages" else name: kind for name, kind in COMPLETIONS.items()}


@dataclass
class RowSet:
    """The prompts of a run, or its candidates.

    Attributes:
        table: ``prompts`` or ``completions``.
        id: The table's id column.
        stages: The stages that hold rows of the table.
        kept_ids: The ids of the rows that no step has dropped, in order: a table of one column.
        scores: The stages that hold the scores of each scorer, by its name.
        content: A fingerprint of the rows that are kept: of the stages that hold them and of those that dropped some.
    """

    table: str
    id: str
    stages: list[Stage] = field(default_factory=list)
    kept_ids: pl.DataFrame = field(init=False)
    scores: dict[str, list[Stage]] = field(default_factory=dict)
    content: str = ""

    def __post_init__(self) -> None:
        """Start without rows."""
        self.kept_ids = pl.DataFrame(schema={self.id: pl.String})

    def add(self, stage: Stage) -> None:
        """Add the rows of a stage, except those whose id is kept already and candidates that failed."""
        if not stage.rows(self.table):
            return
        for file in stage.files(self.table):
            if self.table == "completions":  # a request that failed leaves a row with its error
                rows = read_table(file, [self.id, "error"]).filter(pl.col("error").is_null())
            else:
                rows = read_table(file, [self.id])
            rows = rows.select(self.id).unique(maintain_order=True)
            self.kept_ids = pl.concat(
                [self.kept_ids, _rows_without(rows, _rows_with(self.kept_ids, rows, self.id), self.id)]
            )
        self.stages.append(stage)
        self.content = fingerprint([self.content, stage.content(self.table)])

    def copy(self) -> "RowSet":
        """Return these rows as they are now; adding or dropping rows later does not change the copy."""
        made = replace(self, stages=[*self.stages], scores={name: [*held] for name, held in self.scores.items()})
        made.kept_ids = self.kept_ids
        return made

    def keep(self, ids: pl.DataFrame, stage: Stage) -> None:
        """Drop all rows but some.

        Args:
            ids: The ids of the rows to keep, in a table with the id column.
            stage: The stage that holds the decisions.
        """
        self.kept_ids = self.kept_ids.join(ids, on=self.id, how="semi", maintain_order="left")
        self.content = fingerprint([self.content, stage.content("decisions")])

    def columns(self, prompts: "RowSet | None" = None) -> dict[str, pl.DataType]:
        """Return the columns that a step or a condition may name: the rows' own, their prompts', and scores.

        Args:
            prompts: The prompts of these candidates, if their columns may be named too.
        """
        own = PROMPTS if self.table == "prompts" else CANDIDATES
        joined = {k: v for k, v in PROMPTS.items() if k not in own} if prompts else {}
        scores = {name: pl.Float64() for name in [*self.scores, *(prompts.scores if prompts else {})]}
        return {k: POLARS[v] for k, v in {**own, **joined}.items()} | scores

    def fingerprint(self, names: list[str]) -> str:
        """Return a fingerprint of the rows as a step sees that reads the columns ``names``."""
        return fingerprint([self.content, {n: [s.content("scores") for s in self.scores.get(n, [])] for n in names}])


def read_batches(rows: RowSet, names: list[str], prompts: RowSet | None = None) -> Iterator[pl.DataFrame]:
    """Yield the rows in order, in tables of the id and the columns ``names``.

    Args:
        rows: The rows.
        names: The columns to read: the rows' own, their prompts', or scores.
        prompts: The prompts of these candidates, if ``names`` has columns of theirs.
    """
    own = PROMPTS if rows.table == "prompts" else CANDIDATES
    own_names = [n for n in dict.fromkeys([rows.id, *names]) if n in own]
    if prompts is not None:
        own_names = list(dict.fromkeys([*own_names, "prompt_id"]))
        prompt_names = [n for n in names if n in PROMPTS and n not in own]
        context = _column_frame(prompts, prompt_names) if prompt_names else None
    scores = [_score_frame(rows, n) for n in names if n in rows.scores]
    for part in _parts(rows, own_names):
        if prompts is not None and context is not None:
            part = part.join(context, on="prompt_id", how="left", maintain_order="left")
        for score in scores:
            part = part.join(score, left_on=rows.id, right_on="row_id", how="left", maintain_order="left")
        if prompts is not None:
            for score in [_score_frame(prompts, n) for n in names if n in prompts.scores and n not in rows.scores]:
                part = part.join(score, left_on="prompt_id", right_on="row_id", how="left", maintain_order="left")
        yield part.select(list(dict.fromkeys([rows.id, *names])))


def read_all(rows: RowSet, names: list[str], prompts: RowSet | None = None) -> pl.DataFrame:
    """Return all batches of ``read_batches`` in one table."""
    parts = list(read_batches(rows, names, prompts))
    if parts:
        return pl.concat(parts)
    types = rows.columns(prompts)
    return pl.DataFrame(schema={n: types[n] for n in dict.fromkeys([rows.id, *names])})


def read_parts(stage: Stage, table: str, columns: list[str]) -> Iterator[pl.DataFrame]:
    """Yield some columns of a stage's table, a file of it at a time."""
    for file in stage.files(table):
        yield read_table(file, columns)


def read_groups(
    rows: RowSet, names: list[str], prompts: RowSet | None = None, size: int = BATCH
) -> Iterator[pl.DataFrame]:
    """Yield rows as ``read_batches`` does, with all candidates of a prompt in one table of about ``size`` rows.

    If the candidates of each prompt follow one another, they are read as a stream; otherwise all of them are read into
    memory and sorted first.
    """
    if rows.table == "prompts":
        yield from read_batches(rows, names, prompts)
        return
    names = list(dict.fromkeys(["prompt_id", *names]))
    owners = read_all(rows, ["prompt_id"], prompts)["prompt_id"]
    if owners.n_unique() == int((owners != owners.shift(1)).fill_null(True).sum()):
        held = None
        for part in read_batches(rows, names, prompts):
            part = part if held is None else pl.concat([held, part])
            last = part["prompt_id"] == part["prompt_id"][-1] if part.height else pl.Series([], dtype=pl.Boolean)
            held, whole = part.filter(last), part.filter(~last)
            if whole.height:
                yield whole
        if held is not None and held.height:
            yield held
        return
    frame = read_all(rows, names, prompts)
    frame = frame.with_row_index("__place").with_columns(pl.col("__place").min().over("prompt_id"))
    frame = frame.sort("__place", maintain_order=True)
    starts = np.unique(np.searchsorted(frame["__place"].to_numpy(), np.arange(0, frame.height, size))).tolist()
    for low, high in pairwise([*(start for start in starts if start < frame.height), frame.height]):
        yield frame[low:high].drop("__place")


def _parts(rows: RowSet, columns: list[str]) -> Iterator[pl.DataFrame]:
    """Yield the rows in tables of at most ``BATCH`` rows; a row that two stages hold comes once."""
    pending = rows.kept_ids
    held = ["messages" if name == "completion" else name for name in columns]
    for stage in rows.stages:
        for file in stage.files(rows.table):
            frame = read_table(file, held).select(pl.col(h).alias(name) for h, name in zip(held, columns, strict=True))
            frame = frame.unique(rows.id, keep="first", maintain_order=True)
            frame = _rows_with(frame, _rows_with(pending, frame.select(rows.id), rows.id), rows.id)
            pending = _rows_without(pending, frame, rows.id)
            yield from frame.iter_slices(BATCH)


def _rows_with(rows: pl.DataFrame, ids: pl.DataFrame, id: str) -> pl.DataFrame:
    """Return the rows whose id is in the column ``id`` of ``ids``; a join would take ten times the memory."""
    return rows.filter(pl.col(id).is_in(ids[id].implode()))


def _rows_without(rows: pl.DataFrame, ids: pl.DataFrame, id: str) -> pl.DataFrame:
    """Return the rows whose id is not in the column ``id`` of ``ids``."""
    return rows.filter(~pl.col(id).is_in(ids[id].implode()))


def _column_frame(prompts: RowSet, names: list[str]) -> pl.DataFrame:
    """Return the columns ``names`` of all prompts, with their ids."""
    columns = list(dict.fromkeys(["prompt_id", *names]))
    parts = [empty("prompts").select(columns), *(stage.read("prompts", columns) for stage in prompts.stages)]
    return pl.concat(parts).unique("prompt_id", keep="first", maintain_order=True)


def _score_frame(rows: RowSet, name: str) -> pl.DataFrame:
    """Return the values of a scorer as a column of its name, beside ``row_id``."""
    parts = [
        stage.read("scores", ["row_id", "scorer", "value"]).filter(pl.col("scorer") == name)
        for stage in rows.scores[name]
    ]
    if not parts:  # a plan names scores that are not computed yet
        return pl.DataFrame(schema={"row_id": pl.String, name: pl.Float64})
    return pl.concat(parts).unique("row_id", keep="first").select("row_id", pl.col("value").alias(name))
