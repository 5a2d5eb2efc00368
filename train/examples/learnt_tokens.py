"""Finds the tokens of a conversation that a model learns: those that it would have to write itself, turn by turn.

A chat template is a program that prints a conversation; it does not say which part of its text an assistant's turn
wrote. Templates are therefore asked twice for each turn that is to be learnt: for the history with the generation
prompt, which is the text that the model sees before it answers, and for the history with the turn. The text by which
the second is longer is the turn: its reasoning trace, its content, its tool calls and the mark that ends it, as far as
the template prints them. Role headers, tool results and all other turns are context.

Most templates print a longer conversation by adding to a shorter one. Then one sequence of tokens holds all turns. Some
print earlier turns otherwise once another follows: Qwen3 drops the trace of an earlier turn, Mistral moves the tools to
the last user turn. There a turn is learnt in a sequence that ends with it, as the model will see it. Where even the
history differs once it is answered (Mistral prints the system text before a question only), the answer's text is put
behind the history as it stands before the answer.

This needs no markers in the template (``{% generation %}``), so it works with any that transformers can render.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from os.path import commonprefix
from typing import Any, NamedTuple

from curate.models.chat.chat import Chat
from curate.models.chat.chat_template import ChatTemplate, TemplateRefused

PLACEHOLDER = "gristmill-marks-the-place-of-this-answer"


class Turn(NamedTuple):
    """An assistant's turn in a rendered conversation.

    Attributes:
        index: The number of its message.
        text: The conversation up to the end of the turn, as the template prints it when nothing follows.
        start: Where in the text the model begins to write.
    """

    index: int
    text: str
    start: int


class Part(NamedTuple):
    """A part of a rendered text: the message that it belongs to, and where it begins and ends, in characters."""

    message: int
    start: int
    end: int


class Rendered(NamedTuple):
    """A rendered text.

    Attributes:
        text: The text.
        learnt: The parts of it that are learnt, as (start, end), sorted and apart from each other.
        turns: The assistant's turns that are learnt in it.
    """

    text: str
    learnt: list[tuple[int, int]]
    turns: list[Part]


@dataclass(frozen=True)
class TokenSequence:
    """A sequence of tokens to train on.

    Attributes:
        text: The text.
        ids: The ids of its tokens.
        offsets: Where each token begins and ends in the text.
        learnt: Whether each token enters the loss.
        turns: The assistant's turns that are learnt in it.
    """

    text: str
    ids: list[int]
    offsets: list[tuple[int, int]]
    learnt: list[bool]
    turns: list[Part]

    def part(self, kept: slice) -> "TokenSequence":
        """Return the sequence with some of its tokens only, and the turns that they belong to."""
        if len(self.ids[kept]) == len(self.ids):
            return self
        offsets = self.offsets[kept]
        first, last = (offsets[0][0], offsets[-1][1]) if offsets else (0, 0)
        turns = [turn for turn in self.turns if turn.start < last and turn.end > first]
        return TokenSequence(self.text, self.ids[kept], offsets, self.learnt[kept], turns)


def render_learnt(
    template: ChatTemplate, messages: Sequence[dict[str, Any]], tools: list | None, turns: Sequence[int]
) -> list[Rendered]:
    """Render a conversation, and find what is learnt of it.

    Args:
        template: The chat template.
        messages: The messages, fitted to the template (``curate.models.chat.fit_messages``).
        tools: The descriptions of the tools, or None.
        turns: The numbers of the assistant's messages that are learnt, in order.

    Returns:
        As few texts as hold each turn just as the template prints it when the model is to write it, in order. A text
        ends with a turn that is learnt.

    Raises:
        TemplateRefused: The template can't print the conversation.
    """
    left = [_render_turn(template, messages, tools, index) for index in turns]
    rendered = []
    while left:
        text = left[-1].text
        parts = [Part(turn.index, turn.start, len(turn.text)) for turn in left if text.startswith(turn.text)]
        left = [turn for turn in left if not text.startswith(turn.text)]
        rendered.append(Rendered(text, [(part.start, part.end) for part in parts], parts))
    return rendered[::-1]


def render_answer(
    template: ChatTemplate, messages: Sequence[dict[str, Any]], tools: list | None, turns: Sequence[int]
) -> Rendered:
    """Render a conversation as one text, and find its turns in it, even where each alone would be printed otherwise.

    An answer of a pair is one sequence: where the template prints an earlier turn of it otherwise once another follows,
    that turn counts as it stands there. A turn that is not there at all (an empty trace alone) is not in ``turns``.

    Args:
        template: The chat template.
        messages: The messages, fitted to the template.
        tools: The descriptions of the tools, or None.
        turns: The numbers of the assistant's messages that count, in order.

    Raises:
        TemplateRefused: The template can't print the conversation.
    """
    whole = messages[: turns[-1] + 1]
    last = _render_turn(template, whole, tools, turns[-1])
    places = [(index, *_place_in(last.text, template, whole, tools, index)) for index in turns[:-1]]
    parts = [Part(index, start, end) for index, start, end in places if end > start]
    parts.append(Part(last.index, last.start, len(last.text)))
    return Rendered(last.text, [(part.start, part.end) for part in parts], parts)


def render_all(
    template: ChatTemplate, messages: Sequence[dict[str, Any]], tools: list | None, turns: Sequence[int]
) -> Rendered:
    """Render a conversation of which everything is learnt, the user's turns too, but not the assistant's other turns.

    Args:
        template: The chat template.
        messages: The messages, fitted to the template.
        tools: The descriptions of the tools, or None.
        turns: The numbers of the assistant's messages that are learnt, in order.

    Raises:
        TemplateRefused: The template can't print the conversation.
    """
    text = template.render(messages, tools)
    learnt, parts, done = [], [], 0
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        start, end = _place_in(text, template, messages, tools, index)
        if index in turns:
            parts.append(Part(index, start, end))
        elif end > start:
            learnt.append((done, start))
            done = end
    spans = [(start, end) for start, end in [*learnt, (done, len(text))] if end > start]
    return Rendered(text, spans, parts)


def token_sequences(chat: Chat, texts: Sequence[Rendered]) -> list[TokenSequence]:
    """Tokenise rendered texts; a token is learnt if some of its characters are.

    A token may begin before a turn does, where the end of the header and the beginning of the answer are one token: the
    model has to write it.
    """
    encodings = chat.tokenizer.encode_batch([one.text for one in texts], add_special_tokens=False)
    return [
        TokenSequence(one.text, encoding.ids, encoding.offsets, _flags(encoding.offsets, one.learnt), one.turns)
        for one, encoding in zip(texts, encodings, strict=True)
    ]


def _place_in(
    text: str, template: ChatTemplate, messages: Sequence[dict[str, Any]], tools: list | None, index: int
) -> tuple[int, int]:
    """Return where an assistant's message stands in the text of the whole conversation."""
    turn = _render_turn(template, messages, tools, index)
    if text.startswith(turn.text):
        return turn.start, len(turn.text)
    # The template prints the turn otherwise where others follow: it stands where a text in its place would stand.
    empty = {"role": "assistant", "content": PLACEHOLDER}
    other = template.render([*messages[:index], empty, *messages[index + 1 :]], tools)
    header, _, rest = other.partition(PLACEHOLDER)
    start = len(commonprefix([header, text]))
    end = max(start, len(text) - len(commonprefix([rest[::-1], text[::-1]])))
    mark = template.render([*messages[:index], empty], tools).partition(PLACEHOLDER)[2]
    return start, end + len(mark) * text.startswith(mark, end)


