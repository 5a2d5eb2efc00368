"""Which rows of JSON Lines stand first: those that have a key, or a sort of value, which no earlier row has."""

import json
from typing import Any

from curate.export.early_keys import EarlyKeys
from curate.export.sinks.jsonl import Sink


def moved(rows: list[Any], **sizes: int) -> list[Any]:
    early = EarlyKeys(**sizes)
    return [row for row in rows if early.moves(json.dumps(row).encode())]


def test_only_a_row_behind_the_beginning_with_a_new_key_moves():
    rows = [{"a": 1}, {"b": 1}, {"a": 2, "b": 2}, {"c": 1}, {"c": 2}]
    assert moved(rows, looked_at=len('{"a": 1}{"b":')) == [{"c": 1}]


def test_a_new_sort_of_value_counts_and_a_null_does_not():
    rows = [{"a": [{"b": 1}], "c": "d"}, {"a": [{"b": None}], "c": None}, {"a": [{"b": 1.5}]}, {"a": [{"b": 2.5}]}]
    assert moved(rows, looked_at=1) == [{"a": [{"b": 1.5}]}]
    assert moved([{"a": None}, {"a": "text"}], looked_at=1) == [{"a": "text"}]


def test_what_moves_has_an_end():
    rows = [{}, {"a": 1}, {"b": "long" * 9}, {"c": 1}, {"d": 1}]
    assert moved(rows, looked_at=1, room=20) == [{"a": 1}, {"c": 1}]


def test_a_deep_value_is_looked_at_to_a_depth_only():
    deep = json.loads("[" * 400 + "1" + "]" * 400)
    assert moved([[], deep, [[[["x"]]]]], looked_at=1) == [deep, [[[["x"]]]]]


def test_the_sink_writes_moved_rows_first_and_the_rest_in_order(tmp_path):
    sink = Sink(tmp_path, "train", looked_at=1)
    for rows in ([{"a": 1}, {"a": 2}, {"b": "\u2028"}], [{"a": 3}]):
        sink.write(rows)
    sink.close()
    text = (tmp_path / "data/train.jsonl").read_text("utf-8")
    assert text == '{"b":"\\u2028"}\n{"a":1}\n{"a":2}\n{"a":3}\n' and sink.moved == 1
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["train.jsonl"]
