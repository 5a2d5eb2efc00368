"""Shapes: one raw row, whoever's convention it follows, as a prompt with its recorded candidates.

What a row is is told from its keys. The prompt is in ``messages``, ``conversations`` (ShareGPT), ``prompt``,
``instruction`` (Alpaca) or ``question`` (GSM8K); the answers are in ``chosen`` and ``rejected``, ``completions``,
``completion``, ``output``, one ``{solution, is_correct}`` a model, or the assistant turns at the end of the messages.
Every key that is used is taken out of the row; what is left becomes metadata, so that nothing vanishes.
"""

import difflib
import math
from dataclasses import dataclass
from typing import Any

from curate.sources.recorded_candidates import (
    Candidate,
    answer,
    candidate,
    completions,
    continuation,
    filled,
    label,
    model,
    string,
)
from schemas.messages import BadRow, blank, dump, kind, parse, same, short, tools, trailing_answers, turns

PROMPT_KEYS = ("messages", "conversations", "prompt", "instruction", "question")
RATINGS = {
    "chosen": ("chosen_rating", "score_chosen", "chosen_score"),
    "rejected": ("rejected_rating", "score_rejected", "rejected_score"),
}


@dataclass(slots=True)
class Row:
    """A prompt (its turns) with its candidates. ``tools``, ``ground_truth`` and ``metadata`` are text, or None."""

    shape: str
    messages: list[dict]
    candidates: list[Candidate]
    tools: str | None
    ground_truth: str | None
    metadata: str | None


def convert(row: dict[str, Any], extra: dict[str, Any] | None = None) -> Row:
    """Return a raw row as ours. ``extra`` are keys that only go to metadata. Raises ``BadRow``."""
    rest = {k: v for k, v in row.items() if v is not None}
    prompt_key = _prompt_key(rest, row)
    messages = _prompt(rest, prompt_key)
    messages, candidates, answer_key = _answers(rest, messages, prompt_key)
    messages = _with_system(rest.pop("system", None), messages)
    _check_prompt(messages, candidates, prompt_key)
    truth = rest.pop("ground_truth", None)
    if truth is None and prompt_key == "question":
        truth = rest.pop("answer", None)
    found = tools(rest.pop("tools", None))
    if truth is not None:
        truth = string(truth, "ground_truth") if isinstance(truth, str) else dump(truth, "ground_truth")
    return Row(
        shape=_shape(prompt_key, answer_key),
        messages=messages,
        candidates=candidates,
        tools=dump(found, "tools") if found else None,
        ground_truth=truth,
        metadata=_metadata(rest, extra or {}),
    )


def _shape(prompt_key: str, answer_key: str | None) -> str:
    """Name the shape for a person."""
    if answer_key == "chosen":
        return "ShareGPT preference" if prompt_key == "conversations" else "preference"
    if prompt_key == "instruction":
        return "UltraFeedback" if answer_key == "completions" else "Alpaca"
    if prompt_key == "question":
        return "recorded solutions" if answer_key == "solution" else "question-answer"
    if prompt_key == "conversations":
        return "ShareGPT"
    named = {"completions": "prompt with completions", "completion": "prompt-completion", "messages": "messages"}
    return named.get(answer_key or "", "prompt")


def _prompt_key(rest: dict, row: dict) -> str:
    """Return the key that the prompt is in; ``chosen`` where it is the turns that both sides of a pair share."""
    if "prompt" in rest and ("chosen" in rest or "completion" in rest):
        return "prompt"
    for key in PROMPT_KEYS:
        if key in rest:
            return key
    if isinstance(rest.get("chosen"), list) and isinstance(rest.get("rejected"), list):
        return "chosen"
    null = next((key for key in PROMPT_KEYS if key in row), None)
    raise BadRow(f"{null!r} is null; expected text or a list of messages" if null else _no_prompt(rest))


