"""Compiled passes over a column count what plain Python or a regular expression counts in each text."""

import re
from collections import Counter

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curate.algorithms.text.ngrams import normalise
from curate.algorithms.text.text_columns import WORD, line_count, times, with_line_feeds, word_count
from curate.score.repetition import score as repetition
from curate.verifiers.constraints.sentence_counts import sentence_counts
from curate.verifiers.constraints.text_units import sentence_lengths, whole_words

PIECES = [
    "Mr.",
    "e.g.",
    "(Prof.",
    "J.",
    "I.",
    "İ.",
    "1.",
    "12)",
    "x.)",
    "”)",
    "…",
    "?!",
    "st.”",
    "*vs.*",
    "。",
    "！",
    "K.",
    "².",
]
PIECES += [
    "\n\n",
    "\n \n",
    " ",
    " ",
    " ",
    "\x1c",
    "word",
    "Sea",
    "sea",
    "don't",
    "é",
    "e\u0301",
    "ﬁ",
    "Σ",
    "中文",
    "한",
    "ไทย",
    "𠀀",
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=15).map("".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS, max_size=5))
@example(["五。sea sea", "a.\n \nb", "(Mr. X) said… 2. no", "5 ).", "𠀀。"])
def test_sentences_are_those_of_one_text(texts):
    counts, most = sentence_counts(pl.Series(texts, dtype=pl.String))
    lengths = [sentence_lengths(text) for text in texts]
    assert counts.to_list() == [len(found) for found in lengths]
    assert most.to_list() == [max(found, default=0) for found in lengths]


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS | st.none(), max_size=5))
@example(["\x1c a\x1cb", "\u2028½ ª\r\n\x1e \x0bb\x85", None, "\U0002ffff a 𠀀"])
def test_words_and_lines_are_those_of_the_expressions(texts):
    column = pl.Series(texts, dtype=pl.String)
    assert word_count(column).to_list() == column.str.count_matches(WORD).to_list()
    assert line_count(column).to_list() == with_line_feeds(column).str.count_matches(r"\S[^\n]*").to_list()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(TEXTS, min_size=1, max_size=5),
    st.sampled_from(["sea", "Sea, sea", "C#", "中", "é", "e\u0301", "-sea", "1.", "aa"]),
)
@example(["aaa aa", "sea sea season undersea sea", "C# C#s"], "aa")
def test_phrases_are_found_as_in_one_text(texts, phrase):
    texts = [text.replace("_", " ") for text in texts]  # is emphasis in columns, and a part of a word in one text
    column = pl.Series(texts)
    (found,) = times(column, [pl.Series([phrase]).new_from_index(0, len(texts))])
    assert found.to_list() == [whole_words(text, phrase) for text in texts]


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS | st.none(), max_size=5), st.integers(1, 3))
@example(["É é É é", "ＡＢ ab", "中中中", "ΑΣ ας ασ", "the  The-the", "word" * 9 + " " + "word" * 9], 1)
def test_repetition_is_that_of_normalised_words(texts, n):
    column = pl.Series(texts, dtype=pl.String)
    words = [None if text is None else re.findall("[^ ]+", text) for text in normalise(column)]
    assert repetition(column, ngram=n).to_list() == [None if some is None else repeated(some, n) for some in words]


def repeated(words, n):
    grams = [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]
    return sum(times - 1 for times in Counter(grams).values()) / max(1, len(grams))
