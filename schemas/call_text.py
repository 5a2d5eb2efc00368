"""Split the tool calls that a model wrote as text from the rest of it, for recorded and for generated replies.

``schemas.call_forms`` has the marks of a call. A call without a mark (a mark is often lost in decoding) is read only
where it is the whole text and calls a tool that the prompt has.
"""

import json
import re
from typing import Any

from schemas.call_forms import (
    FORMS,
    NAMED,
    RECORDED_FORMS,
    Tools,
    json_calls,
    named_call,
    pythonic_calls,
)
from schemas.errors import short_repr
from schemas.json_text import dump
from schemas.tool_calls import ARGUMENTS, read_call

AS_TEXT = "answers with tool calls that stay text (the row has no 'tools')"
# Around several calls, or behind the last one.
_WRAPPERS = (
    "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>",
    "<|/tool_call|>", "<|eom_id|>", "<|eot_id|>", "<|endoftext|>",
)  # fmt: skip
_ENDS = ("</s>", "<|im_end|>")  # behind the last call
STEMS = ("tool_call", "<function", "[TOOL_CALLS]", "<|python_tag|>", "<｜tool▁call")  # each mark has one of these
_BARE_ENDS = ("}", "]")  # of a call without a mark
_MARK = re.compile("|".join(map(re.escape, FORMS)))


def has_mark(text: str) -> bool:
    """Return whether a text has the mark of a call."""
    if "<" not in text and "[" not in text:
        return False
    for stem in STEMS:  # nearly no text has one; looking for the marks themselves takes longer
        if stem in text:
            return _MARK.search(text) is not None
    return False


def may_have_calls(text: str) -> bool:
    """Return whether ``split_tool_calls`` may find a call in a text; of nearly all it is clear that it does not."""
    return text.endswith(_BARE_ENDS) or has_mark(text) or (text[-1:].isspace() and text.rstrip().endswith(_BARE_ENDS))


