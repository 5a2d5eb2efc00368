"""Build the requests of scorers to reward models, classifiers and language models, and say why a value is null.

The requests are JSON text, as ``curate.steps.model_calls.ModelCalls`` describes them by task.
"""

import json
from typing import Any, NamedTuple

import polars as pl

from curate.score._answer_turns import EMPTY, NO_RESPONSE, answer_turns
from schemas.json_text import parse

KEYS = ("role", "content", "tool_calls", "tool_call_id", "name")  # of an answer's turns, that a model reads


class Answers(NamedTuple):
    """The responses of a table, as requests have them.

    Attributes:
        turns: The turns of each response, None where there is nothing to read.
        problems: Why there is nothing to read; None where there is.
        tools: The tools of each prompt; None where it has none.
    """

    turns: list[list[dict[str, Any]] | None]
    problems: list[str | None]
    tools: list[list[Any] | None]


def answers_of(response: pl.Series, completion: pl.Series, tools: pl.Series) -> Answers:
    """Return the responses of columns with their tool calls.

    Args:
        response: The texts of the responses, without traces.
        completion: Their turns, as JSON text, or null.
        tools: The prompts' tools, as JSON text, or null.
    """
    turns: list[list[dict[str, Any]] | None] = []
    problems: list[str | None] = []
    for text, given in zip(response.cast(pl.String), completion.cast(pl.String), strict=True):
        found = answer_turns(text, given)
        if not isinstance(found, str) and found[-1]["role"] != "assistant":
            found = "the response ends with a tool's result"
        problems.append(found if isinstance(found, str) else None)
        turns.append(None if isinstance(found, str) else [{k: t[k] for k in KEYS if k in t} for t in found])
    return Answers(turns, problems, [_tools(text) for text in tools.cast(pl.String)])


def reward_requests(messages: pl.Series, answers: Answers, **more: Any) -> pl.Series:
    """Return requests for a reward: the prompt's turns, then the response's; null if either is missing.

    Args:
        messages: The prompts, as JSON text.
        answers: The responses.
        **more: Further keys of every request, such as ``label``.
    """
    return pl.Series(
        [
            None
            if before is None or turns is None
            else _json({"messages": [*json.loads(before), *turns], **tools, **more})
            for before, turns, tools in zip(messages, answers.turns, _with_key(answers.tools), strict=True)
        ],
        dtype=pl.String,
    )


def loss_requests(messages: pl.Series | None, answers: Answers, shown: pl.Series | None = None) -> pl.Series:
    """Return requests for the loss of each response after its prompt's turns, or alone.

    Of a response of several turns, the last one counts, after the others.

    Args:
        messages: The prompts, as JSON text; None for the losses of the responses alone.
        answers: The responses.
        shown: Where ``messages`` is None, the prompts by which calls of tools are printed; null ones make no request
            for a response with calls.
    """
    before = ["[]"] * len(answers.turns) if messages is None else messages
    rows = zip(before, before if shown is None else shown, answers.turns, _with_key(answers.tools), strict=True)
    return pl.Series([_loss_request(*row, alone=messages is None) for row in rows], dtype=pl.String)


def _loss_request(
    before: str | None, shown: str | None, turns: list[dict[str, Any]] | None, tools: dict[str, Any], *, alone: bool
) -> str | None:
    if before is None or turns is None or (alone and shown is None):
        return None
    *earlier, last = turns
    if last.get("tool_calls"):  # the engine prints the turn: a call's text is the chat template's
        context = [*json.loads(shown or "[]"), *earlier]
        return _json({"messages": context, "message": last, **tools, **({"alone": True} if alone else {})})
    if alone:
        return _json({"messages": [], "completion": last["content"]})
    return _json({"messages": [*json.loads(before), *earlier], "completion": last["content"], **tools})


def class_requests(response: pl.Series, **more: Any) -> pl.Series:
    """Return requests to classify each response alone; null where there is none. ``more`` are further keys."""
    return pl.Series([_json({"text": text, **more}) if text else None for text in response], dtype=pl.String)


def without_role(messages: str | None, role: str) -> str | None:
    """Return messages (JSON text) without the turns of one role."""
    return messages and _json([turn for turn in json.loads(messages) if turn["role"] != role])


def skip_reasons(problems: list[str | None] | pl.Series, *others: tuple[pl.Series, str]) -> pl.Series:
    """Return why a row makes no request: its response, a null in another column. Null if it makes one.

    Args:
        problems: Why each response cannot be read (``Answers.problems``), or the responses.
        *others: Further columns that a request needs, each with the reason to give where it is null.
    """
    if isinstance(problems, pl.Series):
        problems = [NO_RESPONSE if text is None else None if text else EMPTY for text in problems]
    why = pl.Series("why", problems, dtype=pl.String)
    reasons = [pl.when(pl.lit(column).is_null()).then(pl.lit(reason)) for column, reason in others]
    return pl.select(pl.coalesce(why, *reasons)).to_series().cast(pl.String)


def error_reasons(answers: pl.DataFrame, why: pl.Series) -> pl.Series:
    """Return why each row has no value: it made no request, its request failed, or the reply holds no number.

    Args:
        answers: The replies, a row each.
        why: The reasons of ``skip_reasons``.
    """
    missing = pl.when(pl.col("value").is_null()).then(pl.lit("the reply holds no number"))
    return answers.select(pl.coalesce(why, "error", missing).alias("error")).to_series()


def _tools(text: str | None) -> list[Any] | None:
    """Return the tools of a prompt, or None where there are none."""
    try:
        found = parse(text) if text else None
    except ValueError:
        return None
    return found if isinstance(found, list) and found else None


def _with_key(tools: list[list[Any] | None]) -> list[dict[str, Any]]:
    return [{"tools": found} if found else {} for found in tools]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
