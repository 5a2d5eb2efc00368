"""Responses that follow a JSON Schema, those that do not, and schemas made to do harm."""

import json
from typing import Any

import polars as pl
import pytest

from curate.score.json_schema import VISITS, checker, read_json, score
from schemas.errors import UserError

PERSON: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}, "age": {"type": "integer", "minimum": 0}},
}


def one(response, schema=PERSON, **settings):
    """The value, detail and error of one row, whose schema is its ground truth."""
    truth = schema if isinstance(schema, str | None) else json.dumps(schema)
    value, detail, error = score(
        pl.Series([response], dtype=pl.String), pl.Series([truth], dtype=pl.String), **settings
    ).row(0)
    return value, detail and json.loads(detail), error


def test_a_response_that_follows():
    assert one('{"name": "Zoë", "age": 3.0}') == (1.0, None, None)
    assert one(" \n[1, 2]\n", True)[0] == 1.0


@pytest.mark.parametrize(
    ("response", "at", "what"),
    [
        ('{"name": "zoë"}', "/name", '"zoë" does not match "^[A-Z]"'),
        ('{"name": "Zoë", "age": -1}', "/age", "-1 is less than the minimum of 0"),
        ('{"age": 1}', "", '"name" is a required property'),
        ('{"name": "A", "x": 1}', "", "Additional properties are not allowed ('x' was unexpected)"),
        ("[]", "", '[] is not of type "object"'),
    ],
)
def test_a_violation_is_reported_with_its_place(response, at, what):
    assert one(response) == (0.0, [{"at": at, "what": what}], None)


@pytest.mark.parametrize(
    "truth",
    [
        {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON, "strict": True}},
        {"name": "person", "strict": True, "schema": PERSON},
        {"name": "person", "description": "A person.", "parameters": PERSON},
        json.dumps(json.dumps(PERSON)),
        str(PERSON),
        {"type": "function", "function": {"name": "person", "parameters": PERSON}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}},
        {"format": {"type": "json_schema", "name": "person", "schema": PERSON}},  # OpenAI's Responses
        {"type": "json_object", "schema": PERSON},
        {"name": "person", "inputSchema": PERSON},
        "```json\n" + json.dumps(PERSON) + "\n```",
        PERSON | {"$id": "person", "x-order": ["name"], "version": 3},
    ],
)
def test_a_schema_as_servers_and_files_have_it(truth):
    assert one('{"name": "Zoë", "age": 3}', truth) == (1.0, None, None)
    for wrong in ('{"name": "zoë"}', '{"name": "Zoë", "age": "3"}', '{"age": 3}', "{}", '{"name": "A"} {"name": "B"}'):
        assert one(wrong, truth)[0] == 0.0


@pytest.mark.parametrize(
    "example",
    [
        {"name": "Bob", "age": 3},
        {"title": "The Hobbit"},
        {"name": "x", "schema": {"a": 1}},
        {"format": "mp3", "title": "x"},
        {"format": "A4"},
        {"pattern": "stripes"},
        {"minimum": 5, "maximum": 10},
        {"items": {"apple": 2}},
        {"items": [{"name": "apple"}], "contains": "nuts"},
        {"required": ["name"], "name": "Bob"},
        {"if": "so", "then": "go", "else": "stay"},
        {"properties": {"colour": {"hex": "#fff"}}},
        {"not": {"a": 1}},
        {"type": "string", "name": "string"},
        {"type": "object", "colour": "red"},
        {"const": 5, "var": 6},
        {"uniqueItems": True, "count": 3},
    ],
)
def test_an_example_is_no_schema_that_accepts_everything(example):
    for response in ('{"x": 1}', json.dumps(example), "7"):
        value, _, error = one(response, example)
        assert value is None and "it may be an example: " in error and "is a keyword" in error.replace("is not", "is")
    with pytest.raises(UserError, match="it may be an example"):
        score(pl.Series(["{}"]), pl.Series(["{}"]), schema=example)


@pytest.mark.parametrize(
    ("response", "word"),
    [
        ("", "Expecting value"),
        ("Here: {}", "Expecting value"),
        ('{"name": "A"} done', "Extra data"),
        ('{"name": "A", "name": "B"}', "'name' is there twice"),
        ('{"name": NaN}', "NaN is not a JSON number"),
        ("[-Infinity]", "-Infinity is not"),
        ("[1e999]", "too great"),
        ("{'name': 'A'}", "not JSON"),
        ('{"name": "A",}', "not JSON"),
        ('{"name": "\\ud83d"}', "surrogates"),
        ('```json\n{"name": "A"}\n```', "Expecting value"),
    ],
)
def test_what_is_not_json_is_worth_nothing(response, word):
    value, detail, error = one(response)
    assert (value, error, detail[0]["at"]) == (0.0, None, "") and word in detail[0]["what"]


def test_fenced_takes_the_last_json_block_or_the_whole():
    text = 'First:\n```json\n{"name": 1}\n```\nbetter:\n```JSON\n{"name": "A"}\n```\nand\n```python\nx = {}\n```\n'
    assert one(text)[0] == 0.0
    assert one(text, fenced=True)[0] == 1.0
    assert one('{"name": "A"}', fenced=True)[0] == 1.0
    assert one('```\n{"name": "A"}\n```', fenced=True)[0] == 0.0
    assert one('```json\n{"name": "A"', fenced=True)[0] == 0.0


