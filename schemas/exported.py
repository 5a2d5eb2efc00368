"""The rows that ``gristmill export`` writes with our own columns, so that a source reads them back as they were.

``content_hash`` binds a row's ids to its content: a row that somebody has edited since gets ids of its own.
"""

import re
from collections.abc import Mapping
from typing import Any

from schemas.ids import content_id
from schemas.json_text import dump

HASH = "content_hash"
SIDES = {
    "sft": ("completion",),
    "unpaired": ("completion",),
    "preference": ("chosen", "rejected"),
    "prompt": (),
}
IDS = {
    "sft": ("completion_id",),
    "unpaired": ("completion_id",),
    "preference": ("chosen_id", "rejected_id"),
    "prompt": (),
}
MODELS = {"completion": "model", "chosen": "chosen_model", "rejected": "rejected_model"}
# The columns of an exported row that are read, or follow from others.
COLUMNS = frozenset(
    (
        "row_id", "prompt_id", "completion_id", "chosen_id", "rejected_id", "prompt", "completion", "chosen",
        "rejected", "tools", "ground_truth", "metadata", "source", "model", "chosen_model", "rejected_model", "score",
        "chosen_score", "rejected_score", "scores", "label", "pass_rate", "solution", HASH,
    )
)  # fmt: skip
_ID = re.compile(r"[pcrh]_[0-9a-f]{20}")


def content_hash(kind: str, ids: Mapping[str, Any], parts: Mapping[str, Any], truth: str | None) -> str:
    """Return the hash of an exported row.

    Args:
        kind: The type of its dataset: a key of ``SIDES``.
        ids: Its ids: ``row_id``, ``prompt_id`` and those of ``IDS``.
        parts: The values of its ``prompt``, its answers and its ``tools``.
        truth: Its ground truth.
    """
    named = [str(ids.get(name)) for name in ("row_id", "prompt_id", *IDS[kind])]
    texts = [dump(parts[name], name) for name in ("prompt", *SIDES[kind])]
    tools = parts.get("tools")
    return content_id("h", kind, *named, *texts, dump(tools, "tools") if tools else None, truth)


def exported_kind(row: Mapping[str, Any]) -> str | None:
    """Return the type of the dataset that a row was exported from; None of a row that is not of an export."""
    if not all(isinstance(row.get(key), str) and _ID.fullmatch(row[key]) for key in ("row_id", "prompt_id", HASH)):
        return None
    if "chosen" in row and "rejected" in row:
        return "preference"
    if "completion" in row:
        return "sft" if row.get("label") is None else "unpaired"
    return "prompt"
