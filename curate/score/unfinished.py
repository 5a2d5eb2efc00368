"""1.0 where the response was cut off, 0.0 where it ends as an answer does; ``detail`` says what it ends in.

Where ``finish_reason`` is known, it decides: "length" means cut off, anything else does not. Where it is not known
(rows from a file), the end of the text decides. Signs of a cut are an open code fence, a list marker with nothing after
it, a comma, a word that can't end a sentence, a bracket or quote opened on the last line and not closed, a sentence
without an end after one that has it, and a reasoning trace with neither an answer nor a tool call behind it. An end
that proves nothing ("42", a title, an item of a list, a table, a web address) counts as finished.
"""

import polars as pl

TAIL = 600  # characters at the end, in which the last line is examined
NEAR = 12  # characters at the end, in which a list marker without an item is found
WELL = [*".!?…:。！？：」』”’\"'）)】]}>*_`~|"]  # last characters that end an answer, or may
FENCE = r"(?m)^[ \t>]*(?:```|~~~)"
MARKER = r"(?:[-*+•]|#{1,6}|\(?\d{1,3}[.)]|\(?[A-Za-z][.)])"
ITEM = r"^[ \t>]*(?:[-*+•]|\(?\d{1,3}[.)、])\s*"
# Ends that prove nothing: code (indented), a row of a table, a web address, a hashtag, the source of a quotation.
OTHER = r"^(?: {4}|\t)|^[ \t]*\||(?:https?://|www\.)\S*$|#\w+$|(?:^|\s)[-–—~] ?\p{Lu}[\p{L}. ]{1,40}$"
OPEN = r"[(\[{（【「『《“][^()\[\]{}（）【】「」『』《》“”]*$"
SMILEY = r"[:;=][-o^]?[(\[{]"
COMMA = r"[,;，、；]$|[\p{L}\p{N}] ?[–—-]$"
LAST_WORD = (
    r"(?i)\s\S+\s+(?:the|an|and|or|but|of|to|in|with|for|from|by|as|at|than|that|which|who|because|if|when|while|is|are"
    r"|was|were|be|been|has|have|had|will|would|can|could|should|may|might|must|its|their|your|our|my|this|these|those"
    r"|such|und|oder|der|die|das|mit|et|ou|de|la|le|les|des|y|el|los|con)$"
)
ENDED = r"[.!?][\"'”’)\]*_]*\s+\S|[。！？][”’」』）]*\S"  # the end of a sentence, and the beginning of another
STOPS = r"[\p{L}\p{N}]$"


def score(
    response: pl.Series, finish_reason: pl.Series, reasoning_content: pl.Series, completion: pl.Series
) -> pl.DataFrame:
    """Return ``value`` (1.0 or 0.0), ``detail`` (what it ends in, if it is cut off) and ``error``.

    Args:
        response: The answers, without their traces.
        finish_reason: Why each model stopped, or null.
        reasoning_content: The traces, or null.
        completion: The answers as messages (JSON text), which hold tool calls, or null.
    """
    text, reason = response.cast(pl.String), finish_reason.cast(pl.String)
    has_trace = reasoning_content.cast(pl.String).str.contains(r"\S")
    has_calls = completion.cast(pl.String).str.contains('"tool_calls"', literal=True)
    only_trace = (text.str.strip_chars() == "") & has_trace & ~has_calls.fill_null(False)
    end = text.str.strip_chars_end()
    open_end = (~end.str.tail(1).is_in(WELL) & reason.is_null()).fill_null(False)
    signs = _sign_of_cut(end.filter(open_end))
    signs = pl.Series([None], dtype=pl.String).new_from_index(0, len(text)).scatter(open_end.arg_true(), signs)
    rows = pl.DataFrame(
        {
            "end": end,
            "reason": reason,
            "sign": signs,
            "fenced": _fenced(text),
            "marked": _marked(end),
            "only_trace": only_trace.fill_null(False),
        }
    )
    error = (
        pl.when(pl.col("end").is_null())
        .then(pl.lit("no response"))
        .when((pl.col("end") == "") & ~pl.col("only_trace"))
        .then(pl.lit("blank response"))
    )
    detail = (
        pl.when(error.is_not_null())
        .then(None)
        .when(pl.col("reason") == "length")
        .then(pl.lit("its limit of tokens"))
        .when(pl.col("reason").is_not_null())
        .then(None)
        .when("only_trace")
        .then(pl.lit("its reasoning trace"))
        .when(pl.col("fenced"))
        .then(pl.lit("an open code fence"))
        .when(pl.col("marked"))
        .then(pl.lit("a list marker"))
        .otherwise("sign")
    )
    value = pl.when(error.is_null()).then(detail.is_not_null().cast(pl.Float64))
    return rows.select(value=value, detail=detail, error=error)


def _sign_of_cut(end: pl.Series) -> pl.Series:
    """Return the sign of a cut in the last line of texts whose last character decides nothing; null without one."""
    line = end.str.tail(TAIL).str.replace(r"(?s)^.*\n", "").alias("line")
    last = pl.col("line").str.replace(ITEM, "")
    found = (
        pl.when(pl.col("line").str.contains(OTHER))
        .then(None)
        .when(last.str.contains(COMMA))
        .then(pl.lit("a comma or dash"))
        .when(last.str.contains(OPEN) & ~last.str.contains(SMILEY))
        .then(pl.lit("an open bracket or quote"))
        .when(last.str.contains(LAST_WORD))
        .then(pl.lit("a word that ends no sentence"))
        .when(last.str.contains(STOPS) & last.str.contains(ENDED))
        .then(pl.lit("a sentence without an end"))
    )
    return pl.DataFrame([line]).select(found.cast(pl.String)).to_series()


def _marked(end: pl.Series) -> pl.Series:
    """Return whether the last line is a list marker only."""
    near = end.str.tail(NEAR)
    alone = near.str.contains(rf"^[ \t>]*{MARKER}$") & (end.str.len_chars() < NEAR)
    return (near.str.contains(rf"\n[ \t>]*{MARKER}$") | alone).alias("marked")


def _fenced(text: pl.Series) -> pl.Series:
    """Return whether a code fence is left open: the number of fence lines is odd."""
    some = text.str.contains_any(["```", "~~~"]).fill_null(False)
    odd = text.filter(some).str.count_matches(FENCE) % 2 == 1
    return pl.Series("fenced", [False]).new_from_index(0, len(text)).scatter(some.arg_true(), odd)
