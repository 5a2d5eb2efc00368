"""Take the reasoning trace off the responses that scorers read, in one place for every scorer.

A scorer judges the answer, so its parameter ``response`` is the text without its traces (``schemas.answer_text`` says
what a trace is). A trace that was cut before its end has no answer: the response is empty. ``reasoning_content`` is the
column or, where that is null, the trace that stood in the text; ``ground_truth`` is a truth without its trace, as a
worked solution of a reasoning model has one. ``raw_response`` is the response as it was written, for scorers of its
form.
"""

from collections.abc import Mapping

import polars as pl

from schemas.answer_text import OPENED, SIGNS, answer_of

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
            found[name], traces = split_traces(column, only_at_start=name == "ground_truth")
            beside = found.get("reasoning_content")
            if name == "response" and isinstance(beside, pl.Series):
                found["reasoning_content"] = beside.cast(pl.String).zip_with(beside.is_not_null(), traces)
    return found


def split_traces(text: pl.Series, *, only_at_start: bool = False) -> tuple[pl.Series, pl.Series]:
    """Return the answers of texts, and their traces (null where a text has none).

    Args:
        text: The texts.
        only_at_start: Whether only a text that begins with an opening mark has a trace: tests may be about the marks.
    """
    none = pl.Series("reasoning_content", [None], dtype=pl.String).new_from_index(0, len(text))
    rows = text.str.contains_any(SIGNS, ascii_case_insensitive=True).fill_null(False)
    if only_at_start:
        rows &= text.str.contains(rf"(?i)\A\s*(?:{OPENED.pattern})").fill_null(False)
    rows = rows.arg_true()
    split = [answer_of(one) for one in text.gather(rows)]
    if all(trace is None for trace, _ in split):
        return text, none
    traces, answers = zip(*split, strict=True)
    return text.clone().scatter(rows, pl.Series(answers)), none.scatter(rows, pl.Series(traces, dtype=pl.String))
