"""Convert a raw row of any common layout to prompts with their recorded candidates.

``row_layout`` recognises where the parts of a row are, by the names in ``layout_names``; here they are taken out of the
row. The other keys become metadata, so that nothing is lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from curate.sources.rows import layout_names as names
from curate.sources.rows.exported_rows import exported_parts
from curate.sources.rows.last_turns import NOTHING, cut_unanswered, drop_empty_turns
from curate.sources.rows.message_trees import tree_prompts
from curate.sources.rows.one_answer import take_ground_truth, take_instructions, take_one_answer
from curate.sources.rows.plain_rows import NAMED_TURNS, plain_row
from curate.sources.rows.preference_pairs import join_list, take_numbered, take_pair
from curate.sources.rows.prompt_messages import (
    check_prompt,
    read_choices,
    take_prompt,
    with_system,
    without_blank_system,
)
from curate.sources.rows.recorded_candidates import Candidate, read_candidate, take_completions
from curate.sources.rows.row_calls import settle_calls
from curate.sources.rows.row_keys import normal, parse_lists
from curate.sources.rows.row_layout import Layout, row_layout
from curate.sources.rows.row_metadata import row_metadata
from curate.sources.rows.transcripts import is_transcript, read_transcript
from curate.sources.rows.unit_test_columns import lift_unit_tests
from schemas.errors import BadRow, short_repr
from schemas.json_text import dump
from schemas.messages import Message, trailing_assistant_count
from schemas.reasoning import split_reasoning
from schemas.tool_calls import read_tools

Prompts = list[tuple[list[Message], list[Candidate]]]


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
        prompt_key: The key of the prompt.
        unused: The keys that look like an answer and are in the metadata.
        unclear: The keys of verdicts, system texts and further prompts that were not understood, and are in the
            metadata.
        truth: The key that the ground truth was under, unless it is ``ground_truth``.
        changed: The keys whose value could not be kept as it is, or not under its name.
        cut: The turns that were left out at the end of the conversation or of an answer, as nothing answers them or
            they hold nothing.
        calls: What a user is told of the tool calls (``row_calls``), with their number.
        prompt_id: The id that the prompt had in the store that the row was exported from.
    """

    row_format: str
    messages: list[Message]
    candidates: list[Candidate]
    tools: str | None
    ground_truth: str | None
    metadata: str | None
    prompt_key: str = "prompt"
    unused: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()
    truth: str | None = None
    changed: tuple[str, ...] = ()
    cut: list[Message] = field(default_factory=list)
    calls: Mapping[str, int] = field(default_factory=dict)
    prompt_id: str | None = None


def convert(row: dict[str, Any], extra: dict[str, Any] | None = None, *, cut: bool = False) -> list[Row]:
    """Return a raw row as a prompt with its candidates; a tree of messages gives several.

    Args:
        row: The row; it is not changed.
        extra: Keys that go to the metadata without being looked at.
        cut: Whether a conversation that has no answer, and an answer that is a trajectory, are cut behind the
            assistant's last turn.

    Raises:
        BadRow: The row has no prompt, or a part of it cannot be read.
    """
    plain = None if extra else plain_row(row)
    if plain is not None:
        form, messages, candidates, metadata, changed, key = plain
        return [Row(form, messages, candidates, None, None, metadata, key, changed=changed)]
    return convert_closely(row, extra, cut=cut)


def convert_closely(row: dict[str, Any], extra: dict[str, Any] | None = None, *, cut: bool = False) -> list[Row]:
    """Return what ``convert`` does, of a row of any layout."""
    exported = exported_parts(row, extra or {})
    if exported is not None:
        return [Row(**exported)]
    rest = {k: v for k, v in row.items() if v is not None}
    _lift_messages(rest)
    parse_lists(rest)
    tests = lift_unit_tests(rest)
    nulls = () if len(rest) == len(row) else tuple(key for key in row if row[key] is None)
    try:
        layout = row_layout(rest, nulls)
    except BadRow as problem:
        null = next((key for key in (*names.MESSAGES, *names.PROMPTS) if key in row and row[key] is None), None)
        raise BadRow(f"{null!r} is null; expected text or a list of messages") if null else problem from None
    if layout.answers == "tree":
        return _tree_rows(rest, layout, extra or {})
    rows = _read_row(rest, layout, extra or {}, cut)
    for one in rows if tests else ():
        one.row_format += f", unit tests in {tests}"
    return rows


def _lift_messages(rest: dict[str, Any]) -> None:
    """Move the keys of ``input: {messages, tools}`` (OpenAI's preferences) into the row, and read transcripts.

    Two sides that name keys (``chosen: response_a``) become what those keys hold.
    """
    chosen, rejected = rest.get("chosen"), rest.get("rejected")
    if (
        isinstance(chosen, str)
        and isinstance(rejected, str)
        and chosen != rejected
        and {chosen, rejected} <= rest.keys()
    ):
        rest["chosen"], rest["rejected"] = rest.pop(chosen), rest.pop(rejected)
    given = rest.get("input")
    if isinstance(given, dict) and isinstance(given.get("messages"), list) and not given.keys() & rest.keys():
        del rest["input"]
        rest.update({key: value for key, value in given.items() if value is not None})
    if "messages" in rest or "prompt" in rest or NAMED_TURNS.isdisjoint(rest):
        return
    named = next((key for key in rest if key in NAMED_TURNS and isinstance(rest[key], str)), None)
    if named and is_transcript(rest[named]):
        rest["messages"] = read_transcript(rest.pop(named), named, empty_end=True)


