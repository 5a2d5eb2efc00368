"""Texts normalised character by character have the words that ``normalise`` finds, whatever they are made of."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.algorithms.text.ngrams import normalise
from curate.algorithms.text.normalised_bytes import SIZE, character_forms, normalised_bytes
from curate.algorithms.text.normalised_bytes_loops import SLOW
from curate.algorithms.text.word_bytes import BYTE_FORMS


def words(texts):
    data, ends = normalised_bytes(pl.Series(texts, dtype=pl.String))
    data = data.tobytes()
    return [data[low:high].translate(BYTE_FORMS).split() for low, high in zip(ends[:-1], ends[1:], strict=True)]


def wanted(texts):
    found = normalise(pl.Series(texts, dtype=pl.String))
    return [(text or "").encode().split() for text in found]


@pytest.mark.parametrize(
    "text",
    [
        "小明有三个苹果，他又买了５个。",
        "Janet’s ducks—“eggs”…",
        "ＦＵＬＬ　width",
        "ΣΟΦΟΣ",
        "𝚺Ο𝚺",
        "İstanbul",
        "①⑴½㍿",
        "e\u0301té",
        "한국어",
        "\u1112\u1161\u11ab",
        "ㅎㅏㄴ",
        "ﾡￂﾤ",
        "각\u11a8",
        "ｶﾞｷﾞ",
        "かﾞ",
        "ไทย",
        "𠀀𠀁",
        "𝐀𝐁",
        "a\u00a0b\u200bc\u0085d",
        "ﬁne",
        "\u0378",
        "🙂 ok",
        "𑄪𑄬",
        "\U000e0041x",
        "\U00016d67\U00016d67",
    ],
)
def test_words_of_many_scripts(text):
    assert words([text]) == wanted([text])


@given(st.lists(st.none() | st.text(max_size=12) | st.text("aΣé́ 小。ﾞか가가각ᆨ", max_size=8), max_size=6))
def test_words_of_anything(texts):
    assert words(texts) == wanted(texts)


def test_every_character_that_is_looked_up():
    codes = [code for code in range(SIZE) if not 0xD800 <= code < 0xE000 and not character_forms()[code] & SLOW]
    texts = [
        "".join(f"{chr(code)}x{chr(code)}{chr(code)}y " for code in codes[low : low + 50])
        for low in range(0, len(codes), 50)
    ]
    assert words(texts) == wanted(texts)


def test_ascii_is_not_copied_and_slices_begin_at_their_offset():
    texts = pl.Series(["héllo", "plain text", None, "Ünder", "x"])
    data, ends = normalised_bytes(texts[1:3])
    assert data[ends[0] : ends[-1]].tobytes() == b"plain text" and np.diff(ends).tolist() == [10, 0]
    data, ends = normalised_bytes(texts[3:])
    assert data[: ends[-1]].tobytes().decode() == "ünderx" and ends.tolist() == [0, 6, 7]
    assert normalised_bytes(texts[:0])[1].tolist() == [0]
