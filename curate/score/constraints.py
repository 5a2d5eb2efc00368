"""Share of a prompt's format constraints that the response keeps, as a program can check them (arXiv 2311.07911)."""

import json

import polars as pl

from curate.algorithms.parallel import each
from curate.algorithms.text.text_columns import ALNUM
from curate.verifiers.constraints.kinds import KINDS
from curate.verifiers.constraints.truths import Asked, read

PART = 8_192  # rows of a kind that are checked at a time: their texts stay in a core's cache, nearly
VARIANTS = 8  # of a text in loose mode


def score(response: pl.Series, ground_truth: pl.Series, *, strict: bool = True) -> pl.DataFrame:
    """Check each response against its row's constraints.

    ``response`` is text. ``ground_truth`` is JSON text, a list such as
    ``[{"kind": "lowercase"}, {"kind": "max_words", "n": 20}]`` (``curate/verifiers/constraints/kinds.py`` has the kinds and their
    parameters), or IFEval's form, ``{"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}``
    (``curate/verifiers/constraints/ifeval.py``). ``strict`` takes the response as it is; otherwise a constraint also holds if it
    holds without the first line, the last line or both, with or without asterisks (IFEval's loose accuracy).

    Gives ``value`` (0 to 1, the share that hold), ``detail`` (JSON: ``passed`` and ``failed``, each a list of the
    constraints with what was ``found``) and ``error``. Where the constraints or the response are missing or wrong,
    value and detail are null and error says why. A response without a letter or digit keeps no constraint, so that an
    empty one does not pass "no commas".
    """
    texts, truths = response.cast(pl.String), ground_truth.cast(pl.String)
    asked = read(truths.drop_nulls().unique().to_list(), KINDS)
    rows = pl.DataFrame({"truth": truths, "text": texts}).with_row_index("row")
    rows = rows.join(asked.told, on="truth", how="left", maintain_order="left")
    held = pl.when(pl.col("text").is_not_null()).then("constraint")
    rows = rows.with_columns(count=held.list.len().fill_null(0).cast(pl.Int64))
    checks = rows.filter(pl.col("count") > 0).select("row", "constraint").explode("constraint", empty_as_null=False)
    checks = (checked if strict else checked_loosely)(checks, texts, asked)
    rows = rows.with_columns(summed(checks, rows["count"]))
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


def summed(checks: pl.DataFrame, count: pl.Series) -> pl.DataFrame:
    """Sum up the checks of each row, of which there are ``count``, one row's after another's.

    Returns ``value`` (null where there are none), ``passed`` and ``failed``, each JSON with commas between.
    """
    start = count.cum_sum() - count
    before = pl.concat([pl.Series([0]), checks["holds"].cast(pl.Int64).cum_sum()])
    kept = before.gather(start + count) - before.gather(start)
    places = [(start + n).set(count <= n, None) for n in range(count.max() or 0)]
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


def checked(checks: pl.DataFrame, texts: pl.Series, asked: Asked) -> pl.DataFrame:
    """Check ``texts[row]`` against ``constraint``, for each row of ``checks``.

    Returns, in the same order, ``holds`` (Boolean), and ``shown``, the constraint as JSON with what was found. A text
    that is null or has neither letter nor digit keeps nothing.
    """
    something = texts.str.contains(ALNUM).fill_null(False)
    checks = checks.with_row_index("check").with_columns(
        form=asked.form.gather(checks["constraint"]), something=something.gather(checks["row"])
    )
    groups = checks.filter("something").partition_by("form")
    parts = [part for group in groups for part in group.iter_slices(PART)]
    done = each(lambda part: check_part(part, texts, asked), parts)
    empty = checks.filter(~pl.col("something")).select(
        "check", holds=pl.lit(False), shown=pl.lit(asked.shown).gather(pl.col("constraint"))
    )
    return pl.concat([empty, *done]).sort("check")


def check_part(part: pl.DataFrame, texts: pl.Series, asked: Asked) -> pl.DataFrame:
    """Check rows that are all of one form: of one kind, with lists of the same lengths."""
    kind, columns = asked.columns[part["form"][0]]
    shown, at = asked.shown.gather(part["constraint"]), asked.place.gather(part["constraint"])
    parameters = {
        name: [some.gather(at) for some in column] if isinstance(column, list) else column.gather(at)
        for name, column in columns.items()
    }
    holds, found = KINDS[kind](texts.gather(part["row"]), **parameters)
    if found is not None:
        told = pl.select(pl.concat_str(shown.str.strip_suffix("}"), pl.lit(', "found": '), as_json(found), pl.lit("}")))
        shown = told.to_series().fill_null(shown)
    return pl.DataFrame({"check": part["check"], "holds": holds, "shown": shown})


def as_json(found: pl.Series) -> pl.Series:
    """What was found, as JSON; null where nothing was."""
    if found.dtype == pl.Int64:
        return found.cast(pl.String)
    empty = found.list.len() == 0 if found.dtype == pl.List else pl.Series([False]).new_from_index(0, len(found))
    written = [json.dumps(value, default=list) for value in found.filter(~empty)]
    nothing = pl.Series(["[]"]).new_from_index(0, len(found))
    return nothing.scatter((~empty).arg_true(), written).set(found.is_null(), None)


def checked_loosely(checks: pl.DataFrame, texts: pl.Series, asked: Asked) -> pl.DataFrame:
    """As ``checked``, of all variants of each text: what the first that holds gives, else what the text as it is."""
    variants = pl.Series(
        [v for text in texts for v in (VARIANTS * [None] if text is None else loose(text))], dtype=pl.String
    )
    every = checks.with_row_index("of").join(pl.DataFrame({"variant": range(VARIANTS)}), how="cross")
    every = every.with_columns(row=pl.col("row") * VARIANTS + pl.col("variant"))
    every = every.with_columns(checked(every.select("row", "constraint"), variants, asked).select("holds", "shown"))
    best = every.sort("of", ~pl.col("holds"), "variant").group_by("of", maintain_order=True).first()
    return best.select("holds", "shown")


def loose(text: str) -> list[str]:
    """The text, then without its first line, its last line and both, each with and without asterisks."""
    lines = text.strip().split("\n")
    parts = (text, *("\n".join(some).strip() for some in (lines[1:], lines[:-1], lines[1:-1])))
    return [variant for part in parts for variant in (part, part.replace("*", ""))]
