"""The section ``datasets``: SFT rows, preference pairs or RL prompts, chosen from the candidates.

where (SQL) -> select (a rule) -> rows -> dedup -> diverse -> split. Every row that a step leaves out is in
``decisions``. This module checks a dataset's entry in the recipe; ``choose``, ``refine`` and ``random_control`` do it.
"""

import inspect
from functools import partial
from typing import Any

import polars as pl

from curate.datasets.candidate_table import Candidates, read_candidates
from curate.datasets.choose import DecisionWriter, choose_candidates, choose_prompts, needed_columns
from curate.datasets.dataset_spec import DatasetSpec
from curate.datasets.learnt import learnable
from curate.datasets.pairs import PairOptions
from curate.datasets.random_control import control_of_candidates, control_of_prompts
from curate.datasets.recorded_verdicts import check_verdicts, recorded_scores
from curate.datasets.refine import refine
from curate.datasets.trl_rows import summary_columns
from curate.datasets.write import write_prompts, write_rows
from curate.pipeline.prompt_splits import check_split, split_key
from curate.pipeline.row_rule import RULE_COLUMNS, RowRule, read_row_rule, rule_code
from curate.pipeline.run_state import RunState
from curate.pipeline.stage_spec import RunContext, StageSpec
from curate.steps import sql_conditions
from curate.steps.code_hash import Code
from curate.steps.find_step import Step, find_step
from curate.steps.settings import check_settings
from curate.storage.stage import Stage, StageWriter
from schemas.controls import PAIR_OPTIONS
from schemas.errors import UserError, unknown
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
        "split": split_key(state.recipe),
        "shares_of": state.shares_of.content if state.recipe.splits else "",
        "seed": state.recipe.seed,
        "input": state.completions.fingerprint(sorted(state.completions.scores)),
        "context": state.prompts.fingerprint(sorted(state.prompts.scores)),
    }
    if entry.control_of:
        base = spec.control_base
        key |= {"match": entry.match, "of": base.content(DATASET_TABLES[entry.type]) if base else None}
    code: list[Code] = [DatasetSpec, PairOptions, RowRule]
    code += [one for rule in spec.rules for one in rule_code(rule)]
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
    """Return the candidates to choose from, a note on those that an SFT row could not learn, and those ones' turns."""
    candidates = read_candidates(spec.completions, spec.prompts, needed_columns(spec))
    return learnable(candidates, decisions) if spec.entry.type == "sft" else (candidates, "", 0)


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
    rule = _selection_rule(state, name, entry)
    by = _score_name(state, name, entry)
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
        dedup=dedup,
        diverse=diverse,
        pair_options=PairOptions(*(getattr(entry, key) for key in PAIR_OPTIONS)),
        needs_score=needs_score,
        control_base=state.datasets.get(entry.control_of) if entry.control_of else None,
    )


def _columns(state: RunState, entry: Dataset) -> dict[str, pl.DataType]:
    """Return the columns ``where`` may name: a candidate's, or a prompt's with a summary of its candidates' scores."""
    candidate = state.completions.columns(state.prompts)
    if entry.type != "prompt":
        return candidate
    summary = dict.fromkeys(summary_columns(list(state.completions.scores)), pl.Float64())
    return state.prompts.columns() | {"pass_rate": pl.Float64(), "n_completions": pl.Int64()} | summary


def _score_name(state: RunState, name: str, entry: Dataset) -> str | None:
    """Return the score that a dataset's rule reads: the one named, recorded pairs' ``preference``, or the only one."""
    known = [*state.completions.scores]
    if entry.by is not None:
        numbers = [c for c, t in state.completions.columns(state.prompts).items() if t.is_numeric()]
        usable = dict.fromkeys(known if entry.type == "prompt" else [*known, *numbers])
        if entry.by not in usable:
            raise unknown("score", entry.by, usable, state.recipe.where("datasets", name, "by"))
        return entry.by
    if entry.type == "preference" and recorded_scores(state, ("preference",)):
        return "preference"
    return known[0] if len(known) == 1 or (entry.type == "prompt" and known) else None


def _selection_rule(state: RunState, name: str, entry: Dataset) -> RowRule | None:
    where = state.recipe.where("datasets", name, "select")
    if entry.type == "prompt":
        if entry.select or entry.settings:
            key = "select" if entry.select else next(iter(entry.settings))
            raise UserError(
                f"{where}: datasets.{name}: a dataset of type prompt takes prompts, not candidates, so it "
                f"has no {key!r}; use 'where', such as \"pass_rate between 0.1 and 0.9\""
            )
        return None
    step = find_step("select", entry.select or _usual_rule(state, entry), where)
    wanted = "select" if entry.type == "sft" else "pair"
    if step.makes != wanted:
        raise UserError(
            f"{where}: datasets.{name}: {step.name!r} makes {step.makes}s; type {entry.type} needs a rule "
            f"with a function {wanted!r}"
        )
    known = [*(field for field in Dataset.model_fields if field != "control_of"), *step.required, *step.defaults]
    for key in entry.settings:
        if key not in known:
            raise unknown(f"key in datasets.{name} called", key, known, state.recipe.where("datasets", name, key))
    if (
        "score" in step.reads
        and _score_name(state, name, entry) is None
        and not score_is_optional(step, entry.settings)
    ):
        raise UserError(
            f"{where}: datasets.{name}: {step.name!r} needs a score; name it with 'by' "
            f"(there are: {', '.join(state.completions.scores) or 'none: add a score step'})"
        )
    reads = [c for c in step.reads if c != "score"]
    for column in reads:
        if column not in state.completions.columns(state.prompts):
            raise unknown(
                f"column (which {step.name!r} reads) called", column, state.completions.columns(state.prompts), where
            )
    given = {key: _model_name(state, step, value, where) for key, value in entry.settings.items()}
    return RowRule(step, check_settings(step, given, where, state.recipe.seed))


def _usual_rule(state: RunState, entry: Dataset) -> str:
    """Return the rule of a dataset that names none: of recorded pairs, if nothing else is said, their own pairs."""
    if entry.type == "sft":
        return "all"
    by_preference = entry.by in (None, "preference") and recorded_scores(state, ("preference",))
    return "recorded_pairs" if by_preference and not entry.settings else "best_vs_worst"


def score_is_optional(step: Step, given: dict[str, Any]) -> bool:
    """Return whether a rule's ``score`` may be left out: it has a default, and no ``margin`` is asked for."""
    default = inspect.signature(step.function).parameters["score"].default
    return default is not inspect.Parameter.empty and given.get("margin") is None


def _model_name(state: RunState, step: Step, value: Any, where: str) -> Any:
    """Turn a model's name in the recipe into its name in the column ``model``, for a rule that reads that."""
    if "model" in step.reads and isinstance(value, str) and value in state.recipe.models:
        return state.model(value, where).short_name
    return value


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