def _no_prompt(rest: dict) -> str:
    """Say what a row without a prompt has instead, and the nearest right key."""
    if "chosen" in rest and "rejected" in rest:
        return "'chosen' and 'rejected' without a prompt; expected 'prompt', or both as lists of messages"
    if "text" in rest:
        return (
            "'text' is plain text without a prompt; expected 'prompt' or 'messages' "
            "(to use the text as the prompt: fields: {prompt: text})"
        )
    if not rest:
        return "no prompt or messages: the row is empty"
    shown = ", ".join(short(key) for key in list(rest)[:12])
    for key in rest:
        close = difflib.get_close_matches(str(key)[:40].lower(), PROMPT_KEYS, n=1, cutoff=0.7)
        if close:
            return f"no prompt or messages: found the keys {shown}; did you mean {close[0]!r} for {short(key)}?"
    return f"no prompt or messages: found the keys {shown}; name the right one with fields: {{prompt: KEY}}"


def _prompt(rest: dict, key: str) -> list[dict]:
    """Take the prompt's turns out of the row."""
    if key == "chosen":
        return []
    value = rest.pop(key)
    if key in ("messages", "conversations"):
        found = turns(value, key)
        if any(turn["content"] == rest.get("prompt") for turn in found):
            del rest["prompt"]  # a copy of one turn, as in our own tables
        return found
    if key == "prompt" and isinstance(value, list | dict):
        return turns(value, key)
    if key == "prompt" and not isinstance(value, str):
        raise BadRow(f"'prompt' is {kind(value)}; expected text or a list of messages")
    text = filled(value, key)
    given = string(rest.pop("input", ""), "input") if key == "instruction" else ""
    text = text if blank(given) else f"{text}\n\n{given}"
    return [*_history(rest), {"role": "user", "content": text}]


def _history(rest: dict) -> list[dict]:
    """Take earlier rounds, ``[[question, answer], ...]``, out of an Alpaca row."""
    if not isinstance(rest.get("history"), list):
        return []
    messages = []
    for index, pair in enumerate(rest.pop("history")):
        if not isinstance(pair, list) or len(pair) != 2:
            raise BadRow(f"history[{index}] is {short(pair)}; expected [question, answer]")
        question, reply = (filled(text, f"history[{index}]") for text in pair)
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
    return messages


def _answers(rest: dict, messages: list[dict], prompt_key: str) -> tuple[list[dict], list[Candidate], str | None]:
    """Take the answers out of the row. Returns the prompt's turns, the candidates and the key they were in."""
    sides = [key for key in ("chosen", "rejected") if isinstance(rest.get(key), str | list | dict)]
    if len(sides) == 1:
        other = "rejected" if sides == ["chosen"] else "chosen"
        raise BadRow(f"{sides[0]!r} without {other!r}; expected both, or the one answer as 'completion'")
    if sides:
        return *_preference(rest, messages), "chosen"
    if "completions" in rest:
        candidates, left = completions(rest.pop("completions"))
        if any(left):
            rest["completions"] = left
        return messages, candidates, "completions"
    key = next((k for k in ("completion", "output") if k in rest), None)
    if key == "completion" or (key == "output" and prompt_key == "instruction"):
        found = continuation(messages, answer(rest.pop(key), key), key)
        return messages, [Candidate(found, model(rest), label(rest))], key
    solved = [k for k, v in rest.items() if isinstance(v, dict) and isinstance(v.get("solution"), str)]
    if solved:
        return messages, [_solution(rest, key) for key in solved], "solution"
    count = trailing_answers(messages)
    if 0 < count < len(messages):
        return messages[:-count], [Candidate(messages[-count:], model(rest), label(rest))], "messages"
    return messages, [], None


def _solution(rest: dict, key: str) -> Candidate:
    """Take ``key: {solution, is_correct}`` out of a row of recorded solutions; the key names the model."""
    found, left = candidate({"model": key, **rest.pop(key)}, short(key))
    if left:
        rest[key] = left
    return found


