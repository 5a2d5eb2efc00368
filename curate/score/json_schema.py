"""1.0 where the response is JSON that follows a JSON Schema, 0.0 where it is not JSON or does not follow it.

The schema is the setting ``schema``, for all rows, or else each row's ``ground_truth`` (a schema as JSON text, also as
servers take it: ``_schema_forms``). Drafts 4 to 2020-12 are supported, by the library jsonschema-rs; ``format`` is not
checked, which the standard allows. 3.0 is an integer, "3" is not. Repeated keys, NaN and Infinity are not JSON. By
default the whole response has to be JSON, as a program that parses it would need; ``fenced: true`` also accepts the
last ```json block of a response.

Schemas are untrusted: nothing is ever fetched for a ``$ref``, patterns are matched in linear time (so without
look-around and back-references), and the check of a schema whose references multiply without end is abandoned. A
response that can't be checked has no value, and ``error`` says why.
"""

import json
import math
import re
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import polars as pl
from pydantic import JsonValue

from curate.algorithms.text.written_lists import written_value
from curate.score._schema_forms import find_schema, unfenced
from schemas.errors import UserError, needs_extra

if TYPE_CHECKING:
    import jsonschema_rs

DEEPEST = 200  # levels of nesting in a checked value
VISITS = 100_000  # references followed for one response: references that each lead to two more would never end
FEW = 1_000  # references up to which all violations are searched for, not only the first
SHOWN = 5  # violations in ``detail``
LONG = 20_000  # characters of a response above which only its first violation is reported
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
VISIT = "x-gristmill-visit"
DATA = ("const", "enum", "default", "examples")  # keywords whose values are data, not schemas
NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies")


def score(
    response: pl.Series, ground_truth: pl.Series, *, schema: dict[str, JsonValue] | None = None, fenced: bool = False
) -> pl.DataFrame:
    """Return ``value`` (1.0, 0.0 or null), ``detail`` (JSON: the first violations, ``at`` and ``what``) and ``error``.

    Args:
        response: The responses.
        ground_truth: A schema for each row as JSON text, used if ``schema`` is None.
        schema: One schema for all rows.
        fenced: Whether a fenced JSON block is accepted in place of a response that is JSON as a whole.

    Raises:
        UserError: If ``schema`` is no JSON Schema.
    """
    if schema is not None:
        given = json.dumps(schema)
        try:
            truth_checker(given)
        except ValueError as error:
            raise UserError(f"schema: expected a JSON Schema, found {error}") from None
        ground_truth = pl.Series("ground_truth", [given]).new_from_index(0, len(response))
    found = [
        _score(text, truth, fenced)
        for text, truth in zip(response.cast(pl.String), ground_truth.cast(pl.String), strict=True)
    ]
    return pl.DataFrame(found, {"value": pl.Float64, "detail": pl.String, "error": pl.String}, orient="row")


def _score(text: str | None, schema: str | None, fenced: bool) -> tuple[float | None, str | None, str | None]:
    if schema is None or not schema.strip():
        return None, None, "no ground_truth"
    try:
        check = truth_checker(schema)
    except ValueError as error:
        return None, None, f"ground_truth is no JSON Schema: {error}"
    if text is None:
        return None, None, "no response"
    try:
        value = read_json(text)
    except ValueError as error:
        block = _fence(text) if fenced else None
        if block is None:
            return 0.0, _detail([("", f"not JSON: {error}")]), None
        try:
            value = read_json(block)
        except ValueError as inside:
            return 0.0, _detail([("", f"not JSON: {inside}")]), None
        except RecursionError as inside:
            return None, None, str(inside)
    except RecursionError as error:
        return None, None, str(error)
    try:
        wrong = check.violations(value, SHOWN if len(text) <= LONG else 1)
    except ValueError as error:
        return None, None, str(error)
    return (0.0, _detail(wrong), None) if wrong else (1.0, None, None)


def _detail(violations: list[tuple[str, str]]) -> str:
    return json.dumps([{"at": at, "what": what} for at, what in violations], ensure_ascii=False)


def _fence(text: str) -> str | None:
    """Return the text of the last block fenced as JSON, or None."""
    blocks = re.split(r"(?m)^[ \t]*```", text)[1::2]
    marked = [block[4:] for block in blocks if block[:4].lower() == "json" and block[4:5].isspace()]
    return marked[-1] if marked else None


def read_json(text: str) -> Any:
    """Return the value of strict JSON: no repeated keys, no NaN or Infinity, no number beyond the range of a float.

    Raises:
        ValueError: If the text is not such JSON.
        RecursionError: If it is nested more than ``DEEPEST`` levels.
    """
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at character {error.pos}") from None
    except RecursionError:
        raise RecursionError(f"nested more than {DEEPEST} levels") from None
    if text.count("[") + text.count("{") > DEEPEST:
        _check_depth(value)
    if "\\u" in text:  # an escape may be half of a surrogate pair
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [outer for outer in level if isinstance(outer, dict | list)]
        if not level:
            return
        level = [inside for outer in level for inside in (outer.values() if isinstance(outer, dict) else outer)]
    raise RecursionError(f"nested more than {DEEPEST} levels")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise ValueError(f"the key {key[:40]!r} is there twice")
        seen.add(key)
    return made


