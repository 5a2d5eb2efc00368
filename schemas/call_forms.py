"""The forms in which models write tool calls as text: a mark, and what reads the text behind it.

A reader takes a text that begins with the mark, where the mark ends, and the prompt's tools. It returns the calls in
any convention (``schemas.tool_calls.read_call`` reads them) and where their text ends, or None where there is no call.
It may raise ``ValueError`` or ``RecursionError``: what it read is no JSON.
"""

import ast
import json
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from schemas.exact_json import parse_noting

Found = tuple[list[Any], int]  # the calls, not read yet, and where their text ends
Tools = Mapping[str, Mapping[str, Any]]  # the schemas of the arguments of each tool, by its name and theirs
OPEN, CLOSE = "<tool_call>", "</tool_call>"
LONGEST_LITERAL = 20_000  # characters of calls in Python's notation that are read: its parser takes much memory


class _NotANumber(ValueError):
    """A text holds NaN, or an infinite number: what is written of the call cannot be read."""


def _not_json(name: str) -> None:
    raise _NotANumber(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(parse_constant=_not_json)
_BLANK = re.compile(r"[ \t\r\n]*")
_NAME = r"[\w.\-/]{1,200}"
_XML = re.compile(rf"<function=({_NAME})>(.*?)</function>\s*", re.DOTALL)  # Qwen3-Coder, and Llama 3.1 with JSON inside
_PARAMETER = re.compile(r"\s*<parameter=([^<>]+)>\n?(.*?)\n?</parameter>\s*", re.DOTALL)
_GLM = re.compile(rf"\s*({_NAME})\s*(?=<)")
_GLM_ARGUMENT = re.compile(r"<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)</arg_value>\s*", re.DOTALL)
NAMED = re.compile(rf"\s*({_NAME})(?:\[CALL_ID\]\w+)?(?:\[ARGS\])?\s*(?=\{{)")
_DEEPSEEK = re.compile(rf"(?:function<｜tool▁sep｜>)?({_NAME})(?:<｜tool▁sep｜>|\s*\n```json\n|\s)\s*(?=\{{)")
_KIMI = re.compile(rf"\s*(?:functions\.)?({_NAME}?)(?::\d+)?\s*<\|tool_call_argument_begin\|>\s*(?=\{{)")
_GLAIVE = re.compile(r"\s*\{\s*\"name\"\s*:\s*(\"[^\"]+\")\s*,\s*\"arguments\"\s*:\s*'(\{.*?\})'\s*\}", re.DOTALL)


def _value(text: str, at: int) -> tuple[Any, int]:
    """Return the JSON value that begins behind the white space at ``at``, and where the white space behind it ends."""
    start = _blank(text, at)
    _, end = _DECODER.raw_decode(text, start)
    return parse_noting(text[start:end]), _blank(text, end)


def _blank(text: str, start: int) -> int:
    """Return where the white space that begins at ``start`` ends."""
    found = _BLANK.match(text, start)
    return found.end() if found else start


def _tagged(text: str, at: int, tools: Tools) -> Found | None:
    """Read the text behind ``<tool_call>``: JSON (Hermes, Qwen), or the forms of Qwen3-Coder and of GLM."""
    start = _blank(text, at)
    if text.startswith(("{", "["), start):
        value, end = _value(text, start)
        return (_listed(value), end + len(CLOSE)) if text.startswith(CLOSE, end) else None
    close = text.find(CLOSE, at)
    if close < 0:
        return None
    if text[at:close].strip() in tools:
        return [{"name": text[at:close].strip()}], close + len(CLOSE)
    read = _functions if text.startswith("<function=", start) else _glm
    calls, end = read(text[:close], start, tools)
    return (calls, close + len(CLOSE)) if calls and end == close else None


def _glm(text: str, at: int, tools: Tools) -> Found:
    """Read a name and arguments such as ``<arg_key>KEY</arg_key> <arg_value>VALUE</arg_value>``."""
    named = _GLM.match(text, at)
    if not named:
        return [], at
    at, arguments = named.end(), {}
    while found := _GLM_ARGUMENT.match(text, at):
        arguments[found[1].strip()] = _unquoted(found[2], tools.get(named[1], {}).get(found[1].strip()))
        at = found.end()
    return [{"name": named[1], "arguments": arguments}], at


def _functions(text: str, at: int, tools: Tools) -> Found:
    """Read calls such as ``<function=NAME>...</function>`` that follow each other."""
    calls = []
    while found := _XML.match(text, at):
        name, inner = found[1], found[2].strip()
        if inner.startswith("{"):
            calls.append({"name": name, "arguments": inner})
        elif _PARAMETER.sub("", inner):
            break
        else:
            schemas, given = tools.get(name, {}), _PARAMETER.findall(inner)
            arguments = {key.strip(): _unquoted(value, schemas.get(key.strip())) for key, value in given}
            calls.append({"name": name, "arguments": arguments})
        at = found.end()
    return calls, at


def _unquoted(text: str, schema: Any) -> Any:
    """Return the value of an argument that is written without quotes.

    A list or a mapping is read where its schema does not say that it is a text; a number, true, false or null where it
    says that it is none.
    """
    kinds = schema.get("type") if isinstance(schema, dict) else None
    kinds = [kinds] if isinstance(kinds, str) else kinds if isinstance(kinds, list) else []
    if "string" in kinds or not (kinds or text.lstrip().startswith(("{", "["))):
        return text
    try:
        _DECODER.decode(text)
        return parse_noting(text)
    except _NotANumber:
        raise
    except ValueError:
        return {"true": True, "false": False, "none": None}.get(text.strip().lower(), text)


def _function(text: str, at: int, tools: Tools) -> Found | None:
    """Read the text behind ``<function=``."""
    calls, end = _functions(text, at - len("<function="), tools)
    end += len(CLOSE) if text.startswith(CLOSE, end) else 0  # models leave out the opening tag alone
    return (calls, end) if calls else None


def json_calls(text: str, at: int, tools: Tools) -> Found | None:
    """Read a call, a list of calls, or calls between semicolons, behind ``<|python_tag|>`` or ``<|tool_call|>``."""
    calls: list[Any] = []
    while text.startswith(("{", "["), _blank(text, at)):
        value, at = _value(text, at)
        calls += _listed(value)
        if not text.startswith(";", at):
            break
        at += 1
    return (calls, at) if calls else None


def _mistral(text: str, at: int, tools: Tools) -> Found | None:
    """Read the text behind ``[TOOL_CALLS]``: a list of calls, or a name and its arguments."""
    if text.startswith(("{", "["), _blank(text, at)):
        return json_calls(text, at, tools)
    named = NAMED.match(text, at)
    return named_call(text, named) if named else None


def _listed(value: Any) -> list:
    return value if isinstance(value, list) else [value]


def named_call(text: str, named: re.Match[str]) -> Found:
    """Read the arguments behind a name."""
    arguments, end = _value(text, named.end())
    return [{"name": named[1], "arguments": arguments}], end


def _deepseek(text: str, at: int, tools: Tools) -> Found | None:
    """Read the text behind ``<｜tool▁call▁begin｜>``."""
    named = _DEEPSEEK.match(text, at)
    if not named:
        return None
    calls, end = named_call(text, named)
    end = end + 3 if text.startswith("```", end) else end
    closing = "<｜tool▁call▁end｜>"
    return (calls, end + len(closing)) if text.startswith(closing, end) else None


def _kimi(text: str, at: int, tools: Tools) -> Found | None:
    """Read the text behind ``<|tool_call_begin|>``."""
    named = _KIMI.match(text, at)
    if not named:
        return None
    calls, end = named_call(text, named)
    closing = "<|tool_call_end|>"
    return (calls, end + len(closing)) if text.startswith(closing, end) else None


def _glaive(text: str, at: int, tools: Tools) -> Found | None:
    """Read the text behind ``<functioncall>``: Glaive writes the arguments between single quotes."""
    quoted = _GLAIVE.match(text, at)
    if quoted:
        return [{"name": json.loads(quoted[1]), "arguments": quoted[2].replace("\\'", "'")}], quoted.end()
    return json_calls(text, at, tools)


def pythonic_calls(text: str) -> list[Any]:
    """Return the calls of a text such as ``[f(a=1), g()]``; raise ``ValueError`` where it is nothing of the kind."""
    body = _expression(text)
    return [_pythonic_call(call) for call in (body.elts if isinstance(body, ast.List) else [body])]


def _pythonic_call(call: ast.expr) -> dict[str, Any]:
    if not isinstance(call, ast.Call) or call.args or not isinstance(call.func, ast.Name | ast.Attribute):
        raise ValueError("no call with named arguments")
    if any(one.arg is None for one in call.keywords):  # f(**x)
        raise ValueError("no call with named arguments")
    arguments = {one.arg: ast.literal_eval(one.value) for one in call.keywords}
    return {"name": ast.unparse(call.func), "arguments": arguments}


def _expression(text: str) -> ast.expr:
    """Return an expression of Python. Raises ``ValueError`` where the text is none, or is long."""
    if len(text) > LONGEST_LITERAL:
        raise ValueError("a long text")
    try:
        with warnings.catch_warnings(action="ignore"):  # of escapes that Python does not have
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, MemoryError) as error:
        raise ValueError(str(error)) from None


