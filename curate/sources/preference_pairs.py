"""Read answers that are compared: the two sides of a pair (``chosen``, ``rejected``), or numbered answers.

Each answer is a candidate. ``preference`` is 1 for the chosen one and 0 for the other, and has no value for a tie.
"""

import re
from functools import lru_cache
from typing import Any

from curate.sources import layout_names as names
from curate.sources.answer_keys import model_of_key
from curate.sources.recorded_candidates import (
    RECORDED,
    Candidate,
    add_reasoning,
    continuation,
    number_of,
    read_answer,
    take_model,
    take_verdict,
)
from curate.sources.row_keys import NUMBERED, normal
from curate.sources.transcripts import is_transcript, read_transcript
from schemas.errors import BadRow
from schemas.messages import Message, read_messages, same_message, trailing_assistant_count

_WINNER = re.compile(r"(?:.*[_ ])?(\d{1,2}|[a-d])\Z")


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
        others, sides = _all_sides(rest, keys[1:])
        keys, sides = (keys[0], *others), [chosen, *sides]
    else:
        keys, sides = _all_sides(rest, keys)
    candidates = []
    for key, side in zip(keys, sides, strict=True):
        value = float(key == keys[0])
        model, scores = _of_side(rest, "chosen" if value else "rejected", "")
        if key not in ("chosen", "rejected", prompt):
            own = _of_side(rest, normal(key), "")
            model, scores = own[0] if model == RECORDED else model, own[1] | scores
        candidates.append(Candidate(side, model, {"preference": value, **scores}))
    if sides[0] == sides[-1]:
        raise BadRow(f"{keys[0]!r} and {keys[-1]!r} are the same; expected two different answers")
    return _one_prompt_or_several(rest, messages, candidates, keys)


def take_numbered(
    rest: dict[str, Any], messages: list[Message], keys: tuple[str, ...], winner: str | None
) -> list[tuple[list[Message], list[Candidate]]]:
    """Take numbered answers out of a row; return the prompt's messages and the candidates.

    Conversations that go different ways before their last answer are prompts of their own, each with its answer.

    Every key of ``layout_names.WINNERS`` that the row has gives each candidate a score: 1, 0, or no value for a tie.

    Raises:
        BadRow: No prompt is left, or an answer cannot be read.
    """
    filled = tuple(key for key in keys if rest[key] not in ("", [], {}))
    if not filled:
        raise BadRow(f"{', '.join(map(repr, keys))} are empty; expected at least one answer")
    sides = _rounds(rest, messages, filled)
    if not sides:
        filled, sides = _all_sides(rest, filled)
    tokens = [model_of_key(key) for key in filled]
    verdicts = _take_winners(rest, tokens) if winner else {}
    candidates = []
    for index, (key, side, token) in enumerate(zip(filled, sides, tokens, strict=True)):
        model, scores = _of_side(rest, normal(key), token)
        given = {name: values[index] for name, values in verdicts.items()}
        named = model == RECORDED and NUMBERED.fullmatch(normal(key)) is None
        candidates.append(Candidate(side, token if named else model, scores | given))
        for trace in [pattern.format(side=normal(key), number=token) for pattern in names.SIDE_REASONING]:
            if isinstance(rest.get(trace), str):
                add_reasoning(candidates[-1], rest.pop(trace))
    if all(candidate.scores.get("preference") == 0 for candidate in candidates):
        for candidate in candidates:  # a tie
            candidate.scores["preference"] = None
    return _one_prompt_or_several(rest, messages, candidates, filled)


def _take_winners(rest: dict[str, Any], tokens: list[str]) -> dict[str, list[float | None]]:
    """Return by score the values of all numbered answers; a key that says nothing else is taken out of the row."""
    verdicts: dict[str, list[float | None]] = {}
    for key in [key for key in rest if normal(str(key)) in names.WINNERS]:
        name, _, rule = names.WINNERS[normal(str(key))].partition(" ")
        values = _verdicts(rest[key], tokens, rule)
        if values:
            verdicts.setdefault(name, values)
            if None not in values and rule in ("", "text"):
                del rest[key]
    return verdicts


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


def _rounds(rest: dict[str, Any], messages: list[Message], keys: tuple[str, ...]) -> list[list[Message]]:
    """Return each side of several rounds: a list of prompts, and for each side a list with its answer to each."""
    asked = [message for message in messages if message["role"] == "user"]
    if len(asked) < 2 or not all(isinstance(rest[key], list) and len(rest[key]) == len(asked) for key in keys):
        return []
    sides: list[list[Message]] = []
    for key in keys:
        answers = [read_answer("" if text is None else text, key, empty_ok=True) for text in rest.pop(key)]
        sides.append([turn for question, answer in zip(asked, answers, strict=True) for turn in (question, *answer)])
    messages.clear()
    return sides


