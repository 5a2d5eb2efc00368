"""A JSON list that is read piece by piece has the rows that its whole text has."""

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from curate.sources.files import json_files, json_lists
from curate.sources.files.json_lists import list_items
from curate.sources.files.raw_row import Reading
from curate.sources.read_source import read_source
from schemas.errors import UserError

TEXTS = st.sampled_from(["", "a", "é", '"', "\\", "[", "]}", "a, b", "\n", "\ud83d"])
VALUES = st.recursive(
    st.one_of(TEXTS, st.none(), st.booleans(), st.integers(), st.floats()), lambda one: st.lists(one, max_size=2)
)
ITEMS = st.lists(st.one_of(st.dictionaries(TEXTS, VALUES, max_size=3), VALUES), max_size=6)
SPOILS = st.tuples(
    st.integers(0, 200), st.sampled_from(["", ",", "]", "}", '"', "x", "NaN", "1", " \n", "[", "{}", "\x00"])
)


def pieces(text, size):
    """Return a function that reads a text as a file does, with pieces of at most ``size`` characters."""
    at = 0

    def read(wanted):
        nonlocal at
        begin, at = at, min(at + min(wanted, size), len(text))
        return text[begin:at]

    return read


@settings(max_examples=200, deadline=None)
@given(ITEMS, st.sampled_from([None, 1]), st.integers(1, 9))
def test_items_are_those_of_the_text(items, indent, size):
    text = f" \n{json.dumps(items, indent=indent)}\n"
    assert repr(list(list_items(pieces(text, size)))) == repr(json_files.parse(text))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ITEMS, SPOILS, st.integers(0, 2))
@example([{"a": 1}, {"a": 2}], (17, "x"), 0)
@example([{"a": 1}], (10, "]"), 0)
def test_a_spoiled_list_has_the_rows_of_its_text(tmp_path, monkeypatch, items, spoil, gone):
    monkeypatch.setattr(json_lists, "CHUNK", 5)
    text, (place, added) = json.dumps(items), spoil
    place = min(max(place, 1), len(text))
    text = text[:place] + added + text[place + gone :]
    path = tmp_path / "rows.json"
    path.write_text(text, encoding="utf-8")
    here, there = Reading(), Reading()
    found = list(json_files.read_json(path, here))
    assert repr(found) == repr(list(json_files._rows_of_list(text, there)))
    assert (here.notes, here.warnings) == (there.notes, there.warnings)


def test_an_item_that_is_too_long_is_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(json_lists, "CHUNK", 5)
    monkeypatch.setattr(json_lists, "LONGEST_LINE", 20)
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{"prompt": "a"}, {"prompt": "b" * 99}, {"prompt": "c"}]))
    with pytest.raises(ValueError, match="too long"):
        list(list_items(pieces(path.read_text(), 5)))
    assert read_source(path).prompts["prompt"].to_list() == ["a", "b" * 99, "c"]


def test_bytes_that_are_no_text_are_named(tmp_path):
    path = tmp_path / "rows.json"
    path.write_bytes(b'[{"prompt": "a"},\n{"prompt": "\xff"}]')
    with pytest.raises(UserError, match=r"rows\.json:2: not UTF-8: byte 0xff at byte 30 of the file"):
        read_source(path)
