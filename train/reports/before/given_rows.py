"""The rows that a training is given, counted: what is known of them before its first step."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from schemas.counted import counted
from schemas.errors import printable
from train.examples.examples import Examples
from train.reports.words import share
from train.rows.training_rows import TrainingRows

REASONS = 3  # reasons for rows that are left out that are named


@dataclass(frozen=True)
class GivenRows:
    """The rows of a training.

    Attributes:
        rows: How many there are.
        counts: What is learnt of them (``Examples.counts``); empty where the trainer tokenises them itself.
        longest: The most tokens of a sequence before it is cut; 0 where that is not known.
        left_out: How many rows are left out for each reason.
    """

    rows: int
    counts: Mapping[str, int]
    longest: int
    left_out: Mapping[str, int]

    def lines(self, noun: str) -> list[str]:
        """Return lines on the rows that are left out or cut; none where there are none."""
        reasons = Counter(self.left_out).most_common()
        named = [f"{count:,} {printable(reason)}" for reason, count in reasons[:REASONS]]
        named += [f"{more:,} for other reasons"] if (more := sum(count for _, count in reasons[REASONS:])) else []
        lines = [f"left out: {'; '.join(named)}"] if named else []
        cut, lost = self.counts.get("cut_rows", 0), self.counts.get("cut_tokens", 0)
        if cut:
            learnt = self.counts["tokens"] + lost
            lines.append(
                f"max_length cuts {counted(cut, noun)}: {lost:,} of {counted(learnt, 'token')} "
                f"({share(lost, learnt)}) are not learnt"
            )
        return lines


def given_rows(rows: TrainingRows, examples: Examples | None = None) -> GivenRows:
    """Return the rows that a training is given, counted.

    Args:
        rows: The rows, and those that are left out.
        examples: The rows as token ids; None where the trainer tokenises them itself.
    """
    left_out = _counted(rows.dropped)
    if examples is None:
        return GivenRows(rows.train.height, {}, 0, left_out)
    return GivenRows(rows.train.height, dict(examples.counts), max(examples.lengths, default=0), left_out)


def _counted(dropped: pl.DataFrame) -> dict[str, int]:
    return dict(dropped["fate"].value_counts().iter_rows())
