"""The messages that ``generate: sample`` sends to the model."""

import json

import polars as pl
import pytest

from curate.generate.sample import ask
from schemas.errors import UserError

USER = '[{"role": "user", "content": "hi"}]'
EXAMPLES = [{"prompt": "1+1?", "completion": "2"}, {"prompt": 'say "é"', "completion": "é\n"}]
SHOWN = [
    {"role": "user", "content": "1+1?"},
    {"role": "assistant", "content": "2"},
    {"role": "user", "content": 'say "é"'},
    {"role": "assistant", "content": "é\n"},
]


def sent(*messages, **settings):
    return [text and json.loads(text) for text in ask(pl.Series("messages", messages, dtype=pl.String), **settings)]


def test_the_prompt_goes_out_as_it_is():
    assert ask(pl.Series([USER])).to_list() == [USER]
    assert ask(pl.Series([USER]), examples=[]).to_list() == [USER]


def test_a_system_turn_is_put_first():
    assert sent(USER, system='be "kind", ü\n') == [
        [{"role": "system", "content": 'be "kind", ü\n'}, {"role": "user", "content": "hi"}]
    ]


def test_a_system_turn_of_the_prompts_own_wins():
    own = [{"content": "mine", "role": "system"}, {"role": "user", "content": "hi"}]
    assert sent(json.dumps(own), system="other") == [own]


def test_examples_stand_between_the_system_turn_and_the_prompt():
    given = json.loads(USER)
    system = {"role": "system", "content": "s"}
    assert sent(USER, examples=EXAMPLES) == [[*SHOWN, *given]]
    assert sent(USER, system="s", examples=EXAMPLES) == [[system, *SHOWN, *given]]


@pytest.mark.parametrize("system", [None, "other"])
def test_examples_follow_the_system_turns_and_the_text_is_kept(system):
    own = [
        {"role": "system", "content": 'a {"b": [}] \\" }, {', "more": {"deep": [{}]}},
        {"role": "developer", "content": "mine"},
    ]
    rest = [{"role": "user", "content": "1"}, {"role": "assistant", "content": "é"}, {"role": "user", "content": "2"}]
    whole = json.dumps([*own, *rest])
    assert sent(whole, USER, json.dumps(own), system=system, examples=EXAMPLES) == [
        [*own, *SHOWN, *rest],
        [*([{"role": "system", "content": "other"}] if system else []), *SHOWN, *json.loads(USER)],
        [*own, *SHOWN],
    ]
    turned = [{"content": t["content"], "role": t["role"]} for t in rest]
    assert sent(json.dumps([*own, *turned]), system=system, examples=EXAMPLES) == [[*own, *SHOWN, *rest]]
    first, after = json.dumps(own)[:-1], json.dumps(rest)[1:]
    put = ask(pl.Series([whole]), examples=EXAMPLES)[0]
    assert put.startswith(first) and put.endswith(after)


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([EXAMPLES[0], {"prompt": "a", "answer": "b"}], "examples[1] has 'prompt', 'answer'; expected 'prompt' and"),
        ([{}], "examples[0] has nothing; expected 'prompt' and 'completion'"),
        ([{"prompt": "a", "completion": " "}], "examples[0]: its completion is empty"),
    ],
)
def test_an_example_that_is_none_is_named(examples, message):
    with pytest.raises(UserError) as caught:
        ask(pl.Series([USER]), examples=examples)
    assert str(caught.value).startswith("generate sample: ") and message in str(caught.value)


def test_nothing_is_asked_where_there_is_nothing_to_ask():
    assert sent(None, "[]", system="s") == sent(None, "[]") == sent(None, "[]", examples=EXAMPLES) == [None, None]
    assert sent() == sent(examples=EXAMPLES) == []
