"""The reason and the evidence of the decision about a duplicate: which row it duplicates, and how near it is."""

from collections.abc import Iterable

import numpy as np
import polars as pl

from curate.pipeline.row_rule import RowRule
from schemas.errors import UserError

SHOWN = 300  # characters of a text that evidence shows


def duplicate_reason(rule: RowRule) -> str:
    """Return the reason of a row that a rule drops."""
    name = rule.step.name
    return "duplicate (exact)" if name == "exact" else f"near-duplicate ({name})"


def with_named_ids(dropped: pl.DataFrame, ids: Iterable[pl.Series], before: int) -> tuple[pl.DataFrame, pl.Series]:
    """Return what dropped rows duplicate by the numbers of the rows that are named only, and the ids of these.

    Args:
        dropped: What each duplicates (``duplicate_of``, ``via``), by the numbers of all rows.
        ids: The ids of all rows but those of the reference data, a part at a time.
        before: How many rows of reference data there are, whose numbers come first and stay.
    """
    numbers = {name: dropped[name].cast(pl.Int64) for name in ("duplicate_of", "via")}
    named = np.unique(np.concatenate([values.drop_nulls().to_numpy() for values in numbers.values()]))
    named = named[named >= before] - before

    def renumbered(values: pl.Series) -> pl.Series:
        at = values.fill_null(0).to_numpy()
        new = np.where(at < before, at, before + np.searchsorted(named, at - before))
        return pl.Series(values.name, new).set(values.is_null(), None)

    return dropped.with_columns(renumbered(values) for values in numbers.values()), taken(ids, named)


def taken(parts: Iterable[pl.Series], rows: np.ndarray) -> pl.Series:
    """Return the values at some sorted places of a column that comes part by part, one part at least.

    Raises:
        UserError: It has no such place: a step of the user's own named a row that is not there.
    """
    held, start = [], 0
    for part in parts:
        low, high = np.searchsorted(rows, [start, start + len(part)]).tolist()
        held.append(part.gather(rows[low:high] - start))
        start += len(part)
    if len(rows) and not 0 <= rows[0] <= rows[-1] < start:
        raise UserError(f"dedup: a row duplicates row {rows[-1]:,} of {start:,} rows; expected the number of a row")
    return pl.concat(held)


def duplicate_evidence(rule: RowRule, dropped: pl.DataFrame, ids: pl.Series) -> pl.Series:
    """Return each dropped row's evidence (JSON text).

    Args:
        rule: The rule.
        dropped: What each duplicates (``duplicate_of``, ``similarity``, ``via``): numbers of rows, of which those of
            the reference data come first.
        ids: The ids of the other rows that are named.
    """
    reference = rule.reference.rows if rule.reference else None
    before = reference.height if reference is not None else 0

    def ids_of(rows: pl.Series) -> pl.Series:
        own = ids.gather(pl.select(pl.when(rows >= before).then(rows - before)).to_series())
        if reference is None:
            return own
        return reference["row_id"].gather(pl.select(pl.when(rows < before).then(rows)).to_series()).fill_null(own)

    fields = {"of": ids_of(dropped["duplicate_of"]), "similarity": dropped["similarity"].round(4)}
    if rule.settings.get("cluster") == "connected":
        fields["via"] = ids_of(dropped["via"])
    as_json = pl.struct(pl.all()).struct.json_encode()
    own = pl.DataFrame(fields).select(evidence=as_json)["evidence"]
    near = dropped["duplicate_of"] < before
    if reference is None or not near.any():
        return own
    shown = reference[dropped["duplicate_of"].filter(near)].select("file", "line", pl.col("text").str.slice(0, SHOWN))
    evidence = shown.hstack(pl.DataFrame(fields).filter(near)).select(evidence=as_json)["evidence"]
    return own.scatter(near.arg_true(), evidence)
