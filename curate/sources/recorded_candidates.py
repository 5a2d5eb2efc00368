"""Read the completions that a source row has recorded: texts, messages or mappings become ``Candidate`` objects.

Functions called ``take_...`` remove from the row (or from the part of a row) the keys that they read.
"""

import math
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import BadRow, kind_of, short_repr
from schemas.json_text import blank, encodable, read_list
from schemas.messages import Message, read_messages, same_message
from schemas.rows import COMPLETIONS, PROMPTS

ANSWER_KEYS = ("messages", "response", "content", "solution")
YES_NO = {"true": 1.0, "false": 0.0}
COLUMNS = {*PROMPTS, *COMPLETIONS, "split", "n_completions"}  # names in SQL that no score may have


@dataclass(slots=True)
class Candidate:
    """A recorded completion: its messages, the model that gave it and its scores (``None``: without a value)."""

    messages: list[Message]
    model: str = "recorded"
    scores: dict[str, float | None] = field(default_factory=dict)
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


def read_completions(value: Any) -> tuple[list[Candidate], list[dict]]:
    """Return the candidates of a ``completions`` list, and for each a mapping of its keys that were not read."""
    items = read_list(value, "completions")
    if not items:
        raise BadRow("'completions' is an empty list; expected at least one recorded answer, or no 'completions'")
    pairs = [read_candidate(item, f"completions[{index}]") for index, item in enumerate(items)]
    return [candidate for candidate, _ in pairs], [unread for _, unread in pairs]


def read_candidate(item: Any, where: str) -> tuple[Candidate, dict]:
    """Return one recorded completion, and its keys that were not read.

    A number or true/false beside the completion is a score under its own name, unless a column has that name. The
    completion may be empty, since a model may have given an empty reply; a completion to train on (``chosen``,
    ``output``) may not.

    Args:
        item: A text, a message, a list of messages, or a mapping with one of ``ANSWER_KEYS``.
        where: The name of ``item`` in an error.

    Raises:
        BadRow: ``item`` cannot be read.
    """
    if not isinstance(item, dict) or "role" in item or "from" in item:
        if not isinstance(item, str | list | dict):
            raise BadRow(f"{where} is {kind_of(item)}; expected text, a list of messages, or a mapping with 'response'")
        return Candidate(continuation([], read_answer(item, where, empty_ok=True), where)), {}
    item = {k: v for k, v in item.items() if v is not None}
    key = next((k for k in ANSWER_KEYS if k in item), None)
    if key is None:
        keys = ", ".join(short_repr(k) for k in list(item)[:12])
        raise BadRow(f"{where} has no 'response' or 'messages': found the keys {keys or '(none)'}")
    messages = continuation([], read_answer(item.pop(key), f"{where}.{key}", empty_ok=True), f"{where}.{key}")
    if "reasoning_content" in item:
        reasoning = read_text(item.pop("reasoning_content"), "reasoning_content")
        messages[-1] = {**messages[-1], "reasoning_content": reasoning}
    scores = _take_scores(item, where)
    candidate = Candidate(messages, take_model(item), scores)
    if "finish_reason" in item:
        candidate.finish_reason = read_text(item.pop("finish_reason"), f"{where}.finish_reason")
    candidate.prompt_tokens = _take_token_count(item, "prompt_tokens", where)
    candidate.completion_tokens = _take_token_count(item, "completion_tokens", where)
    numbers = [k for k, v in item.items() if isinstance(v, bool | int | float) and k.lower() not in COLUMNS]
    for name in (k for k in numbers if k not in candidate.scores):
        candidate.scores[encodable(name, where)] = _read_score(item.pop(name), f"{where}[{short_repr(name)}]")
    return candidate, item


