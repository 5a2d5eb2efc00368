"""Check responses against the constraints of their prompts: the share that hold, and each one's verdict as JSON."""

import json

import polars as pl

from curate.algorithms.parallel import each
from curate.algorithms.text.text_columns import ALNUM
from curate.verifiers.constraints.kinds import KINDS
from curate.verifiers.constraints.truths import Constraints, read_constraints

PART = 8_192  # rows checked at a time, so that their texts nearly fit into a core's cache
VARIANTS = 8  # of a text in loose mode


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
    something = texts.str.contains(ALNUM).fill_null(False)
    checks = checks.with_row_index("check").with_columns(
        form=constraints.form.gather(checks["constraint"]), something=something.gather(checks["row"])
    )
    groups = checks.filter("something").partition_by("form")
    parts = [part for group in groups for part in group.iter_slices(PART)]
    done = each(lambda part: check_part(part, texts, constraints), parts)
    empty = checks.filter(~pl.col("something")).select(
        "check", holds=pl.lit(False), shown=pl.lit(constraints.shown).gather(pl.col("constraint"))
    )
    return pl.concat([empty, *done]).sort("check")


def check_part(part: pl.DataFrame, texts: pl.Series, constraints: Constraints) -> pl.DataFrame:
    """Check rows whose constraints have one form: one kind, with lists of the same lengths."""
    kind, columns = constraints.columns[part["form"][0]]
    shown, at = constraints.shown.gather(part["constraint"]), constraints.place.gather(part["constraint"])
    parameters = {
        name: [some.gather(at) for some in column] if isinstance(column, list) else column.gather(at)
        for name, column in columns.items()
    }
    holds, found = KINDS[kind](texts.gather(part["row"]), **parameters)
    if found is not None:
        begun = constraints.begun.gather(part["constraint"])
        with_found = pl.select(pl.concat_str(begun, pl.lit(', "found": '), as_json(found), pl.lit("}"))).to_series()
        shown = with_found.fill_null(shown) if with_found.null_count() else with_found
    return pl.DataFrame({"check": part["check"], "holds": holds, "shown": shown})


def as_json(found: pl.Series) -> pl.Series:
    """Return what was found as JSON; null where nothing was."""
    if found.dtype == pl.Int64:
        return found.cast(pl.String)
    empty = found.list.len() == 0 if found.dtype == pl.List else pl.Series([False]).new_from_index(0, len(found))
    values = [tuple(value) if isinstance(value, list) else value for value in found.filter(~empty).to_list()]
    once = {value: json.dumps(value) for value in set(values)}
    written = [once[value] for value in values]
    nothing = pl.Series(["[]"]).new_from_index(0, len(found))
    return nothing.scatter((~empty).arg_true(), written).set(found.is_null(), None)


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
