"""Find the JSON Schema in what files hold of one: the schema itself, or the wrappers that servers take it in."""

from typing import Any

from curate.algorithms.text.written_lists import written_value

# Keywords that say by themselves that a mapping is a schema; and those whose value has to be one, or a list of some.
SAYING = ("type", "enum", "const", "$ref", "$dynamicRef", "$recursiveRef", "$schema", "$defs", "definitions")
HOLDING = (
    "properties", "patternProperties", "additionalProperties", "propertyNames", "dependentSchemas", "items",
    "prefixItems", "contains", "unevaluatedItems", "unevaluatedProperties", "allOf", "anyOf", "oneOf", "not", "if",
    "then", "else",
)  # fmt: skip
BY_NAME = ("properties", "patternProperties", "dependentSchemas")  # whose value holds schemas by names
# Keywords that may be keys of an example just as well; most say nothing of values of other types.
OTHERS = (
    "required", "minProperties", "maxProperties", "dependencies", "dependentRequired", "additionalItems", "minContains",
    "maxContains", "minItems", "maxItems", "uniqueItems", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "minLength", "maxLength", "pattern", "format", "contentEncoding", "contentMediaType", "contentSchema",
    "title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly", "nullable",
    "discriminator", "externalDocs", "xml", "propertyOrdering", "id", "$id", "$anchor", "$comment", "$vocabulary",
    "$dynamicAnchor", "$recursiveAnchor",
)  # fmt: skip
KNOWN = {*SAYING, *HOLDING, *OTHERS}
WRAPPERS = (
    "json_schema", "schema", "parameters", "input_schema", "inputSchema", "function", "response_format", "guided_json",
    "format", "responseSchema",
)  # fmt: skip
BESIDE = {"type", "name", "description", "strict", *WRAPPERS}


def find_schema(value: Any) -> Any:
    """Return the schema in a parsed ground truth.

    OpenAI's ``{"type": "json_schema", "json_schema": {"name", "schema", "strict"}}`` and its parts, and a tool's
    description, are unwrapped, and text that holds JSON, or what Python prints of it, is read.

    Raises:
        ValueError: It is no schema, or may be an example: as a schema ``{"name": "Bob"}`` or ``{"format": "mp3"}``
            would accept everything, and ``{"type": "string", "name": "string"}`` nothing of what is meant.
    """
    for _ in range(5):
        if isinstance(value, str):
            value = written_value(unfenced(value))
        if not isinstance(value, dict) or value.keys() - BESIDE:
            break
        inner = next((value[key] for key in WRAPPERS if isinstance(value.get(key), dict)), None)
        if inner is None:
            inner = next((value[key] for key in WRAPPERS if _is_text_of_one(value.get(key))), None)
        if inner is None:
            break
        value = inner
    if not isinstance(value, dict | bool):
        raise ValueError(f"{str(value)[:40]!r}; expected an object")
    if value and not is_schema(value):
        odd = [key for key in value if key not in KNOWN] or list(value)
        named = ", ".join(repr(key)[:40] for key in odd[:4])
        if value.keys() & {*SAYING, *HOLDING}:
            raise ValueError(
                f"it may be an example: {named} is not a keyword of JSON Schema, or has another value there"
            )
        raise ValueError(f"it may be an example: none of the keys {named} is a keyword that checks a value of any type")
    return value


def is_schema(value: Any, depth: int = 20) -> bool:
    """Return whether a value is plainly a schema; what is nested more deeply than ``depth`` counts as one.

    It is one if a keyword in it holds a schema, or if it has no other keys than keywords and one of them says what a
    value is.
    """
    if not isinstance(value, dict) or not depth:
        return isinstance(value, bool | dict)
    if any(isinstance(value.get(key), str) for key in ("$ref", "$schema", "$dynamicRef", "$recursiveRef")):
        return True
    if any(key in value and _holds(value[key], key in BY_NAME, depth - 1) for key in HOLDING):
        return True
    return _has_keywords_alone(value) and any(key in value for key in SAYING)


def unfenced(text: str) -> str:
    """Return the text inside a Markdown fence that is around the whole, else the text."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and text.count("```") == 2 and "\n" in text:
        return text[text.index("\n") : -3].strip()
    return text


def _has_keywords_alone(value: dict) -> bool:
    return all(key in KNOWN or str(key).startswith("x-") for key in value)


def _holds(value: Any, by_name: bool, depth: int) -> bool:
    """Return whether a keyword's value is a schema, a list of schemas, or (``by_name``) a mapping of them."""
    if by_name:  # a property may be any value: {}, or only described
        inner = list(value.values()) if isinstance(value, dict) else []
        return bool(inner) and all(
            isinstance(one, bool) or (isinstance(one, dict) and (_has_keywords_alone(one) or is_schema(one, depth)))
            for one in inner
        )
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, dict) and is_schema(one, depth) for one in value)
    return isinstance(value, dict) and is_schema(value, depth)


def _is_text_of_one(value: Any) -> bool:
    return isinstance(value, str) and isinstance(written_value(unfenced(value)), dict)
