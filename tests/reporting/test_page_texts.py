"""Texts of a page: differences that stay bounded, and conversations that are cut with what was cut said."""

import json
import re
from html import unescape

import pytest

from tests.optional import needs

pytestmark = needs("jinja2")


def plain(html):
    return unescape(re.sub(r"<[^>]*>", "", str(html)))


def test_words_that_only_one_text_has_are_marked():
    from cli.pages.differences import differences

    left, right, compared = differences("A cat sat.", "A big cat.")
    assert compared and left == "A cat<del> sat</del>." and right == "A <ins>big </ins>cat."


@pytest.mark.parametrize(
    "pair", [("<" * 1450, "<>" * 725), ("a b " * 370, "a c b " * 245), ("", "new"), ("same", "same")]
)
def test_differences_keep_every_character(pair):
    from cli.pages.differences import differences

    left, right, compared = differences(*pair)
    assert compared and (plain(left), plain(right)) == pair


def test_texts_of_too_many_words_are_not_compared():
    from cli.pages.differences import MOST_WORDS, differences

    left, _, compared = differences("a " * MOST_WORDS, "<b>")
    assert not compared and "<del>" not in left


def test_a_conversation_is_cut_and_says_so():
    from cli.reporting.bounded import LONGEST, MOST_TURNS, bounded

    call = {"function": {"name": "f", "arguments": "y" * 5_000}}
    turns = [{"role": "user", "content": "x" * 5_000}, {"role": "assistant", "content": None, "tool_calls": [call]}]
    made, left = bounded(json.dumps(turns * 15))
    assert (len(made), left) == (MOST_TURNS, 30 - MOST_TURNS)
    assert made[0]["content"] == "x" * LONGEST + " … 3,000 more characters"
    assert len(made[1]["tool_calls"][0]["function"]["arguments"]) < LONGEST + 50
    assert bounded("no JSON") == ("no JSON", 0) and bounded(None) == ("", 0)
