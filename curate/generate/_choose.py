"""Choices that depend on a row's own text and sample index: not on where the row stands, nor on how many there are."""

import numpy as np
import polars as pl

from curate.algorithms.random_order import text_draws


def spread(text: pl.Series, sample_index: pl.Series | None, count: int, seed: int) -> list[int]:
    """Choose one of ``count`` for each row: by its text for sample 0, then one after the other, so that all come up."""
    first = (text_draws(text.cast(pl.String), seed) % count).cast(pl.Int64)
    index = 0 if sample_index is None else sample_index.cast(pl.Int64).fill_null(0)
    return ((first + index) % count).to_list()


class Ring:
    """Texts placed on a ring by their hashes, so that a text more or less changes few choices.

    A row's choices are the texts that come after points hashed from the row (consistent hashing, Karger et al. 1997):
    of N texts, one more takes about 1 / N of all choices, and the others stay as they were.
    """

    def __init__(self, texts: list[str], seed: int) -> None:
        """Place each different text."""
        unique = pl.Series("texts", list(dict.fromkeys(texts)), dtype=pl.String)
        places = pl.DataFrame({"text": unique, "at": text_draws(unique, seed)}).sort("at", "text")
        self.seed = seed
        self.texts: list[str] = places["text"].to_list()
        self._at = places["at"].to_numpy()

    def after(self, points: list[str]) -> list[int]:
        """Return for each point (a text) the number of the text that comes after it on the ring."""
        at = text_draws(pl.Series("points", points, dtype=pl.String), self.seed).to_numpy()
        return (np.searchsorted(self._at, at) % max(len(self.texts), 1)).tolist()
