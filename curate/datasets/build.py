"""The section ``datasets``: views over the candidates, as SFT rows, preference pairs or RL prompts.

where (SQL) -> select (a rule) -> rows -> dedup -> diverse -> split. Whatever a step leaves out is in ``decisions``.
This module reads what a recipe says of a dataset; ``curate.datasets.choose`` does it, and ``curate.datasets.random_control`` draws its control.
"""

import inspect
from collections.abc import Callable
from typing import Any

import polars as pl

from curate.datasets.candidate_table import Candidates, read_candidates
from curate.datasets.choose import Decisions, View, choose_candidates, choose_prompts, needed, write_prompts, write_rows
from curate.datasets.pairs import Options
from curate.datasets.random_control import control_candidates, control_prompts
from curate.datasets.refine import refine
from curate.datasets.trl_rows import summary_columns
from curate.pipeline.generate.generate_step import shown
from curate.pipeline.pipeline import Walk
from curate.pipeline.row_rule import OF_RULES, RowRule, read_row_rule
from curate.steps import sql_conditions as conditions
from curate.steps.registry import HERE as CURATE
from curate.steps.registry import Step, find_step, source_hash
from curate.storage.store import StageWriter
from schemas.controls import PAIR_OPTIONS
from schemas.errors import UserError, unknown
from schemas.recipe import Dataset
from schemas.rows import DATASET_TABLES


def dataset(walk: Walk, name: str, entry: Dataset) -> None:
    """Make one dataset, or the control of one."""
    view = read_view(walk, name, entry)
    source = [source_hash(CURATE / name) for name in ("datasets/choose.py", "datasets/random_control.py")]
    what = {
        "type": entry.type,
        "by": view.by,
        "where": entry.where,
        "source": source,
        "options": [getattr(entry, key) for key in PAIR_OPTIONS],
        "rules": [r.key() for r in (view.rule, *view.extra) if r],
        "split": [*walk.recipe.split.items()],
        "seed": walk.recipe.seed,
        "input": walk.completions.depends(sorted(walk.completions.scores)),
        "context": walk.prompts.depends(sorted(walk.prompts.scores)),
    }
    build = _builder(walk, view)
    if entry.control_of:
        base = walk.datasets.get(entry.control_of)
        what |= {"match": entry.match, "of": base.content(DATASET_TABLES[entry.type]) if base else None}
    stage = walk.stage(view.label, what, build)
    if stage:
        walk.datasets[name] = stage


def _builder(walk: Walk, view: View) -> Callable[[StageWriter], str]:
    """How the dataset's stage is made."""
    entry = view.entry

    def build(writer: StageWriter) -> str:
        walk.progress.begin(view.label, None)
        decide = Decisions(writer, view.label)
        base = walk.datasets[entry.control_of].read(DATASET_TABLES[entry.type]) if entry.control_of else None
        if entry.type == "prompt":
            if base is not None:
                return control_prompts(walk, view, base, decide, writer)
            prompts, made, also = choose_prompts(walk, view, decide)
            made, said = refine(walk, view, Candidates(prompts, prompts, prompts.frame), made, decide)
            return write_prompts(walk, view, prompts, made, writer) + said + also
        candidates = read_candidates(walk, needed(view))
        if base is not None:
            return control_candidates(walk, view, candidates, base, decide, writer)
        made, said = choose_candidates(view, candidates, decide)
        made, also = refine(walk, view, candidates, made, decide)
        return write_rows(walk, view, candidates, made, writer) + said + also

    return build


def read_view(walk: Walk, name: str, entry: Dataset) -> View:
    """Read what a recipe says of a dataset; raises ``UserError`` for whatever can be found wrong before it is made."""
    at = walk.recipe.where("datasets", name)
    columns = _columns(walk, entry)
    rule = _selection(walk, name, entry)
    by = _by(walk, name, entry)
    extra = [_refinement(walk, name, key, getattr(entry, key), by, columns) for key in ("dedup", "diverse")]
    if entry.where:
        conditions.check(entry.where, columns, f"{walk.recipe.where('datasets', name, 'where')}: where")
    for split, condition in walk.recipe.split.items():
        if isinstance(condition, str):
            conditions.check(condition, walk.prompts.columns(), f"{walk.recipe.where('split', split)}: split.{split}")
    options = Options(*(getattr(entry, key) for key in PAIR_OPTIONS))
    scored = rule is not None and "score" in rule.step.reads and not _may_do_without(rule.step, entry.settings)
    return View(name, entry, walk.label("datasets", name), at, columns, by, rule, extra, options, scored)


def _columns(walk: Walk, entry: Dataset) -> dict[str, pl.DataType]:
    """What ``where`` may name: a candidate's columns, or for RL prompts the prompt's and its candidates' summary."""
    candidate = walk.completions.columns(walk.prompts)
    if entry.type != "prompt":
        return candidate
    summary = dict.fromkeys(summary_columns(walk), pl.Float64())
    return walk.prompts.columns() | {"pass_rate": pl.Float64(), "n_completions": pl.Int64()} | summary


