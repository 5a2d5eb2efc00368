"""Languages are detected as by py3langid itself; null where there are too few letters."""

from functools import cache

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from curate.algorithms.text.language import END, SHORTEST, detect, languages

pytestmark = pytest.mark.slow  # seconds for the file

SENTENCES = {
    "en": "The weather is fine today, and we are going to the beach.",
    "de": "Das Wetter ist heute schön, und wir fahren an den Strand.",
    "fr": "Il fait beau aujourd'hui et nous allons à la plage.",
    "es": "Hoy hace buen tiempo y nos vamos a la playa.",
    "ru": "Сегодня хорошая погода, и мы едем на пляж.",
    "zh": "今天天气很好，我们去海边玩。",
    "ja": "今日は天気がいいので、海へ行きます。",
    "ko": "오늘은 날씨가 좋아서 바다에 갑니다.",
    "ar": "الطقس جميل اليوم ونحن ذاهبون إلى الشاطئ.",
    "hi": "आज मौसम अच्छा है और हम समुद्र तट पर जा रहे हैं।",
    "th": "วันนี้อากาศดี เราจะไปทะเลกัน",
}
# The languages that IFEval's prompts ask for (instruction_following_eval, instructions_util.LANGUAGE_CODES).
IFEVAL = "en es pt ar hi fr ru de ja it bn uk th ur ta te bg ko pl he fa vi ne sw kn mr gu pa ml fi".split()


def test_languages_are_detected():
    found = detect(pl.Series(list(SENTENCES.values())))
    assert found["language"].to_list() == list(SENTENCES)
    assert (found["probability"] > 0.5).all()


def test_what_is_too_short_or_no_language_is_null():
    code = '{"a": {"b": [1, 2, 3]}, "c": null}\n' * 10
    texts = [None, "", " \n", "Yes.", "42", "!" * 100, "1 2 3 " * 500, code]
    found = detect(pl.Series(texts, dtype=pl.String))
    assert found.height == len(texts)
    assert found["language"].to_list() == [None] * len(texts) == found["probability"].to_list()
    assert detect(pl.Series([], dtype=pl.String)).schema == {"language": pl.String, "probability": pl.Float64}
    assert detect(pl.Series([None])).row(0) == (None, None)


def test_all_capitals_and_dialects_count_for_their_language():
    texts = [SENTENCES["de"].upper(), "我哋今日去海灘玩，天氣好好呀，大家都好開心。" * 3]
    assert detect(pl.Series(texts))["language"].to_list() == ["de", "zh"]


def test_a_text_in_two_languages_is_surer_of_neither():
    half = detect(pl.Series([SENTENCES["en"] * 20, SENTENCES["en"] * 20 + SENTENCES["de"] * 20]))
    assert half["language"][0] == "en" and half["probability"][0] > 0.999 > half["probability"][1]


def test_ifevals_languages_are_known():
    assert set(IFEVAL) <= set(languages())


@cache
def identifier():
    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    found.set_languages([code for code in found.labels if len(code) == 2 or code == "zxx"])
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=40) | st.sampled_from(list(SENTENCES.values())), max_size=8), st.integers(0, 15))
def test_the_result_is_that_of_py3langid(parts, times):
    plain = identifier()
    text = " ".join(parts) * times
    seen = text if len(text) <= 2 * END else text[:END] + text[-END:]
    language, probability = detect(pl.Series(["Something else.", text, SENTENCES["ru"]])).row(1)
    if language is None:
        assert sum(len(c.encode()) for c in seen if c.isalpha()) < SHORTEST or plain.classify(seen)[0] == "zxx"
        return
    expected = dict(plain.rank(seen))
    assert probability == max(expected.values()) or abs(probability - max(expected.values())) < 1e-4
    assert abs(expected[language] - max(expected.values())) < 1e-4  # of two equally likely ones it may be either


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(max_size=30) | st.sampled_from(list(SENTENCES.values())), max_size=40))
def test_a_text_gives_alone_what_it_gives_among_others(texts):
    texts = pl.Series([*texts, None, *SENTENCES.values()], dtype=pl.String)
    alone = pl.concat([detect(texts[row : row + 1]) for row in range(len(texts))])
    assert detect(texts).equals(alone, null_equal=True)
