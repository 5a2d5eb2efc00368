"""``Examples``: the rows of a training as the columns of token ids that its TRL trainer reads."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from train.examples.cuts import Cut, Loss


@dataclass
class Examples:
    """Rows as a trainer gets them.

    Attributes:
        columns: TRL's columns, and ``row_index``, the number of the row that an example is made of. An SFT row may give
            several examples.
        dropped: The ids of the rows that are left out, with the reason.
        counts: What is learnt: ``rows``, ``sequences``, assistant's ``turns``, tool ``calls``, ``tokens``, and
            ``all_tokens`` with those of the context; and what is cut off at ``max_length``: how many rows lose tokens
            that would have been learnt (``cut_rows``), and how many (``cut_tokens``).
        changes: How many rows each change was made to, so that the chat template can print their messages.
        cuts: What each row loses at ``max_length``, of those that lose something; rows that are left out for it too.
        lengths: The tokens of each row that the chat template prints, of the longest of its sequences before it is cut;
            of a prompt its own.
    """

    columns: dict[str, list] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    cuts: list[Cut] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    def note_loss(self, row_id: str, loss: Loss, *, left_out: bool) -> None:
        """Keep what a row loses at ``max_length``, and how long it is."""
        self.lengths.append(loss.longest)
        cut = loss.cut(row_id, left_out=left_out)
        self.cuts += [cut] if cut else []

    def add(self, example: Mapping[str, Any]) -> None:
        """Add one example, given by column."""
        for name, value in example.items():
            self.columns.setdefault(name, []).append(value)

    def dropped_rows(self) -> pl.DataFrame:
        """Return the rows that are left out: ``row_id`` and ``fate`` (the reason)."""
        return pl.DataFrame({"row_id": [*self.dropped], "fate": [*self.dropped.values()]}, schema=FATES)

    def cut_tokens(self) -> dict[str, int]:
        """Return how many of its learnt tokens ``max_length`` cuts off each row, 0 for none, of rows left out too."""
        return {cut.row_id: cut.lost for cut in self.cuts}

    def dataset(self) -> Any:
        """Return the examples as a ``datasets.Dataset``, or None where there are none."""
        from datasets import Dataset, disable_progress_bars

        disable_progress_bars()  # TRL packs and maps the dataset
        return Dataset.from_dict(self.columns) if self.columns else None


FATES = {"row_id": pl.String, "fate": pl.String}
