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
        turn = _render_turn(template, messages, tools, index)
        if index in turns:
            parts.append(Part(index, turn.start, len(turn.text)))
        elif text.startswith(turn.text):
            learnt.append((done, turn.start))
            done = len(turn.text)
    return Rendered(text, [*learnt, (done, len(text))], parts)


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


def _render_turn(template: ChatTemplate, messages: Sequence[dict[str, Any]], tools: list | None, index: int) -> Turn:
    """Render the conversation up to an assistant's message, and find where the model begins to write it."""
    text = template.render(messages[: index + 1], tools)
    try:
        before = template.render(messages[:index], tools, add_generation_prompt=True)
    except TemplateRefused:  # a template may ask for a user's turn first
        before = ""
    if before and text.startswith(before):
        return Turn(index, text, len(before))
    placeholder = {"role": "assistant", "content": PLACEHOLDER}
    header, found, _ = template.render([*messages[:index], placeholder], tools).partition(PLACEHOLDER)
    header = commonprefix([header, text]) if found else ""
    opening = (_opening(before, messages[index - 1]) if index else "") or template.generation_prompt
    if opening in header:
        start = header.rindex(opening) + len(opening)
        return Turn(index, before + text[start:], len(before)) if before else Turn(index, text, start)
    if not any(header.endswith(opening[:count]) for count in range(1, len(opening))):
        raise TemplateRefused(f"it prints no header {opening!r} before the answer in message {index + 1}")
    return Turn(index, text, len(header))


def _opening(before: str, message: dict[str, Any]) -> str:
    """Return what a prompt holds after its last message's text: the mark that ends it and the generation prompt."""
    content = message.get("content")
    _, found, opening = before.rpartition(content.strip()) if isinstance(content, str) else ("", "", "")
    return opening if found else ""


def _flags(offsets: Sequence[tuple[int, int]], learnt: Sequence[tuple[int, int]]) -> list[bool]:
    """Return for each token whether it lies in one of the parts (sorted, apart from each other) that are learnt."""
    flags, parts = [], iter(learnt)
    start, end = next(parts, (0, 0))
    for first, last in offsets:
        while first >= end > 0:
            start, end = next(parts, (0, 0))
        flags.append(first < end and (last > start or first == last >= start))
    return flags