def _by(walk: Walk, name: str, entry: Dataset) -> str | None:
    """The score a dataset goes by: the one named, or the only one there is."""
    known = [*walk.completions.scores]
    if entry.by is not None:
        numbers = [c for c, t in walk.completions.columns(walk.prompts).items() if t.is_numeric()]
        usable = dict.fromkeys(known if entry.type == "prompt" else [*known, *numbers])
        if entry.by not in usable:
            raise unknown("score", entry.by, usable, walk.recipe.where("datasets", name, "by"))
        return entry.by
    return known[0] if len(known) == 1 or (entry.type == "prompt" and known) else None


def _selection(walk: Walk, name: str, entry: Dataset) -> RowRule | None:
    where = walk.recipe.where("datasets", name, "select")
    if entry.type == "prompt":
        if entry.select or entry.settings:
            key = "select" if entry.select else next(iter(entry.settings))
            raise UserError(
                f"{where}: datasets.{name}: a dataset of type prompt takes prompts, not candidates, so it "
                f"has no {key!r}; use 'where', such as \"pass_rate between 0.1 and 0.9\""
            )
        return None
    step = find_step("select", entry.select or ("all" if entry.type == "sft" else "best_vs_worst"), where)
    wanted = "select" if entry.type == "sft" else "pair"
    if step.makes != wanted:
        raise UserError(
            f"{where}: datasets.{name}: {step.name!r} makes {step.makes}s; type {entry.type} needs a rule "
            f"with a function {wanted!r}"
        )
    known = [*(field for field in Dataset.model_fields if field != "control_of"), *step.required, *step.defaults]
    for key in entry.settings:
        if key not in known:
            raise unknown(f"key in datasets.{name} called", key, known, walk.recipe.where("datasets", name, key))
    if "score" in step.reads and _by(walk, name, entry) is None and not _may_do_without(step, entry.settings):
        raise UserError(
            f"{where}: datasets.{name}: {step.name!r} goes by a score; name it with 'by' "
            f"(there are: {', '.join(walk.completions.scores) or 'none: add a score step'})"
        )
    reads = [c for c in step.reads if c != "score"]
    for column in reads:
        if column not in walk.completions.columns(walk.prompts):
            raise unknown(
                f"column (which {step.name!r} reads) called", column, walk.completions.columns(walk.prompts), where
            )
    given = {key: _model_name(walk, step, value, where) for key, value in entry.settings.items()}
    return RowRule(step, step.settings(given, where, walk.recipe.seed))


def _may_do_without(step: Step, given: dict[str, Any]) -> bool:
    """Whether a rule's ``score`` may be left out: it has a default, and no ``margin`` is asked for."""
    default = inspect.signature(step.function).parameters["score"].default
    return default is not inspect.Parameter.empty and given.get("margin") is None


def _model_name(walk: Walk, step: Step, value: Any, where: str) -> Any:
    """Turn a model's name in the recipe into its name in the column ``model``, for a rule that reads that."""
    if "model" in step.reads and isinstance(value, str) and value in walk.recipe.models:
        return shown(walk.model(value, where))
    return value


def _refinement(
    walk: Walk, name: str, key: str, value: str | dict[str, Any] | None, by: str | None, columns: dict[str, pl.DataType]
) -> RowRule | None:
    """Read ``dedup:`` or ``diverse:`` of a dataset: a name, or a mapping with ``use``."""
    if value is None:
        return None
    where = walk.recipe.where("datasets", name, key)
    given = {"use": value} if isinstance(value, str) else dict(value)
    if not isinstance(given.get("use"), str):
        raise UserError(f"{where}: datasets.{name}.{key}: expected a name, or a mapping with 'use'")
    kind, use = "dedup" if key == "dedup" else "select", given.pop("use")
    step = find_step(kind, use, where)
    if key == "diverse" and step.makes != "subset":
        raise UserError(f"{where}: datasets.{name}.diverse: {step.name!r} does not choose a subset of rows")
    for column in set(step.reads) - {*OF_RULES} if key == "diverse" else ():
        raise unknown(f"column (which {step.name!r} reads) called", column, OF_RULES, where)
    # What goes by embeddings is meant to spread over prompts; a draw must not take all rows of a prompt or none.
    on = given.get("on", "prompt" if key == "diverse" and "embedding" in step.reads else "row")
    if on not in ("prompt", "response", "row"):
        raise unknown(f"column to {key} on", on, ("prompt", "response", "row"), where)
    of = walk.recipe.datasets[name].type
    if on == "response" and of == "prompt":
        raise UserError(f"{where}: datasets.{name}.{key}: on: prompts have no 'response' of their own; use 'prompt'")
    if on == "row" and of == "preference" and given.get("against") is not None:
        raise UserError(
            f"{where}: datasets.{name}.{key}: against: no other data has a pair's row; say what is "
            f"compared with it: on: prompt, or on: response (the chosen one)"
        )
    if given.get("keep") == "best":
        given.setdefault("by", by)
    numbers = [column for column, kind in columns.items() if kind.is_numeric()]
    if given.get("by") not in (None, *numbers):
        raise unknown("score", str(given["by"]), numbers, where)
    return read_row_rule(walk, kind, use, given, where, on, of)
