"""The summary of a scorer's values: their number, their mean, errors of rows without one, notes; parts add up."""

from collections import Counter
from dataclasses import dataclass, field

import polars as pl

from schemas.errors import printable

SHOWN = 200  # characters of an error in a warning; of one among several, half as many
REASONS = 3  # errors in a stage's line
NOTES = 3  # of a scorer, in a stage's line
DISTINCT = 1_000  # errors that are counted apart
OTHERS = "other reasons"
LISTED = " (there are: "  # what there is, which would be said again with each


@dataclass
class ScoreSummary:
    """The summary of a scorer's values for some rows.

    Attributes:
        rows: How many rows there are.
        scored: How many of them have a value.
        value_sum: The sum of the values.
        errors: The rows without a value by the error of each; beyond ``DISTINCT`` errors only known ones are apart.
        notes: The scorer's lines on the rows, each once.
    """

    rows: int = 0
    scored: int = 0
    value_sum: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def add(self, other: "ScoreSummary") -> None:
        """Add the summary of the next rows."""
        self.rows += other.rows
        self.scored += other.scored
        self.value_sum += other.value_sum
        for error, rows in other.errors.items():
            self.errors[error if error in self.errors or len(self.errors) < DISTINCT else OTHERS] += rows
        self.notes += [note for note in other.notes if note not in self.notes]

    @property
    def warnings(self) -> list[str]:
        """That no row has a value, where it is so."""
        return [f"every score is null: {self._reasons()}"] if self.rows and not self.scored else []

    def line(self) -> str:
        """Return the summary as a stage's line."""
        parts = [f"{self.scored:,} scored"]
        if self.scored:
            parts.append(f"mean {self.value_sum / self.scored:.3f}")
        if self.rows > self.scored:
            reasons = f" ({self._reasons()})" if self.errors and self.scored else ""
            parts.append(f"{self.rows - self.scored:,} null{reasons}")
        return ", ".join([*parts, *self.notes[:NOTES]])

    def _reasons(self) -> str:
        """Return why rows have no value: the reason, or the commonest ones each with its number of rows."""
        if len(self.errors) == 1:
            return printable(next(iter(self.errors)))[:SHOWN]
        known = sorted((-rows, error) for error, rows in self.errors.items() if error != OTHERS)[:REASONS]
        shown = [f"{-rows:,}: {printable(error.split(LISTED)[0])[: SHOWN // 2]}" for rows, error in known]
        rest = self.errors.total() + sum(rows for rows, _ in known)
        return "; ".join([*shown, f"{rest:,}: {OTHERS}"] if rest else shown)


def summary_of(scored: pl.DataFrame) -> ScoreSummary:
    """Return the summary of a table as ``Scorer.values`` returns it."""
    errors: Counter[str] = Counter()
    counts = scored.filter(pl.col("value").is_null())["error"].drop_nulls().value_counts(name="rows")
    for error, rows in counts.sort("error").iter_rows():
        errors[error if len(errors) < DISTINCT else OTHERS] += rows
    notes = scored["note"].drop_nulls().unique(maintain_order=True).to_list()
    return ScoreSummary(
        scored.height, scored["value"].count(), float(scored["value"].sum() or 0.0), errors, notes[:DISTINCT]
    )