def _preference(rest: dict, messages: list[dict]) -> tuple[list[dict], list[Candidate]]:
    """Take the pair out of the row. Turns that both sides share are the prompt's."""
    sides = {key: answer(rest.pop(key), key) for key in ("chosen", "rejected")}
    if messages == sides["chosen"]:
        messages = []
    if isinstance(rest.get("messages"), list):
        copy = turns(rest["messages"], "messages")
        if copy in (sides["chosen"], [*messages, *sides["chosen"]]):
            del rest["messages"]
    shared = _shared(sides["chosen"], sides["rejected"])
    if not messages and not shared:
        raise BadRow("'chosen' and 'rejected' share no turn and there is no 'prompt'; nothing is left as the prompt")
    tail = shared[len(shared) - len(messages) :]
    if len(shared) >= len(messages) and all(same(a, b) for a, b in zip(tail, messages, strict=True)):
        messages = shared  # may begin with a system turn that the prompt leaves out
    candidates = []
    for (key, turns_), value in zip(sides.items(), (1.0, 0.0), strict=True):
        scores = {"preference": value} | _rating(rest, key)
        candidates.append(Candidate(continuation(messages, turns_, key), model(rest, f"{key}_model"), scores))
    if candidates[0].messages == candidates[1].messages:
        raise BadRow("'chosen' and 'rejected' are the same; expected two different answers")
    return messages, candidates


def _shared(one: list[dict], other: list[dict]) -> list[dict]:
    """Return the turns that two conversations share at the start, up to the last that is not the assistant's."""
    count = 0
    while count < min(len(one), len(other)) - 1 and same(one[count], other[count]):
        count += 1
    return one[: count - trailing_answers(one[:count])]


def _rating(rest: dict, side: str) -> dict[str, float]:
    """Take the rating of one side of a pair out of the row, as a score. What is no number stays metadata."""
    for key in RATINGS[side]:
        try:
            value = float(rest.get(key, "none"))
        except (TypeError, ValueError, OverflowError):
            continue
        if math.isfinite(value):
            del rest[key]
            return {"rating": value}
    return {}


def _with_system(system: Any, messages: list[dict]) -> list[dict]:
    """Put the text of ``system`` first, unless the messages begin with that system turn already."""
    if system is None or blank(string(system, "system")):
        return messages
    turn = {"role": "system", "content": system}
    if not messages or messages[0]["role"] != "system":
        return [turn, *messages]
    if not same(messages[0], turn):
        raise BadRow("the row has a 'system' text and its messages begin with another system turn; remove one")
    return messages


def _check_prompt(messages: list[dict], candidates: list[Candidate], key: str) -> None:
    if trailing_answers(messages) == len(messages):
        raise BadRow(f"{key!r} has only assistant turns; expected a user turn before them")
    if not any(turn["role"] == "user" for turn in messages):
        raise BadRow(f"{key!r} has no user turn; expected at least one")
    if messages[-1]["role"] == "assistant":
        raise BadRow(
            f"{key!r} ends with an assistant turn although the row has {len(candidates)} recorded answers; "
            "remove the turn, or the answers"
        )


def _metadata(rest: dict, extra: dict) -> str | None:
    """Return ``metadata`` and every key that nothing used as one JSON text, or None where there is nothing."""
    given = rest.pop("metadata", {})
    if isinstance(given, str):
        try:
            given = parse(given) if not blank(given) else {}
        except ValueError:
            raise BadRow(f"'metadata' is text; expected a mapping, found {short(given)}") from None
    if not isinstance(given, dict):
        raise BadRow(f"'metadata' is {kind(given)}; expected a mapping")
    merged = dict(given)
    for key, value in (*extra.items(), *rest.items()):
        if key in merged and merged[key] != value:
            raise BadRow(f"two different values for {short(key)} would go into metadata; rename one")
        merged[key] = value
    return dump(merged, "metadata") if merged else None
