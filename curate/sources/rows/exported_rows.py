"""Read a row that ``gristmill export`` wrote: as it is, with the ids that it had, where nobody has changed it since.

What its columns say is taken without any guess, so the row is the same, message by message. A row that does not hold
together is read like any other. Columns that follow from others (``score``, ``source``, ``pass_rate``) are left out.
"""

from typing import Any

from curate.sources.rows.recorded_candidates import RECORDED, Candidate, take_scores
from curate.sources.rows.row_metadata import row_metadata
from schemas.errors import BadRow
from schemas.exported import COLUMNS, HASH, IDS, MODELS, SIDES, content_hash, exported_kind
from schemas.json_text import dump, parse
from schemas.messages import ROLES, Message

TRUE, FALSE = (True, "true", "True", 1), (False, "false", "False", 0)


def exported_parts(row: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any] | None:
    """Return the fields of a ``row_formats.Row`` for a row of an export; None where it is none, or is broken.

    Args:
        row: The row.
        extra: Keys that go to the metadata without being looked at.

    Raises:
        BadRow: Its scores cannot be read.
    """
    kind = exported_kind(row)
    if kind is None:
        return None
    names = ("prompt", *SIDES[kind])
    turns = {name: _messages(row.get(name)) for name in names}
    tools = _parsed(row.get("tools"))
    truth = row.get("ground_truth")
    if any(found is None for found in turns.values()) or not isinstance(tools, list | None):
        return None
    if not isinstance(truth, str | None):
        return None
    candidates = _candidates(kind, row, turns)
    if kind != "prompt" and candidates is None:
        return None
    try:
        same = content_hash(kind, row, {**turns, "tools": tools}, truth) == row[HASH]
    except BadRow:
        return None
    for candidate, name in zip(candidates or (), IDS[kind], strict=True):
        candidate.completion_id = row[name] if same and isinstance(row.get(name), str) else None
    further = {key: value for key, value in row.items() if key not in COLUMNS and value is not None}
    given = {"metadata": row["metadata"]} if row.get("metadata") is not None else {}
    metadata, changed = row_metadata(given, {**extra, **further})
    return {
        "row_format": f"gristmill {kind}",
        "messages": turns["prompt"],
        "candidates": candidates or [],
        "tools": dump(tools, "tools") if tools else None,
        "ground_truth": truth,
        "metadata": metadata,
        "changed": changed,
        "prompt_id": row["prompt_id"] if same else None,
    }


def _candidates(kind: str, row: dict[str, Any], turns: dict[str, Any]) -> list[Candidate] | None:
    """Return the row's answers with their models and scores; None where one is no answer."""
    given = _parsed(row.get("scores")) or {}
    found = []
    for side in SIDES[kind]:
        messages = turns[side]
        if any(turn["role"] not in ("assistant", "tool") for turn in messages):
            return None
        of_side = given.get(side) if kind == "preference" and isinstance(given, dict) else given
        scores = take_scores({"scores": of_side or {}}, side)
        if kind == "preference":
            scores = {"preference": float(side == "chosen"), **scores}
        elif kind == "unpaired":
            if row["label"] not in (*TRUE, *FALSE):
                return None
            scores = {"label": float(row["label"] in TRUE), **scores}
        model = row.get(MODELS[side])
        found.append(Candidate(messages, model if isinstance(model, str) and model else RECORDED, scores))
    return found


def _messages(value: Any) -> list[Message] | None:
    """Return messages that are in our form already; None where one is not."""
    turns = _parsed(value)
    if not isinstance(turns, list) or not turns:
        return None
    return turns if all(_is_ours(turn) for turn in turns) else None


def _is_ours(turn: Any) -> bool:
    if not isinstance(turn, dict) or turn.get("role") not in ROLES or not isinstance(turn.get("content"), str):
        return False
    if not all(isinstance(turn.get(key, ""), str) for key in ("name", "tool_call_id", "reasoning_content")):
        return False
    calls = turn.get("tool_calls", [])
    return None not in turn.values() and isinstance(calls, list) and all(_is_call(call) for call in calls)


def _is_call(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    return isinstance(function, dict) and isinstance(function.get("name"), str)


def _parsed(value: Any) -> Any:
    """Return the value of JSON text, as CSV and SQL hold it; any other value as it is."""
    if not isinstance(value, str):
        return value
    try:
        return parse(value)
    except ValueError:
        return value
