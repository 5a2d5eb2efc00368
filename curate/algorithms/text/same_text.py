"""Whether two texts are the same but for white space, and how alike they are.

Case and punctuation count: to a constraint such as "in lower case" they are all the difference there is. Texts are
compared by 64-bit hashes, first of how they end (cheap, and enough to tell most apart), then, where the ends are equal,
of the whole.
"""

import numpy as np
import polars as pl

from curate.algorithms.text import ngrams

END, CUT = 24, 96  # the levelled characters compared first, and the raw ones they are looked for in


def level(text: pl.Series) -> pl.Series:
    """Return texts with single spaces for white space and none at the ends; null counts as empty."""
    return ngrams.one_space(text.cast(pl.String).fill_null(""))


def ends(text: pl.Series) -> np.ndarray:
    """Return a hash (uint64) of the end of each levelled text: equal texts have equal ones."""
    text = text.cast(pl.String).fill_null("")
    levelled = level(text.str.tail(CUT))
    # Where the cut fell may show in the first few characters; a text with little else in its end is levelled whole.
    short = (text.str.len_chars() > CUT) & (levelled.str.len_chars() < END + 8)
    if short.any():
        levelled = levelled.scatter(short.arg_true(), level(text.filter(short)))
    return levelled.str.tail(END).hash(seed=0).to_numpy()


def wholes(text: pl.Series) -> np.ndarray:
    """Return a hash (uint64) of each levelled text: two texts are the same if theirs are equal."""
    return level(text).hash(seed=0).to_numpy()


def beyond(turns: pl.Series) -> pl.Series:
    """Return, of turns as JSON text, those that are more than one text: with tools called or several turns, else null.

    A quote inside a text has a backslash before it, so that the keys looked for are keys.
    """
    more = turns.str.contains('"tool_calls"', literal=True) | (turns.str.count_matches('"role"', literal=True) > 1)
    return turns.set(~more.fill_null(False), None)


def similarity(left: pl.Series, right: pl.Series) -> np.ndarray:
    """Return how near the texts are, pair by pair: the Jaccard similarity of their word pairs, from 0.0 to 1.0.

    A text of one word has that word for its only pair; texts without words are nothing like any other.
    """
    count = len(left)
    texts = pl.concat([side.cast(pl.String).alias("text") for side in (left, right)])
    grams, places, _ = ngrams.ngram_sets(ngrams.normalise(texts), 2)
    sizes = np.diff(places)
    one, other = np.arange(count), np.arange(count, 2 * count)
    both = ngrams.shared(grams, places, one, other)
    union = sizes[one] + sizes[other] - both
    return np.divide(both, union, out=np.zeros(count), where=union > 0)
