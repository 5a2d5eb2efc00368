"""Warnings about the datasets of a recipe: no rows, no training rows, answers that none takes; and what to set."""

import re
from collections.abc import Mapping
from typing import Literal

import polars as pl

from curate.datasets.dataset_spec import NOUNS
from curate.datasets.failed_rows import failed_rows
from curate.datasets.label_balance import balance_warning
from curate.datasets.leftover_warnings import leftover_warnings
from curate.datasets.recorded_verdicts import recorded_scores
from curate.datasets.selection_rule import makes_pairs
from curate.pipeline.run_state import RunState
from curate.pipeline.source import FROM_CANDIDATES, answers_prompts
from curate.sources.rows.layout_names import VERDICTS
from curate.steps.find_step import find_step
from curate.storage.stage import Stage
from schemas.errors import printable, short_repr
from schemas.progress import StageWarning
from schemas.recipe import Dataset
from schemas.rows import DATASET_TABLES

SHOWN = 120  # characters of a reason
ALONE = "no pair: one candidate only"
WHY = 'gristmill sql "SELECT stage, reason, count(*) FROM decisions WHERE NOT kept GROUP BY ALL"'


def dataset_warnings(state: RunState, results: Mapping[str, str], *, pending: bool = False) -> list[StageWarning]:
    """Return what a user should look at in a recipe's datasets, made or planned.

    Args:
        state: The state after a run, or after a plan: then a dataset may not be made yet.
        results: The result line of each stage, by its label.
        pending: Whether steps above are not made yet: then a dataset that is there is of a recipe without them.
    """
    warnings = _unused_truths(state)
    for name, entry in state.recipe.datasets.items():
        if entry.control_of:
            continue
        stage = None if pending else state.datasets.get(name)
        found = [
            _problem(state, name, entry, stage, results),
            _unanswered(state, entry, stage),
            _unseen_turns(state, entry, stage),
            _labels(state, name, entry, stage),
            failed_rows(entry, stage),
        ]
        texts = [*filter(None, found), *leftover_warnings(state, entry, stage)]
        warnings += [StageWarning(stage.manifest["label"] if stage else f"datasets.{name}", text) for text in texts]
    return warnings


def _problem(state: RunState, name: str, entry: Dataset, stage: Stage | None, results: Mapping[str, str]) -> str | None:
    if entry.type != "prompt" and not state.completions.stages and not answers_prompts(state.recipe):
        return f"0 {NOUNS[entry.type]}: {_no_candidates(state)}"
    if stage is None:
        return None
    if not stage.rows(DATASET_TABLES[entry.type]):
        return f"0 {NOUNS[entry.type]}: {_left_out(state, entry, stage, results)}"
    trained = any(training.dataset == name for training in state.recipe.train.values())
    return _no_training_rows(entry, stage) if entry.type != "prompt" or trained else None


def _labels(state: RunState, name: str, entry: Dataset, stage: Stage | None) -> str:
    if entry.type != "unpaired" or stage is None:
        return ""
    labels = stage.read("unpaired", ["split", "label"]).filter(split="train")["label"]
    return balance_warning(state.recipe, name, int(labels.sum()), int((~labels).sum()))


def _unanswered(state: RunState, entry: Dataset, stage: Stage | None) -> str:
    """Return how many conversations with answered turns make no row, as nothing answers their last turn, or ""."""
    if entry.type != "sft" or stage is None or answers_prompts(state.recipe):
        return ""
    kept = [held for step, _, held in state.sources_read if step.settings.get("unanswered") is None]
    parts = [_kept_whole(kept, "unanswered", "that nothing answers", "unanswered: cut")]
    if "prompt" not in {one.type for one in state.recipe.datasets.values()}:
        whole = [held for _, _, held in state.sources_read]
        ends = "that has a ground truth and no answer"
        parts.append(_kept_whole(whole, "unanswered_truths", ends, "fields: {messages: KEY} (without ground_truth)"))
    return "; ".join(filter(None, parts))


def _kept_whole(sources: list[Stage], name: Literal["unanswered", "unanswered_truths"], ends: str, remedy: str) -> str:
    """Return how many conversations, by their count in the sources, end with a turn of a kind, and what to set."""
    held = [source for source in sources if source.manifest.get(name)]
    if not held:
        return ""
    count = sum(source.manifest.get(name, 0) for source in held)
    end, make = ("conversation ends", "makes") if count == 1 else ("conversations end", "make")
    return (
        f"{count:,} {end} with a turn {ends}, and {make} no row ({_named(held)}); to learn the turns of the "
        f"assistant before it, set {remedy} on the source"
    )


def _unseen_turns(state: RunState, entry: Dataset, stage: Stage | None) -> str:
    """Return how many earlier turns are learnt where a recipe chooses or rewrites answers by the last, or ""."""
    count = stage.manifest.get("learnt", {}).get("earlier", 0) if stage else 0
    if not count or entry.learn == "last" or not _chooses_answers(state, entry):
        return ""
    turns = "earlier turn is learnt" if count == 1 else "earlier turns are learnt"
    return (
        f"{count:,} {turns} that no step looked at: scores, filters, rules and rewriting see the last answer of a "
        "conversation; learn: last learns the last answer only"
    )


