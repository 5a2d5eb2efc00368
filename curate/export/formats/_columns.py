"""The columns that the formats with our own rows share: the dataset's, with their types."""

from typing import Any

from curate.export.arrow_schema import FLAG, JSON, JSONS, NUMBER, TEXT

KINDS = ("sft", "preference", "unpaired", "prompt")
TURNS = ("prompt", "completion", "chosen", "rejected", "tools")
MAPPINGS = ("scores", "metadata")
TYPES: dict[str, Any] = {
    **dict.fromkeys(TURNS, JSONS),
    **dict.fromkeys(MAPPINGS, JSON),
    **dict.fromkeys(("score", "chosen_score", "rejected_score", "pass_rate"), NUMBER),
    "label": FLAG,
}


def typed(names: list[str]) -> dict[str, Any]:
    """Return the types of columns; those that are not named here are texts."""
    return {name: TYPES.get(name, TEXT) for name in names}
