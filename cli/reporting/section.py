"""What a section of a report is made of, and the small helpers that all sections share."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any

from train.evaluating.own_rows import OWN

if TYPE_CHECKING:
    import duckdb


# The scorers of ``evaluations`` that are gristmill's own, not the recipe's, as SQL has them in a list.
OWN_SCORERS = ", ".join(f"'{name}'" for name in OWN)


@dataclass(frozen=True)
class Section:
    """A section of a report.

    Attributes:
        name: The name of its template, and its anchor.
        heading: Its name in the table of contents.
        title: What it shows in a sentence: the finding.
        about: What is shown, of how many rows, and whether they are sampled.
        values: What its template is given.
    """

    name: str
    heading: str
    title: str
    about: str
    values: dict[str, Any] = field(default_factory=dict)


def rows(con: "duckdb.DuckDBPyConnection", query: str, values: Iterable[Any] = ()) -> list[dict[str, Any]]:
    """Return the rows of a query, each as a mapping."""
    found = con.execute(query, [*values])
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def one(con: "duckdb.DuckDBPyConnection", query: str, values: Iterable[Any] = ()) -> Any:
    """Return the only value of a query."""
    found = con.execute(query, [*values]).fetchone()
    return None if found is None else found[0]


def percent(share: float | None) -> str:
    """Return a share for a person: ``37%``, ``0.4%``; a dash for none."""
    if share is None or not isfinite(share):
        return "–"
    size = abs(share)
    if 0 < size < 0.0005 or 0.9995 < size < 1:
        return f"{'under' if size < 0.5 else 'over'} {'0.1%' if size < 0.5 else '99.9%'}"
    decimals = 1 if 0 < size < 0.0095 or 0.9905 < size < 1 else 0
    return f"{100 * share:.{decimals}f}%"


def figure(value: float | None, decimals: int = 3) -> str:
    """Return a figure for a person: ``12,345``, ``0.613``; a dash for none."""
    if value is None or not isfinite(value):
        return "–"
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.{decimals}f}" if abs(value) >= 0.001 else f"{value:.2g}"


def signed(value: float | None, decimals: int = 3) -> str:
    """Return a change for a person: ``+0.145``, ``−0.02``; a dash for none."""
    if value is None or not isfinite(value):
        return "–"
    size = f"{abs(value):,.0f}" if abs(value) >= 1000 else f"{abs(value):,.{decimals}f}"
    return ("+" if value > 0 else "−" if value < 0 else "±") + size


def seconds(value: float | None) -> str:
    """Return a time for a person: ``4.2 s``, ``3 min``, ``1 h 5 min``."""
    if value is None or not isfinite(value):
        return "–"
    if value < 60:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
