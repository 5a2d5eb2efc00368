"""The number of web addresses in the response, or their share of its characters.

An address begins with http://, https:// or www. and ends before white space, a quote, a closing bracket, or the full
stop of its sentence.
"""

from typing import Literal

import polars as pl

from schemas.errors import unknown

MARKS = ["http://", "https://", "www."]
ADDRESS = r"(?i)(?:https?://|(?-u:\b)www\.)[^\s<>\"'`)\]}，。；！？）】」』]*[^\s<>\"'`)\]}，。；！？）】」』.,;:!?*_]"


def score(response: pl.Series, *, by: Literal["number", "characters"] = "number") -> pl.DataFrame:
    """Return ``value`` (a number, or with ``by: characters`` a share from 0 to 1) and ``error`` ("no response")."""
    if by not in ("number", "characters"):
        raise unknown("measure", by, ("number", "characters"), "score urls: by")
    text = response.cast(pl.String)
    rows = text.str.contains_any(MARKS, ascii_case_insensitive=True).fill_null(False)
    some = text.filter(rows)
    if by == "number":
        found = some.str.count_matches(ADDRESS).cast(pl.Float64)
    else:
        found = 1.0 - some.str.replace_all(ADDRESS, "").str.len_chars() / some.str.len_chars()
    value = pl.Series("value", [0.0]).new_from_index(0, len(text)).scatter(rows.arg_true(), found)
    none = text.is_null()
    return pl.DataFrame({"value": value.set(none, None), "error": none}).with_columns(
        error=pl.when("error").then(pl.lit("no response"))
    )
