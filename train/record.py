"""The record of a finished training: its row in the table ``trainings``, its other tables, and its result line."""

import importlib.metadata
import json
import math
from collections.abc import Mapping
from typing import Any

import polars as pl

from curate.storage.stage import StageWriter
from schemas.counted import counted
from train.job import Outcome
from train.options.best_model import best_line
from train.options.options import lora_options
from train.plan import PlannedTraining

VERSIONED = ("trl", "transformers", "peft", "torch", "accelerate", "datasets")
SHOWN = ("limit", "quantize", "early_stopping", "launch")  # of what a training depends on, beside its options
FIGURES = ("reward", "rewards/margins", "loss")  # the result shows the first that a trainer logs


def training_record(planned: PlannedTraining, outcome: Outcome, seconds: float, path: str) -> dict[str, Any]:
    """Return a training's row in the table ``trainings``.

    Args:
        planned: The training.
        outcome: Its result.
        seconds: How long it took.
        path: The folder of the model, relative to the store.
    """
    training = planned.training
    extra = {"lora": lora_options(training), "rewards": training.rewards, "seed": planned.depends_on["seed"]}
    extra |= {
        key: value
        for key, value in planned.depends_on.items()
        if key in ("limit", "quantize", "early_stopping", "launch", "merge")
    }
    return {
        "training_id": planned.stage_id,
        "name": planned.name,
        "trainer": training.trainer,
        "dataset": training.dataset,
        "model": training.model,
        "base": planned.ref.identity,
        "rows": planned.rows.height,
        "steps": outcome.steps,
        "seconds": round(seconds, 1),
        "settings": json.dumps(planned.depends_on["settings"] | extra, ensure_ascii=False),
        "metrics": json.dumps(_without_nan(outcome.metrics | {"learnt": dict(outcome.learnt)})),
        "path": path,
        "versions": json.dumps({name: _version(name) for name in VERSIONED}),
    }


def write_tables(writer: StageWriter, record: dict[str, Any], outcome: Outcome) -> None:
    """Write a training's tables: ``trainings``, and ``training_rows``, ``row_losses``, ``rollouts`` if not empty."""
    writer.write("trainings", pl.DataFrame([record]))
    for table, rows in (
        ("training_rows", outcome.fates),
        ("row_losses", outcome.row_losses),
        ("rollouts", outcome.rollouts),
    ):
        if rows.height:
            writer.write(table, rows.with_columns(training_id=pl.lit(record["training_id"])))


def summary(outcome: Outcome) -> str:
    """Return a training's result in one line.

    It has the rows trained, the steps, the rows left out and why, which model is kept if it is not the last, and how a
    figure changed, and what was warned of.
    """
    trained = outcome.fates.filter(pl.col("fate") == "trained").height
    parts = [f"{counted(trained, 'row')}, {learnt_line(outcome.learnt)}{counted(outcome.steps, 'step')}"]
    if outcome.fates.height > trained:
        reasons = outcome.fates.filter(pl.col("fate") != "trained")["fate"].value_counts(sort=True).rows()
        parts += [f"{count:,} left out: {reason}" for reason, count in reasons]
    parts += [line] if (line := best_line(outcome.metrics.get("best"))) else []
    parts += ["merged"] if outcome.metrics.get("merged") else []
    for figure in FIGURES:
        ends = outcome.metrics.get(figure)
        if ends and isinstance(ends["first"], float) and isinstance(ends["last"], float):
            parts.append(f"{figure} {ends['first']:.3f} -> {ends['last']:.3f}")
            break
    return ", ".join([*parts, *collapse_lines(outcome.metrics)])


def collapse_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Return what was warned of while a model was trained, in a few words; an empty list where nothing was."""
    steps = {one["short"]: one["step"] for one in metrics.get("damage") or []}
    return [f"warned of {', '.join(f'{what} at step {step:,}' for what, step in steps.items())}"] if steps else []


def merged_line(found: Mapping[str, Any]) -> str:
    """Return what ``train.merging.merge_trained`` found of merged weights, in words."""
    if "answers" in found:
        answers = counted(found["answers"], "answer")
        same = f"the same scores as base + adapter for {answers}, within {found['difference']:.1e}"
    else:
        but = f" but for {found['ties']} near ties" if found["ties"] else ""
        tokens = counted(found["tokens"], "token")
        same = f"the same greedy tokens as base + adapter on {counted(found['prompts'], 'prompt')} ({tokens}){but}"
    return f"whole weights in {found['dtype']}, {same}"


def learnt_line(learnt: Mapping[str, int]) -> str:
    """Return what is learnt of the rows as ``957 turns (211 calls), ``, and what ``max_length`` cuts off; or ""."""
    line = ""
    if learnt.get("turns"):
        calls = f" ({counted(learnt['calls'], 'tool call')})" if learnt.get("calls") else ""
        sequences = f" in {learnt['sequences']:,} sequences" if learnt["sequences"] > 2 * learnt["rows"] else ""
        line = f"{counted(learnt['turns'], 'turn')}{calls} to learn{sequences}, "
    if learnt.get("cut_rows"):
        lost = counted(learnt["cut_tokens"], "token")
        line += f"{counted(learnt['cut_rows'], 'row')} cut at max_length ({lost} not learnt), "
    return line


def _without_nan(value: Any) -> Any:
    """Return a JSON-able value with None for NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {k: _without_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