def _take_scores(item: dict, where: str) -> dict[str, float | None]:
    """Take ``scores``, a mapping of names to numbers, out of a recorded completion."""
    scores = item.pop("scores", {})
    if not isinstance(scores, dict):
        raise BadRow(f"{where}.scores is {kind_of(scores)}; expected a mapping of names to numbers")
    for name in scores:
        if str(name).lower() in COLUMNS:
            raise BadRow(f"{where}.scores has {short_repr(name)}, which is the name of a column; rename the score")
    return {encodable(k, "scores"): _read_score(v, f"{where}.scores[{short_repr(k)}]") for k, v in scores.items()}


def read_answer(value: Any, key: str, *, empty_ok: bool = False) -> list[Message]:
    """Return the messages of a completion that is a text, one message or a list of messages."""
    if isinstance(value, list | dict):
        return read_messages(value, key, empty_ok=empty_ok)
    if empty_ok and isinstance(value, str):
        return [{"role": "assistant", "content": value}]
    return [{"role": "assistant", "content": read_filled_text(value, key)}]


def continuation(prompt: list[Message], answer: list[Message], key: str) -> list[Message]:
    """Return the messages of a completion without those at its start that repeat the end of the prompt.

    Args:
        prompt: The prompt's messages.
        answer: The completion's messages.
        key: The name of the completion in an error.

    Raises:
        BadRow: A message that is left is neither the assistant's nor a tool's, or a tool's is the first or the last.
    """
    for count in range(min(len(prompt), len(answer) - 1), 0, -1):
        if all(same_message(a, b) for a, b in zip(answer[:count], prompt[-count:], strict=True)):
            answer = answer[count:]
            break
    for message in answer:
        if message["role"] not in ("assistant", "tool"):
            raise BadRow(
                f"{key!r} does not continue the prompt: it has a {message['role']} turn of its own "
                f"({short_repr(message['content'])}); expected assistant turns"
            )
    if answer[0]["role"] != "assistant" or answer[-1]["role"] != "assistant":
        raise BadRow(f"{key!r} begins or ends with a tool turn; expected it to begin and end with the assistant's")
    return answer


def take_model(rest: dict, key: str = "model") -> str:
    """Take the name of the model out of a row; it is ``recorded`` where the row has none."""
    if isinstance(rest.get(key), str) and not blank(rest[key]):
        return encodable(rest.pop(key), key)
    return "recorded"


def take_label(rest: dict) -> dict[str, float | None]:
    """Take KTO's ``label`` (or ``kto_tag``), true or false, out of a row, as the score ``label``, if there is one."""
    for key in ("label", "kto_tag"):
        value = rest.get(key)
        if isinstance(value, bool):
            return {"label": float(rest.pop(key))}
        if isinstance(value, str) and value.lower() in YES_NO:
            return {"label": YES_NO[rest.pop(key).lower()]}
    return {}


def _read_score(value: Any, where: str) -> float | None:
    """Return a score: true is 1.0, false 0.0, null ``None``; anything else but a finite number is a ``BadRow``."""
    if value is None:
        return None
    try:
        if isinstance(value, bool | int | float) and math.isfinite(value):
            return float(value)
    except OverflowError:
        pass
    raise BadRow(f"{where} is {short_repr(value)}; expected a finite number, or true or false")


def _take_token_count(rest: dict, key: str, where: str) -> int | None:
    """Take a count of tokens out of a recorded completion; ``None`` where it has none."""
    if key not in rest:
        return None
    value = rest.pop(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise BadRow(f"{where}.{key} is {short_repr(value)}; expected a whole number")
    return value


def read_text(value: Any, key: str) -> str:
    """Return ``value``, which must be text; else raise ``BadRow``."""
    if not isinstance(value, str):
        raise BadRow(f"{key!r} is {kind_of(value)}; expected text")
    return encodable(value, key)


def read_filled_text(value: Any, key: str) -> str:
    """Return ``value``, which must be text that is not blank; else raise ``BadRow``."""
    if blank(read_text(value, key)):
        raise BadRow(f"{key!r} is empty; expected text")
    return value
