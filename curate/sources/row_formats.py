"""Convert a raw row of any common data set format to a prompt with its recorded candidates.

The format is recognised by the row's keys. The prompt is in ``messages``, ``conversations`` (ShareGPT), ``prompt``,
``instruction`` (Alpaca) or ``question`` (GSM8K); the completions are in ``chosen`` and ``rejected``, ``completions``,
``completion``, ``output``, one ``{solution, is_correct}`` per model, or the assistant messages at the end of the
messages. Every key that is used is taken out of the row; the other keys become metadata, so that nothing is lost.
"""

import difflib
import math
from dataclasses import dataclass
from typing import Any

from curate.sources.recorded_candidates import (
    Candidate,
    continuation,
    read_answer,
    read_candidate,
    read_completions,
    read_filled_text,
    read_text,
    take_label,
    take_model,
)
from schemas.errors import BadRow, kind_of, short_repr
from schemas.json_text import blank, dump, parse
from schemas.messages import Message, read_messages, same_message, trailing_assistant_count
from schemas.tool_calls import read_tools

PROMPT_KEYS = ("messages", "conversations", "prompt", "instruction", "question")
RATINGS = {
    "chosen": ("chosen_rating", "score_chosen", "chosen_score"),
    "rejected": ("rejected_rating", "score_rejected", "rejected_score"),
}


@dataclass(slots=True)
class Row:
    """A prompt's messages with its candidates. ``tools`` and ``metadata`` are JSON text, or ``None``.

    ``row_format`` is the name of the recognised format, such as ``Alpaca``.
    """

    row_format: str
    messages: list[Message]
    candidates: list[Candidate]
    tools: str | None
    ground_truth: str | None
    metadata: str | None


def convert(row: dict[str, Any], extra: dict[str, Any] | None = None) -> Row:
    """Return a raw row as a prompt with its candidates.

    Args:
        row: The row; it is not changed.
        extra: Keys that go to the metadata without being looked at.

    Raises:
        BadRow: The row has no prompt, or a part of it cannot be read.
    """
    rest = {k: v for k, v in row.items() if v is not None}
    prompt_key = _prompt_key(rest, row)
    messages = _prompt(rest, prompt_key)
    messages, candidates, answer_key = _answers(rest, messages, prompt_key)
    messages = _with_system(rest.pop("system", None), messages)
    _check_prompt(messages, candidates, prompt_key)
    truth = rest.pop("ground_truth", None)
    if truth is None and prompt_key == "question":
        truth = rest.pop("answer", None)
    tools = read_tools(rest.pop("tools", None))
    if truth is not None:
        truth = read_text(truth, "ground_truth") if isinstance(truth, str) else dump(truth, "ground_truth")
    return Row(
        row_format=_format_name(prompt_key, answer_key),
        messages=messages,
        candidates=candidates,
        tools=dump(tools, "tools") if tools else None,
        ground_truth=truth,
        metadata=_metadata(rest, extra or {}),
    )


def _format_name(prompt_key: str, answer_key: str | None) -> str:
    """Return the format's name, as a result line shows it."""
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
    """Return the key that holds the prompt; ``chosen`` where it is the messages that both sides of a pair share."""
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
    """Return the error for a row without a prompt: the keys it has, and the nearest right one."""
    if "chosen" in rest and "rejected" in rest:
        return "'chosen' and 'rejected' without a prompt; expected 'prompt', or both as lists of messages"
    if "text" in rest:
        return (
            "'text' is plain text without a prompt; expected 'prompt' or 'messages' "
            "(to use the text as the prompt: fields: {prompt: text})"
        )
    if not rest:
        return "no prompt or messages: the row is empty"
    shown = ", ".join(short_repr(key) for key in list(rest)[:12])
    for key in rest:
        close = difflib.get_close_matches(str(key)[:40].lower(), PROMPT_KEYS, n=1, cutoff=0.7)
        if close:
            return f"no prompt or messages: found the keys {shown}; did you mean {close[0]!r} for {short_repr(key)}?"
    return f"no prompt or messages: found the keys {shown}; name the right one with fields: {{prompt: KEY}}"


def _prompt(rest: dict, key: str) -> list[Message]:
    """Take the prompt's messages out of the row."""
    if key == "chosen":
        return []
    value = rest.pop(key)
    if key in ("messages", "conversations"):
        messages = read_messages(value, key)
        if any(message["content"] == rest.get("prompt") for message in messages):
            del rest["prompt"]  # a copy of one message, as in our own tables
        return messages
    if key == "prompt" and isinstance(value, list | dict):
        return read_messages(value, key)
    if key == "prompt" and not isinstance(value, str):
        raise BadRow(f"'prompt' is {kind_of(value)}; expected text or a list of messages")
    text = read_filled_text(value, key)
    alpaca_input = read_text(rest.pop("input", ""), "input") if key == "instruction" else ""
    text = text if blank(alpaca_input) else f"{text}\n\n{alpaca_input}"
    return [*_history(rest), {"role": "user", "content": text}]


def _history(rest: dict) -> list[Message]:
    """Take earlier rounds, ``[[question, answer], ...]``, out of an Alpaca row."""
    if not isinstance(rest.get("history"), list):
        return []
    messages = []
    for index, pair in enumerate(rest.pop("history")):
        if not isinstance(pair, list) or len(pair) != 2:
            raise BadRow(f"history[{index}] is {short_repr(pair)}; expected [question, answer]")
        question, reply = (read_filled_text(text, f"history[{index}]") for text in pair)
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
    return messages


