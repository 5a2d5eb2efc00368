"""Replies as messages: tool calls in their stored form, also those that a model wrote as text, and what is broken."""

import json
from collections import Counter
from collections.abc import Iterable

import polars as pl

from schemas.call_links import INEXACT
from schemas.call_text import AS_TEXT, Tools, has_mark, split_tool_calls, text_problem, tools_of
from schemas.exact_json import Rewritten
from schemas.finish_reasons import BAD_CALL
from schemas.json_text import read_list
from schemas.messages import assistant_message, assistant_messages
from schemas.reply_calls import BROKEN, call_problem, with_ids

EMPTY = "completions without a text or a tool call"
CUT = "cut off (finish_reason length)"  # a verifier sees no answer where the limit on tokens came before it
_TURNS_WITH_CALLS = '"tool_calls":'


def with_messages(
    replies: pl.DataFrame, tools: Iterable[str | None], asked: Iterable[str], counts: Counter[str] | None = None
) -> pl.DataFrame:
    """Return replies with their messages (``completion``).

    A reply with a tool call that cannot be read gets an ``error`` that says so; its request has not failed, and what
    the model wrote is kept.

    Args:
        replies: A table with ``gateway.REPLY_COLUMNS``.
        tools: The tools of each prompt, as JSON text or None.
        asked: The messages that were sent for each, as JSON text.
        counts: Counts what a user is told of.
    """
    counts = Counter() if counts is None else counts
    no_text = pl.col("tool_calls").is_null() & (pl.col("response").str.strip_chars() == "")
    empty = replies.filter(no_text & (pl.col("finish_reason") != BAD_CALL).fill_null(True)).height
    cut = replies.filter(pl.col("finish_reason") == "length").height
    counts.update({what: count for what, count in ((EMPTY, empty), (CUT, cut)) if count})
    names = ("response", "reasoning_content", "tool_calls", "finish_reason", "error")
    tools = list(tools)
    plain = replies["tool_calls"].is_null().all() and not (replies["finish_reason"] == BAD_CALL).any()
    if plain and not any(tools):  # as nearly always
        texts = list(replies.select("response", "reasoning_content").iter_rows())
        _count_as_text(texts, counts)
        return replies.with_columns(completion=pl.Series([assistant_messages(*one) for one in texts], dtype=pl.String))
    known: dict[str, Tools] = {}
    made: list[tuple] = []
    for row, given, sent in zip(replies.select(names).iter_rows(), tools, asked, strict=True):
        text, trace, calls, finish, error = row
        if text is None or (calls is None and given is None and finish != BAD_CALL):
            _count_as_text([(text, trace)], counts)
            made.append((text, finish, error, assistant_messages(text, trace)))
            continue
        if given is not None and given not in known:
            known[given] = tools_of(read_list(given, "tools"))
        made.append(_with_calls(row, known[given] if given is not None else {}, sent.count(_TURNS_WITH_CALLS), counts))
    columns = ("response", "finish_reason", "error", "completion")
    schema = dict.fromkeys(columns, pl.String)
    return replies.with_columns(pl.DataFrame(made, schema=schema, orient="row"))


def _count_as_text(texts: Iterable[tuple[str | None, str | None]], counts: Counter[str]) -> None:
    """Count the texts, each beside its trace, that have a call which stays text."""
    found = sum(has_mark(text) for text, _ in texts if text)
    counts.update({AS_TEXT: found} if found else {})


def _with_calls(row: tuple, tools: Tools, turn: int, counts: Counter[str]) -> tuple:
    """Return a reply's text, finish reason, error and messages, where it has calls or may have written some."""
    text, trace, calls, finish, error = row
    message = assistant_message(text, trace, calls, turn)
    if calls is None:
        found, rest = split_tool_calls(text, tools)
        if found:
            message |= {"content": rest, "tool_calls": with_ids(found, turn)}
            text, finish = rest, "tool_calls" if finish == "stop" else finish
    stored = message.get("tool_calls", [])
    problem = call_problem(message)
    if problem is None and tools:
        problem = text_problem(text, tools, len(stored))
    if finish == BAD_CALL and not stored:
        problem = problem or "the server could not read the model's tool call, and left it out"
    if problem:
        counts[BROKEN] += 1
    elif inexact := sum(isinstance(call["function"]["arguments"], Rewritten) for call in stored):
        counts[INEXACT] += inexact
    return text, finish, problem or error, json.dumps([message], ensure_ascii=False)