def test_the_schema_of_the_recipe_is_for_all_rows():
    rows = score(pl.Series(['{"name": "A"}', "{}", None]), pl.Series([None, "7", None], dtype=pl.String), schema=PERSON)
    assert rows["value"].to_list() == [1.0, 0.0, None]
    assert rows["error"].to_list() == [None, None, "no response"]
    with pytest.raises(UserError, match="^schema: expected a JSON Schema, found .*nonsense"):
        score(pl.Series(["{}"]), pl.Series(["{}"]), schema={"type": "nonsense"})


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        (None, "no ground_truth"),
        ("", "no ground_truth"),
        ("Paris", "Expecting value"),
        ("42", "expected an object"),
        ({"type": "nonsense"}, "nonsense"),
        ({"$schema": "http://127.0.0.1:9/meta"}, "Unknown meta-schema"),
        ({"$ref": "http://127.0.0.1:9/x.json"}, "cannot fetch"),
        ({"$ref": "file:///etc/passwd"}, "cannot fetch"),
        ({"$ref": "#/nowhere"}, "nowhere"),
        ({"type": "string", "pattern": r"^(?=a)(b)\1$"}, "is not a"),
        ({"type": "string", "pattern": "(a{1000}){1000}"}, "is not a"),
        ({"const": {"$ref": "#"}}, "reference inside"),
        ("[" * 100_000, "200 levels"),
        ('{"items":' * 300 + "{}" + "}" * 300, "200 levels"),
    ],
)
def test_a_row_without_a_schema_that_can_be_checked_has_no_value(schema, word):
    value, detail, error = one("{}", schema)
    assert (value, detail) == (None, None) and word in error and "\n" not in error and len(error) < 300


def chain(kind, end="integer", more=None, steps=40):
    """References that each lead to two more: 2 to the power of ``steps`` in all."""
    two = {f"a{n}": {kind: [{"$ref": f"#/definitions/a{n + 1}"}] * 2} for n in range(steps)}
    return {"$ref": "#/definitions/a0", "definitions": two | {f"a{steps}": {"type": end}}} | (more or {})


TWICE = {"anyOf": [{"type": "array", "items": {"$ref": "#"}}, {"items": {"$ref": "#"}, "type": "array"}]}


@pytest.mark.parametrize("kind", ["allOf", "anyOf", "oneOf"])
@pytest.mark.parametrize("draft", [None, "http://json-schema.org/draft-04/schema#"])
@pytest.mark.parametrize("response", ["1", '"x"'])
def test_references_without_end_are_given_up(kind, draft, response):
    value, _, error = one(response, chain(kind, more=draft and {"$schema": draft}))
    if (kind, response) == ("anyOf", "1"):
        assert value == 1.0  # the first way down is enough
    else:
        assert (value == 0.0 and response == '"x"') or f"more than {VISITS:,} references" in error


def test_a_schema_that_calls_itself_twice_ends():
    assert one("[" * 60 + "7" + "]" * 60, TWICE)[0] in (0.0, None)
    assert one("1", {"$ref": "#"})[0] == 1.0
    assert one("1", {"allOf": [{"$ref": "#"}, {"$ref": "#"}], "type": "string"})[0] == 0.0


def test_patterns_take_linear_time():
    assert one(json.dumps("a" * 200_000 + "b"), {"type": "string", "pattern": "^(a+)+$"})[0] == 0.0


def test_a_response_nested_too_deeply_has_no_value():
    for depth in (201, 100_000):
        assert one("[" * depth + "]" * depth, True) == (None, None, "nested more than 200 levels")
    assert one("[" * 200 + "]" * 200, {"items": {"$ref": "#"}})[0] == 1.0


TREE = {"type": "object", "properties": {"n": {"type": "integer"}, "kids": {"items": {"$ref": "#"}}}}


@pytest.mark.parametrize("draft", ["draft-04/schema", "draft-06/schema", "draft-07/schema", None])
def test_references_hold_in_every_draft(draft):
    dialect = {"$schema": f"http://json-schema.org/{draft}#"} if draft else {}
    tree = dialect | TREE
    assert one('{"n": 1, "kids": [{"n": 2}, {"kids": []}]}', tree)[0] == 1.0
    value, detail, _ = one('{"n": 1, "kids": [{"n": "2"}]}', tree)
    assert value == 0.0 and detail[0]["at"].startswith("/kids/0") and "gristmill" not in detail[0]["what"]
    named = dialect | {
        "$ref": "#/definitions/odd/properties/x",
        "definitions": {"odd": {"$ref": "#", "properties": {"x": {"enum": [1, "$ref"]}}}},
    }
    assert [one(text, named)[0] for text in ("1", '"$ref"', "2")] == [1.0, 1.0, 0.0]


def test_a_property_may_have_the_name_of_a_keyword():
    schema = {"properties": {"$ref": {"type": "string"}, "const": {"$ref": "#/properties/$ref"}, "enum": {"enum": [1]}}}
    assert one('{"$ref": "a", "const": "b", "enum": 1}', schema)[0] == 1.0
    assert one('{"const": 1}', schema)[0] == 0.0


def test_not_all_violations_of_a_long_response_are_looked_for():
    value, detail, _ = one(json.dumps(list(range(200_000))), {"items": {"type": "string"}})
    assert value == 0.0 and detail == [{"at": "/0", "what": '0 is not of type "string"'}]


def test_compiled_schemas_do_not_remember_what_they_saw():
    check = checker(json.dumps(TREE))
    bad, good = read_json('{"kids": [{"n": "x"}]}'), read_json('{"kids": [{"n": 1}]}')
    assert [bool(check.violations(value)) for value in (bad, good, bad, good)] == [True, False, True, False]
