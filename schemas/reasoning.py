"""Split a model's text into its reasoning trace and its answer, for recorded and for generated replies.

A trace stands at the start of the text, between the marks of ``MARKS`` (where a chat template opens the trace, only the
closing mark is in the text), or in the channels of gpt-oss (harmony). A mark that an answer only mentions splits
nothing: one behind other text, in quotes, in code, or in the middle of a sentence.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple


class Marks(NamedTuple):
    """The marks around a trace; ``by_template`` is whether chat templates write the opening one into the prompt."""

    opening: str
    closing: str
    by_template: bool = False


MARKS = (
    Marks("<think>", "</think>", by_template=True),  # DeepSeek-R1, Qwen, GLM, MiniMax, Nemotron, ...
    Marks("<thinking>", "</thinking>"),  # Claude's prompts, Reflection
    Marks("<thought>", "</thought>", by_template=True),  # EXAONE Deep, Marco-o1
    Marks("<reasoning>", "</reasoning>"),  # GRPO on GSM8K: <reasoning>, then <answer>
    Marks("<seed:think>", "</seed:think>", by_template=True),  # Seed-OSS
    Marks("[THINK]", "[/THINK]"),  # Magistral
    Marks("<|begin_of_thought|>", "<|end_of_thought|>"),  # Sky-T1, Bespoke-Stratos, OpenThoughts
    Marks("<|START_THINKING|>", "<|END_THINKING|>", by_template=True),  # Command A Reasoning
    Marks("<|channel>thought", "<channel|>"),  # Gemma
    Marks("◁think▷", "◁/think▷", by_template=True),  # Kimi-VL
)
ANSWER_MARKS = (
    ("<|begin_of_solution|>", "<|end_of_solution|>"),
    ("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
)  # around the answer behind a trace
LOOKED_AT = 100  # closing marks of a text that are looked at: each look takes time in proportion to the text
_OPENED = re.compile(rf"\s*({'|'.join(re.escape(m.opening) for m in MARKS)})(?:\s*\1)*", re.IGNORECASE)
_BY_OPENING = {marks.opening.lower(): marks for marks in MARKS}
_CLOSING = {marks: re.compile(re.escape(marks.closing), re.IGNORECASE) for marks in MARKS}
_TEMPLATE_MARKS = [marks for marks in MARKS if marks.by_template]
_QUOTES = {("`", "`"), ('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("«", "»"), ("「", "」"), ("*", "*"), ("(", ")")}
_PUNCTUATION = tuple(",.;:!?)")

# A message of gpt-oss: <|start|>assistant<|channel|>final<|message|>text<|return|>. The recipient of a tool call
# stands before or behind the channel.
_HARMONY_STARTS = ("<|channel|>", "<|start|>assistant")
_HARMONY = re.compile(
    r"(?:<\|start\|>assistant(?P<to>[^<]*))?<\|channel\|>(?P<channel>\w+)(?P<more>[^<]*(?:<\|constrain\|>[^<]*)?)"
    r"<\|message\|>(?P<text>.*?)(?:<\|(?:end|return|call)\|>|(?=<\|start\|>|<\|channel\|>)|\Z)",
    re.DOTALL,
)
# The same text decoded without its special tokens.
_BARE_ANALYSIS, _BARE_FINAL = "analysis", "assistantfinal"


def split_reasoning(text: str) -> tuple[str | None, str]:
    """Return the trace of a model's text (``None`` if there is none) and the answer.

    A trace that was cut before its end has no answer: the answer is empty.
    """
    if "<" not in text and "[" not in text and "◁" not in text and not text.startswith(_BARE_ANALYSIS):
        return None, text  # nearly every text
    opened = _OPENED.match(text)
    if opened:
        start = opened.end()
        end = _end_of_trace(text, start, _BY_OPENING[opened[1].lower()])
    elif text.lstrip().startswith(_HARMONY_STARTS):
        return _split_harmony(text)
    elif text.startswith(_BARE_ANALYSIS) and _BARE_FINAL in text:
        trace, _, answer = text.removeprefix(_BARE_ANALYSIS).partition(_BARE_FINAL)
        return trace.strip() or None, answer.lstrip()
    else:
        start, end = 0, _end_of_unopened_trace(text)
        if end is None:
            return None, text
    if end is None:
        return text[start:].strip() or None, ""
    return text[start : end[0]].strip() or None, _bare_answer(text[end[1] :].lstrip())


def opening_mark(prompt: str) -> str:
    """Return the mark by which a rendered prompt opens a trace at its end, or an empty text."""
    end = prompt.rstrip()
    return next((marks.opening for marks in _TEMPLATE_MARKS if end.endswith(marks.opening)), "")


def join_traces(traces: list[str]) -> str | None:
    """Return the traces of one reply as one, with a blank line between them; ``None`` where there is none.

    A trace that another one holds word for word is left out.
    """
    kept: list[str] = []
    for trace in traces:
        bare = trace.strip()
        if bare and not any(bare in other for other in kept):
            kept = [*(other for other in kept if other.strip() not in bare), trace]
    return "\n\n".join(kept) if kept else None


def _end_of_trace(text: str, start: int, marks: Marks) -> tuple[int, int] | None:
    """Return the span of the closing mark of a trace that was opened: the first that is not quoted, else the first."""
    first = None
    for span in islice(_closings(text, start, marks), LOOKED_AT):
        if not _is_quoted(text, *span):
            return span
        first = first or span
    return first


def _end_of_unopened_trace(text: str) -> tuple[int, int] | None:
    """Return the span of the closing mark of a trace that the prompt opened, or ``None``.

    A text that has the opening mark too only mentions both.
    """
    for marks in _TEMPLATE_MARKS:
        if marks.closing in text and marks.opening not in text:
            for span in islice(_closings(text, 0, marks), LOOKED_AT):
                if not _is_mentioned(text, *span):
                    return span
    return None


def _closings(text: str, start: int, marks: Marks) -> Iterator[tuple[int, int]]:
    """Yield where the closing mark stands; in letters of any case where it does not occur as it is written."""
    at = text.find(marks.closing, start)
    if at < 0:
        yield from (found.span() for found in _CLOSING[marks].finditer(text, start))
    while at >= 0:
        end = at + len(marks.closing)
        yield at, end
        at = text.find(marks.closing, end)


def _is_mentioned(text: str, start: int, end: int) -> bool:
    """Return whether a mark is quoted, or a word of a sentence ("write </think> after the trace")."""
    before, after = text[max(start - 2, 0) : start], text[end : end + 2]
    goes_on = after[:1] == " " and after[1:].isalpha() and not after[1:].isupper()
    is_word = before[1:] == " " and before[0].isalnum() and (goes_on or after.startswith(_PUNCTUATION))
    return is_word or _is_quoted(text, start, end)


def _is_quoted(text: str, start: int, end: int) -> bool:
    """Return whether a mark stands between quotes or in code."""
    if (text[start - 1 : start], text[end : end + 1]) in _QUOTES:
        return True
    if "`" not in text:
        return False
    line = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    in_line = text.count("`", line, start) % 2 == 1 and "`" in text[end : line_end if line_end >= 0 else len(text)]
    in_block = text.count("```", 0, start) % 2 == 1 and text.count("```", end) % 2 == 1
    return in_line or in_block


def _bare_answer(answer: str) -> str:
    """Return an answer without the marks around it."""
    for opening, closing in ANSWER_MARKS:
        if answer.startswith(opening):
            return answer.removeprefix(opening).rstrip().removesuffix(closing).strip()
    return answer


def _split_harmony(text: str) -> tuple[str | None, str]:
    """Return the trace and the answer of gpt-oss's channels.

    ``analysis`` is the trace; ``final``, and ``commentary`` that is not a tool call, the answer. What else there is
    (tool calls, text in no channel) stays in the answer as it is.
    """
    traces, answers = [], []
    for channel, part in _harmony_parts(text):
        (traces if channel == "analysis" else answers).append(part)
    return join_traces(traces), "\n\n".join(answers)


def _harmony_parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield each part of a text as its channel (empty where it is kept as it is) and its text; blank ones are not."""
    end = 0
    parts = []
    for found in _HARMONY.finditer(text):
        parts.append(("", text[end : found.start()]))
        is_call = found["channel"] != "analysis" and " to=" in f"{found['to'] or ''}{found['more']}"
        parts.append(("", found[0]) if is_call else (found["channel"], found["text"]))
        end = found.end()
    for channel, part in [*parts, ("", text[end:])]:
        if part.strip():
            yield channel, part.strip()
