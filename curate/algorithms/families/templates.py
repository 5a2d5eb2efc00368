"""Texts without what they share with many others: of prompts made from one template, what was filled in."""

import numpy as np
import polars as pl

from curate.algorithms.text.ngrams import ngrams, normalise, word_hashes

NGRAM = 3
SHARED = 0.1  # an n-gram that this share of the texts have is the template's
LEAST = 3  # texts that share an n-gram of a template, at the least


def without_template(text: pl.Series) -> pl.Series:
    """Return the words of texts that are in no n-gram of a template; "" for a text that is template only.

    An n-gram is the template's where more than a tenth of the texts have it, and more than two.
    """
    words = normalise(text).fill_null("")
    hashes, ends = word_hashes(words)
    grams, starts = ngrams(hashes, ends, NGRAM)
    owner = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    values, place = np.unique(grams, return_inverse=True)
    once = np.unique(owner * len(values) + place)  # a text counts once, however often it has an n-gram
    counts = np.bincount(once % max(len(values), 1), minlength=len(values))
    shared = (counts >= max(LEAST, SHARED * len(text)))[place]
    covered = np.zeros(len(hashes) + NGRAM, bool)
    first = (ends[:-1][owner] + np.arange(len(grams)) - starts[:-1][owner])[shared]
    last = ends[1:][owner][shared]
    for step in range(NGRAM):
        covered[np.minimum(first + step, last - 1)] = True
    lists = words.str.split(" ").to_frame("words").with_row_index("row").explode("words").filter(pl.col("words") != "")
    left = lists.filter(~covered[: len(hashes)]).group_by("row").agg(pl.col("words").str.join(" "))
    rows = pl.DataFrame({"row": np.arange(len(text), dtype=np.uint32)})
    return rows.join(left, on="row", how="left", maintain_order="left")["words"].fill_null("").rename("text")
