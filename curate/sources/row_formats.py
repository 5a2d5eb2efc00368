"""Convert a raw row of any common layout to prompts with their recorded candidates.

``row_layout`` recognises where the parts of a row are, by the names in ``layout_names``; here they are taken out of the
row. The other keys become metadata, so that nothing is lost.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from curate.sources import layout_names as names
from curate.sources.message_trees import tree_prompts
from curate.sources.preference_pairs import take_numbered, take_pair
from curate.sources.recorded_candidates import (
    RECORDED,
    Candidate,
    add_reasoning,
    continuation,
    read_answer,
    read_candidate,
    read_filled_text,
    read_text,
    take_completions,
    take_model,
    take_scores,
    take_verdict,
)
from curate.sources.row_keys import normal, parse_lists
from curate.sources.row_layout import Layout, row_layout
from curate.sources.row_metadata import row_metadata
from curate.sources.transcripts import is_transcript, read_transcript
from schemas.errors import BadRow, kind_of, short_repr
from schemas.json_text import blank, dump
from schemas.messages import Message, read_messages, same_message, trailing_assistant_count
from schemas.tool_calls import read_tools


@dataclass(slots=True)
class Row:
    """A prompt's messages with its candidates. ``tools`` and ``metadata`` are JSON text, or ``None``.

    Attributes:
        row_format: The name of the recognised layout, such as ``Alpaca``.
        messages: The prompt's messages.
        candidates: Its recorded candidates.
        tools: Its tools.
        ground_truth: What an answer is compared with.
        metadata: What was not read.
        unused: The keys that look like an answer and are in the metadata.
        truth: The key that the ground truth was under, unless it is ``ground_truth``.
        changed: The keys whose value could not be kept as it is, or not under its name.
    """

    row_format: str
    messages: list[Message]
    candidates: list[Candidate]
    tools: str | None
    ground_truth: str | None
    metadata: str | None
    unused: tuple[str, ...] = ()
    truth: str | None = None
    changed: tuple[str, ...] = ()


def convert(row: dict[str, Any], extra: dict[str, Any] | None = None) -> list[Row]:
    """Return a raw row as a prompt with its candidates; a tree of messages gives several.

    Args:
        row: The row; it is not changed.
        extra: Keys that go to the metadata without being looked at.

    Raises:
        BadRow: The row has no prompt, or a part of it cannot be read.
    """
    rest = {k: v for k, v in row.items() if v is not None}
    if not rest and row:
        raise BadRow(f"{next(iter(row))!r} is null; expected text or a list of messages")
    _lift_input(rest)
    parse_lists(rest)
    try:
        layout = row_layout(rest)
    except BadRow as problem:
        null = next((key for key in (*names.CONVERSATIONS[:2], *names.PROMPTS[:3]) if key in row), None)
        is_null = null is not None and row[null] is None
        raise BadRow(f"{null!r} is null; expected text or a list of messages") if is_null else problem from None
    if layout.answers == "tree":
        return list(_tree_rows(rest, layout, extra or {}))
    return [_read_row(rest, layout, extra or {})]


def _lift_input(rest: dict[str, Any]) -> None:
    """Move the keys of ``input: {messages, tools}`` (OpenAI's preference format) into the row."""
    given = rest.get("input")
    if isinstance(given, dict) and isinstance(given.get("messages"), list) and not given.keys() & rest.keys():
        del rest["input"]
        rest.update({key: value for key, value in given.items() if value is not None})


def _tree_rows(rest: dict[str, Any], layout: Layout, extra: dict[str, Any]) -> Iterator[Row]:
    root = rest.pop("prompt")
    language = {"lang": root["lang"]} if isinstance(root.get("lang"), str) else {}
    metadata, changed = row_metadata(rest | language, extra)
    for messages, candidates in tree_prompts(root):
        yield Row(layout.name, messages, candidates, None, None, metadata, changed=changed)


def _read_row(rest: dict[str, Any], layout: Layout, extra: dict[str, Any]) -> Row:
    """Return a row's prompt and candidates, taking the parts out of ``rest``."""
    messages = _prompt(rest, layout)
    row_format = layout.name
    tools = read_tools(rest.pop(layout.tools)) if layout.tools else None
    truth = _take_truth(rest, layout)
    if layout.answers == "sides":
        messages, candidates = take_pair(rest, messages, layout.keys, layout.prompt)
    elif layout.answers == "numbered":
        messages, candidates = take_numbered(rest, messages, layout.keys, layout.winner)
    elif layout.answers == "list":
        candidates = take_completions(rest, layout.keys[0])
        messages = _add_last_turns(rest, layout, messages, candidates)
    elif layout.answers == "solutions":
        candidates = [_solution(rest, key) for key in layout.keys]
    else:
        messages, candidates, row_format = _one_answer(rest, layout, messages)
    if layout.system:
        messages = _with_system(rest.pop(layout.system), messages)
    _check_prompt(messages, candidates, layout.prompt or layout.keys[0])
    suspects = _left_answers(rest, layout, extra, messages, candidates)
    metadata, changed = row_metadata(rest, extra)
    return Row(
        row_format=row_format,
        messages=messages,
        candidates=candidates,
        tools=dump(tools, "tools") if tools else None,
        ground_truth=truth,
        metadata=metadata,
        unused=suspects,
        truth=layout.truth[0] if truth is not None and layout.truth != ("ground_truth",) else None,
        changed=changed,
    )


def _prompt(rest: dict[str, Any], layout: Layout) -> list[Message]:
    """Take the prompt's messages out of the row."""
    key = layout.prompt
    if key is None:
        return []
    value = rest[key] if layout.keys[:1] == (key,) else rest.pop(key)
    if layout.turns:
        if normal(key) == "prompt" and not isinstance(value, list | dict):
            raise BadRow(f"{key!r} is {kind_of(value)}; expected text or a list of messages")
        return read_messages(_turns(value), key)
    if isinstance(value, dict):
        if "role" in value or "from" in value:
            return read_messages(value, key)
        inner = next((value[name] for name in ("text", "full_text", "content", "prompt") if name in value), None)
        if not isinstance(inner, str):
            raise BadRow(f"{key!r} is a mapping; expected text or a list of messages")
        rest[key] = {name: one for name, one in value.items() if one is not inner}
        value = inner
    text = read_filled_text(value, key)
    if is_transcript(text):
        return read_transcript(text, key)
    context = read_text(rest.pop(layout.context), layout.context) if layout.context else ""
    text = text if blank(context) else f"{text}\n\n{context}"
    return [*_history(rest), {"role": "user", "content": text}]


def _turns(value: Any) -> Any:
    """Return a conversation's turns: texts by turns, or rounds of ``{input, output}``, become messages."""
    if isinstance(value, list) and value:
        if all(isinstance(turn, str) for turn in value):
            return [{"role": ("user", "assistant")[index % 2], "content": turn} for index, turn in enumerate(value)]
        if all(isinstance(turn, dict) and turn.keys() == {"input", "output"} for turn in value):
            roles = (("user", "input"), ("assistant", "output"))
            return [{"role": role, "content": turn[key]} for turn in value for role, key in roles]
    return value


def _history(rest: dict[str, Any]) -> list[Message]:
    """Take earlier rounds, ``[[question, answer], ...]``, out of a row."""
    if not isinstance(rest.get("history"), list):
        return []
    messages: list[Message] = []
    for index, pair in enumerate(rest.pop("history")):
        if not isinstance(pair, list) or len(pair) != 2:
            raise BadRow(f"history[{index}] is {short_repr(pair)}; expected [question, answer]")
        question, reply = (read_filled_text(text, f"history[{index}]") for text in pair)
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
    return messages


def _one_answer(
    rest: dict[str, Any], layout: Layout, messages: list[Message]
) -> tuple[list[Message], list[Candidate], str]:
    """Take the one answer out of the row, or off the end of its conversation; return the layout's name as well."""
    count = trailing_assistant_count(messages)
    if layout.answers == "turns" and 0 < count < len(messages):
        messages, answer, row_format = messages[:-count], messages[-count:], layout.name
    elif layout.one:
        answer = continuation(messages, read_answer(rest.pop(layout.one), layout.one), layout.one)
        row_format = layout.name if layout.keys else f"{normal(layout.prompt or '')}-{normal(layout.one)}"
    else:
        return messages, [], "prompt" if layout.name == "messages" else layout.name
    candidate = Candidate(answer, take_model(rest, layout.model) if layout.model else RECORDED)
    for key, score in layout.scores:
        value = take_verdict(rest, key) if key in rest else None
        if value is not None:
            candidate.scores.setdefault(score, value)
    if isinstance(rest.get("scores"), dict):
        candidate.scores |= take_scores(rest, "row")
    if layout.reasoning:
        _take_reasoning(rest, layout.reasoning, candidate)
    return messages, [candidate], row_format


def _take_reasoning(rest: dict[str, Any], key: str, candidate: Candidate) -> None:
    """Give the candidate the row's reasoning; a flag such as "on" stays in the row."""
    value = rest[key][0] if isinstance(rest[key], list) else rest[key]
    if normal(value) in names.REASONING_FLAGS or candidate.messages[-1].get("reasoning_content"):
        return
    add_reasoning(candidate, value)
    if not isinstance(rest[key], list) or len(rest[key]) == 1:
        del rest[key]


def _add_last_turns(
    rest: dict[str, Any], layout: Layout, messages: list[Message], candidates: list[Candidate]
) -> list[Message]:
    """Return the prompt without the assistant's turns at its end, which become a candidate unless one is the same."""
    count = trailing_assistant_count(messages)
    if not 0 < count < len(messages):
        return messages
    last = messages[-count:]
    if all(last != candidate.messages for candidate in candidates):
        candidates.append(Candidate(last))
    return messages[:-count]


def _solution(rest: dict[str, Any], key: str) -> Candidate:
    """Take ``key: {solution, is_correct}`` out of a row of recorded solutions; the key names the model."""
    candidate, unread = read_candidate({"model": key, **rest.pop(key)}, short_repr(key))
    if unread:
        rest[key] = unread
    return candidate


def _take_truth(rest: dict[str, Any], layout: Layout) -> str | None:
    """Take the ground truth out of the row, as text; where it is the answer as well, it stays for that."""
    if not layout.truth:
        return None
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
    if value is None or (isinstance(value, str) and blank(value) and key != "ground_truth"):
        return None
    return read_text(value, key) if isinstance(value, str) else dump(value, key)


def _with_system(system: Any, messages: list[Message]) -> list[Message]:
    """Return the messages with ``system`` as a system message first, unless they begin with it already."""
    if blank(read_text(system, "system")):
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


def _left_answers(
    rest: dict[str, Any], layout: Layout, extra: dict[str, Any], messages: list[Message], candidates: list[Candidate]
) -> tuple[str, ...]:
    """Return the keys that look like an answer and are left; those that repeat a message are taken out of the row."""
    if not layout.suspects and not extra and "prompt" not in rest and "instruction" not in rest:
        return ()
    texts = {turn["content"].strip() for turn in messages}
    texts.update(turn["content"].strip() for candidate in candidates for turn in candidate.messages)
    for key in (*layout.suspects, "prompt", "instruction"):
        value = rest.get(key)
        if isinstance(value, str) and value.strip() in texts:
            del rest[key]  # a copy of one message, as in our own tables
    looks = [key for key in extra if normal(str(key)) in names.LOOK_LIKE_ANSWERS and isinstance(extra[key], str | list)]
    return (*(key for key in layout.suspects if key in rest), *looks)
