"""Check responses against the constraints of their prompts: the share that hold, and each one's verdict as JSON."""

import json
from itertools import pairwise

import numpy as np
import polars as pl

from curate.algorithms.parallel import each
from curate.algorithms.text.text_columns import ALNUM
from curate.verifiers.constraints.kinds import KINDS
from curate.verifiers.constraints.truths import Constraints, read_constraints

PART = 8_192  # rows checked at a time, so that their texts nearly fit into a core's cache
VARIANTS = 8  # of a text in loose mode
FALSE = pl.Series("holds", [False])
NO_COUNT = pl.Series("count", [None], dtype=pl.Int64)
NOTHING = pl.Series("found", [None], dtype=pl.String)
VERDICTS = pl.DataFrame([FALSE, NO_COUNT, NOTHING]).clear()


def checked(response: pl.Series, ground_truth: pl.Series, *, strict: bool = True) -> pl.DataFrame:
    """Return ``value``, ``detail`` and ``error`` of each response, as ``score: constraints`` does."""
    texts, truths = response.cast(pl.String), ground_truth.cast(pl.String)
    constraints = read_constraints(truths.drop_nulls().unique().to_list(), KINDS)
    rows = pl.DataFrame({"truth": truths, "text": texts}).with_row_index("row")
    rows = rows.join(constraints.by_truth, on="truth", how="left", maintain_order="left")
    held = pl.when(pl.col("text").is_not_null()).then("constraint")
    rows = rows.with_columns(count=held.list.len().fill_null(0).cast(pl.Int64))
    checks = rows.filter(pl.col("count") > 0).select("row", "constraint").explode("constraint", empty_as_null=False)
    checks = (check if strict else check_loosely)(checks, texts, constraints)
    rows = rows.with_columns(summarise(checks, rows["count"]))
    return rows.select(
        "value",
        detail=pl.when(pl.col("count") > 0).then(
            pl.concat_str(pl.lit('{"passed": ['), "passed", pl.lit('], "failed": ['), "failed", pl.lit("]}"))
        ),
        error=pl.when(pl.col("truth").is_null())
        .then(pl.lit("ground_truth is null; expected a JSON list of constraints"))
        .when(pl.col("wrong").is_not_null())
        .then("wrong")
        .when(pl.col("text").is_null())
        .then(pl.lit("response is null")),
    )


def summarise(checks: pl.DataFrame, count: pl.Series) -> pl.DataFrame:
    """Join the checks of each row.

    Args:
        checks: The results of all rows, one row's after another's.
        count: Number of checks of each row.

    Returns:
        ``value`` (null for a row without checks), ``passed`` and ``failed``, constraints as JSON joined by commas.
    """
    start = count.cum_sum() - count
    before = pl.concat([pl.Series([0]), checks["holds"].cast(pl.Int64).cum_sum()])
    kept = before.gather(start + count) - before.gather(start)
    places = [(start + n).set(count <= n, None) for n in range(count.to_numpy().max(initial=0))]
    nothing = pl.Series([""], dtype=pl.String).new_from_index(0, len(count))
    passed, failed = (
        pl.select(
            pl.concat_str([shown.gather(place) for place in places] or nothing, separator=", ", ignore_nulls=True)
        )
        for shown in (checks["shown"].set(~checks["holds"], None), checks["shown"].set(checks["holds"], None))
    )
    return pl.DataFrame(
        {
            "value": (kept / count).cast(pl.Float64).set(count == 0, None),
            "passed": passed.to_series(),
            "failed": failed.to_series(),
        }
    )


