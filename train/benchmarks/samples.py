"""Reads what lm-evaluation-harness logs of its samples into rows of the table ``evaluations``."""

import json
from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import Any

import polars as pl

from schemas.ids import content_id
from schemas.requests import Reply
from train.benchmarks.harness_tasks import HarnessTask

SPLIT = "benchmark"
# The text that the harness puts in the place of an answer that the server did not give.
NO_ANSWER = "LMEVAL_MODEL_NONE_ANSWER_PLACEHOLDER"
SCHEMA: dict[str, Any] = {
    "dataset": pl.String,
    "row_id": pl.String,
    "prompt_id": pl.String,
    "prompt": pl.String,
    "response": pl.String,
    "scorer": pl.String,
    "value": pl.Float64,
    "error": pl.String,
    "detail": pl.String,
    "metric": pl.String,
    "filter": pl.String,
    "logged": pl.Float64,
}


def read_samples(
    file: Path, task: HarnessTask, fewshot: int | None, failed: Iterable[tuple[str, Reply]]
) -> tuple[pl.DataFrame, list[str]]:
    """Return the samples of one task as rows, and the names of metrics that are no number of a row.

    Args:
        file: The harness's file, a sample a line.
        task: The task.
        fewshot: The examples in each prompt.
        failed: The requests that failed: their messages (JSON text) and replies.

    Returns:
        A row for each sample, metric and filter, with the columns of ``SCHEMA``. ``logged`` is the harness's value,
        ``value`` is null where a request failed. A list of yes and no, as for the instructions of a prompt, counts by
        its mean.
    """
    errors = {_canonical(messages): reply.error or "the request failed" for messages, reply in failed}
    rows, whole = [], set()
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            sample = json.loads(line)
            numbers = {name: _number(sample.get(name)) for name in sample.get("metrics") or []}
            whole |= {name for name, value in numbers.items() if value is None}
            row = _row(sample, task, fewshot, errors)
            for name, value in numbers.items():
                if value is not None:
                    rows.append(row | _scored(task.name, name, sample.get("filter"), value, row["error"]))
    return pl.DataFrame(rows, schema=SCHEMA), sorted(whole)


def _scored(task: str, metric: str, filter_name: str | None, value: float, error: str | None) -> dict[str, Any]:
    """Return the columns of one metric of a sample."""
    kind = None if filter_name in (None, "none") else filter_name
    scorer = f"{task}.{metric}" + (f".{kind}" if kind else "")
    score = None if error else value
    return {"scorer": scorer, "value": score, "logged": value, "metric": metric, "filter": filter_name or "none"}


def _row(sample: dict[str, Any], task: HarnessTask, fewshot: int | None, errors: dict[str, str]) -> dict[str, Any]:
    """Return the columns of a sample that are the same for all its metrics."""
    asked = [list(one.values()) for one in (sample.get("arguments") or {}).values()]
    prompt = _text(asked[0][0]) if asked and asked[0] else ""
    response, answers = _response(sample, asked, task)
    error = None
    if response == NO_ANSWER:
        response, error = None, errors.get(_canonical(prompt), "the model gave no answer")
    name = f"{task.name}:{sample.get('doc_id')}"
    detail = {
        "task": task.name,
        "version": task.version,
        "num_fewshot": fewshot,
        "target": str(sample.get("target"))[:2000],
        "doc_hash": sample.get("doc_hash"),
        "filtered": sample.get("filtered_resps") if task.written and sample.get("filter") != "none" else None,
        "answers": answers if answers > 1 else None,
    }
    return {
        "dataset": task.name,
        "row_id": name,
        "prompt_id": content_id("b", task.name, task.content, str(sample.get("doc_id"))),
        "prompt": prompt,
        "response": response,
        "error": error,
        "detail": json.dumps({k: v for k, v in detail.items() if v is not None}, ensure_ascii=False),
    }


def _response(sample: dict[str, Any], asked: list[list[Any]], task: HarnessTask) -> tuple[str | None, int]:
    """Return the model's answer (the first of several, or the likeliest of those given), and how many there are."""
    answers = sample.get("resps") or []
    first = answers[0] if answers else []
    if task.written:
        return (_text(first[0]) if first else None), len(first)
    chances = [_chance(one) for one in answers]
    given = [one[1] if len(one) > 1 else None for one in asked]
    if len(chances) != len(given) or None in chances:
        return None, 1
    best = max(range(len(chances)), key=lambda at: chances[at] or 0.0)
    return (None if given[best] is None else _text(given[best])), 1


def _chance(answer: Any) -> float | None:
    """Return the log-likelihood in a response, which the harness logs as ``[["-1.5", "False"]]``."""
    while isinstance(answer, list) and answer:
        answer = answer[0]
    try:
        return float(answer)
    except (TypeError, ValueError):
        return None


def _number(value: Any) -> float | None:
    """Return a metric of a sample as one number; None where it is none by itself, such as a pair for a F1."""
    if isinstance(value, list) and value and all(isinstance(one, bool) for one in value):
        return sum(value) / len(value)
    if isinstance(value, bool | int | float) and isfinite(value):
        return float(value)
    return None


def _text(value: Any) -> str:
    """Return a prompt or an answer as text; a chat is logged as a list of its JSON text."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _canonical(messages: str) -> str:
    """Return messages in one spelling of JSON, or the text itself."""
    try:
        found = json.loads(messages)
    except (ValueError, RecursionError):
        return messages
    return found if isinstance(found, str) else json.dumps(found, sort_keys=True)