def _render_turn(template: ChatTemplate, messages: Sequence[dict[str, Any]], tools: list | None, index: int) -> Turn:
    """Render the conversation up to an assistant's message, and find where the model begins to write it."""
    text = template.render(messages[: index + 1], tools)
    try:  # no model is asked for a greeting, so nothing comes before one
        before = template.render(messages[:index], tools, add_generation_prompt=True) if index else ""
    except TemplateRefused:  # a template may ask for a user's turn first
        before = ""
    opening = _opening(template)
    continues = before and text.startswith(before)
    if continues and (opening is None or before.endswith(opening.role)):
        return Turn(index, text, len(before))
    try:
        empty = {"role": "assistant", "content": PLACEHOLDER}
        header = template.render([*messages[:index], empty], tools).partition(PLACEHOLDER)[0]
    except TemplateRefused:
        return Turn(index, text, len(commonprefix([before, text])))
    if continues:  # some templates print no generation prompt behind an assistant's turn, but the role's header
        is_longer = header.startswith(before) and text.startswith(header)
        is_header = is_longer and opening is not None and opening.role.endswith(header[len(before) :])
        return Turn(index, text, len(header) if is_header else len(before))
    return _without_prompt(index, text, before, header, opening)


def _without_prompt(index: int, text: str, before: str, header: str, opening: "Opening | None") -> Turn:
    """Find where an answer begins whose text does not go on from the prompt that the model sees.

    The generation prompt holds more than the role's header (QwQ's ends in <think>), or the template prints the history
    otherwise once the answer follows (gpt-oss drops a trace), or nothing comes before the answer.

    Args:
        index: The number of the message.
        text: The conversation up to the end of the message.
        before: The history with the generation prompt.
        header: The conversation up to where the text of another answer stands.
        opening: How the template begins an answer, if that is known.

    Raises:
        TemplateRefused: The template prints the answer behind no header of the assistant's.
    """
    start = len(commonprefix([header, text]))
    if opening is None:
        return Turn(index, text, start)
    role, rest, prompted = opening
    if rest and prompted and before and header.endswith(role + rest) and text.startswith(header):
        return Turn(index, before + text[len(header) :], len(before))
    if role.strip() and role not in header and not commonprefix([role[::-1], header[::-1]]).strip():
        raise TemplateRefused(f"it does not print message {index + 1} as the assistant's")
    end = next((len(header) - len(tail) for tail in (rest, "") if header.endswith(role + tail)), None)
    if end is None or not text.startswith(header[:end]):
        return Turn(index, text, start)
    if before and before.endswith(role):  # what the model sees, and what it has to write then
        return Turn(index, before + text[end:], len(before))
    return Turn(index, text, end)


