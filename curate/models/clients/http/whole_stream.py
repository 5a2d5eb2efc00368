"""Makes the body of a whole answer of the events of a stream, for servers that stream without having been asked to."""

from typing import Any

from curate.models.clients.http.event_data import DONE, LINE_END, data_of
from curate.models.clients.http.lenient_json import parse
from schemas.message_content import REASONING_KEYS

TEXTS = ("refusal", *REASONING_KEYS)


def whole_answer(raw: bytes) -> dict[str, Any]:
    """Return the answer, as JSON values, whose deltas the events of a stream hold.

    Raises ``ValueError`` where the stream was broken off, tells an error, or has an event that is no JSON mapping.
    """
    choices: dict[int, dict[str, Any]] = {}
    answer: dict[str, Any] = {}
    done = False
    for data in filter(None, map(data_of, LINE_END.split(raw))):
        if data == DONE:
            done = True
            break
        event = parse(data)
        if not isinstance(event, dict) or event.get("error"):
            raise ValueError("a stream with an error, or with an event that can't be read")
        answer.update({key: event[key] for key in ("usage", "model") if event.get(key) is not None})
        given = event.get("choices")
        for place, choice in enumerate(given if isinstance(given, list) else []):
            if isinstance(choice, dict):
                index = choice.get("index")
                _add(choices.setdefault(index if isinstance(index, int) else place, {}), choice)
    if not done and not all(choice.get("finish_reason") for choice in choices.values()):
        raise ValueError("a stream that was broken off")
    return answer | {"choices": [_made(choices[index]) | {"index": index} for index in sorted(choices)]}


def _add(choice: dict[str, Any], more: dict[str, Any]) -> None:
    """Add an event's part of a choice to what there is of it."""
    for key in ("finish_reason", "text"):
        if more.get(key) is not None:
            is_text = key == "text" and isinstance(more[key], str)
            choice[key] = choice.get(key, "") + more[key] if is_text else more[key]
    delta = next((more[key] for key in ("delta", "message") if isinstance(more.get(key), dict)), None)
    if delta is not None:
        _add_delta(choice.setdefault("message", {}), delta)
    log = more.get("logprobs")
    for key in ("content", "token_logprobs"):
        if isinstance(log, dict) and isinstance(log.get(key), list):
            choice.setdefault("logprobs", {}).setdefault(key, []).extend(log[key])


def _add_delta(message: dict[str, Any], delta: dict[str, Any]) -> None:
    """Add a delta to a message, in which texts are lists of pieces and calls a mapping by their index."""
    content = delta.get("content")
    if content is not None:
        message.setdefault("content", []).extend(content if isinstance(content, list) else [content])
    for key in TEXTS:
        if delta.get(key):
            message.setdefault(key, []).append(delta[key])
    if isinstance(delta.get("reasoning_details"), list):
        message.setdefault("reasoning_details", []).extend(delta["reasoning_details"])
    calls = delta.get("tool_calls")
    for place, call in enumerate(calls if isinstance(calls, list) else []):
        if isinstance(call, dict):
            index = call.get("index")
            _add_call(
                message.setdefault("tool_calls", {}).setdefault(index if isinstance(index, int) else place, {}), call
            )
    if isinstance(delta.get("function_call"), dict):
        _add_call(message.setdefault("function_call", {}), {"function": delta["function_call"]})


def _add_call(call: dict[str, Any], more: dict[str, Any]) -> None:
    """Add a part of a tool call: the id and the name come once, the arguments in pieces."""
    inner = more.get("function")
    found = {"id": more.get("id"), **(inner if isinstance(inner, dict) else {})}
    for key in ("id", "name"):
        if found.get(key):
            call.setdefault(key, found[key])
    arguments, before = found.get("arguments"), call.get("arguments")
    if arguments is not None:
        joined = isinstance(arguments, str) and isinstance(before, str)
        call["arguments"] = f"{before}{arguments}" if joined else arguments


def _made(choice: dict[str, Any]) -> dict[str, Any]:
    """Return a choice with its pieces joined; pieces that are no text stay as they are."""
    message = choice.get("message")
    if message is None:
        return choice
    joined = {key: _joined(message[key]) for key in ("content", *TEXTS) if key in message}
    calls = message.get("tool_calls", {})
    if calls:
        joined["tool_calls"] = [
            {"id": call.get("id"), "function": {key: call.get(key) for key in ("name", "arguments")}}
            for _, call in sorted(calls.items())
        ]
    return choice | {"message": message | joined}


def _joined(pieces: list[Any]) -> Any:
    return "".join(pieces) if all(isinstance(piece, str) for piece in pieces) else pieces
