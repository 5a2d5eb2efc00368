"""Split a model's text into its reasoning trace and its answer, for recorded and for generated replies.

A trace stands at the start of the text, between the marks of ``MARKS`` (where a chat template opens the trace, only the
closing mark is in the text), or in the channels of gpt-oss (harmony). A mark that an answer only mentions splits
nothing: ``schemas.trace_mentions`` tells mentions. In doubt a text without an opening mark stays whole.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from schemas.trace_mentions import ends_trace, goes_on, goes_on_small, has_words, is_in_words, is_mentioned


class Marks(NamedTuple):
    """The marks around a trace.

    ``by_template`` is whether chat templates write the opening one into the prompt. ``cut`` is whether a text that has
    only the opening one is a trace that was cut; a word in brackets that is a common tag elsewhere proves nothing.
    """

    opening: str
    closing: str
    by_template: bool = False
    cut: bool = True


MARKS = (
    Marks("<think>", "</think>", by_template=True),  # DeepSeek-R1, Qwen, GLM, MiniMax, Nemotron, ...
    Marks("<thinking>", "</thinking>", cut=False),  # Claude's prompts, Reflection
    Marks("<thought>", "</thought>", by_template=True),  # EXAONE Deep, Marco-o1
    Marks("<reasoning>", "</reasoning>", cut=False),  # GRPO on GSM8K: <reasoning>, then <answer>
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
# Values of a key such as ``reasoning`` that switch reasoning on or off, or set its effort: no trace.
REASONING_FLAGS = (
    "on", "off", "yes", "no", "true", "false", "high", "medium", "low", "none", "minimal", "auto", "enabled",
    "disabled", "default", "think", "no_think", "hidden",
)  # fmt: skip
LOOKED_AT = 100  # marks of a text that are looked at: each look takes time in proportion to the text
# What a chat template or a tokenizer writes before a reply.
REPLY_STARTS = (
    "\ufeff", "<s>", "<bos>", "<|begin_of_text|>", "<｜begin▁of▁sentence｜>", "<｜Assistant｜>", "<|assistant|>",
    "<|im_start|>assistant", "<|start_header_id|>assistant<|end_header_id|>", "<start_of_turn>model", "[|assistant|]",
)  # fmt: skip
_OPENED = re.compile(
    rf"(?P<before>\s*(?:(?:{'|'.join(map(re.escape, REPLY_STARTS))})\s*)*)"
    rf"(?P<mark>(?a:{'|'.join(re.escape(m.opening) for m in MARKS)}))(?:\s*(?P=mark))*",  # a: an ı is no i
    re.IGNORECASE,
)
_BY_OPENING = {marks.opening.lower(): marks for marks in MARKS}
_CLOSING = {marks: re.compile(re.escape(marks.closing), re.IGNORECASE | re.ASCII) for marks in MARKS}
_TEMPLATE_MARKS = [marks for marks in MARKS if marks.by_template]

# A message of gpt-oss: <|start|>assistant<|channel|>final<|message|>text<|return|>. The recipient of a tool call
# stands before or behind the channel. A message ends at a terminator that is followed by the next header or by nothing;
# another one is a mention. Where the terminator is missing, a whole header ends a message that is not the final one.
_HARMONY_STARTS = ("<|channel|>", "<|start|>assistant")
_HEADER = (
    r"(?:<\|start\|>assistant(?P<to>[^<]{0,200}))?<\|channel\|>(?P<channel>(?P<final>final\b)|\w+)"
    r"(?P<more>[^<]{0,200}(?:<\|constrain\|>[^<]{0,200})?)<\|message\|>"
)
_NEXT_HEADER = re.sub(r"[?]P<\w+>", "?:", _HEADER)
_HARMONY = re.compile(
    rf"{_HEADER}(?P<text>.*?)(?:<\|(?:end|return|call)\|>(?=\s*(?:<\|(?:start|channel|end|return|endoftext)\|>|\Z))"
    rf"|(?(final)(?!)|(?={_NEXT_HEADER}))|\Z)",
    re.DOTALL,
)
# The same text decoded without its special tokens.
_BARE_ANALYSIS, _BARE_FINAL = "analysis", "assistantfinal"
# A text with a trace holds one of these, in letters of any case.
TRACE_SIGNS = [*{mark for m in MARKS for mark in (m.opening, m.closing)}, *_HARMONY_STARTS, _BARE_FINAL]


def split_reasoning(text: str) -> tuple[str | None, str]:
    """Return the trace of a model's text (``None`` if there is none) and the answer.

    A trace that was cut before its end has no answer: the answer is empty. Traces that follow each other are one. What
    a chat template writes before a reply (``<|im_start|>assistant``) stays before the answer.
    """
    if "<" not in text and "[" not in text and "◁" not in text and not text.startswith(_BARE_ANALYSIS):
        return None, text  # nearly every text
    opened = _OPENED.match(text)
    if opened:
        return _split_opened(text, opened)
    if text.lstrip().startswith(_HARMONY_STARTS):
        return _split_harmony(text)
    if text.startswith(_BARE_ANALYSIS) and _BARE_FINAL in text:
        trace, _, answer = text.removeprefix(_BARE_ANALYSIS).partition(_BARE_FINAL)
        return trace.strip() or None, answer.lstrip()
    end = _end_of_unopened_trace(text)
    if end is None:
        return None, text
    return text[: end[0]].strip() or None, _bare_answer(text[end[1] :].lstrip())


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


def says_again(text: str, trace: str) -> bool:
    """Return whether a text is the trace that was given beside it, or begins with its lines (SWE-agent's ``thought``).

    Such a trace is no other text than the answer, and would be learnt twice.
    """
    bare, text = trace.strip(), text.strip()
    return bool(bare) and text.startswith(bare) and (len(text) == len(bare) or text[len(bare)] == "\n")


def _split_opened(text: str, opened: re.Match[str]) -> tuple[str | None, str]:
    """Return the trace and the answer of a text that begins with an opening mark, which may be a mention."""
    marks = _BY_OPENING[opened["mark"].lower()]
    is_exact = opened["mark"] == marks.opening
    end = _end_of_trace(text, opened.end(), marks, is_exact=is_exact)
    if end is None:
        return None, text
    traces = [text[opened.end() : end[0]].strip()]
    while len(traces) < LOOKED_AT and marks.opening in text[end[1] : end[1] + 100]:
        again = _OPENED.match(text, end[1])
        if again is None or again["mark"] != marks.opening or again["before"].strip():
            break
        found = _end_of_trace(text, again.end(), marks, is_exact=True, is_first=False)
        if found is None:
            break  # the answer begins with a mention
        traces.append(text[again.end() : found[0]].strip())
        end = found
    before = opened["before"].replace("\ufeff", "").lstrip()
    trace, answer = "\n\n".join(filter(None, traces)), _bare_answer(text[end[1] :].lstrip())
    if before and answer:
        answer = f"{before}{answer}"
    elif before:
        trace = f"{before}{trace}"
    return trace or None, answer


def _end_of_trace(
    text: str, start: int, marks: Marks, *, is_exact: bool, is_first: bool = True
) -> tuple[int, int] | None:
    """Return the span of the closing mark of a trace that was opened; ``None`` where the opening mark is a mention.

    The closing mark is the first that stands as one that ends a trace does, else the first that is no mention, else the
    first. A trace that was cut ends at the end of the text.

    Args:
        text: The whole text.
        start: Where the trace starts.
        marks: The marks around it.
        is_exact: Whether the opening mark has the letters of ``marks``, and not only in another case.
        is_first: Whether no trace stands before; behind one, an opening mark may be the answer's first word.
    """
    unclear = mention = None
    for span in islice(_closings(text, start, marks), LOOKED_AT):
        if ends_trace(text, start, *span):
            return span
        if unclear is None and not is_mentioned(text, start, *span):
            if text[span[1] : span[1] + 1] in ("", "\n") and not goes_on_small(text, span[1]):
                return span
            unclear = span
        mention = mention or span
    if unclear:
        return unclear
    names_itself = goes_on(text, start)
    if mention is None:
        return (len(text), len(text)) if is_exact and marks.cut and not names_itself else None
    if names_itself or not is_exact or not is_first or (text[start] == " " and goes_on(text, mention[1])):
        return None
    if is_in_words(text, start, mention[0]) and (goes_on(text, mention[1]) or not has_words(text, mention[1])):
        return len(text), len(text)  # the trace was cut behind the mention
    return None if goes_on(text, mention[1]) else mention


def _end_of_unopened_trace(text: str) -> tuple[int, int] | None:
    """Return the span of the closing mark of a trace that the prompt opened, or ``None``.

    A text that has the opening mark too only mentions both. A mark that nothing follows ends a trace only where it is
    on a line of its own or directly behind the trace, and there is one: the answer may be the mark.
    """
    for marks in _TEMPLATE_MARKS:
        if marks.closing in text and marks.opening not in text:
            for span in islice(_closings(text, 0, marks), LOOKED_AT):
                at, end = span
                is_answer = (at == 0 or text[at - 1] in " \t" or text[:at].isspace()) and not text[end:].strip()
                if not is_answer and ends_trace(text, 0, at, end):
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
