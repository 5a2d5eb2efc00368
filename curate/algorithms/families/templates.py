"""Texts without what they share with many others: of prompts made from one template, what was filled in."""

import numpy as np
import polars as pl

from curate.algorithms.random_order import text_draws
from curate.algorithms.text.ngrams import ngrams, normalise, word_hashes

NGRAM = 3
SHARED = 0.1  # an n-gram that this share of the texts have is the template's
LEAST = 3  # texts that share an n-gram of a template, at the least
SAMPLE = 20_000  # texts in which a template is looked for
BLOCK = 50_000  # texts whose n-grams are in memory at a time


def without_template(text: pl.Series, sample: int = SAMPLE, block: int = BLOCK) -> pl.Series:
    """Return the words of texts that are in no n-gram of a template; "" for a text that is template only.

    An n-gram is the template's where at least a tenth of the texts have it, and at least ``LEAST``.

    Args:
        text: The texts.
        sample: The most texts to look for a template in; they do not depend on the order of the texts.
        block: How many texts to change at a time.
    """
    looked = text if len(text) <= sample else text.gather(np.argsort(text_draws(text, 0).to_numpy())[:sample])
    template = _template(looked)
    parts = [_without(text[low : low + block], template) for low in range(0, len(text), block)]
    return pl.concat([pl.Series("text", [], dtype=pl.String), *parts])


def _template(text: pl.Series) -> np.ndarray:
    """Return the n-grams that many of the texts have (uint64, sorted)."""
    grams, starts = ngrams(*word_hashes(normalise(text)), NGRAM)
    owner = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    values, place = np.unique(grams, return_inverse=True)
    once = np.unique(owner * max(len(values), 1) + place)  # a text counts once, however often it has an n-gram
    counts = np.bincount(once % max(len(values), 1), minlength=len(values))
    return values[counts >= max(LEAST, SHARED * len(text))]


def _without(text: pl.Series, template: np.ndarray) -> pl.Series:
    words = normalise(text).fill_null("")
    hashes, ends = word_hashes(words)
    grams, starts = ngrams(hashes, ends, NGRAM)
    owner = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    shared = np.isin(grams, template)
    first = (ends[:-1][owner] + np.arange(len(grams)) - starts[:-1][owner])[shared]
    last = ends[1:][owner][shared]
    covered = np.zeros(len(hashes), bool)
    for step in range(NGRAM):
        covered[np.minimum(first + step, last - 1)] = True
    lists = words.str.split(" ").to_frame("words").with_row_index("row").explode("words").filter(pl.col("words") != "")
    left = lists.filter(~covered).group_by("row", maintain_order=True).agg(pl.col("words").str.join(" "))
    rows = pl.DataFrame({"row": np.arange(len(text), dtype=np.uint32)})
    return rows.join(left, on="row", how="left", maintain_order="left")["words"].fill_null("").rename("text")
