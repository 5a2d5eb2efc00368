"""What the decision about a duplicate says: the reason, and what the row duplicates."""

import polars as pl

from curate.pipeline.row_rule import RowRule

SHOWN = 300  # characters of a text that evidence shows


def duplicate_reason(rule: RowRule) -> str:
    """Return the reason of a row that a rule drops."""
    name = rule.step.name
    return "duplicate (exact)" if name == "exact" else f"near-duplicate ({name})"


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
