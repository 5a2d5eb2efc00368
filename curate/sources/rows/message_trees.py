"""Conversation trees, as OpenAssistant has them: a prompt, its replies with their ranks, the replies to those.

Every user turn that has replies becomes a prompt (the turns that lead to it) whose candidates are the replies. The
assistant's turns in a prompt are context only: each is a candidate of its own, which a user may leave out.
"""

from collections.abc import Iterator
from typing import Any

from curate.sources.rows.recorded_candidates import Candidate, number_of, take_model
from schemas.errors import BadRow, kind_of
from schemas.learnt_turns import mark_unlearnt
from schemas.messages import Message, read_messages

DEPTH = 200  # turns of a conversation; a deeper tree is refused
SCORES = ("quality", "toxicity", "humor", "helpfulness", "creativity", "violence")
READ = {"role", "text", "replies", "rank", "labels", "parent_id", "model_name"}

Prompt = tuple[list[Message], list[Candidate], dict[str, Any]]


def tree_prompts(root: dict[str, Any]) -> Iterator[Prompt]:
    """Yield the prompts of a tree with their candidates, and what was not read of the messages.

    A tree without replies is one prompt without candidates. Deleted messages, with what follows them, are left out.

    Raises:
        BadRow: A message cannot be read, or the tree is deeper than ``DEPTH``.
    """
    pending = [([_message(root)], root)]
    if not _replies(root):
        yield pending[0][0], [], _unread(root, [])
    while pending:
        messages, node = pending.pop(0)
        if len(messages) > DEPTH:
            raise BadRow(f"the tree is deeper than {DEPTH} messages")
        turns = [(_message(reply), reply) for reply in _replies(node)]
        answers = [(turn, reply) for turn, reply in turns if turn["role"] == "assistant"]
        if answers and messages[-1]["role"] != "assistant":
            candidates = [_candidate(turn, reply) for turn, reply in answers]
            yield messages, candidates, _unread(node, [reply for _, reply in answers])
        pending += [([*messages, _context(turn)], reply) for turn, reply in turns if _replies(reply)]


def _unread(node: dict[str, Any], replies: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what is left of a prompt's last message and of its replies, for the metadata."""
    left = [{key: value for key, value in one.items() if key not in READ} for one in (node, *replies)]
    labels = [other for one in (node, *replies) if (other := _other_labels(one))]
    own = {key: value for key, value in left[0].items() if value is not None}
    more: dict[str, Any] = {"replies": left[1:]} if any(left[1:]) else {}
    deleted = sum(map(_is_deleted, node.get("replies") or []))
    more |= {"deleted_replies": deleted} if deleted else {}
    return own | more | ({"labels": labels} if labels else {})


def _replies(node: dict[str, Any]) -> list[dict[str, Any]]:
    replies = node.get("replies") or []
    if not isinstance(replies, list) or not all(isinstance(reply, dict) for reply in replies):
        raise BadRow(f"'replies' is {kind_of(replies)}; expected a list of messages")
    return [reply for reply in replies if not _is_deleted(reply)]


def _is_deleted(node: dict[str, Any]) -> bool:
    """Return whether a message was deleted; in CSV that is a text."""
    return str(node.get("deleted", False)).lower() in ("true", "1") or node.get("text") is None


def _message(node: dict[str, Any]) -> Message:
    turn = {"role": node.get("role"), "content": node.get("text")}
    return read_messages([turn], "tree", empty_ok=True)[0]


def _context(message: Message) -> Message:
    """Return a turn on the way to a prompt: an assistant's with the mark that it is context only."""
    marked: Any = mark_unlearnt(message) if message["role"] == "assistant" else message
    return marked


def _candidate(message: Message, node: dict[str, Any]) -> Candidate:
    """Return a reply as a candidate; its rank is counted from 0, its labels' values are scores."""
    scores = {name: value for name, value in _labels(node).items() if name in SCORES}
    rank = None if isinstance(node.get("rank"), bool) else number_of(node.get("rank"))
    found: dict[str, float | None] = {} if rank is None else {"rank": rank}
    return Candidate([message], take_model(dict(node), "model_name"), found | scores)


def _labels(node: dict[str, Any]) -> dict[str, float]:
    """Return a message's labels: ``{quality: {value: 0.7}}`` or ``{name: [quality], value: [0.7]}``."""
    labels = node.get("labels")
    if not isinstance(labels, dict):
        return {}
    listed, values = labels.get("name"), labels.get("value")
    if isinstance(listed, list) and isinstance(values, list):
        pairs = list(zip(map(str, listed), values, strict=False))
    else:
        pairs = [(name, one.get("value")) for name, one in labels.items() if isinstance(one, dict)]
    return {name: number for name, value in pairs if (number := number_of(value)) is not None}


def _other_labels(node: dict[str, Any]) -> dict[str, float]:
    """Return the labels of a message that are no scores of an answer; all those of a user's message."""
    scored = SCORES if node.get("role") == "assistant" else ()
    return {name: value for name, value in _labels(node).items() if name not in scored}
