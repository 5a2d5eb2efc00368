"""What a table page is asked for, read from its address and written back: words, values, spans, labels, order, page."""

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from cli.viewing.listings import BETWEEN, NAMES, Listing
from cli.viewing.selections import Selections
from cli.viewing.snapshot import Columns
from curate.storage.table_views import quoted
from schemas.errors import UserError, unknown

PAGE = 50  # rows
NONE = "(none)"  # the value of a row that has none
BY_HAND = ("any", "none", "keep", "drop", "edit", "note", "prefer")
MOST_WORDS = 20
LAST_PAGE = 1_000_000
IDS = ("completion_id", "prompt_id", "row_id", "chosen_id", "rejected_id")  # which a set of ids may name


@dataclass(frozen=True)
class Filters:
    """What a table is filtered and sorted by.

    Attributes:
        words: Texts of which a row has each, in any case.
        text: The same as it was typed.
        values: By column, the value that it has.
        spans: By column of numbers, the least and the most; None for no bound.
        by_hand: One of ``BY_HAND``.
        chosen: The name of a set of ids (``Selections``).
        sort: The column that rows are sorted by, or None for their own order.
        descending: Whether the largest comes first.
        page: The page, from 1.
    """

    words: tuple[str, ...] = ()
    text: str = ""
    values: dict[str, str] = field(default_factory=dict)
    spans: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    by_hand: str = ""
    chosen: str = ""
    sort: str | None = None
    descending: bool = False
    page: int = 1

    def query(self, **changes: Any) -> str:
        """Return the part of an address that says the same, with changes; without what says nothing."""
        one = replace(self, **changes)
        parts: list[tuple[str, str]] = [("q", one.text)] if one.text else []
        parts += [(f"is.{name}", value) for name, value in one.values.items()]
        for name, (low, high) in one.spans.items():
            parts += [(f"{edge}.{name}", f"{value:.12g}") for edge, value in (("min", low), ("max", high))
                      if value is not None]  # fmt: skip
        parts += [(key, value) for key, value in (("by_hand", one.by_hand), ("set", one.chosen)) if value]
        if one.sort:
            parts.append(("sort", ("-" if one.descending else "") + one.sort))
        return urlencode(parts + ([("page", str(one.page))] if one.page > 1 else []))

    @property
    def is_empty(self) -> bool:
        """Whether every row passes."""
        return not (self.words or self.values or self.spans or self.by_hand or self.chosen)


def read_filters(parameters: Mapping[str, str], listing: Listing, columns: Columns) -> Filters:
    """Return the filters that an address asks for.

    Raises:
        UserError: It names no column of the table, or a value cannot be one.
    """
    values: dict[str, str] = {}
    spans: dict[str, tuple[float | None, float | None]] = {}
    for key, value in parameters.items():
        kind, dot, name = key.partition(".")
        if not dot or not value:
            continue
        if kind == "is":
            values[_known(name, listing.facets)] = value
        elif kind in ("min", "max"):
            bound, span = _number(value, name), columns.spans[_known(name, columns.spans)]
            rounding = 1e-9 * (span[1] - span[0])  # a slider at its end says nothing
            if (kind == "min" and bound > span[0] + rounding) or (kind == "max" and bound < span[1] - rounding):
                low, high = spans.get(name, (None, None))
                spans[name] = (bound, high) if kind == "min" else (low, bound)
    by_hand = parameters.get("by_hand", "")
    if by_hand not in ("", *BY_HAND):
        raise unknown("kind of label", by_hand, BY_HAND)
    sort = parameters.get("sort", "")
    name = sort.removeprefix("-")
    if name:
        _known(name, [*columns.types, "by_hand"])
    text = parameters.get("q", "")[:1000]
    return Filters(words_of(text), text, values, spans, by_hand, parameters.get("set", ""), name or None,
                   sort.startswith("-"), _page(parameters.get("page", "1")))  # fmt: skip


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a search in small letters; what is in quotation marks is one."""
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
        lexer.whitespace_split, lexer.commenters, lexer.quotes, lexer.escape = True, "", '"', ""
        words = [*lexer]
    except ValueError:  # a quotation that does not end
        words = text.replace('"', " ").split()
    return tuple(word.lower() for word in words[:MOST_WORDS] if word)


def condition(filters: Filters, listing: Listing, selections: Selections) -> tuple[str, list[Any]]:
    """Return the condition of the filters in SQL, over ``l`` (the listing) and ``b`` (labels), and its values.

    Raises:
        UserError: The set of ids is not held any more.
    """
    parts, given = ["true"], []
    for word in filters.words:
        parts.append("contains(l.search, ?)")
        given.append(word)
    for name, value in filters.values.items():
        column = f"l.{quoted(name)}"
        same = f"list_contains(string_split({column}, '{BETWEEN}'), ?)" if name == NAMES else f"{column} = ?"
        parts.append(f"({same} OR (? AND {column} IS NULL))")
        given += [value, value == NONE]
    for name, (low, high) in filters.spans.items():
        for sign, bound in ((">=", low), ("<=", high)):
            if bound is not None:
                parts.append(f"l.{quoted(name)} {sign} ?")
                given.append(bound)
    if filters.by_hand:
        test, values = _by_hand(filters.by_hand)
        parts.append(test)
        given += values
    if filters.chosen:
        ids = selections.get(filters.chosen)
        if ids is None:
            raise UserError("the selection is not held any more; choose it anew on the map")
        names = [name for name in IDS if name in (*listing.hidden, listing.key)]
        parts.append(f"({' OR '.join(f'l.{name} IN (SELECT unnest(?::VARCHAR[]))' for name in names)})")
        given += [ids] * len(names)
    return " AND ".join(parts), given


def order(filters: Filters) -> str:
    """Return the order of the rows in SQL; rows of the same value are in the table's own order."""
    if not filters.sort:
        return "l.rowid"
    column = "b.by_hand" if filters.sort == "by_hand" else f"l.{quoted(filters.sort)}"
    return f"{column} {'DESC' if filters.descending else 'ASC'} NULLS LAST, l.rowid"


def source(listing: Listing) -> str:
    """Return the FROM of a listing with its labels."""
    return f"{listing.table} AS l LEFT JOIN memory.main.by_hand AS b ON b.label_id = l.label_id"


def _by_hand(word: str) -> tuple[str, list[Any]]:
    if word in ("any", "none"):
        return f"b.by_hand IS {'NOT ' if word == 'any' else ''}NULL", []
    if word == "prefer":
        return "b.by_hand LIKE 'c!_%' ESCAPE '!'", []
    return "list_contains(string_split(b.by_hand, ', '), ?)", [word]


def _known(name: str, names: Any) -> str:
    if name not in names:
        raise unknown("column", name[:80], names)
    return name


def _number(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{name}: expected a number, found {text[:40]!r}")
    return value


def _page(text: str) -> int:
    return min(max(int(text), 1), LAST_PAGE) if text.isascii() and text.isdigit() and len(text) < 9 else 1
