"""Read answers that are compared: the two sides of a pair (``chosen``, ``rejected``), or numbered answers.

Each answer is a candidate. ``preference`` is 1 for the chosen one and 0 for the other, and has no value for a tie.
"""

import re
from functools import lru_cache
from typing import Any

from curate.sources.rows import layout_names as names
from curate.sources.rows.answer_keys import model_of_key
from curate.sources.rows.recorded_candidates import (
    RECORDED,
    Candidate,
    add_reasoning,
    continuation,
    number_of,
    read_answer,
    read_candidate,
    take_lists,
    take_model,
    take_verdict,
)
from curate.sources.rows.row_keys import NUMBERED, normal
from curate.sources.rows.transcripts import is_transcript, read_transcript
from schemas.errors import BadRow
from schemas.messages import Message, read_messages, same_message, trailing_assistant_count
from schemas.reasoning import REASONING_FLAGS

_WINNER = re.compile(
    r"(?:(?:model|response|answer|option|output|completion|assistant|conversation|side|choice|candidate)_?)?(\d{1,2}|[a-d])"
)


def take_pair(
    rest: dict[str, Any], messages: list[Message], keys: tuple[str, ...], prompt: str | None
) -> list[tuple[list[Message], list[Candidate]]]:
    """Take the two sides of a pair out of a row; return the prompt's messages and both candidates.

    Messages that both sides begin with are the prompt's. Where the chosen side is the conversation itself (key
    ``prompt``), it is the assistant's turns at its end. Conversations that go different ways before their last answer
    are prompts of their own, each with its answer.

    Raises:
        BadRow: No prompt is left, or the sides are the same.
    """
    if keys[0] == prompt:
        count = trailing_assistant_count(messages)
        if not 0 < count < len(messages):
            raise BadRow(f"{keys[0]!r} does not end with the assistant's answer, which {keys[1]!r} is compared with")
        messages, chosen = messages[:-count], messages[-count:]
        sides = [(keys[0], Candidate(chosen)), *_all_sides(rest, keys[1:])]
    else:
        sides = _all_sides(rest, keys)
    for key, candidate in sides:
        value = float(key == keys[0])
        _take_of_side(rest, candidate, "chosen" if value else "rejected", "")
        if key not in ("chosen", "rejected", prompt):
            _take_of_side(rest, candidate, normal(key), "")
        candidate.scores = {"preference": value, **candidate.scores}
    if sides[0][1].messages == sides[-1][1].messages:
        raise BadRow(f"{keys[0]!r} and {keys[-1]!r} are the same; expected two different answers")
    return _one_prompt_or_several(rest, messages, sides)


def take_numbered(
    rest: dict[str, Any], messages: list[Message], keys: tuple[str, ...]
) -> tuple[list[tuple[list[Message], list[Candidate]]], tuple[str, ...]]:
    """Take numbered answers, or answers named after their models, out of a row.

    Every key of ``layout_names.WINNERS`` that the row has gives each candidate a score: 1, 0, or no value for a tie.
    Conversations that go different ways before their last answer are prompts of their own, each with its answer.

    Returns:
        The prompts' messages with their candidates, and the keys of ``WINNERS`` that were not understood.

    Raises:
        BadRow: No prompt is left, or an answer cannot be read.
    """
    sides = _rounds(rest, messages, keys) or _all_sides(rest, keys)
    candidates = [candidate for _, candidate in sides]
    tokens = [model_of_key(key) for key, _ in sides]
    for (key, candidate), token in zip(sides, tokens, strict=True):
        _take_of_side(rest, candidate, normal(key), token)
        if candidate.model == RECORDED and NUMBERED.fullmatch(normal(key)) is None:
            candidate.model = token
    unclear = _take_winners(rest, candidates, tokens, first_is_better=normal(keys[0]).startswith("human_ref"))
    if all(candidate.scores.get("preference") == 0 for candidate in candidates):
        for candidate in candidates:  # a tie
            candidate.scores["preference"] = None
    take_lists(rest, candidates)
    return _one_prompt_or_several(rest, messages, sides), unclear


