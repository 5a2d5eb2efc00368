"""What is sent to the model."""

import json

import polars as pl

from curate.generate.sample import ask

USER = '[{"role": "user", "content": "hi"}]'


def sent(*messages, **settings):
    return [text and json.loads(text) for text in ask(pl.Series("messages", messages, dtype=pl.String), **settings)]


def test_the_prompt_goes_out_as_it_is():
    assert ask(pl.Series([USER])).to_list() == [USER]


def test_a_system_turn_is_put_first():
    assert sent(USER, system='be "kind", ü\n') == [
        [{"role": "system", "content": 'be "kind", ü\n'}, {"role": "user", "content": "hi"}]
    ]


def test_a_system_turn_of_the_prompts_own_wins():
    own = [{"content": "mine", "role": "system"}, {"role": "user", "content": "hi"}]
    assert sent(json.dumps(own), system="other") == [own]


def test_nothing_is_asked_where_there_is_nothing_to_ask():
    assert sent(None, "[]", system="s") == sent(None, "[]") == [None, None]
    assert sent() == []
