"""The section ``datasets``: SFT rows, preference pairs or RL prompts, chosen from the candidates.

where (SQL) -> select (a rule) -> rows -> decontaminate -> dedup -> diverse -> split. Every row that a step leaves out
is in ``decisions``. This module checks a dataset's entry in the recipe; ``choose``, ``refine`` and ``random_control``
do it.
"""

from functools import partial
from typing import Any

import polars as pl

from curate.datasets.candidate_table import Candidates, read_candidates
from curate.datasets.choose import choose_candidates, choose_prompts, needed_columns
from curate.datasets.dataset_spec import DatasetSpec
from curate.datasets.decision_writer import DecisionWriter
from curate.datasets.labels import label_threshold, scored
from curate.datasets.learnt import learnable
from curate.datasets.pairs import PairOptions
from curate.datasets.random_control import control_of_candidates, control_of_prompts
from curate.datasets.recorded_verdicts import check_verdicts
from curate.datasets.refine import refine
from curate.datasets.selection_rule import makes_pairs, score_is_optional, score_name, selection_rule
from curate.datasets.trl_rows import summary_columns
from curate.datasets.write import write_prompts, write_rows
from curate.pipeline.by_hand import kept_by_hand, preferred_by_hand
from curate.pipeline.overlap_rule import OverlapRule, read_overlap_rule
from curate.pipeline.prompt_splits import check_split, split_key
from curate.pipeline.row_rule import RULE_COLUMNS, TURNS, RowRule, read_row_rule, rule_code
from curate.pipeline.run_state import RunState
from curate.pipeline.stage_spec import RunContext, StageSpec
from curate.steps import sql_conditions
from curate.steps.code_hash import Code
from curate.steps.find_step import find_step
from curate.storage.stage import Stage, StageWriter
from schemas.controls import PAIR_OPTIONS
from schemas.errors import UserError, unknown
from schemas.ids import fingerprint
from schemas.recipe import Dataset
from schemas.rows import DATASET_TABLES


def dataset_stage(state: RunState, name: str, entry: Dataset) -> StageSpec:
    """Return the stage that holds a dataset, or the random control of one.

    Raises:
        UserError: The dataset's entry in the recipe is wrong.
    """
    spec = read_dataset(state, name, entry)
    key: dict[str, Any] = {
        "type": entry.type,
        "by": spec.by,
        "where": entry.where,
        **({"learn": entry.learn} if entry.learn == "last" else {}),
        "options": [getattr(entry, key) for key in PAIR_OPTIONS],
        "rules": [rule.key() for rule in spec.rules],
        **({"overlap": [spec.overlap[0].key(), spec.overlap[1]]} if spec.overlap else {}),
        "split": split_key(state.recipe),
        "shares_of": state.shares_of.content if state.recipe.splits else "",
        "seed": state.recipe.seed,
        "input": state.completions.fingerprint(sorted(state.completions.scores)),
        "context": state.prompts.fingerprint(sorted(state.prompts.scores)),
    }
    if spec.kept_by_hand:
        key |= {"kept_by_hand": fingerprint(spec.kept_by_hand)}
    if spec.pair_options.preferred and makes_pairs(entry):
        key |= {"preferred_by_hand": fingerprint(sorted(spec.pair_options.preferred))}
    if entry.type == "unpaired":
        key |= {"threshold": spec.threshold}
    if entry.control_of:
        base = spec.control_base
        key |= {"match": entry.match, "of": base.content(DATASET_TABLES[entry.type]) if base else None}
        key |= {"over": entry.control_over} if entry.control_over else {}
    code: list[Code] = [DatasetSpec, PairOptions, RowRule]
    code += [one for rule in spec.rules for one in rule_code(rule)]
    code += [OverlapRule] if spec.overlap else []
    write = write_control if entry.control_of else write_dataset
    return StageSpec(spec.label, key, partial(write, spec=spec), partial(_adopt, state, name), tuple(code))


def write_dataset(writer: StageWriter, run: RunContext, *, spec: DatasetSpec) -> str:
    """Choose, refine and write a dataset's rows, and the decisions about the others; return a summary."""
    run.progress.begin(spec.label, None)
    decisions = DecisionWriter(writer, spec.label)
    if spec.entry.type == "prompt":
        prompts, made, note = choose_prompts(spec, decisions)
        made, left_out = refine(run, spec, Candidates(prompts, prompts, prompts.frame), made, decisions)
        return write_prompts(spec, prompts, made, writer) + left_out + note
    candidates, unlearnt, turns = _candidates(spec, decisions)
    made, refused = choose_candidates(spec, candidates, decisions)
    made, left_out = refine(run, spec, candidates, made, decisions)
    return write_rows(spec, candidates, made, writer, turns) + unlearnt + refused + left_out


def write_control(writer: StageWriter, run: RunContext, *, spec: DatasetSpec) -> str:
    """Draw and write the random control of a dataset; return a summary."""
    if spec.control_base is None:
        raise AssertionError(f"{spec.label}: the dataset that this control belongs to is not built")
    run.progress.begin(spec.label, None)
    decisions = DecisionWriter(writer, spec.label)
    base = spec.control_base.read(DATASET_TABLES[spec.entry.type])
    if spec.entry.type == "prompt":
        return control_of_prompts(spec, base, decisions, writer)
    candidates, _, _ = _candidates(spec, decisions)
    return control_of_candidates(spec, candidates, base, decisions, writer)