def _constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is too great a number")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_number)


class Checker:
    """A compiled schema. References are counted as they are followed, so that every check ends."""

    def __init__(self, schema: Any) -> None:
        try:
            import jsonschema_rs
        except ModuleNotFoundError:
            raise needs_extra("a check by a JSON Schema", "steps") from None
        self.visits, self.invalid = 0, jsonschema_rs.ValidationError
        checker = self

        class Visit:
            """The keyword that counts, put before every reference."""

            def __init__(self, parent_schema: Any, value: Any, schema_path: Any) -> None:
                pass

            def validate(self, instance: Any) -> None:
                checker.visits += 1
                if checker.visits > VISITS:
                    raise ValueError("too many references")

        dialect = schema.get("$schema") if isinstance(schema, dict) else None
        old = isinstance(dialect, str) and ("draft-04" in dialect or "draft-06" in dialect)
        self.compiled = jsonschema_rs.validator_for(
            _counted(schema, old),
            offline=True,
            keywords={VISIT: Visit},
            validate_formats=False,
            pattern_options=jsonschema_rs.RegexOptions(size_limit=1 << 20),
        )

    def violations(self, value: Any, most: int = SHOWN) -> list[tuple[str, str]]:
        """Return the first violations, each a JSON pointer and what is wrong there; empty if there are none.

        Args:
            value: The parsed JSON.
            most: The largest number of violations to return.

        Raises:
            ValueError: If the check was abandoned.
        """
        self.visits = 0
        valid = self.compiled.is_valid(value)
        if self.visits > VISITS:
            raise ValueError(f"given up: the schema leads to more than {VISITS:,} references")
        if valid:
            return []
        every = most > 1 and self.visits <= FEW
        self.visits = VISITS - FEW  # finding the errors may take far longer than finding that there are some
        try:
            errors = list(islice(self.compiled.iter_errors(value), most)) if every else []
            if not errors:
                self.compiled.validate(value)
        except self.invalid as error:
            errors = [error]
        if not errors or self.visits > VISITS:
            return [("", "does not follow the schema")]
        return [("".join(f"/{part}" for part in error.instance_path), _message(error)) for error in errors]


@lru_cache(maxsize=512)
def checker(schema: str) -> Checker:
    """Return the compiled schema of a JSON text. Raises ``ValueError`` (in one line) if it is no schema."""
    try:
        read = read_json(schema)
        if not isinstance(read, dict | bool):
            raise ValueError(f"{schema.strip()[:40]!r}; expected an object")
        return Checker(read)
    except RecursionError as error:
        raise ValueError(str(error)) from None
    except ValueError as error:  # jsonschema-rs appends the schema to its message
        raise ValueError(_short(str(error).split("\n\nFailed validating")[0])) from None


@lru_cache(maxsize=512)
def truth_checker(text: str) -> Checker:
    """Return the compiled schema that a ground truth holds. Raises ``ValueError`` (in one line) if it holds none."""
    text = unfenced(text)
    try:
        value = read_json(text)
    except (ValueError, RecursionError) as error:
        value = written_value(text)
        if not isinstance(value, dict):
            raise ValueError(str(error)) from None
    return checker(json.dumps(find_schema(value)))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 200 else f"{text[:120]} ... {text[-75:]}"


def _message(error: "jsonschema_rs.ValidationError") -> str:
    """Return an error's message, without the keyword that counts references."""
    return "does not follow a schema with references" if VISIT in error.message else _short(error.message)


def _counted(schema: Any, old: bool) -> Any:
    """Return the schema with the counting keyword before every reference; pointers into it stay valid.

    A reference is followed only while the count is below its limit. ``old`` drafts (4 and 6) lack the keyword "if" and
    get an equivalent of it.
    """
    if isinstance(schema, list):
        return [_counted(part, old) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {}
    for key, value in schema.items():
        if key in DATA:
            made[key] = _checked_data(value)
        elif key in NAMED and isinstance(value, dict):
            made[key] = {name: _counted(part, old) for name, part in value.items()}
        else:
            made[key] = _counted(value, old)
    counted = []
    for key in REFERENCES:
        if isinstance(schema.get(key), str):
            follow, count = {key: made.pop(key)}, {VISIT: True}
            counted.append({"not": {"allOf": [count, {"not": follow}]}} if old else {"if": count, "then": follow})
    return made | {"allOf": [*made.get("allOf", []), *counted]} if counted else made


def _checked_data(value: Any) -> Any:
    """Return a value that is data. Raises ``ValueError`` if it holds a reference, which would not be counted."""
    level = [value]
    while level:
        one = level.pop()
        if isinstance(one, dict) and any(isinstance(one.get(key), str) for key in REFERENCES):
            raise ValueError(f"a reference inside {', '.join(DATA[:-1])} or {DATA[-1]}")
        level += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    return value