def _one_prompt_or_several(
    rest: dict[str, Any], messages: list[Message], candidates: list[Candidate], keys: tuple[str, ...]
) -> list[tuple[list[Message], list[Candidate]]]:
    """Return the prompt that candidates answer, or a prompt each for conversations that go different ways."""
    sides = [candidate.messages for candidate in candidates]
    asked = [[turn["content"] for turn in side if turn["role"] == "user"] for side in sides]
    if len(asked[0]) > 1 and all(one == asked[0] for one in asked):
        last = [side[: len(side) - trailing_assistant_count(side)] for side in sides]
        if any(one != last[0] for one in last):
            for candidate, prompt in zip(candidates, last, strict=True):
                candidate.messages = candidate.messages[len(prompt) :]
            return [(prompt, [candidate]) for prompt, candidate in zip(last, candidates, strict=True)]
    messages, answers = _shared_prompt(rest, messages, sides, keys)
    for candidate, answer in zip(candidates, answers, strict=True):
        candidate.messages = answer
    return [(messages, candidates)]


def _all_sides(rest: dict[str, Any], keys: tuple[str, ...]) -> tuple[tuple[str, ...], list[list[Message]]]:
    """Take the answers under keys out of a row; a list of texts is several. Return the key of each and the answers."""
    found = []
    for key in keys:
        value = rest.pop(key)
        several = isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value)
        found += [(key, _side(one, key)) for one in (value if several else [value])]
    return tuple(key for key, _ in found), [side for _, side in found]


def _side(value: Any, key: str) -> list[Message]:
    """Return the messages of one side: of a text, a message, a list of messages, or a transcript."""
    if isinstance(value, str) and is_transcript(value):
        return read_transcript(value, key, answered=normal(key) == "rejected")
    if isinstance(value, dict) and "role" not in value and "from" not in value:
        text = next((value[name] for name in names.ANSWER_TEXTS if name in value), value)
        return read_answer(text, key)
    return read_answer(value, key)


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


def _of_side(rest: dict[str, Any], side: str, number: str) -> tuple[str, dict[str, float | None]]:
    """Take the model and the scores of one side out of a row. A rating that is no number stays there."""
    scores: dict[str, float | None] = {}
    model = RECORDED
    for key, score in _keys_of_side(tuple(rest), side, number):
        if score is None:
            model = take_model(rest, key) if model == RECORDED else model
        elif score not in scores and (value := take_verdict(rest, key)) is not None:
            scores[score] = value
    return model, scores


@lru_cache(maxsize=1024)
def _keys_of_side(keys: tuple[str, ...], side: str, number: str) -> list[tuple[str, str | None]]:
    """Return the keys that belong to one side, each with its score's name, or ``None`` for the side's model."""
    at = {normal(str(key)): key for key in keys}
    patterns = [*names.SIDE_RATINGS.items(), *((pattern, None) for pattern in names.SIDE_MODELS)]
    found = ((pattern.format(side=side, number=number), score) for pattern, score in patterns)
    return [(at[name], score) for name, score in found if name in at and (number or not name.endswith("_"))]


def _verdicts(value: Any, tokens: list[str], rule: str) -> list[float | None] | None:
    """Return for each numbered answer whether a verdict prefers it; no values for a tie, ``None`` if it is no verdict.

    Args:
        value: The verdict.
        tokens: The numbers or letters of the answers.
        rule: ``sign``, ``first``, ``text`` or nothing (``layout_names.WINNERS``).
    """
    tie: list[float | None] = [None] * len(tokens)
    if rule == "text" and not isinstance(value, str):
        return None
    if rule in ("sign", "first"):
        number = number_of(value)
        if number is None or len(tokens) != 2:
            return None
        if rule == "sign":
            return tie if number == 0 else [float(number < 0), float(number > 0)]
        return [float(number == 1), float(number == 0)] if number in (0, 1) else None
    if isinstance(value, str):
        text = normal(value.partition(">")[0])
        if "=" in text or any(
            text == word or text.startswith(f"{word}_") or text.startswith(f"{word}(") for word in names.TIES
        ):
            return tie
        found = _WINNER.match(text)
        index = tokens.index(found[1]) if found and found[1] in tokens else None
    else:
        number = number_of(value)
        index = None
        if number is not None and number == int(number) and not isinstance(value, bool):
            if str(int(number)) in tokens:
                index = tokens.index(str(int(number)))
            elif tokens[0] in ("a", "0") and 0 <= number < len(tokens):
                index = int(number)
    return None if index is None else [float(place == index) for place in range(len(tokens))]
