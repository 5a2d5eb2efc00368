"""Exact duplicates: what counts as the same, and which row stays."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dedup.exact import Settings, copies_among, dedup, equal_texts


def exact(texts, scores=None, known=None, **given):
    rows = len(texts)
    return dedup(
        pl.Series("text", texts, dtype=pl.String),
        pl.Series("score", scores or [None] * rows, dtype=pl.Float64),
        pl.Series("known", known or [False] * rows, dtype=pl.Boolean),
        **given,
    )


def copies(texts, *columns, **given):
    return exact(texts, *columns, **given)["duplicate_of"].to_list()


def test_first_of_each_kind_stays():
    result = exact(["a", "b", "a", "A ", "b"])
    assert result["duplicate_of"].to_list() == [None, None, 0, 0, 1]
    assert result["similarity"].to_list() == [None, None, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("one", "two", "setting"),
    [
        ("Polish it", "polish it", "ignore_case"),
        ("two\n words ", "two words", "ignore_whitespace"),
        ("Hello, world!", "Hello world", "ignore_punctuation"),
        ("ｆｕｌｌ ﬁt", "full fit", "nfkc"),
    ],
)
def test_each_option_decides_its_own_difference(one, two, setting):
    off = dict(ignore_case=False, ignore_whitespace=True, ignore_punctuation=False, nfkc=False)
    off[setting] = False
    assert copies([one, two], **off) == [None, None]
    assert copies([one, two], **{**off, setting: True}) == [None, 0]


def test_blank_texts_and_bare_punctuation_are_nobodys_copies():
    assert copies([None, None, "", "", "  ", " "]) == [None] * 6
    assert copies(["?!", "...", "?!"], ignore_punctuation=True) == [None, None, 0]


@pytest.mark.parametrize(
    ("keep", "expected"),
    [("first", [None, 0, 0, None]), ("longest", [1, None, 1, None]), ("best", [2, 2, None, None])],
)
def test_the_rule_says_which_stays(keep, expected):
    assert copies(["an ox", " an  ox ", "An ox", "c"], [0.1, None, 0.2, 0.9], keep=keep) == expected


def test_known_rows_come_first_and_all_stay():
    assert copies(["a", "A", "a", "b"], known=[False, True, True, False]) == [1, None, None, None]
    assert copies(["a  a", "a a"], known=[False, True], keep="longest") == [1, None]


def level(text):
    return " ".join(text.replace("ﬁ", "fi").lower().split())


words = st.lists(st.sampled_from(["cat", "Cat", "fin", "ﬁn", "12", "- ", ".", " ", "  ", "\n"]), max_size=4)


rows = st.lists(
    st.tuples(st.one_of(st.none(), words.map(" ".join)), st.sampled_from([None, 0.0, 1.0]), st.booleans()),
    max_size=12,
)


@settings(deadline=None)
@given(rows, st.sampled_from(["first", "longest", "best"]), st.randoms())
def test_laws(rows, keep, random):
    texts, scores, known = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    result = copies(texts, scores, known, keep=keep)
    assert len(result) == len(rows)
    kept = [row for row, other in enumerate(result) if other is None]
    for row, other in enumerate(result):
        if other is not None:
            assert not known[row] and other in kept and level(texts[other]) == level(texts[row]) != ""
    free = [level(texts[row]) for row in kept if texts[row] and level(texts[row]) and not known[row]]
    assert len(set(free)) == len(free)
    assert not set(free) & {level(text) for text, held in zip(texts, known, strict=True) if held and text}
    again = copies([texts[row] for row in kept], [scores[row] for row in kept], [known[row] for row in kept], keep=keep)
    assert again == [None] * len(kept)
    if keep != "first":
        mixed = random.sample(range(len(rows)), len(rows))
        other = copies(*([column[row] for row in mixed] for column in (texts, scores, known)), keep=keep)
        stay = [texts[mixed[place]] for place, of in enumerate(other) if of is None]
        assert sorted(map(repr, stay)) == sorted(repr(texts[row]) for row in kept)


def test_rows_of_one_hash_are_compared():
    text = pl.Series(["a  B", "A b", "a b", "b"])

    def spaced(part):
        return part.str.to_lowercase().str.replace_all(" +", " ")

    assert equal_texts(text, np.array([1, 2, 3, 2]), np.array([0, 2, 2, 3]), spaced).tolist() == [
        True,
        True,
        False,
        False,
    ]
    assert equal_texts(text, np.zeros(0, np.int64), np.zeros(0, np.int64), spaced).tolist() == []


def test_texts_that_share_a_hash_are_told_apart():
    """As those would that were made to have another's hash."""
    text, known = pl.Series(["x", "a", "A", "x", "b", None, "b"]), pl.Series([False] * 7)
    rows, hashes = np.arange(7), np.zeros(7, np.uint64)
    settings = Settings(True, True, False, False, True, "first")
    copies, first = copies_among(text, known, rows, hashes, rows, settings)
    assert sorted(zip(copies.tolist(), first.tolist(), strict=True)) == [(2, 1), (3, 0), (6, 4)]
