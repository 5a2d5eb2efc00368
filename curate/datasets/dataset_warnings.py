"""Warnings about the datasets of a recipe: one without rows, or without training rows, and what to set."""

import polars as pl

from curate.datasets.dataset_spec import NOUNS
from curate.datasets.recorded_verdicts import is_source, recorded_scores
from curate.pipeline.run_state import RunState
from curate.sources.rows.layout_names import VERDICTS
from curate.steps.find_step import find_step
from curate.storage.stage import Stage
from schemas.errors import printable
from schemas.progress import StageWarning
from schemas.recipe import Dataset
from schemas.rows import DATASET_TABLES

SHOWN = 120  # characters of a reason
ALONE = "no pair: one candidate only"
FROM_CANDIDATES = ("write", "candidates")  # ways to generate that need a candidate first


def dataset_warnings(state: RunState) -> list[StageWarning]:
    """Return what a user should look at in a recipe's datasets, made or planned.

    Args:
        state: The state after a run, or after a plan: then a dataset may not be made yet.
    """
    warnings = _unused_truths(state)
    for name, entry in state.recipe.datasets.items():
        stage = state.datasets.get(name)
        text = None if entry.control_of else _problem(state, name, entry, stage)
        if text:
            warnings.append(StageWarning(stage.manifest["label"] if stage else f"datasets.{name}", text))
    return warnings


def _problem(state: RunState, name: str, entry: Dataset, stage: Stage | None) -> str | None:
    if entry.type != "prompt" and not state.completions.stages and not _samples(state):
        return f"0 {NOUNS[entry.type]}: {_no_candidates(state)}"
    if stage is None:
        return None
    if not stage.rows(DATASET_TABLES[entry.type]):
        return f"0 {NOUNS[entry.type]}: {_left_out(state, entry, stage)}"
    trained = any(training.dataset == name for training in state.recipe.train.values())
    return _no_training_rows(entry, stage) if entry.type != "prompt" or trained else None


def _samples(state: RunState) -> bool:
    """Return whether a step of ``completions:`` makes candidates where there are none."""
    steps = [step for step in state.recipe.completions if step.verb == "generate"]
    return any(find_step("generate", step.use or "", "").makes not in FROM_CANDIDATES for step in steps)


def _no_candidates(state: RunState) -> str:
    found = "no source recorded an answer, and completions: has no generate step"
    for stage in state.prompts.stages:
        if truths := _truths_only(stage):
            return f"{found}; {truths}; to sample answers, add a generate step"
    return (
        f"{found}; name the key of the answers in the source with fields: {{prompt: KEY, completion: KEY}}, or add a "
        f"step such as - generate: {{use: sample, model: NAME}}"
    )


def _unused_truths(state: RunState) -> list[StageWarning]:
    """Return a warning for each source whose answers are ground truth only, in a recipe that trains on answers."""
    types = {entry.type for entry in state.recipe.datasets.values()}
    if not state.completions.stages or not types or "prompt" in types or _samples(state):
        return []  # without any candidate each dataset has a warning of its own
    held = [(stage, _truths_only(stage)) for stage in state.prompts.stages]
    return [StageWarning(stage.manifest["label"], f"no candidates: {text}") for stage, text in held if text]


def _truths_only(stage: Stage) -> str:
    """Return what to set where a source has no candidate and its answers are the ground truth, or ""."""
    truths = stage.manifest.get("truths", {})
    if not is_source(stage) or stage.rows("completions") or not truths:
        return ""
    key, count = next(iter(truths.items()))
    prompt = stage.manifest.get("prompt_field", "prompt: KEY")
    source = stage.manifest["label"]
    return (
        f"the {count:,} values of {printable(repr(key))} in {source} are kept as ground_truth; to train on them, set "
        f"on that source fields: {{{printable(prompt)}, completion: {printable(key)}}}"
    )


def _left_out(state: RunState, entry: Dataset, stage: Stage) -> str:
    """Return which part of a dataset, or which steps before it, left out all rows."""
    rows = state.prompts if entry.type == "prompt" else state.completions
    total = sum(held.rows(rows.table) for held in rows.stages)
    decisions = stage.read("decisions", ["stage", "kept", "reason"])
    if decisions.is_empty():
        return (
            f"none of the {total:,} {rows.table} reached it; see which step left them out: "
            f"SELECT stage, reason, count(*) FROM decisions WHERE NOT kept GROUP BY ALL"
        )
    parts = [
        _part_left_out(entry, stage, str(name), part)
        for (name,), part in decisions.group_by("stage", maintain_order=True)
    ]
    return "; ".join(filter(None, parts)) + _unpaired(state, entry, decisions)


def _part_left_out(entry: Dataset, stage: Stage, name: str, decisions: pl.DataFrame) -> str:
    """Return ``where left out 300 of 300 candidates (not: label = 2)`` for one part of a dataset, or ""."""
    out = decisions.filter(~pl.col("kept"))
    if out.is_empty():
        return ""
    part = name.removeprefix(stage.manifest["label"] + ".")
    of_prompts = entry.type == "prompt" or (entry.type == "preference" and part == "select")
    reasons = out["reason"].drop_nulls().value_counts(sort=True)["reason"].head(1).to_list()
    why = f" ({printable(reasons[0])[:SHOWN]})" if reasons else ""
    noun = "prompts" if of_prompts else "candidates"
    return f"{part} left out {out.height:,} of {decisions.height:,} {noun}{why}"


def _unpaired(state: RunState, entry: Dataset, decisions: pl.DataFrame) -> str:
    """Return what data are for whose prompts have one candidate each, where pairs are asked for, or ""."""
    if entry.type != "preference" or not (decisions["reason"] == ALONE).any():
        return ""
    verdicts = recorded_scores(state, VERDICTS)
    if not verdicts:
        return "; a pair needs two candidates of one prompt, with other scores"
    return (
        f"; answers with a verdict but without a partner (as KTO's) make no pairs: train on the good ones with "
        f'{{type: sft, where: "{verdicts[0]} = 1"}}'
    )


def _no_training_rows(entry: Dataset, stage: Stage) -> str | None:
    table = DATASET_TABLES[entry.type]
    counts = stage.read(table, ["split"])["split"].value_counts(sort=True).rows()
    if any(split == "train" for split, _ in counts):
        return None
    shown = ", ".join(f"{count:,} in {printable(str(split))}" for split, count in counts)
    return f"no row is in the split train, which a training reads ({shown}); see split: of the recipe"
