"""A table with a message a row, as OpenAssistant's data set on the hub is: its rows are joined to trees."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from curate.sources.files.raw_row import Raw
from schemas.errors import short_repr

FLAT = {"message_id", "text", "role"}  # the keys of a table with a message a row, beside one that joins them
JOINS = ("parent_id", "message_tree_id")


def joined_messages(rows: Iterator[Raw]) -> Iterator[Raw]:
    """Yield the rows; of a table with a message a row, the trees."""
    for first in rows:
        rows = chain([first], rows)
        yield from trees_of_messages(rows) if is_flat(first.row) else rows


def is_flat(row: dict[str, Any] | None) -> bool:
    """Return whether a row is one message of a tree."""
    return row is not None and row.keys() >= FLAT and any(key in row for key in JOINS)


def trees_of_messages(rows: Iterable[Raw]) -> Iterator[Raw]:
    """Yield the trees of a table that holds a message a row, in the order of their first messages, after other rows.

    A message that no tree has, as its parent is not in the table, is passed on as a row that cannot be read.
    """
    nodes: dict[str, tuple[Raw, dict[str, Any]]] = {}
    for raw in rows:
        if raw.row is None or not raw.row.keys() >= FLAT:
            yield raw
        elif str(raw.row["message_id"]) in nodes:
            yield raw._replace(row=None, problem=f"a message has the id {short_repr(raw.row['message_id'])} already")
        else:
            nodes[str(raw.row["message_id"])] = (raw, {**raw.row, "replies": []})
    roots = []
    for raw, node in nodes.values():
        parent = node.get("parent_id")
        if parent is None:
            roots.append((raw, node))
        elif str(parent) in nodes:
            nodes[str(parent)][1]["replies"].append(node)
    reached = _reached([root for _, root in roots])
    for raw, node in (nodes[key] for key in nodes if key not in reached):
        parent = short_repr(node.get("parent_id"))
        yield raw._replace(row=None, problem=f"the message belongs to no tree: its parent {parent} is not in the file")
    for raw, root in roots:
        yield raw._replace(row={"message_tree_id": root.pop("message_tree_id", None), "prompt": root})


def _reached(roots: list[dict[str, Any]]) -> set[str]:
    """Return the ids of the messages that trees hold."""
    found, pending = set(), list(roots)
    while pending:
        node = pending.pop()
        found.add(str(node["message_id"]))
        pending += node["replies"]
    return found