def tools_of(tools: list | None) -> dict[str, dict[str, Any]]:
    """Return the schemas of the arguments of each tool (in OpenAI's form), by its name and theirs."""
    found = {}
    for tool in tools or []:
        function = tool.get("function") if isinstance(tool, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            schema = function.get("parameters")
            properties = schema.get("properties") if isinstance(schema, dict) else None
            found[function["name"]] = properties if isinstance(properties, dict) else {}
    return found


def split_tool_calls(text: str, tools: Tools, *, literals: bool = False) -> tuple[list[dict], str]:
    """Return the tool calls of a text in the stored form (without ids), and the rest of the text.

    What cannot be read as a call stays text; where there is no call, all of it does.

    Args:
        text: A model's text, without its trace.
        tools: The prompt's tools (``tools_of``).
        literals: Whether a mapping as Python writes it is a call too, as in recorded data; of a model it is a mistake.
    """
    if not has_mark(text):
        calls = _bare(text, tools)
        return (calls, "") if calls else ([], text)
    calls, rest, last = [], [], 0
    forms = RECORDED_FORMS if literals else FORMS
    marks = list(_MARK.finditer(text))
    for mark, limit in zip(marks, _limits(marks, len(text)), strict=True):
        if mark.start() < last:
            continue  # inside a call
        try:  # only a piece of the text, so that the time is linear in its length
            found = forms[mark[0]](text[mark.start() : limit], len(mark[0]), tools)
            read = [_read(call) for call in found[0]] if found else []
        except (ValueError, RecursionError):  # not JSON, no call, half a character, or nested too deeply
            continue
        if found and read:
            calls += read
            rest.append(text[last : mark.start()])
            last = mark.start() + found[1]
    if not calls:
        return [], text
    tail = text[last:]
    for end in _ENDS:
        tail = tail.replace(end, "")
    left = "".join([*rest, tail])
    for wrapper in _WRAPPERS:
        left = left.replace(wrapper, "")
    return calls, left.strip()


def calls_as_text(calls: list[dict]) -> str | None:
    """Return calls as a server replies them, as JSON text with arguments as JSON text; ``None`` where there is none."""
    for number, call in enumerate(calls):
        function = call["function"]
        arguments = json.dumps(function["arguments"], ensure_ascii=False)
        calls[number] = {"id": f"call_{number}", **call, "function": {**function, "arguments": arguments}}
    return json.dumps(calls, ensure_ascii=False) if calls else None


def _limits(marks: list[re.Match[str]], end: int) -> list[int]:
    """Return for each mark where the next one of its kind stands: what is read behind it ends there at the latest."""
    ends: dict[str, int] = {}
    found = []
    for mark in reversed(marks):
        found.append(ends.get(mark[0], end))
        ends[mark[0]] = mark.start()
    return found[::-1]


def _read(call: Any) -> dict:
    """Return a call in the stored form. Raises ``ValueError`` where it is none, or holds what JSON does not have."""
    read = read_call(call, "")
    dump(read, "")
    read["function"]["name"].encode()
    read.pop("id", None)
    return read


def _bare(text: str, tools: Tools) -> list[dict]:
    """Return the calls of a text that is nothing else, of tools that there are."""
    if not tools or not text.rstrip().endswith(_BARE_ENDS):
        return []
    bare = text.strip()
    try:
        named = NAMED.match(bare)
        if bare[0] == "[" and bare.endswith(")]") and not named:
            calls, end = pythonic_calls(bare), len(bare)
        else:
            calls, end = named_call(bare, named) if named else json_calls(bare, 0, tools) or ([], 0)
        if end != len(bare) or not all(_is_call(call, tools) for call in calls):
            return []
        return [_read(call) for call in calls]
    except (ValueError, RecursionError):
        return []


def _is_call(value: Any, tools: Tools) -> bool:
    """Return whether a value calls one of several functions and says nothing else."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("name"), str)
        and value["name"] in tools
        and len(value.keys() & {*ARGUMENTS}) == 1
        and not value.keys() - {"name", "type", "id", *ARGUMENTS}
    )


_ATTEMPT = re.compile(
    r"(?:<tool_call>|<functioncall>|<\|tool_call\|>|<\|python_tag\|>|\[TOOL_CALLS\])\s*(?:[\[{]|<function=)"
    r"|<function=[\w.\-/]{0,200}(?:$|>\s*(?:[{<]|$)|>[^<]{0,2000}</function>)"
    r"|<｜tool▁call▁begin｜>|<\|tool_call_begin\|>|<\|tool_call_start\|>\s*\["
    r"|<start_function_call>\s*call:|<(?:minimax:tool_call|function_calls)>\s*<invoke name=|\A\s*functools\[\s*\{"
)
# Followed by the name of a tool: GLM, Llama 3.1, harmony, Gemma.
_NAMED_ATTEMPT = re.compile(
    r"(?:<tool_call>\s*(?=[\w.\-/]+\s*(?:<arg|$))|<\|python_tag\|>\s*(?=[\w.\-/]+\.call\()"
    r"|to=functions\.(?=[\w.\-/]+\s*(?:<\||json|code|\{))|```tool_code\s+(?:print\()?(?=[\w.\-/]+\())"
    r"([\w.\-/]+?)(?=\.call\(|[\s<({]|$)"
)
_BARE_ATTEMPT = re.compile(
    r"\s*(?:```(?:json)?\s*)?\[?\s*\{\s*(?:\"type\"\s*:\s*\"function\"\s*,\s*)?\"name\"\s*:\s*\"([^\"]+)\"\s*,"
)
# Each attempt that ``may_have_calls`` does not see has one of these, or begins with one of the next.
_ATTEMPT_STEMS = ("<start_function_call>", "<invoke name=", "to=functions.", "```tool_code")
_ATTEMPT_STARTS = ("{", "[", "```", "functools[")


def may_be_attempt(text: str) -> bool:
    """Return whether a text may have a call that ``split_tool_calls`` reads or ``written_badly`` finds."""
    if may_have_calls(text) or text.lstrip().startswith(_ATTEMPT_STARTS):
        return True
    return any(stem in text for stem in _ATTEMPT_STEMS)


def written_badly(text: str, tools: Tools) -> str | None:
    """Return the start of what a text without its calls still has of one that cannot be read, or ``None``."""
    if not may_be_attempt(text):
        return None
    found = _ATTEMPT.search(text) or next((one for one in _NAMED_ATTEMPT.finditer(text) if one[1] in tools), None)
    if found:
        return text[found.start() : found.start() + 200]
    bare = _BARE_ATTEMPT.match(text)
    fenced = text.lstrip().startswith("```") and text.count("```") > 1 and not text.rstrip().endswith("```")
    return text.strip()[:200] if bare and bare[1] in tools and not fenced else None


def text_problem(text: str, tools: Tools, calls: int) -> str | None:
    """Return what is wrong with a text that still has a call, behind a number of calls that were read, or ``None``."""
    left = written_badly(text, tools)
    return f"tool call {calls + 1}: its text is no call: {short_repr(left, 80)}" if left else None
