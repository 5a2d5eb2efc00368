"""Shares of characters, words, lines and n-grams; numbers of sentences; texts without a share."""

import polars as pl
import pytest

import curate.score.length as length
import curate.score.lines as lines
import curate.score.repeated_lines as repeated_lines
import curate.score.repeated_ngrams as repeated_ngrams
import curate.score.sentences as sentences
import curate.score.share as share
import curate.score.top_ngram as top_ngram
import curate.score.urls as urls
import curate.score.words as words
from schemas.errors import UserError


def values(scorer, *texts, **settings):
    return scorer.score(pl.Series("response", texts, dtype=pl.String), **settings)["value"].to_list()


def errors(scorer, *texts, **settings):
    return scorer.score(pl.Series("response", texts, dtype=pl.String), **settings)["error"].to_list()


@pytest.mark.parametrize(
    ("of", "text", "share_"),
    [
        ("letters", "ab 12 !?", 2 / 6),
        ("digits", "ab 12 !?", 2 / 6),
        ("symbols", "ab 12 !?", 2 / 6),
        ("digits", "٣a", 0.5),
        ("uppercase", "ABc 1", 2 / 3),
        ("uppercase", "É é", 0.5),
        ("uppercase", "GP系统", 0.5),
        ("symbols", "🙂ok", 1 / 3),
        ("spaces", "a b\n", 0.5),
        ("letters", "e\u0301!", 2 / 3),
        ("letters", "你好。", 2 / 3),
    ],
)
def test_shares_of_characters(of, text, share_):
    assert values(share, text, of=of) == [pytest.approx(share_)]


def test_there_is_no_share_of_nothing():
    assert values(share, "", " ", None, of="digits") == [None, None, None]
    assert errors(share, "", "  ", None, of="digits") == ["blank response", "blank response", "no response"]
    assert errors(share, "12", "", of="uppercase") == ["no letters"] * 2
    assert values(share, " ", "", of="spaces") == [1.0, None]


def test_words():
    assert values(words, "(a) word, isn't", "你好 hi") == [pytest.approx(10 / 3), None]
    assert values(words, "a bb ccc-d!", measure="longest") == [5.0]
    assert values(words, "x = 3 + y", measure="lettered") == [pytest.approx(0.4)]
    assert values(words, "#a #b c d", "# 你好", measure="hashes") == [0.5, pytest.approx(1 / 3)]
    assert values(words, "so... well… ok ok", measure="ellipses") == [0.5]
    assert values(words, "The cat AND the dog, of", "chat et chien", measure="stop_words") == [3.0, 0.0]
    assert values(words, "Der Hund und die Katze", measure="stop_words", stop_words=["der", "und"]) == [2.0]
    assert errors(words, "你好", "", None, "--", measure="stop_words") == [
        "most words are of scripts without spaces",
        "no words",
        "no response",
        None,
    ]
    assert errors(words, "-- !!") == ["no words"]


def test_lines():
    text = "- one\n* two\n\nThree is a sentence.\nand then...\n"
    measured = {measure: values(lines, text, measure=measure)[0] for measure in lines.MEASURES}
    assert measured == {
        "count": 4.0,
        "breaks": 5 / 14,
        "bullets": 0.5,
        "ellipses": 0.25,
        "punctuated": 0.5,
        "short": 1.0,
        "c4_lines": 0.0,
    }
    assert values(lines, text, measure="short", short=5) == [0.5]
    assert values(lines, "", None) == [0.0, None]
    assert errors(lines, "\n \r\n", measure="bullets") == ["blank response"]


def test_c4_drops_notices_short_lines_and_those_without_an_end():
    text = (
        "Please enable JavaScript right now.\nFour words: too few.\nNo end here at all\n"
        "This one stays. Both sentences do.\n"
    )
    assert values(lines, text, measure="c4_lines") == [0.25]
    assert values(sentences, text, of="c4") == [2.0]
    assert values(sentences, text, None) == [5.0, None]


def test_repeated_lines_and_paragraphs():
    text = "la la\nla la  \r\n\r\nla\n\nla la\nla la\n"
    assert values(repeated_lines, text, "one\ntwo", "", None) == [0.6, 0.0, None, None]
    assert values(repeated_lines, text, by="characters") == [pytest.approx(15 / 22)]
    assert values(repeated_lines, text, of="paragraphs") == [pytest.approx(1 / 3)]
    assert values(repeated_lines, text, of="paragraphs", by="characters") == [pytest.approx(10 / 22)]


def test_ngrams_that_come_again():
    assert values(top_ngram, "a b c", "a b a b", "", None, n=2) == [0.0, pytest.approx(6 / 7), None, None]
    assert values(top_ngram, "go go go go", n=2) == [1.0], "copies that overlap"
    assert values(repeated_ngrams, "one two three, one two three", n=3) == [pytest.approx(11 / 28)]
    assert values(repeated_ngrams, "ab " * 100, n=5) == [pytest.approx(190 / 300)]
    assert values(repeated_ngrams, "A b, a b", n=2) == [0.0], "capitals count"
    with pytest.raises(UserError, match="score top_ngram: n must be at least 1, found 0"):
        values(top_ngram, "a", n=0)


@pytest.mark.parametrize(
    ("text", "count", "characters"),
    [
        ("see https://a.org/x?y=1. Then", 1, 19),
        ("(www.b.com) HTTP://C.net", 2, 21),
        ("none: a.org httpx", 0, 0),
        ("去https://a.cn/路。好", 1, 14),
        ("<http://x.y>", 1, 10),
        ("[a](https://a.org)", 1, 13),
        ("", 0, 0),
    ],
)
def test_addresses(text, count, characters):
    assert values(urls, text, None) == [count, None]
    assert values(urls, text, by="characters") == [pytest.approx(characters / max(len(text), 1))]


@pytest.mark.parametrize(
    ("scorer", "settings", "words_"),
    [
        (share, {"of": "digit"}, "no share of characters called 'digit'; did you mean 'digits'"),
        (words, {"measure": "longst"}, "no measure 'longst'; did you mean 'longest'"),
        (words, {"stop_words": [str(n) for n in range(65)]}, "stop_words: expected at most 64, found 65"),
        (lines, {"measure": "bulets"}, "did you mean 'bullets'"),
        (sentences, {"of": "c5"}, "no lines called 'c5'"),
        (repeated_lines, {"of": "line"}, "no parts called 'line'; did you mean 'lines'"),
        (repeated_lines, {"by": "numbr"}, "did you mean 'number'"),
        (urls, {"by": "x"}, "no measure 'x'"),
    ],
)
def test_mistakes_name_the_nearest(scorer, settings, words_):
    with pytest.raises(UserError, match=words_):
        values(scorer, "a", **settings)


def test_estimated_tokens_need_no_count():
    none = pl.Series("completion_tokens", [None, None], dtype=pl.Int64)
    found = length.score(pl.Series(["Hello, world!", None]), none, unit="estimated_tokens")
    assert found["error"].to_list() == [None, "no response"] and 2 <= found["value"][0] <= 6
