"""The answer that a scorer, a judge or a reader of tool calls looks at: a model's text without any of its traces.

``schemas.reasoning.split_reasoning`` takes off the trace that a text begins with, and in doubt leaves a text whole, as
what it leaves is learnt. Here a trace must not count as an answer, so more is taken off: traces behind the first words
or between the parts of the answer, a trace that any mark opens and nothing closes, the marks of further models.
"""

import re

from schemas.reasoning import LOOKED_AT, MARKS, REPLY_STARTS, TRACE_SIGNS, join_traces, split_reasoning
from schemas.trace_mentions import ends_trace, is_mentioned

# Marks of single models and prompts, beside those of ``MARKS``.
MORE_MARKS = (
    ("<start_working_out>", "<end_working_out>"),  # Unsloth's GRPO notebooks
    ("<longcat_think>", "</longcat_think>"),
    ("<mm:think>", "</mm:think>"),
    ("<unused94>thought", "<unused95>"),  # MedGemma
    ("<scratchpad>", "</scratchpad>"),
    ("<reflection>", "</reflection>"),
    ("<thoughts>", "</thoughts>"),
)
CLOSING = {marks.opening.lower(): marks.closing for marks in MARKS} | dict(MORE_MARKS)
SIGNS = [*TRACE_SIGNS, *(mark for pair in MORE_MARKS for mark in pair), "analysis"]
OPENED = re.compile("|".join(map(re.escape, CLOSING)), re.IGNORECASE)
ENDED = re.compile("|".join(map(re.escape, CLOSING.values())), re.IGNORECASE)
STARTS = re.compile(rf"\s*(?:(?:{'|'.join(map(re.escape, REPLY_STARTS))})\s*)+")
SENTENCE_ENDS = (*".!?…。！？}>)", "\n")
BARE_ANALYSIS = re.compile(r"analysis(?=[A-Z])")  # gpt-oss decoded without its special tokens


def answer_of(text: str) -> tuple[str | None, str]:
    """Return the traces of a model's text, joined (None if there is none), and its answer.

    A text whose last trace is never closed has no answer: it is empty.
    """
    trace, answer = split_reasoning(text)
    answer = STARTS.sub("", answer, count=1) if STARTS.match(answer) else answer
    if trace is None and BARE_ANALYSIS.match(text):
        return text, ""
    traces = [] if trace is None else [trace]
    if trace is None and (end := _end_of_unopened(answer)):
        traces.append(answer[: end[0]].strip())
        answer = answer[end[1] :].lstrip()
    start = 0
    for _ in range(LOOKED_AT):
        opened = OPENED.search(answer, start)
        if opened is None:
            break
        start = opened.end()
        if not _begins_trace(answer, opened.start(), opened.end()):
            continue
        closing = CLOSING[opened[0].lower()]
        closed = re.compile(re.escape(closing), re.IGNORECASE).search(answer, opened.end())
        if closed is None:
            return join_traces([*traces, answer[opened.end() :].strip()]) or "", ""
        before, after = answer[: opened.start()].rstrip(), answer[closed.end() :].lstrip()
        before = "" if after and not traces else before  # "Okay.", before the first trace
        traces.append(answer[opened.end() : closed.start()].strip())
        answer, start = f"{before}\n{after}".strip(), len(before)
    return join_traces(traces), answer


def _begins_trace(text: str, at: int, end: int) -> bool:
    """Return whether an opening mark stands where a trace may begin: first, on a new line or behind a sentence."""
    before = text[:at].rstrip(" \t")
    if before.endswith("```") or before.count("```") % 2:
        return False  # in code
    return (not before or before.endswith(SENTENCE_ENDS)) and not is_mentioned(text, 0, at, end)


def _end_of_unopened(text: str) -> tuple[int, int] | None:
    """Return the span of a closing mark whose opening mark stood in the prompt, or None."""
    closed = ENDED.search(text)
    if closed is None or OPENED.search(text, 0, closed.start()) or not text[closed.end() :].strip():
        return None
    return closed.span() if ends_trace(text, 0, *closed.span()) else None