def _answers(rest: dict, messages: list[Message], prompt_key: str) -> tuple[list[Message], list[Candidate], str | None]:
    """Take the completions out of the row; return the prompt's messages, the candidates and the key they were in."""
    sides = [key for key in ("chosen", "rejected") if isinstance(rest.get(key), str | list | dict)]
    if len(sides) == 1:
        other = "rejected" if sides == ["chosen"] else "chosen"
        raise BadRow(f"{sides[0]!r} without {other!r}; expected both, or the one answer as 'completion'")
    if sides:
        return *_preference(rest, messages), "chosen"
    if "completions" in rest:
        candidates, unread = read_completions(rest.pop("completions"))
        if any(unread):
            rest["completions"] = unread
        return messages, candidates, "completions"
    key = next((k for k in ("completion", "output") if k in rest), None)
    if key == "completion" or (key == "output" and prompt_key == "instruction"):
        completion = continuation(messages, read_answer(rest.pop(key), key), key)
        return messages, [Candidate(completion, take_model(rest), take_label(rest))], key
    solution_keys = [k for k, v in rest.items() if isinstance(v, dict) and isinstance(v.get("solution"), str)]
    if solution_keys:
        return messages, [_solution(rest, key) for key in solution_keys], "solution"
    count = trailing_assistant_count(messages)
    if 0 < count < len(messages):
        return messages[:-count], [Candidate(messages[-count:], take_model(rest), take_label(rest))], "messages"
    return messages, [], None


def _solution(rest: dict, key: str) -> Candidate:
    """Take ``key: {solution, is_correct}`` out of a row of recorded solutions; the key names the model."""
    candidate, unread = read_candidate({"model": key, **rest.pop(key)}, short_repr(key))
    if unread:
        rest[key] = unread
    return candidate


def _preference(rest: dict, messages: list[Message]) -> tuple[list[Message], list[Candidate]]:
    """Take the pair out of the row. Messages that both sides begin with are the prompt's."""
    sides = {key: read_answer(rest.pop(key), key) for key in ("chosen", "rejected")}
    if messages == sides["chosen"]:
        messages = []
    if isinstance(rest.get("messages"), list):
        copy = read_messages(rest["messages"], "messages")
        if copy in (sides["chosen"], [*messages, *sides["chosen"]]):
            del rest["messages"]
    shared = _shared(sides["chosen"], sides["rejected"])
    if not messages and not shared:
        raise BadRow("'chosen' and 'rejected' share no turn and there is no 'prompt'; nothing is left as the prompt")
    tail = shared[len(shared) - len(messages) :]
    if len(shared) >= len(messages) and all(same_message(a, b) for a, b in zip(tail, messages, strict=True)):
        messages = shared  # may begin with a system message that the prompt leaves out
    candidates = []
    for (key, answer), value in zip(sides.items(), (1.0, 0.0), strict=True):
        scores = {"preference": value, **_rating(rest, key)}
        candidates.append(Candidate(continuation(messages, answer, key), take_model(rest, f"{key}_model"), scores))
    if candidates[0].messages == candidates[1].messages:
        raise BadRow("'chosen' and 'rejected' are the same; expected two different answers")
    return messages, candidates


def _shared(one: list[Message], other: list[Message]) -> list[Message]:
    """Return the messages that two conversations share at the start, up to the last that is not the assistant's."""
    count = 0
    while count < min(len(one), len(other)) - 1 and same_message(one[count], other[count]):
        count += 1
    return one[: count - trailing_assistant_count(one[:count])]


def _rating(rest: dict, side: str) -> dict[str, float | None]:
    """Take the rating of one side of a pair out of the row, as a score. One that is not a number stays metadata."""
    for key in RATINGS[side]:
        try:
            value = float(rest.get(key, "none"))
        except (TypeError, ValueError, OverflowError):
            continue
        if math.isfinite(value):
            del rest[key]
            return {"rating": value}
    return {}


def _with_system(system: Any, messages: list[Message]) -> list[Message]:
    """Return the messages with ``system`` as a system message first, unless they begin with it already."""
    if system is None or blank(read_text(system, "system")):
        return messages
    message: Message = {"role": "system", "content": system}
    if not messages or messages[0]["role"] != "system":
        return [message, *messages]
    if not same_message(messages[0], message):
        raise BadRow("the row has a 'system' text and its messages begin with another system turn; remove one")
    return messages


def _check_prompt(messages: list[Message], candidates: list[Candidate], key: str) -> None:
    """Raise ``BadRow`` where the prompt has no user message or ends with an assistant's."""
    if trailing_assistant_count(messages) == len(messages):
        raise BadRow(f"{key!r} has only assistant turns; expected a user turn before them")
    if not any(message["role"] == "user" for message in messages):
        raise BadRow(f"{key!r} has no user turn; expected at least one")
    if messages[-1]["role"] == "assistant":
        raise BadRow(
            f"{key!r} ends with an assistant turn although the row has {len(candidates)} recorded answers; "
            "remove the turn, or the answers"
        )


def _metadata(rest: dict, extra: dict) -> str | None:
    """Return ``metadata`` and every key that was not read as one JSON text, or ``None`` where there are none."""
    given = rest.pop("metadata", {})
    if isinstance(given, str):
        try:
            given = parse(given) if not blank(given) else {}
        except ValueError:
            raise BadRow(f"'metadata' is text; expected a mapping, found {short_repr(given)}") from None
    if not isinstance(given, dict):
        raise BadRow(f"'metadata' is {kind_of(given)}; expected a mapping")
    merged = dict(given)
    for key, value in (*extra.items(), *rest.items()):
        if key in merged and merged[key] != value:
            raise BadRow(f"two different values for {short_repr(key)} would go into metadata; rename one")
        merged[key] = value
    return dump(merged, "metadata") if merged else None
