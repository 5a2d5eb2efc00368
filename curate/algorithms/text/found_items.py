"""Count and list the items found in texts, such as those of ``personal_items`` and ``secret_items``."""

import json
import re
from collections.abc import Callable

import polars as pl

from schemas.errors import UserError, unknown

LISTED = 20  # items of a text that are listed; all are counted
Item = tuple[int, int, str]  # (start, end, kind), in characters
# An item may also begin after an escape such as that of a line break in JSON, and after Markdown's emphasis.
AFTER_MARK = r"(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=(?<![A-Za-z0-9_-])_)|(?<=(?<![A-Za-z0-9_-])__)"
GOES_ON = r"[A-Za-z0-9-]|_+[A-Za-z0-9]"  # never follows an item, as the word goes on


def item_start(barred: str) -> str:
    """Return a pattern (``re``) for where an item may begin: not after one of ``barred``, but after certain marks."""
    return rf"(?:(?<![{barred}])|{AFTER_MARK})"


def count_items(
    response: pl.Series, likely: dict[str, pl.Series], items: Callable[[str, list[str]], list[Item]]
) -> pl.DataFrame:
    """Count the items in each text.

    Args:
        response: The texts.
        likely: For each kind, which texts may hold an item of it (Boolean).
        items: Finds the items of the given kinds in a text. It is called only for texts that may hold some.

    Returns:
        A row a text: ``value`` (the number of items, null for a null text), ``detail`` (a JSON list of ``kind``, ``at``
        (the character at which it begins, from 0) and ``masked``; null without items) and ``error``.
    """
    maybe = possible_kinds(likely)
    rows = (maybe.list.len() > 0).arg_true()
    counts, details = [], []
    for text, kinds in zip(response.gather(rows), maybe.gather(rows), strict=True):
        found = sorted(items(text, kinds.to_list()))
        counts.append(float(len(found)))
        details.append(_to_json(text, found) if found else None)
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


def possible_kinds(likely: dict[str, pl.Series]) -> pl.Series:
    """Return the kinds that each text may hold, as a list in the order of ``likely``."""
    each = [pl.when(there).then(pl.lit(kind)) for kind, there in likely.items()]
    return pl.select(pl.concat_list(each).list.drop_nulls()).to_series()


def check_kinds(kinds: list[str] | None, known: list[str], what: str) -> list[str]:
    """Return the kinds to look for.

    Args:
        kinds: The kinds given in a recipe; None for all.
        known: The kinds that exist.
        what: The name of such an item, for messages.

    Raises:
        UserError: If there are no kinds, or one does not exist.
    """
    if kinds == []:
        raise UserError(f"kinds: expected at least one kind of {what}, such as {known[0]}; found an empty list")
    for kind in kinds or []:
        if kind not in known:
            raise unknown(f"kind of {what}", kind, known)
    return known if kinds is None else kinds


def without_overlaps(found: list[Item]) -> list[Item]:
    """Return the items without those that overlap an earlier one of the list."""
    kept: list[Item] = []
    taken: set[int] = set()
    for start, end, kind in found:
        if taken.isdisjoint(range(start, end)):
            taken.update(range(start, end))
            kept.append((start, end, kind))
    return kept


def _to_json(text: str, found: list[Item]) -> str:
    shown = [{"kind": kind, "at": start, "masked": _masked(text[start:end])} for start, end, kind in found[:LISTED]]
    return json.dumps(shown, ensure_ascii=False)


def _masked(item: str) -> str:
    """An item with ``*`` for every letter and digit but the last two; of a long one, its ends."""
    hidden = re.sub(r"\w", "*", item[:-2]) + item[-2:]
    return hidden if len(hidden) <= 40 else f"{hidden[:20]}...{hidden[-10:]}"
