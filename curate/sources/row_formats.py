"""Convert a raw row of any common layout to prompts with their recorded candidates.

``row_layout`` recognises where the parts of a row are, by the names in ``layout_names``; here they are taken out of the
row. The other keys become metadata, so that nothing is lost.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from curate.sources import layout_names as names
from curate.sources.message_trees import tree_prompts
from curate.sources.preference_pairs import join_list, take_numbered, take_pair, whole_conversation
from curate.sources.prompt_messages import check_prompt, read_choices, take_prompt, with_system, without_blank_system
from curate.sources.recorded_candidates import (
    RECORDED,
    Candidate,
    add_reasoning,
    continuation,
    read_answer,
    read_candidate,
    read_text,
    take_completions,
    take_model,
    take_scores,
    take_verdict,
)
from curate.sources.row_keys import normal, parse_lists
from curate.sources.row_layout import Layout, row_layout
from curate.sources.row_metadata import row_metadata
from schemas.errors import BadRow, short_repr
from schemas.json_text import blank, dump
from schemas.messages import Message, trailing_assistant_count
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
    return _read_row(rest, layout, extra or {})


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


def _read_row(rest: dict[str, Any], layout: Layout, extra: dict[str, Any]) -> list[Row]:
    """Return a row's prompt and candidates, taking the parts out of ``rest``.

    Compared conversations that go different ways give a prompt each.
    """
    truth = _take_truth(rest, layout)
    messages, row_format = take_prompt(rest, layout), layout.name
    tools = read_tools(rest.pop(layout.tools)) if layout.tools else None
    if layout.choices:
        del rest[layout.choices]
    if layout.answers in ("sides", "numbered"):
        if layout.answers == "sides":
            found = take_pair(rest, messages, layout.keys, layout.prompt)
        else:
            found = take_numbered(rest, messages, layout.keys, layout.winner)
        if layout.listed and len(found) == 1:
            join_list(found[0][1], take_completions(rest, layout.listed))
        row_format = row_format if len(found) == 1 else f"{row_format} of different turns"
    elif layout.answers == "list":
        candidates = take_completions(rest, layout.keys[0])
        found = [(_add_last_turns(messages, candidates), candidates)]
    elif layout.answers == "solutions":
        found = [(messages, [_solution(rest, key) for key in layout.keys])]
    else:
        messages, candidates, row_format = _one_answer(rest, layout, messages)
        found = [(messages, candidates)]
    found = [(without_blank_system(messages), candidates) for messages, candidates in found]
    if layout.system:
        system = rest.pop(layout.system)
        found = [(with_system(system, messages), candidates) for messages, candidates in found]
    for messages, candidates in found:
        check_prompt(messages, candidates, layout.prompt or layout.keys[0])
    unused = _left_answers(rest, layout, extra, *found[0])
    metadata, changed = row_metadata(rest, extra)
    first = Row(
        row_format=row_format,
        messages=found[0][0],
        candidates=found[0][1],
        tools=dump(tools, "tools") if tools else None,
        ground_truth=truth,
        metadata=metadata,
        unused=unused,
        truth=layout.truth[0] if truth is not None and layout.truth != ("ground_truth",) else None,
        changed=changed,
    )
    return [first, *(replace(first, messages=turns, candidates=answers) for turns, answers in found[1:])]


def _one_answer(
    rest: dict[str, Any], layout: Layout, messages: list[Message]
) -> tuple[list[Message], list[Candidate], str]:
    """Take the one answer out of the row, or off the end of its conversation; return the layout's name as well."""
    count = trailing_assistant_count(messages)
    if layout.answers == "turns" and 0 < count < len(messages):
        messages, answer, row_format = messages[:-count], messages[-count:], layout.name
    elif layout.one and not (layout.truth and layout.truth != (layout.one,) and rest[layout.one] == ""):
        answer = read_answer(rest.pop(layout.one), layout.one)
        messages, answer = whole_conversation(messages, answer) or (
            messages,
            continuation(messages, answer, layout.one),
        )
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


def _add_last_turns(messages: list[Message], candidates: list[Candidate]) -> list[Message]:
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
    choices = read_choices(rest, layout.choices)
    if choices and isinstance(value, int) and 0 <= value < len(choices):
        value = choices[value][0]
    if isinstance(value, dict) and isinstance(value.get("text"), list):  # SQuAD: every accepted text, with its place
        texts = list(dict.fromkeys(value["text"]))
        value = (texts or [None])[0] if len(texts) < 2 else texts
    if value is None or (isinstance(value, str) and blank(value) and key != "ground_truth"):
        return None
    return read_text(value, key) if isinstance(value, str) else dump(value, key)


def _left_answers(
    rest: dict[str, Any], layout: Layout, extra: dict[str, Any], messages: list[Message], candidates: list[Candidate]
) -> tuple[str, ...]:
    """Return the keys that look like an answer and are left; those that repeat a message are taken out of the row."""
    if not extra and not any(key in rest for key in (*layout.suspects, "prompt", "instruction")):
        return ()
    texts = {turn["content"].strip() for turn in messages}
    texts.update(turn["content"].strip() for candidate in candidates for turn in candidate.messages)
    for key in (*layout.suspects, "prompt", "instruction"):
        value = rest.get(key)
        if isinstance(value, str) and value.strip() in texts:
            del rest[key]  # a copy of one message, as in our own tables
    looks = [key for key in extra if normal(str(key)) in names.LOOK_LIKE_ANSWERS and isinstance(extra[key], str | list)]
    return (*(key for key in layout.suspects if key in rest), *looks)