def _tree_rows(rest: dict[str, Any], layout: Layout, extra: dict[str, Any]) -> list[Row]:
    rows = []
    for messages, candidates, unread in tree_prompts(rest.pop("prompt")):
        check_prompt(messages, candidates, "prompt")
        metadata, changed = row_metadata(rest | unread, extra)
        rows.append(Row(layout.name, messages, candidates, None, None, metadata, changed=changed))
    return rows


def _read_row(rest: dict[str, Any], layout: Layout, extra: dict[str, Any], cut: bool) -> list[Row]:
    """Return a row's prompt and candidates, taking the parts out of ``rest``.

    Compared conversations that go different ways give a prompt each.
    """
    choices = read_choices(rest[layout.choices]) if layout.choices else []
    truth = take_ground_truth(rest, layout, choices) if layout.truth else take_instructions(rest)
    empty = drop_empty_turns(rest, layout)
    messages = take_prompt(rest, layout, choices)
    if choices and layout.choices:
        del rest[layout.choices]
    tools = read_tools(rest.pop(layout.tools)) if layout.tools else None
    behind = NOTHING
    if cut and layout.answers == "turns" and not layout.one and truth is None:
        messages, behind = cut_unanswered(messages)
    found, row_format, unclear = _answers(rest, layout, messages, cut)
    if layout.turns or layout.prompt is None:
        found = [(without_blank_system(turns), candidates) for turns, candidates in found]
    if layout.system:
        found = _with_system(rest, layout.system, found) or found
    for turns, candidates in found:
        check_prompt(turns, candidates, layout.prompt or layout.keys[0])
    for key in layout.empty:
        rest.pop(key, None)
    unused, left = _left_keys(rest, layout, extra, *found[0])
    metadata, changed = row_metadata(rest, extra)
    found, calls = settle_calls(found, tools)
    first = Row(
        row_format=row_format,
        messages=found[0][0],
        candidates=found[0][1],
        tools=dump(tools, "tools") if tools else None,
        ground_truth=truth,
        metadata=metadata,
        prompt_key=layout.prompt or layout.keys[0],
        unused=unused,
        unclear=tuple(dict.fromkeys(unclear + left)) if unclear or left else (),
        truth=(layout.truth or names.INSTRUCTIONS)[0]
        if truth is not None and layout.truth != ("ground_truth",)
        else None,
        changed=changed,
        cut=[*behind, *empty, *(_behind_answers(found) if cut else ())],
        calls=calls,
    )
    if len(found) == 1:
        return [first]
    return [first, *(replace(first, messages=turns, candidates=answers, calls={}) for turns, answers in found[1:])]


def _behind_answers(found: Prompts) -> list[Message]:
    """Return the turns that were cut off the ends of answers."""
    return [turn for _, candidates in found for one in candidates for turn in one.cut]


def _answers(
    rest: dict[str, Any], layout: Layout, messages: list[Message], cut: bool
) -> tuple[Prompts, str, tuple[str, ...]]:
    """Take the answers out of a row; return the prompts with their candidates, the layout's name, unclear keys."""
    if layout.answers in ("sides", "numbered"):
        if layout.answers == "sides":
            found, unclear = take_pair(rest, messages, layout.keys, layout.prompt), ()
        else:
            found, unclear = take_numbered(rest, messages, layout.keys)
        if layout.listed and len(found) == 1:
            join_list(found[0][1], take_completions(rest, layout.listed))
        return found, layout.name if len(found) == 1 else f"{layout.name} of different turns", unclear
    if layout.answers == "list":
        failed = layout.keys if isinstance(rest[layout.keys[0]], list) and None in rest[layout.keys[0]] else ()
        candidates = take_completions(rest, layout.keys[0], cut=cut)
        return [(_add_last_turns(messages, candidates), candidates)], layout.name, failed
    if layout.answers == "solutions":
        return [(messages, [_solution(rest, key) for key in layout.keys])], layout.name, ()
    messages, candidates, name = take_one_answer(rest, layout, messages, cut)
    return [(messages, candidates)], name, ()


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


def _with_system(rest: dict[str, Any], key: str, found: Prompts) -> Prompts | None:
    """Take the system text out of the row and put it first; ``None`` where the messages have one of their own."""
    systems = [with_system(rest[key], messages) for messages, _ in found]
    if any(messages is None for messages in systems):
        return None
    del rest[key]
    return [(messages, candidates) for messages, (_, candidates) in zip(systems, found, strict=True) if messages]


def _left_keys(
    rest: dict[str, Any], layout: Layout, extra: dict[str, Any], messages: list[Message], candidates: list[Candidate]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the keys that look like an answer and are left, and those that were not understood.

    A text that repeats a message is neither; under a name of ``layout_names.COPIES`` it is taken out of the row.
    """
    if not (layout.suspects or layout.watched or layout.system or layout.choices or extra):
        return (), ()
    looks = tuple(
        key for key in extra if normal(str(key)) in names.LOOK_LIKE_ANSWERS and isinstance(extra[key], str | list)
    )
    one = layout.one  # what a mapping has beside the answer stays under its key
    used = one if one in layout.keys or isinstance(rest.get(one or ""), dict) else None
    left = [key for key in dict.fromkeys((*layout.suspects, *layout.watched)) if key in rest and key != used]
    unclear = tuple(key for key in (layout.system, layout.choices) if key in rest)
    if not left:
        return looks, unclear
    texts = {turn["content"].strip() for turn in messages}
    texts.update(turn["content"].strip() for candidate in candidates for turn in candidate.messages)
    copies = {key for key in left if isinstance(rest[key], str) and split_reasoning(rest[key])[1].strip() in texts}
    for key in copies:
        if normal(key) in names.COPIES:
            del rest[key]
    unused = tuple(key for key in layout.suspects if key in rest and key not in copies)
    return (*unused, *looks), (*unclear, *(key for key in left if key not in (*layout.suspects, *copies)))
