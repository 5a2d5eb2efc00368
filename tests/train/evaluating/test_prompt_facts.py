"""The source, metadata and length that an evaluation keeps of its prompts."""

import json

import polars as pl

from curate.storage.rows import RowSet
from tests.train.tables import turns, write_stage
from train.evaluating.prompt_facts import LONGEST, prompt_facts


def asked(metadata: list[str | None]) -> pl.DataFrame:
    """Held-out prompts of one turn."""
    columns = {
        "prompt_id": [f"p{at}" for at in range(len(metadata))],
        "messages": turns("user", "four"),
        "metadata": metadata,
    }
    return pl.DataFrame(columns, schema_overrides={"metadata": pl.String})


def test_source_and_metadata_are_those_of_the_recipes_prompts(store):
    rows = pl.DataFrame(
        {"prompt_id": ["p1", "p0", "p9"], "source": ["b", "a", "z"], "metadata": ['{"k": 1}', None, "{}"]}
    )
    prompts = RowSet("prompts", "prompt_id")
    prompts.add(write_stage(store, "prompts", rows))
    found = prompt_facts(asked([None, None, '{"k": 3}']), prompts)
    assert found.rows() == [("p0", "a", None, 4), ("p1", "b", '{"k": 1}', 4), ("p2", None, '{"k": 3}', 4)]
    assert prompt_facts(asked([None]), None).rows() == [("p0", None, None, 4)]


def test_the_length_is_of_all_turns():
    said = [
        {"role": "system", "content": "ab"},
        {"role": "user", "content": "cdé"},
        {"role": "assistant", "content": None},
    ]
    rows = asked([None]).with_columns(messages=pl.lit(json.dumps(said)))
    assert prompt_facts(rows, None)["prompt_length"].to_list() == [5]


def test_of_long_metadata_the_short_values_are_kept():
    long = json.dumps({"tests": "x" * LONGEST, "kind": "maths", "level": {"of": 3}})
    many = json.dumps({f"key {at}": "y" * 100 for at in range(100)})
    first, second, third, fourth = prompt_facts(asked([long, many, "x" * 5000, json.dumps([1] * 5000)]), None)[
        "metadata"
    ]
    assert json.loads(first) == {"kind": "maths", "level": {"of": 3}}
    assert 10 < len(json.loads(second)) < 20 and len(second) <= LONGEST + 200
    assert third is None and json.loads(fourth) == {}