def _tagged_or_literal(text: str, at: int, tools: Tools) -> Found | None:
    """Read the text behind ``<tool_call>``, also a mapping as Python writes it (data sets of Hermes have these)."""
    try:
        found = _tagged(text, at, tools)
    except ValueError:
        found = None
    close = text.find(CLOSE, at)
    if found or close < 0:
        return found
    return _listed(ast.literal_eval(_expression(text[at:close]))), close + len(CLOSE)


def _lfm(text: str, at: int, tools: Tools) -> Found | None:
    """Read the text behind ``<|tool_call_start|>``: calls as Python writes them, or JSON."""
    closing = "<|tool_call_end|>"
    close = text.find(closing, at)
    if close < 0:
        return None
    try:
        return pythonic_calls(text[at:close]), close + len(closing)
    except ValueError:
        calls, end = json_calls(text[:close], at, tools) or ([], 0)
        return (calls, close + len(closing)) if end == close else None


FORMS: dict[str, Callable[[str, int, Tools], Found | None]] = {
    OPEN: _tagged,
    "[TOOL_CALLS]": _mistral,
    "<|python_tag|>": json_calls,  # Llama 3
    "<|tool_call|>": json_calls,  # Phi-4, Granite
    "<function=": _function,
    "<functioncall>": _glaive,
    "<｜tool▁call▁begin｜>": _deepseek,
    "<|tool_call_begin|>": _kimi,
    "<|tool_call_start|>": _lfm,
}
RECORDED_FORMS = {**FORMS, OPEN: _tagged_or_literal}
