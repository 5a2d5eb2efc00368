"""1.0 where the response is ``<think>...</think>`` and then ``<answer>...</answer>``, 0.0 where it is not.

The format reward of DeepSeek-R1 (arXiv 2501.12948): every tag is opened once and closed once, in order, with no text
outside. The text inside is not checked. ``partial`` gives a share, as open-r1's reward for tag counts does.
"""

import re

import polars as pl

from schemas.errors import UserError


def score(
    raw_response: pl.Series,
    reasoning_content: pl.Series,
    *,
    tags: list[str] = ["think", "answer"],  # noqa: B006 (never changed)
    outside: bool = False,
    reasoning: bool = True,
    partial: bool = False,
) -> pl.DataFrame:
    """Return ``value`` (0 to 1), ``detail`` (the requirements that fail, null if none does) and ``error``.

    Args:
        raw_response: The responses as they were written, with their traces.
        reasoning_content: Reasoning traces that the engine has split off from the response, or null.
        tags: Names of the tags, in order.
        outside: Whether text outside the tags is allowed.
        reasoning: Whether a trace in ``reasoning_content`` counts as the part of the first tag, unless the response
            opens that tag itself.
        partial: Whether the value is the share of requirements that hold: two for each tag, one for their order, and
            one for no text outside unless that is allowed.

    Raises:
        UserError: If ``tags`` are not different names of tags.
    """
    if not tags or len(set(tags)) < len(tags) or not all(re.fullmatch(r"[A-Za-z][\w-]*", tag) for tag in tags):
        raise UserError(f"tags: expected names of tags, each once, such as [think, answer]; found {tags!r}")
    text = raw_response.cast(pl.String)
    if reasoning:
        text = _with_trace(text, reasoning_content.cast(pl.String), tags[0])
    marks = [mark for tag in tags for mark in (f"<{tag}>", f"</{tag}>")]
    rows = pl.DataFrame({"text": text}).with_columns(
        *(pl.col("text").str.count_matches(mark, literal=True).alias(mark) for mark in marks),
        *(pl.col("text").str.find(mark, literal=True).alias(f"at {mark}") for mark in marks),
    )
    places = [pl.col(f"at {mark}") for mark in marks]
    in_order = pl.all_horizontal(pl.lit(True), *(a < b for a, b in zip(places, places[1:], strict=False)))
    wrong = [_count(mark) for mark in marks]
    wrong.append(pl.when(~in_order.fill_null(False)).then(pl.lit("the tags are not in order")))
    if not outside:
        parts = r"\s*".join(rf"<{tag}>.*?</{tag}>" for tag in tags)
        whole = pl.col("text").str.contains(rf"(?s)\A\s*{parts}\s*\z")
        wrong.append(pl.when(~whole).then(pl.lit("there is text outside the tags")))
    rows = rows.select("text", *(one.alias(f"wrong {n}") for n, one in enumerate(wrong)))
    held = pl.sum_horizontal(pl.col("^wrong .*$").is_null()) / len(wrong)
    value = held if partial else (held == 1.0).cast(pl.Float64)
    # If a tag is missing or repeated, the order and the rest are wrong too: only the tag is reported.
    counts = pl.concat_str([f"wrong {n}" for n in range(len(marks))], separator="; ", ignore_nulls=True)
    rest = pl.concat_str([f"wrong {n}" for n in range(len(marks), len(wrong))], separator="; ", ignore_nulls=True)
    wrong_parts = pl.when(counts != "").then(counts).otherwise(rest)
    missing = pl.col("text").is_null()
    return rows.select(
        value=pl.when(~missing).then(value),
        detail=pl.when(~missing & (held < 1.0)).then(wrong_parts),
        error=pl.when(missing).then(pl.lit("no response")),
    )


def _count(mark: str) -> pl.Expr:
    """Return what is wrong with the number of times that a tag occurs, or null."""
    times, often = pl.col(mark), pl.format("{} times {}", mark, pl.lit(mark))
    return pl.when(times == 0).then(pl.lit(f"no {mark}")).when(times > 1).then(often)


def _with_trace(text: pl.Series, trace: pl.Series, tag: str) -> pl.Series:
    """Return texts with their traces in front, between the tags."""
    rows = pl.DataFrame({"text": text, "trace": trace})
    apart = (pl.col("trace").fill_null("") != "") & ~pl.col("text").str.contains(f"<{tag}>", literal=True)
    joined = pl.format(f"<{tag}>{{}}</{tag}>\n{{}}", "trace", "text")
    return rows.select(pl.when(apart).then(joined).otherwise("text")).to_series()
