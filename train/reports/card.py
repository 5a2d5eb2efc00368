"""Writes the model card of a trained model: its base, dataset, settings and metrics."""

import json
from pathlib import Path
from typing import Any

from schemas.recipe import Recipe, Training
from train.options.best_model import best_line
from train.record import learnt_line


def write_card(folder: Path, recipe: Recipe, training: Training, record: dict[str, Any], *, adapter: bool) -> None:
    """Write ``README.md`` into a model's folder. TRL's own card names no dataset and no local model.

    Args:
        folder: The model's folder.
        recipe: The recipe.
        training: The training's entry in the recipe.
        record: The training's row in the table ``trainings``.
        adapter: Whether the folder holds a LoRA adapter, not full weights.
    """
    settings, metrics = json.loads(record["settings"]), json.loads(record["metrics"])
    figures = {k: v for k, v in metrics.items() if k not in ("history", "learnt", "best", "facts")}
    base = record["base"].split("@")[0].split(">")[0]
    front = ["library_name: " + ("peft" if adapter else "transformers"), f"tags: [gristmill, {record['trainer']}]"]
    if base.count("/") == 1:  # a hub id; a local folder's name would be a link to nowhere
        front.insert(0, f"base_model: {base}")
    lines = [
        "---",
        *front,
        "---",
        "",
        f"# {recipe.run_name}: {record['name']}",
        "",
        f"Trained by gristmill with {_trainer(record['trainer'])}"
        + (" (a LoRA adapter)." if adapter else " (full weights)."),
        "",
        f"- training_id: `{record['training_id']}`",
        f"- starts from: {training.model} (`{record['base']}`)",
        f"- dataset: {record['dataset']} of the recipe {recipe.run_name}, {record['rows']} rows",
        *([f"- learnt: {line.removesuffix(', ')}"] if (line := learnt_line(metrics["learnt"])) else []),
        f"- steps: {record['steps']}, in {record['seconds']} s",
        *([f"- kept: {line}"] if (line := best_line(metrics.get("best"))) else []),
        f"- versions: {', '.join(f'{k} {v}' for k, v in json.loads(record['versions']).items() if v)}",
        "",
        "## Settings",
        "",
        *[f"- {key}: `{json.dumps(value)}`" for key, value in settings.items()],
        "",
        "## Metrics",
        "",
        "| figure | first | last |",
        "|---|---|---|",
        *[f"| {k} | {_format(v['first'])} | {_format(v['last'])} |" for k, v in figures.items()],
        "",
    ]
    (folder / "README.md").write_text("\n".join(lines), encoding="utf-8")


def _trainer(name: str) -> str:
    """Return what a trainer is: TRL's, or a class of the user's own."""
    own = "." in name and not name.startswith("trl.")
    return f"the trainer `{name}`, which is none of TRL's" if own else f"TRL's `{name}` trainer"


def _format(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
