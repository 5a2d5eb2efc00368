"""lm-evaluation-harness's own figures of a run, beside the means of the rows that were read from its samples."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

CLOSE = 1e-6  # two figures that differ by less are the same


@dataclass(frozen=True)
class Results:
    """The harness's file of results; ``samples`` are its files of samples by task, ``shots`` their examples."""

    content: dict[str, Any]
    samples: dict[str, Path]
    shots: dict[str, int | None]


def read_results(folder: Path) -> Results:
    """Return the results of a run that are in a folder. Raises ``ValueError`` where they are not as expected."""
    files = sorted(folder.rglob("results_*.json"))
    if len(files) != 1:
        raise ValueError(f"expected one file of results, found {len(files)}")
    content = json.loads(files[0].read_text(encoding="utf-8"))
    date = files[0].stem.removeprefix("results_")
    tasks = list(content.get("configs") or {})
    samples = {task: files[0].with_name(f"samples_{task}_{date}.jsonl") for task in tasks}
    missing = [task for task, file in samples.items() if not file.is_file()]
    if missing or not samples:
        raise ValueError(f"it logged no samples of {', '.join(missing) or 'any task'}")
    return Results(content, samples, {task: (content.get("n-shot") or {}).get(task) for task in tasks})


def figures(results: Results, rows: pl.DataFrame, model: str) -> list[dict[str, Any]]:
    """Return the harness's figures, each with the mean of our rows.

    Args:
        results: The run's results.
        rows: The rows of all its samples (``train.benchmarks.samples``).
        model: The model's name.

    Returns:
        For each task or group, metric and filter: ``value`` and ``stderr`` are the harness's, ``ours`` is the mean of
        the values it logged, None where the figure is none of rows (a group's, or a F1). ``same`` says whether both are
        the same, None without ours.
    """
    means = {
        (task, metric, kind): mean
        for task, metric, kind, mean in rows.group_by("dataset", "metric", "filter").agg(pl.col("logged").mean()).rows()
    }
    found = []
    content = results.content
    for task, held in {**(content.get("groups") or {}), **(content.get("results") or {})}.items():
        for key, value in held.items():
            metric, _, kind = key.partition(",")
            if not kind or metric.endswith("_stderr") or not isinstance(value, int | float):
                continue
            ours = means.get((task, metric, kind))
            stderr = held.get(f"{metric}_stderr,{kind}")
            found.append(
                {
                    "model": model,
                    "task": task,
                    "metric": metric,
                    "filter": kind,
                    "value": value,
                    "stderr": stderr if isinstance(stderr, int | float) else None,
                    "ours": ours,
                    "same": None if ours is None else abs(ours - value) < CLOSE,
                }
            )
    return found


def differing(found: list[dict[str, Any]]) -> list[str]:
    """Return a line for each figure of the harness that is not the mean of its rows: its way to sum up is another."""
    return [
        f"{one['model']}: {one['task']} {one['metric']} ({one['filter']}): lm-evaluation-harness says "
        f"{one['value']:.4f}, the mean of its rows, which the comparison is of, is {one['ours']:.4f}: it sums up "
        f"otherwise than by a mean of rows"
        for one in found
        if one["same"] is False
    ]
