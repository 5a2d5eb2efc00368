"""A JSON file that is one mapping: wrapped lists, splits, columns, rows by id, or one row."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.sources.files.json_files import read_json_lines
from curate.sources.files.raw_row import Reading
from curate.sources.read_source import read_source
from schemas.errors import UserError

ROWS = [{"prompt": "a", "completion": "x"}, {"prompt": "b", "completion": "y"}]
OTHER = [{"prompt": "t", "completion": "z"}]
TURNS = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "x"}]


def read(tmp_path, value, **options):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(value))
    return read_source(path, **options)


# (value, prompts that are read, words of the notes)
READ = [
    ({"data": ROWS}, ["a", "b"], ""),
    ({"version": 2, "Examples": ROWS, "info": {"x": 1}}, ["a", "b"], "not read: 'version', 'info'"),
    ({"my_rows": ROWS}, ["a", "b"], "the rows are the list 'my_rows'"),
    ({"data": {"rows": ROWS}, "v": 1}, ["a", "b"], "the rows are under 'data'; the other keys are not read: 'v'"),
    ({"data": {"train": ROWS, "test": OTHER}}, ["a", "b"], "read the split train; left out: 'test'"),
    ({"train": ROWS, "test": OTHER}, ["a", "b"], "read the split train; left out: 'test'"),
    ({"Train": ROWS, "Validation": OTHER, "n": 3}, ["a", "b"], "keys beside the splits are not read: 'n'"),
    ({"test": ROWS}, ["a", "b"], ""),
    ({"train": {"prompt": ["a", "b"]}, "test": {"prompt": ["t"]}}, ["a", "b"], "left out: 'test'"),
    ({"prompt": ["a", "b"], "completion": ["x", "y"]}, ["a", "b"], "read as columns"),
    ({"messages": [TURNS], "id": [1]}, ["a"], "read as columns"),
    ({"prompt": {"0": "a", "1": "b"}, "completion": {"0": "x", "1": "y"}}, ["a", "b"], "read as columns"),
    ({"columns": ["prompt"], "index": [0, 1], "data": [["a"], ["b"]]}, ["a", "b"], "'split' of pandas"),
    ({"schema": {"fields": [{"name": "p"}]}, "data": ROWS}, ["a", "b"], "not read: 'schema'"),
    ({"0": ROWS[0], "1": ROWS[1]}, ["a", "b"], "rows by their ids"),
    ({"q7": ROWS[0], "q9": {**ROWS[1], "id": "q0"}}, ["a", "b"], "rows by their ids"),
    ({"features": [{"name": "p"}], "rows": [{"row_idx": 0, "row": ROWS[0]}]}, ["a"], "not read: 'features'"),
    ({"conversations": [{"conversations": [{"from": "human", "value": "a"}]}]}, ["a"], ""),
    ({"messages": TURNS}, ["a"], ""),
    ({"prompt": "a", "examples": ROWS}, ["a"], ""),
    ({"id": "1", "data": ["a", "x"]}, ["a"], ""),
]


@pytest.mark.parametrize(("value", "prompts", "notes"), READ, ids=[json.dumps(case[0])[:40] for case in READ])
def test_rows_of_a_mapping(tmp_path, value, prompts, notes):
    found = read(tmp_path, value)
    assert found.prompts["prompt"].to_list() == prompts
    assert notes in "; ".join(found.facts.notes) if notes else not found.facts.notes


def test_the_keys_of_rows_are_kept(tmp_path):
    found = read(tmp_path, {"q7": ROWS[0], "q9": {**ROWS[1], "id": "q0"}})
    assert [json.loads(text) for text in found.prompts["metadata"]] == [{"id": "q7"}, {"id": "q0", "key": "q9"}]


def test_a_split_chooses_the_list(tmp_path):
    for value in ({"train": ROWS, "test": OTHER}, {"data": {"train": ROWS, "test": OTHER}}, {"a": ROWS, "test": OTHER}):
        assert read(tmp_path, value, split="test").prompts["prompt"].to_list() == ["t"]
    assert read(tmp_path, {"a": ROWS, "b": OTHER}, split="b").prompts["prompt"].to_list() == ["t"]
    assert read(tmp_path, {"train": ROWS, "test": OTHER}, split="all").prompts.height == 3


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": ROWS, "b": OTHER}, "found a mapping with the lists 'a' (2), 'b' (1); choose one with split: a"),
        ({"prompt": ["a", "b"], "completion": ["x"]}, "columns, whose lengths differ: 'prompt' 2, 'completion' 1"),
        ({"dev": ROWS, "test": OTHER}, "holds the splits test, validation; choose one with split: test"),
        ({"data": []}, "has no rows"),
        ({"data": [1, 2]}, "no prompt or messages"),
        ({"foo": "bar"}, "no prompt or messages: found the keys 'foo'"),
        ({}, "the row is empty"),
        ({"data": [{"title": "t", "paragraphs": []}]}, "found the keys 'title', 'paragraphs'"),
    ],
)
def test_what_cannot_be_told_is_refused(tmp_path, value, words):
    with pytest.raises(UserError) as caught:
        read(tmp_path, value)
    assert words in str(caught.value) and str(caught.value).startswith(f"{tmp_path}/a.json")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.text(max_size=8), values, min_size=1))
def test_a_line_is_read_as_by_the_standard_library(tmp_path_factory, row):
    path = tmp_path_factory.mktemp("lines") / "a.jsonl"
    path.write_text(json.dumps(row) + "\n")
    known = json.loads(json.dumps(row), parse_constant=lambda name: None if name == "NaN" else float(name))
    assert [raw.row for raw in read_json_lines(path, Reading())] == [known]