def _candidates(spec: DatasetSpec, decisions: DecisionWriter) -> tuple[Candidates, str, int]:
    """Return the candidates to choose from, a note on those that no row could learn, and those ones' turns."""
    candidates = read_candidates(spec.completions, spec.prompts, needed_columns(spec))
    if spec.entry.type not in ("sft", "unpaired"):
        return candidates, "", 0
    candidates, note, turns = learnable(candidates, decisions)
    if spec.threshold is not None:
        candidates, unscored = scored(spec, candidates, decisions)
        note += unscored
    return candidates, note, turns


def _adopt(state: RunState, name: str, stage: Stage | None) -> None:
    if stage:
        state.datasets[name] = stage


def read_dataset(state: RunState, name: str, entry: Dataset) -> DatasetSpec:
    """Check a dataset's entry in the recipe.

    Raises:
        UserError: For whatever can be found wrong before the dataset is made.
    """
    recipe = state.recipe
    columns = _columns(state, entry)
    rule = selection_rule(state, name, entry)
    by = score_name(state, name, entry)
    dedup = _refining_rule(state, name, "dedup", entry.dedup, by, columns)
    diverse = _refining_rule(state, name, "diverse", entry.diverse, by, columns)
    if entry.where:
        sql_conditions.check(entry.where, columns, f"{recipe.where('datasets', name, 'where')}: where")
    check_split(recipe, state.prompts)
    for split, condition in recipe.splits.items():
        if isinstance(condition, str):
            where = f"{recipe.where('split', split)}: split.{split}"
            sql_conditions.check(condition, state.prompts.columns(), where)
    check_verdicts(state, name, entry)
    needs_score = rule is not None and "score" in rule.step.reads and not score_is_optional(rule.step, entry.settings)
    return DatasetSpec(
        recipe=recipe,
        name=name,
        entry=entry,
        label=state.label("datasets", name),
        where=recipe.where("datasets", name),
        prompts=state.prompts,
        shares_of=state.shares_of,
        completions=state.completions,
        columns=columns,
        by=by,
        rule=rule,
        overlap=_overlap_rule(state, name, entry),
        dedup=dedup,
        diverse=diverse,
        pair_options=PairOptions(*(getattr(entry, key) for key in PAIR_OPTIONS), preferred=preferred_by_hand(state)),
        needs_score=needs_score,
        threshold=None if rule is None or rule.step.makes == "pair" else label_threshold(state, name, entry, by),
        control_base=state.datasets.get(entry.control_of) if entry.control_of else None,
        kept_by_hand=tuple(kept_by_hand(state, state.prompts if entry.type == "prompt" else state.completions)),
    )


def _columns(state: RunState, entry: Dataset) -> dict[str, pl.DataType]:
    """Return the columns ``where`` may name: a candidate's, or a prompt's with a summary of its candidates' scores."""
    candidate = state.completions.columns(state.prompts)
    if entry.type != "prompt":
        return candidate
    summary = dict.fromkeys(summary_columns(list(state.completions.scores)), pl.Float64())
    return state.prompts.columns() | {"pass_rate": pl.Float64(), "n_completions": pl.Int64()} | summary


def _overlap_rule(state: RunState, name: str, entry: Dataset) -> tuple[OverlapRule, str] | None:
    """Read ``decontaminate:`` of a dataset, and which column it compares: the ``prompt``, or the ``response``."""
    if entry.decontaminate is None:
        return None
    where, on = state.recipe.where("datasets", name, "decontaminate"), entry.decontaminate.get("on", "prompt")
    if on not in ("prompt", "response") or (on == "response" and entry.type == "prompt"):
        raise unknown("column to decontaminate", str(on), ("prompt",) if entry.type == "prompt" else TURNS, where)
    return read_overlap_rule(state, entry.decontaminate, where), on


def _refining_rule(
    state: RunState,
    name: str,
    key: str,
    value: str | dict[str, Any] | None,
    by: str | None,
    columns: dict[str, pl.DataType],
) -> RowRule | None:
    """Read ``dedup:`` or ``diverse:`` of a dataset: a name, or a mapping with ``use``."""
    if value is None:
        return None
    where = state.recipe.where("datasets", name, key)
    given = {"use": value} if isinstance(value, str) else dict(value)
    if not isinstance(given.get("use"), str):
        raise UserError(f"{where}: datasets.{name}.{key}: expected a name, or a mapping with 'use'")
    kind, use = "dedup" if key == "dedup" else "select", given.pop("use")
    step = find_step(kind, use, where)
    if key == "diverse" and step.makes != "subset":
        raise UserError(f"{where}: datasets.{name}.diverse: {step.name!r} does not choose a subset of rows")
    for column in set(step.reads) - {*RULE_COLUMNS} if key == "diverse" else ():
        raise unknown(f"column (which {step.name!r} reads) called", column, RULE_COLUMNS, where)
    # A rule that reads embeddings spreads over prompts; a random draw must not take all rows of a prompt or none.
    on = given.get("on", "prompt" if key == "diverse" and "embedding" in step.reads else "row")
    if on not in ("prompt", "response", "row"):
        raise unknown(f"column to {key} on", on, ("prompt", "response", "row"), where)
    of = state.recipe.datasets[name].type
    if on == "response" and of == "prompt":
        raise UserError(f"{where}: datasets.{name}.{key}: on: prompts have no 'response' of their own; use 'prompt'")
    if on == "row" and of == "preference" and given.get("against") is not None:
        raise UserError(
            f"{where}: datasets.{name}.{key}: against: no other data has a pair's row; say what is "
            f"compared with it: on: prompt, or on: response (the chosen one)"
        )
    if given.get("keep") == "best":
        given["by"] = given.get("by", by)
    numbers = [column for column, kind in columns.items() if kind.is_numeric()]
    if given.get("by") not in (None, *numbers):
        raise unknown("score", str(given["by"]), numbers, where)
    return read_row_rule(state, kind, use, given, where, on, of)
