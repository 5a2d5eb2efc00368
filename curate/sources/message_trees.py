"""Conversation trees, as OpenAssistant has them: a prompt, its replies with their ranks, the replies to those.

Every user turn that has replies becomes a prompt (the turns that lead to it) whose candidates are the replies.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from curate.sources.raw_row import Raw
from curate.sources.recorded_candidates import Candidate
from schemas.errors import BadRow, kind_of
from schemas.messages import Message, read_messages

DEPTH = 200  # turns of a conversation; a deeper tree is refused
FLAT = {"message_id", "text", "role"}  # the keys of a table with a message a row
NUMBERS = ("quality", "toxicity", "humor", "helpfulness", "creativity", "violence")


def is_flat(row: dict[str, Any] | None) -> bool:
    """Return whether a row is one message of a tree."""
    return row is not None and row.keys() >= FLAT


def trees_of_messages(rows: Iterable[Raw]) -> Iterator[Raw]:
    """Yield the trees of a table that holds a message a row, each in the place of its first message.

    A message whose parent is not in the table is passed on as a row that cannot be read; so is what is no message.
    """
    nodes: dict[str, dict[str, Any]] = {}
    order: list[Raw] = []
    for raw in rows:
        if raw.row is None or not is_flat(raw.row):
            order.append(raw)
            continue
        node = {**raw.row, "replies": []}
        nodes[str(raw.row["message_id"])] = node
        order.append(raw._replace(row=node))
    for raw in order:
        node = raw.row
        if node is None or "replies" not in node:
            yield raw
            continue
        parent = node.get("parent_id")
        if parent is None:
            continue
        if str(parent) in nodes and nodes[str(parent)] is not node:
            nodes[str(parent)]["replies"].append(node)
        else:
            yield raw._replace(row=None, problem=f"the message's parent {str(parent)[:40]!r} is not in the file")
    for raw in order:
        if raw.row is not None and raw.row.get("parent_id") is None and "replies" in raw.row:
            yield raw._replace(row={"message_tree_id": raw.row.get("message_tree_id"), "prompt": raw.row})


def tree_prompts(root: dict[str, Any]) -> Iterator[tuple[list[Message], list[Candidate]]]:
    """Yield the prompts of a tree with their candidates; a tree without replies is one prompt without candidates.

    Deleted messages, with what follows them, are left out.

    Raises:
        BadRow: A message cannot be read, or the tree is deeper than ``DEPTH``.
    """
    pending = [([_message(root)], _replies(root))]
    if not pending[0][1]:
        yield pending[0][0], []
    while pending:
        messages, replies = pending.pop(0)
        if len(messages) > DEPTH:
            raise BadRow(f"the tree is deeper than {DEPTH} messages")
        turns = [(_message(reply), reply) for reply in replies]
        candidates = [_candidate(turn, reply) for turn, reply in turns if turn["role"] == "assistant"]
        if candidates and messages[-1]["role"] != "assistant":
            yield messages, candidates
        pending += [([*messages, turn], below) for turn, reply in turns if (below := _replies(reply))]


def _replies(node: dict[str, Any]) -> list[dict[str, Any]]:
    replies = node.get("replies")
    if not isinstance(replies, list) or not all(isinstance(reply, dict) for reply in replies):
        raise BadRow(f"'replies' is {kind_of(replies)}; expected a list of messages")
    return [reply for reply in replies if not reply.get("deleted")]


def _message(node: dict[str, Any]) -> Message:
    turn = {"role": node.get("role"), "content": node.get("text")}
    return read_messages([turn], "tree", empty_ok=True)[0]


def _candidate(message: Message, node: dict[str, Any]) -> Candidate:
    """Return a reply as a candidate; its rank is counted from 0, its labels' values are scores."""
    scores: dict[str, float | None] = {}
    rank = node.get("rank")
    if isinstance(rank, int | float) and not isinstance(rank, bool) and rank == rank:
        scores["rank"] = float(rank)
    labels = node.get("labels")
    if isinstance(labels, dict):
        values = _label_values(labels)
        scores |= {name: float(values[name]) for name in NUMBERS if isinstance(values.get(name), int | float)}
    return Candidate([message], scores=scores)


def _label_values(labels: dict[str, Any]) -> dict[str, Any]:
    """Return the labels' values by name: ``{quality: {value: 0.7}}`` or ``{name: [quality], value: [0.7]}``."""
    listed, values = labels.get("name"), labels.get("value")
    if isinstance(listed, list) and isinstance(values, list):
        return {str(name): value for name, value in zip(listed, values, strict=False)}
    return {name: one.get("value") for name, one in labels.items() if isinstance(one, dict)}
