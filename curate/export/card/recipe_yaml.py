"""The recipe of a dataset as YAML, from the record of a run: without secrets, and without what it does not set."""

from collections.abc import Mapping
from typing import Any

from schemas.yaml_text import yaml_text

LINES = 200  # of a card


def recipe_yaml(resolved: Mapping[str, Any], dataset: str) -> str:
    """Return the sections of a recipe that a dataset is made by, in at most ``LINES`` lines.

    Args:
        resolved: The recipe, as the record of a run has it, for others to see (``curate.export.for_others``).
        dataset: The dataset's name.
    """
    datasets = resolved.get("datasets") or {}
    parts = {
        "name": resolved.get("name"),
        "seed": resolved.get("seed"),
        "models": resolved.get("models"),
        "prompts": [_step(step) for step in resolved.get("prompts") or []],
        "completions": [_step(step) for step in resolved.get("completions") or []],
        "datasets": {dataset: datasets[dataset]} if dataset in datasets else None,
        "split": resolved.get("split"),
    }
    whole = _set({key: value for key, value in parts.items() if value})
    lines = yaml_text(whole).splitlines()
    more = [f"# and {len(lines) - LINES:,} more lines"] if len(lines) > LINES else []
    return "\n".join(lines[:LINES] + more)


def _step(step: Any) -> Any:
    """Return a step as a recipe has it: ``{score: {use: length, as: chars}}``."""
    if not isinstance(step, dict) or "verb" not in step:
        return step
    settings = {**({"use": step["use"]} if step.get("use") else {}), **(step.get("settings") or {})}
    return {step["verb"]: settings}


def _set(value: Any) -> Any:
    """Return plain values without the keys that are null or empty."""
    if isinstance(value, dict):
        return {key: _set(one) for key, one in value.items() if one is not None and one != [] and one != {}}
    return [_set(one) for one in value] if isinstance(value, list) else value