class Opening(NamedTuple):
    """How a template begins an answer.

    Attributes:
        role: The header of the assistant's turn, as far as the generation prompt has it too.
        rest: What is printed between that and the answer's text: gpt-oss's channel, Qwen3's empty trace.
        prompted: What the generation prompt has in place of that: QwQ's ``<think>``, or another name of the role.
    """

    role: str
    rest: str
    prompted: str


@lru_cache(maxsize=64)
def _opening(template: ChatTemplate) -> Opening | None:
    """Return how a template begins an answer to a question; None where it can't print those."""
    asked = [{"role": "user", "content": "A question."}]
    try:
        history, before = template.render(asked), template.render(asked, add_generation_prompt=True)
        header = template.render([*asked, {"role": "assistant", "content": PLACEHOLDER}]).partition(PLACEHOLDER)[0]
    except TemplateRefused:
        return None
    start, end = len(commonprefix([history, before, header])), len(commonprefix([before, header]))
    return Opening(header[start:end], header[end:], before[end:])


def _flags(offsets: Sequence[tuple[int, int]], learnt: Sequence[tuple[int, int]]) -> list[bool]:
    """Return for each token whether it lies in one of the parts (sorted, apart from each other) that are learnt."""
    flags, parts = [], iter(learnt)
    start, end = next(parts, (0, 0))
    for first, last in offsets:
        while first >= end > 0:
            start, end = next(parts, (0, 0))
        flags.append(first < end and (last > start or first == last >= start))
    return flags
