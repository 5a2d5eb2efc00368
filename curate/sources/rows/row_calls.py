"""Bring the tool calls of a row into their stored form, once its prompt and candidates are apart."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from curate.sources.rows.recorded_candidates import Candidate
from schemas.call_links import CallLinks
from schemas.call_text import AS_TEXT, Tools, has_mark, may_be_attempt, split_tool_calls, text_problem, tools_of
from schemas.learnt_turns import is_learnt, mark_unlearnt
from schemas.messages import Message
from schemas.reply_calls import BROKEN

UNREAD = "earlier turns with a tool call that cannot be read, which are context (weight: 0)"
NOTHING: dict[str, int] = {}
DESCRIBED_TWICE = "prompts whose system text describes the tools too (<tools>), beside 'tools'"
_RESULTS = re.compile(r"<tool_response>(.*?)</tool_response>\s*", re.DOTALL)


def settle_calls(
    prompts: list[tuple[list[Message], list[Candidate]]], tools: list[dict] | None
) -> tuple[list[tuple[list[Message], list[Candidate]]], Mapping[str, int]]:
    """Return a row's prompts and candidates with calls and results that have ids.

    In a row with tools, calls and results that are written as text become calls and results. One that cannot be read
    is not learnt: an answer that ends with such a turn has an error, an earlier turn is context.

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
                turns = _all_with_written(turns, candidates, tools_of(tools), counts)
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
        return may_be_attempt(message["content"])
    return "<tool_response>" in message["content"]


def _has_written(message: Message) -> bool:
    """Return whether a message of the assistant has the mark of a call in its text."""
    return message["role"] == "assistant" and has_mark(message["content"])


def _all_with_written(
    turns: list[list[Message]], candidates: list[Candidate], tools: Tools, counts: Counter[str]
) -> list[list[Message]]:
    """Return the messages of a prompt and of its candidates with the calls and results that were written as text."""
    made: list[list[Any]] = [[one for message in turn for one in _with_written(message, tools)] for turn in turns]
    for candidate, messages in zip([None, *candidates], made, strict=True):
        for place, message in enumerate(messages):
            problem = _problem(message, tools)
            if problem and candidate is not None and place == len(messages) - 1:
                candidate.error = problem
                counts[BROKEN] += 1
            elif problem and is_learnt(message):
                messages[place] = mark_unlearnt(message)
                counts[UNREAD] += 1
    return made


def _problem(message: Message, tools: Tools) -> str | None:
    """Return what is wrong with a call in the text of an assistant's message, or ``None``."""
    if message["role"] != "assistant":
        return None
    return text_problem(message["content"], tools, len(message.get("tool_calls", ())))


def _with_written(message: Message, tools: Tools) -> list[Message]:
    """Return a message with the calls, or as the results, that were written as its text."""
    if message["role"] == "assistant" and "tool_calls" not in message:
        calls, rest = split_tool_calls(message["content"], tools, literals=True)
        return [{**message, "content": rest, "tool_calls": calls}] if calls else [message]
    if message["role"] in ("user", "tool") and "<tool_response>" in message["content"]:
        return _results(message)
    return [message]


def _results(message: Any) -> list[Message]:
    """Return the results between the tags of a message that has nothing else, each as a message; else the message."""
    text = message["content"].strip()
    if _RESULTS.sub("", text):
        return [message]
    found = [one.strip() for one in _RESULTS.findall(text)]
    rest = message if len(found) == 1 else {k: v for k, v in message.items() if k not in ("name", "tool_call_id")}
    return [{**rest, "role": "tool", "content": one} for one in found]
