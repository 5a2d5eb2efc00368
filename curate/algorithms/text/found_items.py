"""What was found in texts (``curate/algorithms/text/personal_items.py``, ``secret_items.py``): counted, listed, kept apart."""

import json
import re
from collections.abc import Callable

import polars as pl

from schemas.errors import UserError, unknown

LISTED = 20  # items of a text that are listed; all are counted
Item = tuple[int, int, str]  # where it begins, where it ends, what kind it is
# Where an item begins as well: after a line break that is spelled out, as in JSON, and after Markdown's emphasis.
MARKED = r"(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=(?<![A-Za-z0-9_-])_)|(?<=(?<![A-Za-z0-9_-])__)"
GOES_ON = r"[A-Za-z0-9-]|_+[A-Za-z0-9]"  # what follows no item, as the word is not over


def begins(barred: str) -> str:
    """A pattern (``re``) of where an item may begin: not after one of the characters ``barred``, but after marks."""
    return rf"(?:(?<![{barred}])|{MARKED})"


def counted(
    response: pl.Series, likely: dict[str, pl.Series], items: Callable[[str, list[str]], list[Item]]
) -> pl.DataFrame:
    """Count what ``items`` finds in each text, of the kinds that ``likely`` (kind -> Boolean) says may be there.

    ``items`` is called with a text and these kinds, only where there are any. Returns ``value`` (how many, 0 and up;
    null for a null text), ``detail`` (JSON, a list of ``kind``, ``at`` (the character it begins at, from 0) and
    ``masked``; null where nothing was found) and ``error``.
    """
    maybe = kinds_of(likely)
    rows = (maybe.list.len() > 0).arg_true()
    counts, details = [], []
    for text, kinds in zip(response.gather(rows), maybe.gather(rows), strict=True):
        found = sorted(items(text, kinds.to_list()))
        counts.append(float(len(found)))
        details.append(_listed(text, found) if found else None)
    none = response.is_null()
    value = pl.Series("value", [0.0]).new_from_index(0, len(response))
    detail = pl.Series("detail", [None], dtype=pl.String).new_from_index(0, len(response))
    return pl.DataFrame(
        {
            "value": value.scatter(rows, pl.Series(counts, dtype=pl.Float64)).set(none, None),
            "detail": detail.scatter(rows, pl.Series(details, dtype=pl.String)),
            "error": pl.select(pl.when(none).then(pl.lit("no response"))).to_series(),
        }
    )


def kinds_of(likely: dict[str, pl.Series]) -> pl.Series:
    """The kinds that may be in each text, a list in the order of ``likely``."""
    each = [pl.when(there).then(pl.lit(kind)) for kind, there in likely.items()]
    return pl.select(pl.concat_list(each).list.drop_nulls()).to_series()


def check_kinds(kinds: list[str] | None, known: list[str], what: str) -> list[str]:
    """Return the kinds to look for, all of them for None. Raises ``UserError`` for none, or one that does not exist."""
    if kinds == []:
        raise UserError(f"kinds: expected at least one kind of {what}, such as {known[0]}; found an empty list")
    for kind in kinds or []:
        if kind not in known:
            raise unknown(f"kind of {what}", kind, known)
    return known if kinds is None else kinds


def apart(found: list[Item]) -> list[Item]:
    """Leave out every item that overlaps an earlier one of the list."""
    kept: list[Item] = []
    taken: set[int] = set()
    for start, end, kind in found:
        if taken.isdisjoint(range(start, end)):
            taken.update(range(start, end))
            kept.append((start, end, kind))
    return kept


def _listed(text: str, found: list[Item]) -> str:
    shown = [{"kind": kind, "at": start, "masked": _masked(text[start:end])} for start, end, kind in found[:LISTED]]
    return json.dumps(shown, ensure_ascii=False)


def _masked(item: str) -> str:
    """An item with every letter and digit but the last two as ``*``; of a long one, its ends."""
    hidden = re.sub(r"\w", "*", item[:-2]) + item[-2:]
    return hidden if len(hidden) <= 40 else f"{hidden[:20]}...{hidden[-10:]}"