def _take_winners(
    rest: dict[str, Any], candidates: list[Candidate], tokens: list[str], *, first_is_better: bool
) -> tuple[str, ...]:
    """Score numbered answers by the row's verdicts; return the keys that were not understood.

    A key that says no more than which is better is taken out of the row. ``labels: 1`` means the first answer in the
    one set that has it (SHP, ``first_is_better``); elsewhere it may mean anything.
    """
    unclear = []
    models = [candidate.model for candidate in candidates]
    for key in [key for key in rest if normal(str(key)) in names.WINNERS]:
        score, _, rule = names.WINNERS[normal(str(key))].partition(" ")
        first = rule != "first" or first_is_better
        values = _verdicts(rest[key], tokens, models, rule) if first else None
        if values is None:
            unclear.append(key)
            continue
        for candidate, value in zip(candidates, values, strict=True):
            candidate.scores.setdefault(score, value)
        if rule in ("", "text") and None not in values:
            del rest[key]
    return tuple(unclear)


def join_list(candidates: list[Candidate], listed: list[Candidate]) -> None:
    """Join a list of all answers to the two that are compared: the same answers' scores, and the other answers."""
    texts = [candidate.messages[-1]["content"].strip() for candidate in candidates]
    for one in listed:
        text = one.messages[-1]["content"].strip()
        if text not in texts:
            candidates.append(one)
            continue
        same = candidates[texts.index(text)]
        same.scores = one.scores | same.scores
        same.model = one.model if same.model == RECORDED else same.model


def _rounds(rest: dict[str, Any], messages: list[Message], keys: tuple[str, ...]) -> list[tuple[str, Candidate]]:
    """Return each side of several rounds: a list of prompts, and for each side a list with its answer to each."""
    asked = [message for message in messages if message["role"] == "user"]
    if len(asked) < 2 or not all(isinstance(rest[key], list) and len(rest[key]) == len(asked) for key in keys):
        return []
    sides = []
    for key in keys:
        answers = [read_answer("" if text is None else text, key, empty_ok=True) for text in rest.pop(key)]
        turns = [turn for question, answer in zip(asked, answers, strict=True) for turn in (question, *answer)]
        sides.append((key, Candidate(turns)))
    messages.clear()
    return sides


def _one_prompt_or_several(
    rest: dict[str, Any], messages: list[Message], sides: list[tuple[str, Candidate]]
) -> list[tuple[list[Message], list[Candidate]]]:
    """Return the prompt that candidates answer, or a prompt each for conversations that go different ways."""
    candidates = [candidate for _, candidate in sides]
    whole = [candidate.messages for candidate in candidates]
    asked = [[turn["content"] for turn in turns if turn["role"] == "user"] for turns in whole]
    if len(asked[0]) > 1 and all(one == asked[0] for one in asked):
        last = [turns[: len(turns) - trailing_assistant_count(turns)] for turns in whole]
        if any(one != last[0] for one in last):
            for candidate, prompt in zip(candidates, last, strict=True):
                candidate.messages = candidate.messages[len(prompt) :]
            return [(prompt, [candidate]) for prompt, candidate in zip(last, candidates, strict=True)]
    keys = tuple(key for key, _ in sides)
    messages, answers = _shared_prompt(rest, messages, whole, keys)
    for candidate, answer in zip(candidates, answers, strict=True):
        candidate.messages = answer
    return [(messages, candidates)]


def _all_sides(rest: dict[str, Any], keys: tuple[str, ...]) -> list[tuple[str, Candidate]]:
    """Take the answers under keys out of a row, each with its key; a list of texts is several."""
    found = []
    for key in keys:
        value = rest.pop(key)
        several = isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value)
        for one in value if several else [value]:
            candidate, unread = _side(one, key)
            found.append((key, candidate))
            if unread:
                rest[key] = unread
    return found


def _side(value: Any, key: str) -> tuple[Candidate, dict]:
    """Return one side (a text, a message, messages, a transcript or a mapping), and what was not read of it."""
    if isinstance(value, str) and is_transcript(value):
        return Candidate(read_transcript(value, key, answered=normal(key) == "rejected")), {}
    if isinstance(value, dict) and "role" not in value and "from" not in value:
        if not isinstance(value.get("messages"), list):
            return read_candidate(value, key)
        unread = {name: one for name, one in value.items() if name != "messages"}
        return Candidate(read_answer(value["messages"], key)), unread
    return Candidate(read_answer(value, key)), {}


