"""Compare texts for equality apart from white space, by hashes, and measure how similar they are.

Case and punctuation count, as they may be all that a constraint such as "in lower case" asks for. Texts are compared by
64-bit hashes: first of their ends, which is cheap and enough to tell most apart, then, where these are equal, of the
whole texts.
"""

import json
from typing import Any

import numpy as np
import polars as pl

from curate.algorithms.text import ngrams
from curate.algorithms.text.levels import Level, levelled
from schemas.json_text import parse

END, CUT = 24, 96  # last characters that are compared first; last raw characters from which these are taken
TURN = '"role": ?"(?:user|assistant)"'


def collapse_white_space(text: pl.Series) -> pl.Series:
    """Return the texts with one space for every run of white space and none at the ends; "" for null."""
    return ngrams.one_space(text.cast(pl.String).fill_null(""))


def end_hashes(text: pl.Series) -> np.ndarray:
    """Return a hash of the end of each text without extra white space (uint64): equal texts have equal hashes."""
    text = text.cast(pl.String).fill_null("")
    end = collapse_white_space(text.str.tail(CUT))
    # The first few characters may depend on where the text was cut: if few others are left, take the whole text.
    short = (text.str.len_chars() > CUT) & (end.str.len_chars() < END + 8)
    if short.any():
        end = end.scatter(short.arg_true(), collapse_white_space(text.filter(short)))
    return end.str.tail(END).hash(seed=0).to_numpy()


def text_hashes(text: pl.Series) -> np.ndarray:
    """Return a hash of each text without extra white space (uint64): texts are the same if their hashes are."""
    return collapse_white_space(text).hash(seed=0).to_numpy()


def more_than_text(turns: pl.Series) -> pl.Series:
    """Return the messages (JSON text) that are more than one text: several, or with tool calls; null for others.

    A quote inside a text is escaped, so that what is found is a key.
    """
    more = turns.str.contains('"tool_calls"', literal=True) | (turns.str.count_matches('"role"', literal=True) > 1)
    return turns.set(~more.fill_null(False), None)


def conversations(turns: pl.Series) -> pl.Series:
    """Return the messages (JSON text) in which several turns are the user's or the assistant's, or which call tools.

    Null for others: of a system message and one turn, the text of the turn is all there is to compare.
    """
    more = turns.str.contains('"tool_calls"', literal=True) | (turns.str.count_matches(TURN) > 1)
    return turns.set(~more.fill_null(False), None)


def as_text(turns: pl.Series) -> pl.Series:
    """Return messages (JSON text) as text to compare: each turn's role and text, then its other keys; null for null.

    As JSON they would all be code, whose capitals and punctuation count.
    """
    rows = turns.is_not_null().arg_true()
    texts = ["\n\n".join(map(_turn, parse(held))) for held in turns.gather(rows)]
    return turns.scatter(rows, pl.Series(texts, dtype=pl.String)) if texts else turns


def _turn(turn: dict[str, Any]) -> str:
    rest = {key: value for key, value in turn.items() if key not in ("role", "content") and value is not None}
    content = turn.get("content")
    said = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False) if content else ""
    return f"{turn.get('role')}: {said}" + (f"\n{json.dumps(rest, ensure_ascii=False, sort_keys=True)}" if rest else "")


def similarity(left: pl.Series, right: pl.Series) -> np.ndarray:
    """Return the Jaccard similarity of the word pairs of ``left[i]`` and ``right[i]``, from 0.0 to 1.0 (float64).

    Words are the units of ``levels``: signs and operators count. A text of one word has that word as its only pair; a
    text without words has a similarity of 0.0 to any other.
    """
    count = len(left)
    texts = pl.concat([side.cast(pl.String).alias("text") for side in (left, right)])
    grams, places, _ = ngrams.ngram_sets(levelled(texts, Level()), 2)
    sizes = np.diff(places)
    one, other = np.arange(count), np.arange(count, 2 * count)
    both = ngrams.shared(grams, places, one, other)
    union = sizes[one] + sizes[other] - both
    return np.divide(both, union, out=np.zeros(count), where=union > 0)
