"""Take the one answer of a row out of it, with its verdicts, its model and its reasoning, and the ground truth."""

from typing import Any

from curate.sources.rows import layout_names as names
from curate.sources.rows.last_turns import cut_behind_answer
from curate.sources.rows.preference_pairs import whole_conversation
from curate.sources.rows.prompt_messages import Choice
from curate.sources.rows.recorded_candidates import (
    RECORDED,
    Candidate,
    add_reasoning,
    continuation,
    number_of,
    read_answer,
    read_candidate,
    read_text,
    take_model,
    take_verdict,
)
from curate.sources.rows.row_keys import normal
from curate.sources.rows.row_layout import Layout
from schemas.json_text import blank, dump
from schemas.messages import Message, trailing_assistant_count
from schemas.reasoning import REASONING_FLAGS


def take_one_answer(
    rest: dict[str, Any], layout: Layout, messages: list[Message], cut: bool
) -> tuple[list[Message], list[Candidate], str]:
    """Take the one answer out of the row, or off the end of its conversation.

    Args:
        rest: The row.
        layout: Its layout.
        messages: The messages of its prompt, which may end with the answer.
        cut: Whether an answer that is messages is cut behind the assistant's last turn.

    Returns:
        The prompt's messages, the candidate (none where there is no answer), and the name of the layout.
    """
    count = trailing_assistant_count(messages)
    if layout.answers == "turns" and 0 < count < len(messages):
        candidate, messages, row_format = Candidate(messages[-count:]), messages[:-count], layout.name
    elif layout.one:
        messages, candidate = _read_answer(rest, layout.one, messages, cut)
        row_format = layout.name if layout.keys else f"{normal(layout.prompt or '')}-{normal(layout.one)}"
    else:
        return messages, [], "prompt" if layout.name == "messages" else layout.name
    if layout.model and candidate.model == RECORDED:
        candidate.model = take_model(rest, layout.model)
    for key, score in layout.scores:
        value = take_verdict(rest, key, score) if key in rest else None
        if value is not None:
            candidate.scores.setdefault(score, value)
    scores = rest.get("scores")
    if isinstance(scores, dict) and all(number_of(value) is not None for value in scores.values()):
        candidate.scores |= {str(name): number_of(value) for name, value in rest.pop("scores").items()}
    if layout.reasoning:
        _take_reasoning(rest, layout.reasoning, candidate)
    return messages, [candidate], row_format


def _read_answer(rest: dict[str, Any], key: str, messages: list[Message], cut: bool) -> tuple[list[Message], Candidate]:
    """Take the answer under a key; return the prompt's messages, as the answer may hold the whole conversation.

    The answer is a text, a number (its text), messages, or a mapping that holds the text.
    """
    value = rest.pop(key)
    if isinstance(value, bool | int | float):
        value = dump(value, key)
    if isinstance(value, str):
        return messages, Candidate(read_answer(value, key))
    if isinstance(value, dict) and "role" not in value and "from" not in value:
        candidate, unread = read_candidate(value, key, cut=cut)
        if unread:
            rest[key] = unread
        return messages, candidate
    answer, behind = cut_behind_answer(read_answer(value, key), cut)
    whole = whole_conversation(messages, answer)
    messages, answer = whole or (messages, continuation(messages, answer, key))
    return messages, Candidate(answer, cut=behind)


def _take_reasoning(rest: dict[str, Any], key: str, candidate: Candidate) -> None:
    """Give the candidate the row's reasoning; a flag such as "on" stays in the row."""
    value, left = rest[key], []
    if isinstance(value, list) and not all(isinstance(text, str) for text in value):
        return
    if isinstance(value, list):
        left = value[1:] if normal(key) in names.ALTERNATIVES else []
        value = value[0] if left else "\n\n".join(value)
    if normal(value) in REASONING_FLAGS:
        return
    add_reasoning(candidate, value)
    if not left:
        del rest[key]


def take_ground_truth(rest: dict[str, Any], layout: Layout, choices: list[Choice]) -> str | None:
    """Take the ground truth out of a row that has one, as text; where it is the answer as well, it stays for that.

    Of a question with choices, the number of the right one (from 0) becomes its letter.
    """
    key, *inner = layout.truth
    if inner:
        outer = dict(rest[key])
        value = outer.pop(inner[0], None)
        if outer:
            rest[key] = outer
        else:
            del rest[key]
    else:
        value = rest[key] if key == layout.one else rest.pop(key)
    value = _letter(value, choices)
    if isinstance(value, dict) and isinstance(value.get("text"), list):  # SQuAD: every accepted text, with its place
        texts = list(dict.fromkeys(text for text in value["text"] if isinstance(text, str)))
        value = texts if len(texts) > 1 else next(iter(texts), None)
    if value is None or (isinstance(value, str) and blank(value)):
        return None
    return read_text(value, key) if isinstance(value, str) else dump(value, key)


def take_instructions(rest: dict[str, Any]) -> str | None:
    """Take IFEval's constraints out of a row, as one ground truth; return None where there are none."""
    if not rest.get(names.INSTRUCTIONS[0]):
        return None
    return dump({key: rest.pop(key) for key in names.INSTRUCTIONS if key in rest}, names.INSTRUCTIONS[0])


def _letter(value: Any, choices: list[Choice]) -> Any:
    """Return the letter of the choice that a number names; another value as it is."""
    labels = [label for label, _ in choices]
    number = None if isinstance(value, bool) or str(value) in labels else number_of(value)
    if choices and number is not None and number == int(number) and 0 <= number < len(choices):
        return labels[int(number)]
    return value