def _chooses_answers(state: RunState, entry: Dataset) -> bool:
    """Return whether a recipe scores, filters, selects or rewrites candidates for a dataset."""
    return (
        entry.where is not None
        or entry.select not in (None, "all")
        or any(
            step.verb in ("score", "filter", "select")
            or (step.verb == "generate" and find_step("generate", step.use or "", "").makes in FROM_CANDIDATES)
            for step in state.recipe.completions
        )
    )


def _named(sources: list[Stage]) -> str:
    return ", ".join(printable(source.manifest["label"]) for source in sources)


def _no_candidates(state: RunState) -> str:
    found = "no source recorded an answer, and completions: has no generate step"
    for stage in state.prompts.stages:
        if truths := _truths_alone(stage):
            return f"{found}; {truths}; to sample answers, add a generate step"
    return (
        f"{found}; name the key of the answers in the source with fields: {{prompt: KEY, completion: KEY}}, or add a "
        f"step such as - generate: {{use: sample, model: NAME}}"
    )


def _unused_truths(state: RunState) -> list[StageWarning]:
    """Return a warning for each source with ground truth beside no answer, in a recipe that trains on answers."""
    types = {entry.type for entry in state.recipe.datasets.values()}
    if not state.completions.stages or not types or "prompt" in types or answers_prompts(state.recipe):
        return []  # without any candidate each dataset has a warning of its own
    held = [(stage, _truths_alone(stage)) for stage in state.prompts.stages]
    return [StageWarning(stage.manifest["label"], f"no candidates: {text}") for stage, text in held if text]


def _truths_alone(stage: Stage) -> str:
    """Return what to set where prompts of a source have no candidate, and their answers are the ground truth, or ""."""
    alone = stage.manifest.get("truths_alone")
    if not alone:
        return ""
    prompts, count, source = stage.rows("prompts"), alone["count"], stage.manifest["label"]
    keys = ", ".join(printable(short_repr(key)) for key in alone["keys"])
    of = f"{count:,} of {prompts:,}" if count < prompts else f"the {count:,}"
    whose = "read those rows as a source of their own (by its path or sql), with" if alone["others"] else "set on it"
    fields = f"fields: {{{printable(alone['prompt_field'])}, completion: {printable(next(iter(alone['keys'])))}}}"
    return (
        f"{of} prompts of {source} have their answer ({keys}) as the ground truth only; to train on it, {whose} "
        f"{fields}"
    )


def _left_out(state: RunState, entry: Dataset, stage: Stage, results: Mapping[str, str]) -> str:
    """Return which part of a dataset, or which steps before it, left out all rows."""
    rows = state.prompts if entry.type == "prompt" else state.completions
    total = sum(held.rows(rows.table) for held in rows.stages)
    decisions = stage.read("decisions", ["stage", "kept", "reason"])
    if decisions.is_empty():
        steps = [f"{label} kept {kept}" for label, result in results.items() if (kept := _kept(result))]
        said = f" ({', '.join(steps)})" if steps else ""
        limited = "" if state.recipe.limit is None else f" --recipe {state.recipe.run_name}"
        one = rows.table.removesuffix("s")
        none = f"the only {one} has not" if total == 1 else f"none of the {total:,} {rows.table}"
        return f"{none} reached it{said}; see why: {WHY}{limited}"
    parts = [
        _part_left_out(entry, stage, str(name), part)
        for (name,), part in decisions.group_by("stage", maintain_order=True)
    ]
    return "; ".join(filter(None, parts)) + _unpaired(state, entry, decisions)


def _kept(result: str) -> str:
    """Return ``0 of 6`` of the result ``0 of 6 kept`` of a step that left rows out, else ""."""
    found = re.match(r"(\S+) of (\S+) kept", result)
    return f"{found[1]} of {found[2]}" if found and found[1] != found[2] else ""


def _part_left_out(entry: Dataset, stage: Stage, name: str, decisions: pl.DataFrame) -> str:
    """Return ``where left out 300 of 300 candidates (not: label = 2)`` for one part of a dataset, or ""."""
    out = decisions.filter(~pl.col("kept"))
    if out.is_empty():
        return ""
    part = name.removeprefix(stage.manifest["label"] + ".")
    of_prompts = entry.type == "prompt" or (part == "select" and makes_pairs(entry))
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
        f"; answers with a verdict but without a partner (as KTO's) make no pairs: train on all with kto "
        f"{{type: unpaired, by: {verdicts[0]}}}, or on the good ones with sft "
        f'{{type: sft, where: "{verdicts[0]} = 1"}}'
    )


def _no_training_rows(entry: Dataset, stage: Stage) -> str | None:
    table = DATASET_TABLES[entry.type]
    counts = stage.read(table, ["split"])["split"].value_counts(sort=True).rows()
    if any(split == "train" for split, _ in counts):
        return None
    shown = ", ".join(f"{count:,} in {printable(str(split))}" for split, count in counts)
    return f"no row is in the split train, which a training reads ({shown}); see split: of the recipe"
