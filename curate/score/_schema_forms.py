"""Find the JSON Schema in what files hold of one: the schema itself, or the wrappers that servers take it in."""

from typing import Any

from curate.algorithms.text.written_lists import written_value

# Keywords that some value does not follow; a schema without any of them accepts everything.
ASSERTING = frozenset(
    (
        "type", "enum", "const", "properties", "required", "additionalProperties", "patternProperties", "propertyNames",
        "minProperties", "maxProperties", "dependencies", "dependentRequired", "dependentSchemas",
        "unevaluatedProperties", "items", "prefixItems", "additionalItems", "contains", "minContains", "maxContains",
        "minItems", "maxItems", "uniqueItems", "unevaluatedItems", "minimum", "maximum", "exclusiveMinimum",
        "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "format", "contentEncoding",
        "contentMediaType", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "$ref", "$dynamicRef",
        "$recursiveRef", "$schema", "$defs", "definitions",
    )
)  # fmt: skip
WRAPPERS = ("json_schema", "schema", "parameters", "input_schema")
BESIDE = {"type", "name", "description", "strict", "json_schema", "schema", "parameters", "input_schema"}


def find_schema(value: Any) -> Any:
    """Return the schema in a parsed ground truth.

    OpenAI's ``{"type": "json_schema", "json_schema": {"name", "schema", "strict"}}`` and its parts are unwrapped, and
    text that holds JSON, or what Python prints of it, is read.

    Raises:
        ValueError: It is no schema, or has no keyword of one: as a schema an example such as ``{"name": "Bob"}`` would
            accept everything.
    """
    for _ in range(3):
        if isinstance(value, str):
            value = written_value(value)
        if not isinstance(value, dict) or value.keys() - BESIDE:
            break
        inner = next((value[key] for key in WRAPPERS if isinstance(value.get(key), dict | str)), None)
        if inner is None:
            break
        value = inner
    if not isinstance(value, dict | bool):
        raise ValueError(f"{str(value)[:40]!r}; expected an object")
    if isinstance(value, dict) and value and not value.keys() & ASSERTING:
        raise ValueError(f"none of the keys {', '.join(map(repr, list(value)[:4]))} is a keyword that checks a value")
    return value