def check(checks: pl.DataFrame, texts: pl.Series, constraints: Constraints) -> pl.DataFrame:
    """Check texts against constraints.

    Args:
        checks: What to check: ``row``, an index into ``texts``, and ``constraint``, the number of a constraint.
        texts: The responses. One that is null or has neither letter nor digit satisfies no constraint.
        constraints: The constraints.

    Returns:
        In the same order, ``holds`` (Boolean), and ``shown``, the constraint as JSON with what was found.
    """
    row, constraint = checks["row"], checks["constraint"]
    form = constraints.form.gather(constraint).to_numpy()
    form = np.where(texts.str.contains(ALNUM).fill_null(False).gather(row).to_numpy(), form, -1)
    order = np.argsort(form, kind="stable")  # the checks of a form stand together, in the order of the rows
    form, sorted_texts = form[order], texts.gather(row.gather(order))
    place = constraints.place.gather(constraint.gather(order))
    begins = np.flatnonzero(np.concatenate(([True], form[1:] != form[:-1]))) if len(form) else order
    spans = [
        (int(form[begin]), low, min(low + PART, end))
        for begin, end in pairwise([*begins.tolist(), len(form)])
        for low in range(begin, end, PART)
    ]
    done = each(lambda span: check_span(*span, sorted_texts, place, constraints), spans)
    verdicts = pl.concat([VERDICTS, *done])
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return verdicts[back].select(
        "holds",
        shown=pl.concat_str(
            constraints.begun.gather(constraint),
            pl.lit(', "found": '),
            pl.coalesce(pl.col("count").cast(pl.String), "found"),
            pl.lit("}"),
        ).fill_null(constraints.shown.gather(constraint)),
    )


def check_span(
    form: int, low: int, high: int, texts: pl.Series, place: pl.Series, constraints: Constraints
) -> pl.DataFrame:
    """Check rows whose constraints have one form: one kind, with lists of the same lengths.

    Args:
        form: The form; -1 for rows that satisfy no constraint.
        low: The first of the rows.
        high: The row after the last.
        texts: The texts of all rows.
        place: The index of each row's constraint in the columns of its form.
        constraints: The constraints.

    Returns:
        ``holds``, and what was found: a ``count``, or something else as JSON (``found``).
    """
    texts, at = texts[low:high], place[low:high]
    if form < 0:
        return pl.DataFrame([FALSE.new_from_index(0, high - low), *_found(None, high - low)])
    kind, columns = constraints.columns[form]
    parameters = {
        name: [some.gather(at) for some in column] if isinstance(column, list) else column.gather(at)
        for name, column in columns.items()
    }
    holds, found = KINDS[kind](texts, **parameters)
    return pl.DataFrame([holds.alias("holds"), *_found(found, high - low)])


def _found(found: pl.Series | None, rows: int) -> tuple[pl.Series, pl.Series]:
    """Return what was found as the columns ``count`` and ``found``."""
    if found is None:
        return NO_COUNT.new_from_index(0, rows), NOTHING.new_from_index(0, rows)
    if found.dtype == pl.Int64:
        return found.alias("count"), NOTHING.new_from_index(0, rows)
    return NO_COUNT.new_from_index(0, rows), as_json(found).alias("found")


def as_json(found: pl.Series) -> pl.Series:
    """Return texts or lists of texts that were found as JSON; null where nothing was. Each text is written once."""
    nested = isinstance(found.dtype, pl.List)
    found = found.cast(pl.List(pl.String)) if nested else found  # of rows without any text it is a list of nulls
    texts = (found.list.explode() if nested else found).drop_nulls().unique()
    written = pl.Series([json.dumps(text) for text in texts], dtype=pl.String)
    if not nested:
        return found.replace_strict(texts, written, return_dtype=pl.String)
    each_text = pl.element().replace_strict(texts, written, return_dtype=pl.String)
    inside = found.list.eval(each_text).list.join(", ")
    return pl.select(pl.concat_str(pl.lit("["), inside, pl.lit("]"))).to_series()


def check_loosely(checks: pl.DataFrame, texts: pl.Series, constraints: Constraints) -> pl.DataFrame:
    """Check all variants of each text as ``check`` does; return the first variant that holds, else the text itself."""
    variants = pl.Series(
        [v for text in texts for v in (VARIANTS * [None] if text is None else loose(text))], dtype=pl.String
    )
    every = checks.with_row_index("of").join(pl.DataFrame({"variant": range(VARIANTS)}), how="cross")
    every = every.with_columns(row=pl.col("row") * VARIANTS + pl.col("variant"))
    every = every.with_columns(check(every.select("row", "constraint"), variants, constraints).select("holds", "shown"))
    best = every.sort("of", ~pl.col("holds"), "variant").group_by("of", maintain_order=True).first()
    return best.select("holds", "shown")


def loose(text: str) -> list[str]:
    """Return the text, and the text without its first line, its last line and both; each with and without asterisks."""
    lines = text.strip().split("\n")
    parts = (text, *("\n".join(some).strip() for some in (lines[1:], lines[:-1], lines[1:-1])))
    return [variant for part in parts for variant in (part, part.replace("*", ""))]
