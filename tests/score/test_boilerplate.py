"""Stock phrases of assistants, in English and Chinese, and phrases that only look like them."""

import json

import polars as pl
import pytest

from curate.score.boilerplate import FORMS, MARKS, score
from schemas.errors import UserError

PHRASES = [
    ("as_an_ai", "As an AI language model, I have no taste."),
    ("as_an_ai", "Well, I’m just an AI and cannot eat."),
    ("as_an_ai", "as a large language model I"),
    ("as_an_ai", "I am an artificial intelligence."),
    ("as_an_ai", "作为一个人工智能语言模型，我没有感情。"),
    ("as_an_ai", "作为AI助手，我"),
    ("as_an_ai", "身为一名人工智能助手，"),
    ("as_an_ai", "我只是一个语言模型"),
    ("as_an_ai", "Als KI-Sprachmodell habe ich"),
    ("as_an_ai", "Como modelo de lenguaje, no"),
    ("as_an_ai", "En tant que modèle de langage, je"),
    ("cutoff", "My knowledge cutoff is 2021."),
    ("cutoff", "As of my last update, it was."),
    ("cutoff", "我的知识截止到2021年"),
    ("opening", "Sure! Here it is."),
    ("opening", "Of course, gladly."),
    ("opening", "好的，"),
    ("opening", "当然可以！以下是"),
    ("closing", "I hope this helps!"),
    ("closing", "Let me know if you need more."),
    ("closing", "Feel free to ask."),
    ("closing", "希望以上信息对您有所帮助"),
    ("closing", "如果您还有其他问题，请随时告诉我。"),
]


@pytest.mark.parametrize(("kind", "text"), PHRASES)
def test_phrases_are_found_by_their_kind_alone(kind, text):
    for one in FORMS:
        value, detail, error = score(pl.Series([text]), kinds=[one]).row(0)
        assert (value > 0, detail is not None, error) == (one == kind, one == kind, None)
    assert score(pl.Series([text]))["value"][0] == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Paris.",
        "I am an aide to the mayor.",
        "As an aim in life",
        "AI is a field.",
        "Make sure it is dry.",
        "The language model was trained on text.",
        "作为一名老师，我很高兴。",
        "我是学生。",
        "I hope it rains.",
        "某个问题",
    ],
)
def test_texts_that_are_none(text):
    assert score(pl.Series([text])).row(0) == (0.0, None, None)


def test_all_are_counted_and_listed():
    text = "Sure! As an AI, I say: Paris. As an AI, I cannot travel. I hope this helps."
    value, detail, _ = score(pl.Series([text])).row(0)
    assert value == 4.0
    assert json.loads(detail) == ["sure!", "as an ai", "as an ai", "i hope this helps"]


def test_every_kind_has_marks_and_an_unknown_one_is_refused():
    assert set(MARKS) == set(FORMS)
    with pytest.raises(UserError, match="no kind of boilerplate 'closings'; did you mean 'closing'"):
        score(pl.Series(["a"]), kinds=["closings"])


def test_null_is_null():
    assert score(pl.Series([None], dtype=pl.String)).row(0) == (None, None, "no response")
