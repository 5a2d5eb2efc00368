"""The bare words that n-grams are made of: read from bytes as by regular expressions, and blind to how one writes."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.algorithms.overlap.bare_word_loops import hash_words, mark_telling
from curate.algorithms.overlap.bare_words import BYTE_FORMS, bare_words, cut_words, word_bytes
from curate.algorithms.text.levels import Level, levelled

pytestmark = pytest.mark.slow  # seconds for the file

FORMS = np.frombuffer(BYTE_FORMS, np.uint8)
ODD = [*"aZx9_ -.,'’ʼ\\{$½²ﬁＡ＼中ไσςΣßİé", "e\u0301", "\u200b", "\u00ad", "™", "\ufe0f", "😀", "한", "\u1112\u1161"]
PIECES = st.sampled_from([*ODD, r"\dfrac", r"\TFRAC", "frac", "What ", "x = 1", "\n"])
TEXTS = st.lists(st.lists(PIECES, max_size=9).map("".join), min_size=1, max_size=6)


def words_in_bytes(texts):
    """The words that the loops read, as text, with LaTeX's fractions as written."""
    data, ends = word_bytes(pl.Series(texts, dtype=pl.String))
    return [FORMS[data[low:high]].tobytes().decode().split() for low, high in zip(ends[:-1], ends[1:], strict=True)]


def hashes(texts):
    data, ends = word_bytes(pl.Series(texts, dtype=pl.String))
    out = []
    for low, high in zip(ends[:-1], ends[1:], strict=True):
        words = np.empty(high - low + 1, np.uint64)
        out.append(words[: hash_words(data, low, high, FORMS, words)].tolist())
    return out


def test_words_are_letters_and_digits_in_small_letters():
    texts = [
        "$x_1$ + Y",
        "Isn't it?",
        "ﬁne½",
        "小明 3个",
        "Σας",
        "s\u00ado 1\u200b2\u20623™",
        "7 😀 - ☺️",
        None,
        "?",
        r"\frac1",
    ]
    said = ["x 1 y", "isn t it", "fine1 2", "小 明 3 个", "σασ", "so 1 2 3", "7", None, "", "frac1"]
    assert bare_words(pl.Series(texts)).to_list() == said
    assert words_in_bytes(texts) == [(words or "").split() for words in said]


def test_other_commands_for_a_fraction_are_one_word():
    texts = [r"\dfrac{1}{2}", r"\TFRAC", r"\dfracs", "dfrac tfrac dfrac"]
    assert bare_words(pl.Series(texts)).to_list() == ["frac 1 2", "frac", "dfracs", "frac frac frac"]
    one, two, three, four = hashes([r"\frac{1}{2}", r"\dfrac{1}{2}", r"\DFRAC{1}{2}", "cfrac{1}{2}"])
    assert one == two == three != four


@settings(deadline=None)
@given(TEXTS)
def test_loops_read_the_words_of_the_definition(texts):
    assert hashes(texts) == hashes(bare_words(pl.Series(texts)).to_list())


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_equal_after_levelling_have_the_same_bare_words(texts, others):
    every = [*texts, *others, *(text.upper() for text in texts), *(f"“{text}” ?" for text in texts)]
    held, bare = levelled(pl.Series(every), Level(indents=False)).to_list(), bare_words(pl.Series(every)).to_list()
    words = dict(zip(held, bare, strict=True))
    assert [words[text] for text in held] == bare


def test_words_of_three_letters_or_beyond_ascii_tell():
    data, ends = word_bytes(pl.Series(["12 xy abc 1st2 x1y2z3 AbCd é 中 third"]))
    telling = np.ones(20, bool)
    mark_telling(data, ends[0], ends[1], FORMS, telling)
    assert telling[:9].tolist() == [False, False, True, False, False, True, True, True, True]


def test_words_are_cut_out_of_the_text_as_written():
    text = pl.Series(["(So: What's - the  SUM of 3?)", "«So: What’s — the  SUM of 3?»"])
    span = np.array([[1, 5, 5, 22], [1, 5, 0, 0]])
    assert cut_words(text, span, 300).to_list() == ["What's - the  SUM", "What’s — the  SUM"]
    assert cut_words(text, span, 6).to_list() == ["What's", "What’s"]
