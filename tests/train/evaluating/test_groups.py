"""Groups of prompts: keys of metadata of all kinds, sources, thirds of lengths, and keys that say nothing."""

import json
from typing import Any

import polars as pl
import pytest

from schemas.errors import UserError
from train.evaluating.groups import FACTS, check_keys, default_keys, prompt_groups


def prompts(metadata: list[Any], source: Any = "a", length: Any = 5) -> pl.DataFrame:
    """Return facts of prompts; metadata are written as JSON unless they are text."""
    count = len(metadata)
    columns = {
        "prompt_id": [f"p{at}" for at in range(count)],
        "source": source if isinstance(source, list) else [source] * count,
        "metadata": [one if isinstance(one, str | None) else json.dumps(one) for one in metadata],
        "prompt_length": length if isinstance(length, list) else [length] * count,
    }
    return pl.DataFrame(columns, schema=FACTS)


def named(rows: pl.DataFrame, key: str) -> list[str]:
    """Return the group of each prompt."""
    return prompt_groups(rows, [key])["group"].to_list()


def test_a_key_of_the_metadata_is_a_group():
    rows = prompts([{"kind": "maths"}, {"kind": "code"}, {"kind": "maths"}, {}, None, "no JSON", "[1]"])
    assert named(rows, "metadata.kind") == ["maths", "code", "maths", *["(none)"] * 4]
    places = prompt_groups(rows, ["metadata.kind"]).select("place", "group").unique().sort("place")
    assert places["group"].to_list() == ["maths", "code", "(none)"]  # the most common first, those without last


def test_keys_may_be_nested_have_dots_or_lists():
    rows = prompts([{"a": {"b": "x"}}, {"a.b": "y"}, {"a": {"b": ["x", "z", "x", None]}}, {"a": 1}])
    found = prompt_groups(rows, ["metadata.a.b"])
    assert found.select("prompt_id", "group").rows() == [
        ("p0", "x"), ("p1", "y"), ("p2", "x"), ("p2", "z"), ("p3", "(none)")
    ]  # fmt: skip


def test_values_that_are_no_text():
    assert named(prompts([{"k": True}, {"k": False}, {"k": None}, {"k": ""}, {"k": {"x": 1}}]), "metadata.k") == [
        "true", "false", "(none)", "(none)", "(none)"
    ]  # fmt: skip
    rows = prompts([{"k": 10}, {"k": 2}, {"k": 2.5}, {"k": 2.0}])
    places = prompt_groups(rows, ["metadata.k"]).sort("place")["group"].to_list()
    assert places == ["2", "2", "2.5", "10"]  # numbers in their own order
    assert named(prompts(['{"k": 1e400}', '{"k": 1}', f'{{"k": {"9" * 600}}}']), "metadata.k")[1] == "1"


def test_many_numbers_are_thirds_and_many_texts_have_a_rest():
    rows = prompts([{"rate": at / 30} for at in range(30)])
    assert pl.Series(named(rows, "metadata.rate")).value_counts(sort=True)["count"].to_list() == [10, 10, 10]
    rows = prompts([{"kind": f"k{at:02d}"} for at in range(20)] + [{"kind": "k00"}])
    found = named(rows, "metadata.kind")
    assert found.count("other (9 values)") == 9 and found.count("k00") == 2 and len(set(found)) == 12


def test_lengths_are_thirds_of_the_prompts():
    rows = prompts([None] * 9, length=[1, 2, 3, 10, 20, 30, 1000, 2000, 3000])
    assert named(rows, "length") == [
        *["1 to 3"] * 3, *["10 to 30"] * 3, *["1,000 to 3,000"] * 3
    ]  # fmt: skip
    assert named(prompts([None] * 4, length=[7, 7, 7, 9]), "length") == [*["7"] * 3, "9"]
    assert named(prompts([None] * 2, length=[None, None]), "length") == ["(none)"] * 2
    assert set(named(prompts([None] * 2, length=[4, 8]), "length")) == {"4", "8"}


def test_the_default_is_what_is_found():
    rows = prompts([{"Kind": "a", "level": 1}, {"Kind": "b", "level": 2}], source=["s", "t"], length=[1, 2])
    assert default_keys(rows) == ["metadata.Kind", "source", "length"]
    assert default_keys(prompts([{"kind": "a"}] * 3)) == []  # one value says nothing
    many = [{"kind": f"id{at}", "topic": "xy"[at % 2]} for at in range(30)]
    assert default_keys(prompts(many)) == ["metadata.topic"]  # a value for each prompt is no kind
    assert default_keys(prompts([{"kind": "a"}, {"kind": "b"}, None, None, None])) == []  # of too few
    assert default_keys(prompts([None], source=None)) == [] and default_keys(prompts([])) == []


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("sorce", "no key of break_down called 'sorce'; did you mean 'source'?"),
        ("metadata", "no key of break_down called 'metadata'"),
        ("metadata.", "no key of break_down called 'metadata.'"),
        ("metadata.knd", "no prompt that is asked has 'metadata.knd'; did you mean 'metadata.kind'?"),
    ],
)
def test_a_key_that_says_nothing_is_refused(key, said):
    with pytest.raises(UserError) as error:
        check_keys([key], "here", prompts([{"kind": "a"}]))
    assert said in str(error.value)
    check_keys(["source", "length", "metadata.kind"], "here", prompts([{"kind": "a"}]))
    check_keys(["metadata.anything"], "here")