def _shared_prompt(
    rest: dict[str, Any], messages: list[Message], sides: list[list[Message]], keys: tuple[str, ...]
) -> tuple[list[Message], list[list[Message]]]:
    """Return the prompt's messages and each side's answer, without the messages that all sides begin with."""
    if messages == sides[0]:
        messages = []
    if isinstance(rest.get("messages"), list):
        copy = read_messages(rest["messages"], "messages")
        if copy in (sides[0], [*messages, *sides[0]]):
            del rest["messages"]
    shared = sides[0]
    for side in sides[1:] or sides:
        shared = _shared(shared, side)
    if not messages and not shared:
        named = f"{keys[0]!r} and {keys[-1]!r}"
        if all(len(side) == 1 for side in sides):
            raise BadRow(f"{named} without a prompt; expected 'prompt', or both as lists of messages")
        raise BadRow(f"{named} share no turn and there is no 'prompt'; nothing is left as the prompt")
    if _holds(shared, messages):
        messages = shared  # may begin with a system message that the prompt leaves out, and go on after it
    return messages, [continuation(messages, side, key) for side, key in zip(sides, keys, strict=True)]


def _holds(conversation: list[Message], part: list[Message]) -> bool:
    """Return whether messages stand in a conversation, one after another."""
    starts = range(len(conversation) - len(part) + 1)
    return any(all(same_message(a, b) for a, b in zip(conversation[start:], part, strict=False)) for start in starts)


def whole_conversation(messages: list[Message], answer: list[Message]) -> tuple[list[Message], list[Message]] | None:
    """Return the prompt and the answer of an answer that holds the whole conversation; ``None`` where it does not."""
    if not any(message["role"] == "user" for message in answer):
        return None
    count = trailing_assistant_count(answer)
    head = answer[: len(answer) - count]
    return (head, answer[len(head) :]) if count and _holds(head, messages) else None


def _shared(one: list[Message], other: list[Message]) -> list[Message]:
    """Return the messages that two conversations share at the start, up to the last that is not the assistant's."""
    count = 0
    while count < min(len(one), len(other)) - 1 and same_message(one[count], other[count]):
        count += 1
    return one[: count - trailing_assistant_count(one[:count])]


def _take_of_side(rest: dict[str, Any], candidate: Candidate, side: str, number: str) -> None:
    """Give a candidate what the row has of its side: model, scores, reasoning. A rating that is none stays there."""
    for key, score in _keys_of_side(tuple(rest), side, number):
        if score == "model":
            candidate.model = take_model(rest, key) if candidate.model == RECORDED else candidate.model
        elif score == "reasoning":
            if isinstance(rest[key], str) and normal(rest[key]) not in REASONING_FLAGS:
                add_reasoning(candidate, rest.pop(key))
        elif score not in candidate.scores and (value := take_verdict(rest, key, score)) is not None:
            candidate.scores[score] = value


@lru_cache(maxsize=1024)
def _keys_of_side(keys: tuple[str, ...], side: str, number: str) -> list[tuple[str, str]]:
    """Return the keys that belong to one side, each with its score's name, ``model`` or ``reasoning``."""
    at = {normal(str(key)): key for key in keys}
    patterns = [
        *names.SIDE_RATINGS.items(),
        *((pattern, "model") for pattern in names.SIDE_MODELS),
        *((pattern, "reasoning") for pattern in names.SIDE_REASONING),
    ]
    usable = [(pattern, score) for pattern, score in patterns if number or "{number}" not in pattern]
    found = ((pattern.format(side=side, number=number), score) for pattern, score in usable)
    return [(at[name], score) for name, score in found if name in at]


def _verdicts(value: Any, tokens: list[str], models: list[str], rule: str) -> list[float | None] | None:
    """Return for each numbered answer whether a verdict prefers it; no values for a tie, ``None`` if it is no verdict.

    Args:
        value: The verdict.
        tokens: The numbers or letters of the answers.
        models: Their models.
        rule: ``sign``, ``first``, ``text`` or nothing (``layout_names.WINNERS``).
    """
    tie: list[float | None] = [None] * len(tokens)
    number = number_of(value)
    if rule in ("sign", "first"):
        if number is None or len(tokens) != 2:
            return None
        if rule == "sign":
            return tie if number == 0 else [float(number < 0), float(number > 0)]
        return [float(number == 1), float(number == 0)] if number in (0, 1) else None
    better = ""
    if isinstance(value, str):
        text = normal(value.partition(">")[0])
        if "=" in text or re.split(r"[_(]", text)[0] in names.TIES:
            return tie
        found = _WINNER.fullmatch(text)
        better = value if value in models else found[1] if found else ""
    elif number is not None and not isinstance(value, bool):
        better = f"{number:g}"
    if number is not None and (rule == "text" or "0" not in tokens):
        return None  # of answers that are numbered from 1, a number may count from 0 or from 1
    if models.count(better) == 1:
        return [float(model == better) for model in models]
    return [float(token == better) for token in tokens] if better in tokens else None
