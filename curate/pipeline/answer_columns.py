"""Take the reasoning trace off the responses that scorers read, in one place for every scorer.

A scorer judges the answer, so its parameter ``response`` is the text behind the trace (``schemas.reasoning`` says what
a trace is). A trace that was cut before its end has no answer: the response is empty. ``reasoning_content`` is the
column or, where that is null, the trace that stood in the text; ``ground_truth`` is a truth without its trace, as a
worked solution of a reasoning model has one. ``raw_response`` is the response as it was written, for scorers of its
form.
"""

import re
from collections.abc import Mapping

import polars as pl

from schemas.reasoning import LOOKED_AT, MARKS, TRACE_SIGNS, join_traces, split_reasoning

ENDED = re.compile(r"(?:^|[.!?。！？}\n])\s*\Z")  # where the next trace may begin: behind a sentence
Columns = dict[str, pl.Series | pl.DataFrame]


def answer_columns(columns: Mapping[str, pl.Series | pl.DataFrame]) -> Columns:
    """Return a scorer's columns with the traces taken off.

    Args:
        columns: The columns by the scorer's parameters; ``response``, ``ground_truth`` and ``reasoning_content`` may be
            among them.
    """
    found = dict(columns)
    for name in ("response", "ground_truth"):
        column = found.get(name)
        if isinstance(column, pl.Series) and column.dtype == pl.String:
            found[name], traces = split_traces(column)
            beside = found.get("reasoning_content")
            if name == "response" and isinstance(beside, pl.Series):
                found["reasoning_content"] = beside.cast(pl.String).zip_with(beside.is_not_null(), traces)
    return found


def split_traces(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return the answers of texts, and their traces (null where a text has none)."""
    none = pl.Series("reasoning_content", [None], dtype=pl.String).new_from_index(0, len(text))
    rows = text.str.contains_any(TRACE_SIGNS, ascii_case_insensitive=True).fill_null(False).arg_true()
    split = [_answer_of(one) for one in text.gather(rows)]
    if all(trace is None for trace, _ in split):
        return text, none
    traces, answers = zip(*split, strict=True)
    return text.clone().scatter(rows, pl.Series(answers)), none.scatter(rows, pl.Series(traces, dtype=pl.String))


def _answer_of(text: str) -> tuple[str | None, str]:
    """Return the trace of one text, or None, and its answer, which holds no further trace.

    A text that begins with an opening mark and never closes it has no answer, whatever the mark.
    """
    trace, answer = split_reasoning(text)
    opened = next((marks for marks in MARKS if text.lstrip().startswith(marks.opening)), None)
    if opened is None:
        return trace, answer
    if trace is None and opened.closing not in text:
        return text.lstrip().removeprefix(opened.opening).strip(), ""
    traces = [trace or ""]
    for _ in range(LOOKED_AT):  # models that think again between the parts of their answer
        at = answer.find(opened.opening)
        if at < 0 or trace is None or not ENDED.search(answer, 0, at):
            break
        more, rest = split_reasoning(answer[at:])
        if more is None:
            break
        traces.append(more)
        answer = f"{answer[:at].rstrip()}\n{rest}".strip()
    return join_traces(traces), answer
