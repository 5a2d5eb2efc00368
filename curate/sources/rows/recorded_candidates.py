"""Read the completions that a source row has recorded: texts, messages or mappings become ``Candidate`` objects.

Functions called ``take_...`` remove from the row (or from the part of a row) the keys that they read.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from curate.sources.rows import layout_names as names
from curate.sources.rows.last_turns import cut_behind_answer
from curate.sources.rows.row_keys import normal
from schemas.errors import BadRow, kind_of, short_repr
from schemas.finish_reasons import finish_reason
from schemas.json_text import blank, encodable, read_list
from schemas.messages import Message, answer_message, read_messages, same_message, with_reasoning
from schemas.rows import COMPLETIONS, PROMPTS
from schemas.token_count import MOST_TOKENS

RECORDED = "recorded"  # the model of an answer whose model is not known
COLUMNS = {*PROMPTS, *COMPLETIONS, "split", "n_completions"}  # names in SQL that no score may have


@dataclass(slots=True)
class Candidate:
    """A recorded completion: its messages, model and scores (``None``: without a value), and its id if it was exported.

    ``error`` is what is wrong with a tool call of its last turn, ``cut`` the turns left out behind its last answer.
    """

    messages: list[Message]
    model: str = RECORDED
    scores: dict[str, float | None] = field(default_factory=dict)
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    error: str | None = None
    cut: Sequence[Message] = ()
    completion_id: str | None = None


def take_completions(rest: dict[str, Any], key: str, *, cut: bool = False) -> list[Candidate]:
    """Take a list of recorded answers out of a row, with the lists beside it that are as long: scores, models.

    What a mapping in the list has beside its answer and was not read stays in the row, under the same key. A null is an
    answer that failed; it is left out.

    Raises:
        BadRow: The list is empty, or an answer cannot be read.
    """
    items = read_list(rest.pop(key), key)
    if not items:
        raise BadRow(f"{key!r} is an empty list; expected at least one recorded answer, or no {key!r}")
    if _are_calls(items):
        calls = [{"role": "assistant", "content": "", "tool_calls": items}]
        return [Candidate(read_messages(calls, key), take_model(rest))]
    pairs = [
        (Candidate([]), None) if item is None else read_candidate(item, f"{key}[{index}]", cut=cut)
        for index, item in enumerate(items)
    ]
    candidates = [candidate for candidate, _ in pairs]
    if any(unread != {} for _, unread in pairs):
        rest[key] = [unread for _, unread in pairs]
    take_lists(rest, candidates)
    candidates = [candidate for candidate in candidates if candidate.messages]
    model = take_model(rest) if all(one.model == RECORDED for one in candidates) else RECORDED
    for candidate in candidates if model != RECORDED else ():
        candidate.model = model
    return candidates


def _are_calls(items: list) -> bool:
    """Return whether a list holds the tool calls of one answer (as in xLAM's ``answers``) rather than answers."""
    return all(isinstance(item, dict) and {"name", "arguments"} == item.keys() - {"id", "type"} for item in items)


def take_lists(rest: dict[str, Any], candidates: list[Candidate]) -> None:
    """Take the lists out of a row that are as long as its list of candidates: their scores, models, reasoning."""
    for key in [k for k, v in rest.items() if isinstance(v, list) and len(v) == len(candidates)]:
        values = rest[key]
        if all(value is None or number_of(value) is not None for value in values):
            taken = _take_numbers(key, values, candidates)
        else:
            taken = all(value is None or isinstance(value, str) for value in values)
            taken = taken and _take_texts(key, values, candidates)
        if taken:
            del rest[key]


def _take_numbers(key: str, values: list, candidates: list[Candidate]) -> bool:
    """Give each candidate its number as a score; return whether the list is one of scores."""
    name = normal(str(key))
    score = names.LIST_SCORES.get(name, str(key))
    named = name in names.LIST_SCORES or any(word in name for word in names.SCORE_WORDS)
    if not named or score.lower() in COLUMNS or all(value is None for value in values):
        return False
    for candidate, value in zip(candidates, values, strict=True):
        candidate.scores.setdefault(encodable(score, "row"), number_of(value))
    return True


def _take_texts(key: str, values: list, candidates: list[Candidate]) -> bool:
    """Give each candidate its model, finish reason or reasoning; return whether the list is one of those."""
    name = normal(str(key))
    for candidate, value in zip(candidates, values, strict=True):
        if name in names.LIST_MODELS:
            candidate.model = encodable(value, key) if value else candidate.model
        elif name in names.LIST_FINISH_REASONS:
            candidate.finish_reason = None if value is None else finish_reason(encodable(value, key))
        elif name in names.LIST_REASONING:
            add_reasoning(candidate, value or "")
        else:
            return False
    return True


def add_reasoning(candidate: Candidate, text: str) -> None:
    """Give a candidate's last message its reasoning, before one that was in its text and differs."""
    if candidate.messages:
        candidate.messages[-1] = with_reasoning(candidate.messages[-1], encodable(text, "reasoning_content"))


def read_candidate(item: Any, where: str, *, cut: bool = False) -> tuple[Candidate, dict]:
    """Return one recorded completion, and its keys that were not read.

    A number or true/false beside the completion is a score under its own name, unless a column has that name. The
    completion may be empty, since a model may have given an empty reply; a completion to train on (``chosen``,
    ``output``) may not.

    Args:
        item: A text, a message, a list of messages, or a mapping with one of ``layout_names.ANSWER_TEXTS``.
        where: The name of ``item`` in an error.
        cut: Whether messages are cut behind the assistant's last turn.

    Raises:
        BadRow: ``item`` cannot be read.
    """
    if not isinstance(item, dict) or "role" in item or "from" in item:
        if not isinstance(item, str | list | dict):
            raise BadRow(f"{where} is {kind_of(item)}; expected text, a list of messages, or a mapping with 'response'")
        answer, behind = cut_behind_answer(read_answer(item, where, empty_ok=True), cut)
        return Candidate(continuation([], answer, where), cut=behind), {}
    item = {k: v for k, v in item.items() if v is not None}
    key = next((k for k in names.ANSWER_TEXTS if k in item), None)
    if key is None:
        keys = ", ".join(short_repr(k) for k in list(item)[:12])
        raise BadRow(f"{where} has no 'response' or 'messages': found the keys {keys or '(none)'}")
    answer, behind = cut_behind_answer(read_answer(item.pop(key), f"{where}.{key}", empty_ok=True), cut)
    messages = continuation([], answer, f"{where}.{key}")
    scores = take_scores(item, where)
    candidate = Candidate(messages, take_model(item), scores, cut=behind)
    trace = next((k for k in names.REASONING if isinstance(item.get(k), str)), None)
    if trace:
        add_reasoning(candidate, item.pop(trace))
    candidate.scores |= _aspects(item.get("annotations"))
    if isinstance(item.get("finish_reason"), str):
        candidate.finish_reason = finish_reason(encodable(item.pop("finish_reason"), f"{where}.finish_reason"))
    candidate.prompt_tokens = _take_token_count(item, "prompt_tokens")
    candidate.completion_tokens = _take_token_count(item, "completion_tokens")
    words = [k for k, v in item.items() if isinstance(v, str) and normal(k) in (*names.VERDICTS, *names.KTO_LABELS)]
    for name in words:
        score = "label" if normal(name) in names.KTO_LABELS else name
        value = take_verdict(item, name, score)
        if value is not None:
            candidate.scores.setdefault(score, value)
    numbers = [
        k
        for k, v in item.items()
        if isinstance(v, bool | int | float)
        and k.lower() not in COLUMNS
        and not (normal(k).endswith("_id") or normal(k) in names.NO_SCORES)
    ]
    for name in (k for k in numbers if k not in candidate.scores):
        candidate.scores[encodable(name, where)] = read_score(item.pop(name), f"{where}[{short_repr(name)}]")
    return candidate, item


def take_scores(item: dict, where: str) -> dict[str, float | None]:
    """Take ``scores``, a mapping of names to numbers, out of a recorded completion."""
    scores = item.pop("scores", {})
    if not isinstance(scores, dict):
        raise BadRow(f"{where}.scores is {kind_of(scores)}; expected a mapping of names to numbers")
    for name in scores:
        if str(name).lower() in COLUMNS:
            raise BadRow(f"{where}.scores has {short_repr(name)}, which is the name of a column; rename the score")
    return {encodable(k, "scores"): read_score(v, f"{where}.scores[{short_repr(k)}]") for k, v in scores.items()}


def _aspects(annotations: Any) -> dict[str, float | None]:
    """Return UltraFeedback's ratings by aspect, ``{"helpfulness": {"Rating": "5"}}``; "N/A" is none."""
    if not isinstance(annotations, dict):
        return {}
    found = {}
    for name, value in annotations.items():
        rating = number_of(value.get("Rating")) if isinstance(value, dict) else None
        if rating is not None and str(name).lower() not in COLUMNS:
            found[encodable(str(name), "annotations")] = rating
    return found


def number_of(value: Any) -> float | None:
    """Return a finite number, true/false, or a text that is a number, as a number; ``None`` for anything else."""
    if not isinstance(value, bool | int | float | str) or (isinstance(value, str) and "_" in value):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def read_answer(value: Any, key: str, *, empty_ok: bool = False) -> list[Message]:
    """Return the messages of a completion that is a text, one message or a list of messages."""
    if isinstance(value, list | dict):
        return read_messages(value, key, empty_ok=empty_ok)
    if empty_ok and isinstance(value, str):
        return [answer_message(value)]
    return [answer_message(read_filled_text(value, key))]


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


def take_model(rest: dict[str, Any], key: str | None = None) -> str:
    """Take the name of the model out of a row; it is ``recorded`` where the row has none."""
    for name in names.MODELS if key is None else (key,):
        if isinstance(rest.get(name), str) and not blank(rest[name]):
            return encodable(rest.pop(name), name)
    return RECORDED


def take_verdict(rest: dict[str, Any], key: str, score: str) -> float | None:
    """Take the value of a score out of a row: a number; of a verdict 1, 0 or -1, or a word for it. Else leave it."""
    value = rest.get(key)
    found, name = number_of(value), normal(score)
    if name in (*names.VERDICTS, *names.WORD_SCORES):
        if found is None and isinstance(value, str) and len(value) < 20:
            found = names.WORDS.get(normal(value))
        found = found if name in names.WORD_SCORES or found in names.VERDICT_VALUES else None
    if found is not None:
        del rest[key]
    return found


def read_score(value: Any, where: str) -> float | None:
    """Return a score: true is 1.0, false 0.0, null ``None``; anything else but a finite number is a ``BadRow``."""
    try:
        if value is None:
            return None
        if isinstance(value, bool | int | float) and math.isfinite(value):
            return float(value)
    except OverflowError:
        pass
    raise BadRow(f"{where} is {short_repr(value)}; expected a finite number, or true or false")


def _take_token_count(rest: dict[str, Any], key: str) -> int | None:
    """Take a count of tokens out of a recorded completion; what is no count stays there."""
    number = None if isinstance(rest.get(key), bool | str) else number_of(rest.get(key))
    if number is None or number != int(number) or not 0 <= number <= MOST_TOKENS:
        return None
    return int(rest.pop(key))


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
