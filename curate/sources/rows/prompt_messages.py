"""Take a row's prompt out of it: a conversation, or a text with its context, its earlier rounds and a system text."""

from string import ascii_uppercase
from typing import Any

from curate.sources.rows import layout_names as names
from curate.sources.rows.recorded_candidates import Candidate, read_filled_text, read_text
from curate.sources.rows.row_keys import normal
from curate.sources.rows.row_layout import Layout
from curate.sources.rows.transcripts import is_transcript, read_transcript
from curate.sources.rows.turn_lists import turns_of
from schemas.errors import BadRow, kind_of, short_repr
from schemas.json_text import blank, dump
from schemas.messages import Message, read_messages, role_of, same_message, trailing_assistant_count

Choice = tuple[str, str]  # the letter and the text of a choice


def take_prompt(rest: dict[str, Any], layout: Layout, choices: list[Choice]) -> list[Message]:
    """Take the prompt's messages out of the row, with the rounds before it and the texts that belong to it.

    Args:
        rest: The row.
        layout: Its layout.
        choices: The choices of the question, which are put below it.
    """
    key = layout.prompt
    if key is None:
        return []
    value = rest[key] if key in layout.keys else rest.pop(key)
    if layout.turns:
        return _conversation(value, key, layout.answers)
    if isinstance(value, dict):
        inner = next((value[name] for name in ("text", "full_text", "content", "prompt") if name in value), None)
        if not isinstance(inner, str):
            raise BadRow(f"{key!r} is a mapping; expected text or a list of messages")
        rest[key] = {name: one for name, one in value.items() if one is not inner}
        value = inner
    text = read_filled_text(value, key)
    before = _history(rest.pop(layout.history), layout.history) if layout.history else []
    if not before and is_transcript(text):
        before = read_transcript(text, key)
        text = before.pop()["content"] if before[-1]["role"] == "user" else ""
    for name in layout.contexts:
        context = _context(rest.pop(name), name)
        if not blank(context) and context not in text and normal(context) not in names.BLANKS:
            text = f"{text}\n\n{context}" if text else context
    if choices:
        text = "\n".join([f"{text}\n", *(f"{letter}. {choice}" for letter, choice in choices)])
    return [*before, {"role": "user", "content": text}] if text else before


def _conversation(value: Any, key: str, answers: str) -> list[Message]:
    """Return the messages of a conversation; beside numbered answers a list of texts is the user's (Chatbot Arena)."""
    if normal(key) in names.PROMPTS and not isinstance(value, list | dict):
        raise BadRow(f"{key!r} is {kind_of(value)}; expected text or a list of messages")
    if answers == "numbered" and isinstance(value, list) and all(isinstance(turn, str) for turn in value):
        return [{"role": "user", "content": read_filled_text(turn, key)} for turn in value]
    return read_messages(turns_of(value, key), key)


def read_choices(value: Any) -> list[Choice]:
    """Return the choices of a question, each with its letter; none where the value is nothing of the kind.

    Args:
        value: A list of texts or numbers, ``{"text": [...], "label": [...]}``, or ``{"A": ..., "B": ...}``.
    """
    if isinstance(value, dict) and isinstance(value.get("text"), list):
        texts, labels = value["text"], value.get("label")
    elif isinstance(value, dict):
        texts, labels = list(value.values()), list(value)
    else:
        texts, labels = value, None
    plain = isinstance(texts, list) and all(isinstance(text, str | int | float) for text in texts)
    if not plain or not 0 < len(texts) <= len(ascii_uppercase):
        return []
    if not isinstance(labels, list) or len(labels) != len(texts):
        labels = list(ascii_uppercase[: len(texts)])
    return [(str(label), str(text)) for label, text in zip(labels, texts, strict=True)]


def _context(value: Any, key: str) -> str:
    """Return the text that belongs to a prompt; several texts are paragraphs of it, another value is JSON text."""
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        value = "\n\n".join(value)
    return read_text(value, key) if isinstance(value, str) else dump(value, key)


def _history(value: list, key: str) -> list[Message]:
    """Return earlier rounds: messages, or ``[[question, answer], ...]``."""
    if all(isinstance(turn, dict) for turn in value) or all(isinstance(turn, str) for turn in value):
        return read_messages(turns_of(value, key), key)
    messages: list[Message] = []
    for index, pair in enumerate(value):
        if not isinstance(pair, list) or len(pair) != 2:
            raise BadRow(f"{key}[{index}] is {short_repr(pair)}; expected [question, answer]")
        question, reply = (read_filled_text(text, f"{key}[{index}]") for text in pair)
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
    return messages


def without_blank_system(messages: list[Message]) -> list[Message]:
    """Return the messages without a system turn at the start that has no text."""
    hollow = messages and messages[0]["role"] == "system" and len(messages[0]) == 2 and blank(messages[0]["content"])
    return messages[1:] if hollow else messages


def with_system(system: Any, messages: list[Message]) -> list[Message] | None:
    """Return the messages with ``system`` as a system message first, unless they begin with it already.

    ``None`` where they begin with another system message, which is theirs.
    """
    given = system if _is_message(system) else {"role": "system", "content": system}
    if role_of(given) not in ("system", "developer"):
        given = {**given, "role": "system"}  # Gemini's may be the user's
    (message,) = read_messages([given], "system")
    if blank(message["content"]) or normal(message["content"]) in names.BLANKS:
        return messages
    if not messages or messages[0]["role"] != "system":
        return [message, *messages]
    return messages if same_message(messages[0], message) else None


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and "role" in value


def check_prompt(messages: list[Message], candidates: list[Candidate], key: str) -> None:
    """Raise ``BadRow`` where the prompt has no user message or ends with an assistant's."""
    if messages and messages[-1]["role"] == "user":
        return
    if trailing_assistant_count(messages) == len(messages):
        raise BadRow(f"{key!r} has only assistant turns; expected a user turn before them")
    if not any(message["role"] == "user" for message in messages):
        raise BadRow(f"{key!r} has no user turn; expected at least one")
    if messages[-1]["role"] == "assistant":
        raise BadRow(
            f"{key!r} ends with an assistant turn although the row has {len(candidates)} recorded answers; "
            "remove the turn, or the answers"
        )
