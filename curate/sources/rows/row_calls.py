"""Bring the tool calls of a row into their stored form, once its prompt and candidates are apart."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from curate.sources.rows.recorded_candidates import Candidate
from schemas.call_links import CallLinks
from schemas.call_text import Tools, has_mark, may_have_calls, split_tool_calls, tools_of
from schemas.messages import Message

AS_TEXT = "answers with tool calls that stay text (the row has no 'tools')"
UNREAD = "answers with tool calls in their text that cannot be read"
NOTHING: dict[str, int] = {}
DESCRIBED_TWICE = "prompts whose system text describes the tools too (<tools>), beside 'tools'"
_RESULTS = re.compile(r"<tool_response>(.*?)</tool_response>\s*", re.DOTALL)


def settle_calls(
    prompts: list[tuple[list[Message], list[Candidate]]], tools: list[dict] | None
) -> tuple[list[tuple[list[Message], list[Candidate]]], Mapping[str, int]]:
    """Return a row's prompts and candidates with calls and results that have ids.

    In a row with tools, calls and results that are written as text become calls and results.

    Args:
        prompts: The prompts' messages, each with its candidates, whose messages are changed.
        tools: The row's tools, in OpenAI's form.

    Returns:
        The prompts, and what a user is told of, with the number of calls, results or answers.
    """
    if not tools and not any([_may_have_calls(messages, candidates) for messages, candidates in prompts]):
        return prompts, NOTHING
    counts: Counter[str] = Counter()
    settled = []
    for messages, candidates in prompts:
        turns = [messages, *(candidate.messages for candidate in candidates)]
        if tools:
            if any([_may_be_written(message) for one in turns for message in one]):
                known = tools_of(tools)
                turns = [_with_written(one, known, counts) for one in turns]
            if messages and messages[0]["role"] == "system" and "<tools>" in messages[0]["content"]:
                counts[DESCRIBED_TWICE] += 1
        else:
            counts[AS_TEXT] += sum(_has_written(message) for one in turns for message in one)
        if any(map(_has_calls, turns)):
            links = CallLinks(counts)
            turns = [
                links.link(turns[0]),
                *(links.after().link(answer) if _has_calls(answer) else answer for answer in turns[1:]),
            ]
        for candidate, answer in zip(candidates, turns[1:], strict=True):
            candidate.messages = answer
        settled.append((turns[0], candidates))
    return settled, counts


def _may_have_calls(messages: list[Message], candidates: list[Candidate]) -> bool:
    """Return whether messages have calls, results of tools, or the mark of a call in a text; nearly all have not."""
    if _has_calls(messages) or (len(messages) > 1 and any(map(_has_written, messages))):
        return True
    for candidate in candidates:
        answer = candidate.messages
        if _has_calls(answer) or any(map(_has_written, answer)):
            return True
    return False


def _has_calls(messages: list[Message]) -> bool:
    """Return whether messages have calls or results of tools."""
    for message in messages:
        if "tool_calls" in message or message["role"] == "tool":
            return True
    return False


def _may_be_written(message: Message) -> bool:
    """Return whether a message may have a call or a result in its text."""
    if message["role"] == "assistant":
        return may_have_calls(message["content"])
    return "<tool_response>" in message["content"]


def _has_written(message: Message) -> bool:
    """Return whether a message of the assistant has the mark of a call in its text."""
    return message["role"] == "assistant" and has_mark(message["content"])


def _with_written(messages: list[Message], tools: Tools, counts: Counter[str]) -> list[Message]:
    """Return messages with the calls and the results that were written as text."""
    made: list[Message] = []
    for message in messages:
        if message["role"] == "assistant" and "tool_calls" not in message:
            calls, rest = split_tool_calls(message["content"], tools, literals=True)
            if calls:
                made.append({**message, "content": rest, "tool_calls": calls})
                continue
            if has_mark(message["content"]):
                counts[UNREAD] += 1
        elif message["role"] in ("user", "tool") and "<tool_response>" in message["content"]:
            made += _results(message)
            continue
        made.append(message)
    return made


def _results(message: Any) -> list[Message]:
    """Return the results between the tags of a message that has nothing else, each as a message; else the message."""
    text = message["content"].strip()
    if _RESULTS.sub("", text):
        return [message]
    found = [one.strip() for one in _RESULTS.findall(text)]
    rest = message if len(found) == 1 else {k: v for k, v in message.items() if k not in ("name", "tool_call_id")}
    return [{**rest, "role": "tool", "content": one} for one in found]
