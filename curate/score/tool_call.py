"""1.0 where the response's tool calls are valid: readable, of functions that exist, with fitting, expected arguments.

The calls are those in the candidate's turns (``tool_calls``, in OpenAI's form), and those written in their text, after
any reasoning (between <tool_call> tags, as Hermes and Qwen do, or in another form of ``schemas.call_forms``). ``tools``
is a list of functions, each with a JSON Schema. ``ground_truth`` may hold the expected calls in the shapes of
``_expected_calls.expected_calls``, or [] for no call. Their order does not matter, 1 equals 1.0, and an argument that
has its default is as one left out (except in BFCL's form, which says itself what may be left out); "3" is not 3. If it
is prose, the other checks remain, and there has to be a call. If it holds calls that can't be read, or of a function
that is not among the tools, the row has no value.

With ``partial: true`` the value is the mean of four shares (three if no calls are expected): of calls that can be read,
whose function exists, whose arguments fit, and that are expected. A call where none is expected is 0.0 in any case.
"""

import json
from collections import Counter

import polars as pl

from curate.score._call_matching import matched, shown
from curate.score._call_reading import (
    Call,
    Tools,
    calls_of_text,
    calls_of_turns,
    read_tools,
)
from curate.score._expected_calls import Expected, expected_calls

MOST = 200  # calls that are compared
SHOWN = 5  # failures in ``detail``


def score(
    response: pl.Series, completion: pl.Series, tools: pl.Series, ground_truth: pl.Series, *, partial: bool = False
) -> pl.DataFrame:
    """Return ``value`` (0 to 1, null without tools), ``detail`` (JSON: calls, shares, what is wrong) and ``error``.

    Args:
        response: The candidates' texts.
        completion: Their turns, as JSON text, or null.
        tools: The prompts' tools, as JSON text.
        ground_truth: The expected calls, or anything else.
        partial: Whether the value is the mean of the shares, or 1.0 if all of them are 1.
    """
    columns = (series.cast(pl.String) for series in (response, completion, tools, ground_truth))
    found = [_score(*row, partial) for row in zip(*columns, strict=True)]
    return pl.DataFrame(found, {"value": pl.Float64, "detail": pl.String, "error": pl.String}, orient="row")


def _score(
    text: str | None, completion: str | None, tools: str | None, truth: str | None, partial: bool
) -> tuple[float | None, str | None, str | None]:
    if tools is None:
        return None, None, "no tools"
    if text is None and completion is None:
        return None, None, "no response"
    try:
        functions = read_tools(tools)
        expected = expected_calls(truth, functions)
        calls = calls_of_text(text, functions) if completion is None else calls_of_turns(completion, functions)
        shares, wrong = _check(calls, functions, expected)
    except (ValueError, RecursionError) as error:
        return None, None, str(error)
    value = sum(shares.values()) / len(shares) if partial else float(all(share == 1 for share in shares.values()))
    if expected == [] and calls:
        value = 0.0
    detail = {"calls": len(calls), **shares} | ({"wrong": wrong[:SHOWN]} if wrong else {})
    return value, json.dumps(detail, ensure_ascii=False), None


def _check(calls: list[Call], functions: Tools, expected: list[Expected] | None) -> tuple[dict[str, float], list[str]]:
    """Return the share of calls that pass each check, and what is wrong with the others."""
    right, wrong = Counter(), []
    for call in calls:
        if call.wrong:
            wrong.append(f"a call that can't be read: {call.wrong}")
            continue
        right["read"] += 1
        if call.name not in functions.checkers:
            wrong.append(f"no function {call.name[:60]!r}")
            continue
        right["exist"] += 1
        misfit = functions.checkers[call.name].violations(call.arguments)
        right["fit"] += not misfit
        wrong += [f"{call.name}: {at and at + ': '}{what}" for at, what in misfit]
    if expected is None or expected:
        shares = {name: right[name] / len(calls) if calls else 0.0 for name in ("read", "exist", "fit")}
        if not calls:
            wrong.append("no call")
    else:
        shares = {}
    if expected is not None:
        made = [call for call in calls if not call.wrong]
        if len(expected) > MOST:
            raise ValueError(f"ground_truth holds more than {MOST} calls")
        alone, due = matched(made[:MOST], expected, functions)
        most = max(len(calls), len(expected))
        shares["match"] = (len(expected) - len(due)) / most if most else 1.0
        wrong += [f"expected {shown(*expected[n][:2])[:120]}" for n in due] if calls else []
        wrong += [f"not expected: {shown(*made[n][:2])[:120]}" for n in alone]
    return shares, wrong
