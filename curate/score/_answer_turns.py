"""The turns of a response: its text and its tool calls, or several turns with the results of calls between them."""

from typing import Any

from curate.steps.quoting import turns_where
from schemas.answer_text import answer_of
from schemas.errors import short_repr

NO_RESPONSE = "no response"
EMPTY = "the response is empty"


def answer_turns(response: str | None, completion: str | None) -> list[dict[str, Any]] | str:
    """Return the turns of a response without its trace, or why there is nothing to judge.

    Args:
        response: The text of its last turn, without a trace.
        completion: Its turns as JSON text, where there may be tool calls or several turns; or None.

    Returns:
        The turns, in the stored form. The last one of the assistant has no ``reasoning_content``; earlier ones have
        their own.
    """
    if response is None:
        return NO_RESPONSE
    turns: list[dict[str, Any]] = [{"role": "assistant", "content": response}]
    if completion is not None and ('"tool_calls"' in completion or completion.count('"role"') != 1):
        given = turns_where(completion, _is_turn)
        if given is None:
            return f"the completion cannot be read: {short_repr(completion)}"
        turns = [_without_trace(turn) for turn in given]
        last = max((place for place, turn in enumerate(turns) if turn["role"] == "assistant"), default=None)
        if last is not None:
            turns[last] = {k: v for k, v in turns[last].items() if k != "reasoning_content"} | {"content": response}
    has_answer = any((turn.get("content") or "").strip() or turn.get("tool_calls") for turn in turns)
    return turns if has_answer else EMPTY


def _without_trace(turn: dict[str, Any]) -> dict[str, Any]:
    """Return a turn with the trace of its text apart from it."""
    trace, text = answer_of(turn.get("content") or "") if turn["role"] == "assistant" else (None, "")
    return {**turn, "content": text, "reasoning_content": turn.get("reasoning_content") or trace} if trace else turn


def _is_turn(turn: dict[str, Any]) -> bool:
    calls = turn.get("tool_calls") or []
    return (
        isinstance(turn.get("content") or "", str)
        and isinstance(turn.get("reasoning_content") or "", str)
        and isinstance(calls, list)
        and all(isinstance(call, dict) for call in calls)
    )
