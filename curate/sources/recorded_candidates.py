"""Recorded answers: a completion that comes in a row (as text, as messages, in a mapping) as a candidate of ours."""

import math
from dataclasses import dataclass, field
from typing import Any

from schemas.messages import BadRow, blank, encodable, kind, listed, same, short, turns
from schemas.rows import COMPLETIONS, PROMPTS

ANSWER_KEYS = ("messages", "response", "content", "solution")
YES_NO = {"true": 1.0, "false": 0.0}
TAKEN = {*PROMPTS, *COMPLETIONS, "split", "n_completions"}  # names in SQL that are no scores


@dataclass(slots=True)
class Candidate:
    """A recorded answer: its turns, the model that gave it, and the scores that came with it (None: no value)."""

    messages: list[dict]
    model: str = "recorded"
    scores: dict[str, float | None] = field(default_factory=dict)
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


def completions(value: Any) -> tuple[list[Candidate], list[dict]]:
    """Return the candidates of a ``completions`` list, and what each carries beyond our keys (a mapping each)."""
    items = listed(value, "completions")
    if not items:
        raise BadRow("'completions' is an empty list; expected at least one recorded answer, or no 'completions'")
    pairs = [candidate(item, f"completions[{index}]") for index, item in enumerate(items)]
    return [one for one, _ in pairs], [left for _, left in pairs]


def candidate(item: Any, where: str) -> tuple[Candidate, dict]:
    """Return one recorded answer, and what it carries beyond our keys.

    Numbers and true/false beside the answer are scores under their own names, but for those that a column has. Unlike
    an answer to learn from (``chosen``, ``output``), one sample of several may be empty: a model did say nothing.
    """
    if not isinstance(item, dict) or "role" in item or "from" in item:
        if not isinstance(item, str | list | dict):
            raise BadRow(f"{where} is {kind(item)}; expected text, a list of messages, or a mapping with 'response'")
        return Candidate(continuation([], answer(item, where, empty_ok=True), where)), {}
    item = {k: v for k, v in item.items() if v is not None}
    key = next((k for k in ANSWER_KEYS if k in item), None)
    if key is None:
        keys = ", ".join(short(k) for k in list(item)[:12])
        raise BadRow(f"{where} has no 'response' or 'messages': found the keys {keys or '(none)'}")
    found = continuation([], answer(item.pop(key), f"{where}.{key}", empty_ok=True), f"{where}.{key}")
    if "reasoning_content" in item:
        found[-1] = {**found[-1], "reasoning_content": string(item.pop("reasoning_content"), "reasoning_content")}
    scores = item.pop("scores", {})
    if not isinstance(scores, dict):
        raise BadRow(f"{where}.scores is {kind(scores)}; expected a mapping of names to numbers")
    for name in scores:
        if str(name).lower() in TAKEN:
            raise BadRow(f"{where}.scores has {short(name)}, which is the name of a column; call the score otherwise")
    made = Candidate(
        found,
        model(item),
        {encodable(k, "scores"): number(v, f"{where}.scores[{short(k)}]") for k, v in scores.items()},
    )
    if "finish_reason" in item:
        made.finish_reason = string(item.pop("finish_reason"), f"{where}.finish_reason")
    made.prompt_tokens = tokens(item, "prompt_tokens", where)
    made.completion_tokens = tokens(item, "completion_tokens", where)
    numbers = [k for k, v in item.items() if isinstance(v, bool | int | float) and k.lower() not in TAKEN]
    for name in (k for k in numbers if k not in made.scores):
        made.scores[encodable(name, where)] = number(item.pop(name), f"{where}[{short(name)}]")
    return made, item


def answer(value: Any, key: str, *, empty_ok: bool = False) -> list[dict]:
    """Return the turns of an answer given as text, as one message or as a list of messages."""
    if isinstance(value, list | dict):
        return turns(value, key, empty_ok=empty_ok)
    if empty_ok and isinstance(value, str):
        return [{"role": "assistant", "content": value}]
    return [{"role": "assistant", "content": filled(value, key)}]


def continuation(prompt: list[dict], found: list[dict], key: str) -> list[dict]:
    """Return the turns of an answer after those of the prompt that it repeats; they must be the assistant's."""
    for count in range(min(len(prompt), len(found) - 1), 0, -1):
        if all(same(a, b) for a, b in zip(found[:count], prompt[-count:], strict=True)):
            found = found[count:]
            break
    for turn in found:
        if turn["role"] not in ("assistant", "tool"):
            raise BadRow(
                f"{key!r} does not continue the prompt: it has a {turn['role']} turn of its own "
                f"({short(turn['content'])}); expected assistant turns"
            )
    if found[0]["role"] != "assistant" or found[-1]["role"] != "assistant":
        raise BadRow(f"{key!r} begins or ends with a tool turn; expected it to begin and end with the assistant's")
    return found


def model(rest: dict, key: str = "model") -> str:
    """Take the name of the model that answered out of a row; without one it is ``recorded``."""
    if isinstance(rest.get(key), str) and not blank(rest[key]):
        return encodable(rest.pop(key), key)
    return "recorded"


def label(rest: dict) -> dict[str, float]:
    """Take KTO's verdict, ``label`` (or ``kto_tag``) true or false, out of a row, as a score."""
    for key in ("label", "kto_tag"):
        value = rest.get(key)
        if isinstance(value, bool):
            return {"label": float(rest.pop(key))}
        if isinstance(value, str) and value.lower() in YES_NO:
            return {"label": YES_NO[rest.pop(key).lower()]}
    return {}


def number(value: Any, where: str) -> float | None:
    """Return a score: true is 1.0, null stays None; anything but a finite number is a ``BadRow``."""
    if value is None:
        return None
    try:
        if isinstance(value, bool | int | float) and math.isfinite(value):
            return float(value)
    except OverflowError:
        pass
    raise BadRow(f"{where} is {short(value)}; expected a finite number, or true or false")


def tokens(rest: dict, key: str, where: str) -> int | None:
    """Take a count of tokens out of a mapping."""
    if key not in rest:
        return None
    value = rest.pop(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise BadRow(f"{where}.{key} is {short(value)}; expected a whole number")
    return value


def string(value: Any, key: str) -> str:
    """Return a text, or raise ``BadRow``."""
    if not isinstance(value, str):
        raise BadRow(f"{key!r} is {kind(value)}; expected text")
    return encodable(value, key)


def filled(value: Any, key: str) -> str:
    """Return a text that is not blank, or raise ``BadRow``."""
    if blank(string(value, key)):
        raise BadRow(f"{key!r} is empty; expected text")
    return value
