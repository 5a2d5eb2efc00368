"""Choices that depend only on a row's text and sample index, not on its position or the number of rows."""

import numpy as np
import polars as pl

from curate.algorithms.random_order import text_draws


def rotating_choice(text: pl.Series, sample_index: pl.Series | None, count: int, seed: int) -> list[int]:
    """Return one of ``range(count)`` for each row: by its text for sample 0, the next ones for further samples.

    Args:
        text: The rows' texts.
        sample_index: The rows' sample numbers; None counts as 0.
        count: Number of choices.
        seed: Seed of the choice by text.
    """
    first = (text_draws(text.cast(pl.String), seed) % count).cast(pl.Int64)
    index = 0 if sample_index is None else sample_index.cast(pl.Int64).fill_null(0)
    return ((first + index) % count).to_list()


class Ring:
    """Texts on a ring, ordered by their hashes, so that adding or removing a text changes few choices.

    A row's choices are the texts that follow points hashed from the row (consistent hashing, Karger et al. 1997). If a
    text is added to N texts, about 1 / N of all choices change to it, and the others stay.
    """

    def __init__(self, texts: list[str], seed: int) -> None:
        """Put each distinct text on the ring."""
        unique = pl.Series("texts", list(dict.fromkeys(texts)), dtype=pl.String)
        places = pl.DataFrame({"text": unique, "at": text_draws(unique, seed)}).sort("at", "text")
        self.seed = seed
        self.texts: list[str] = places["text"].to_list()
        self._at = places["at"].to_numpy()

    def after(self, points: list[str]) -> list[int]:
        """Return for each point (a text to hash) the index in ``texts`` of the text that follows it on the ring."""
        at = text_draws(pl.Series("points", points, dtype=pl.String), self.seed).to_numpy()
        return (np.searchsorted(self._at, at) % max(len(self.texts), 1)).tolist()
