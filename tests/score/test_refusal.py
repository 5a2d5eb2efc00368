"""Refusals and boilerplate, and texts that only look like them."""

import polars as pl
import pytest

from curate.score.refusal import score


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can’t help with that.",
        "I cannot assist with that request.",
        "I am unable to browse the internet.",
        "As an AI language model, I have no opinions.",
        "My favourite colour? As an AI, I do not have one.",
        "I must respectfully decline.",
        "很抱歉，我无法回答这个问题。",
        "Es tut mir leid, aber ich kann dabei nicht helfen.",
    ],
)
def test_refusals(text):
    assert score(pl.Series([text])).to_list() == [1.0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "We are sorry to hear that your parcel was late.",
        "I couldn't help but notice the rain.",
        "The engineer said: sorry, wrong number.",
        "AI is a field of computer science.",
        "Paris.",
        "x" * 400 + " I cannot help you, said the wolf.",
    ],
)
def test_answers(text):
    assert score(pl.Series([text])).to_list() == [0.0]


def test_null_has_no_score():
    assert score(pl.Series([None], dtype=pl.String)).to_list() == [None]
