"""The selection rule of a dataset, and the score that it reads: those that the recipe names or implies."""

import inspect
from typing import Any

from curate.datasets.recorded_verdicts import recorded_scores
from curate.pipeline.hand_verdicts import SCORE
from curate.pipeline.row_rule import RowRule
from curate.pipeline.run_state import RunState
from curate.pipeline.training_columns import OF_CANDIDATES
from curate.sources.rows.layout_names import VERDICTS
from curate.steps.find_step import Step, find_step
from curate.steps.settings import check_settings
from schemas.controls import PAIR_OPTIONS
from schemas.errors import UserError, unknown
from schemas.recipe import Dataset

PAIRING = "best_vs_worst"  # the rule of pairs that the error for a setting of pairs names


def score_name(state: RunState, name: str, entry: Dataset) -> str | None:
    """Return the score that a dataset's rule reads, or its labels.

    That is the one named, recorded pairs' ``preference``, the only one, or of an unpaired dataset a recorded verdict.
    """
    known = [*state.completions.scores]
    if entry.by is not None:
        numbers = [c for c, t in state.completions.columns(state.prompts).items() if t.is_numeric()]
        usable = dict.fromkeys(known if entry.type == "prompt" else [*known, *numbers])
        if entry.by not in usable:
            raise unknown("score", entry.by, usable, state.recipe.where("datasets", name, "by"))
        return entry.by
    if entry.type == "preference" and recorded_scores(state, ("preference",)):
        return "preference"
    if entry.type == "unpaired" and (verdicts := recorded_scores(state, VERDICTS)):
        return verdicts[0]
    # A loss is the best if it is low, and few candidates are labelled by hand: these must be named.
    known = [one for one in known if one not in (*OF_CANDIDATES, SCORE)]
    return known[0] if len(known) == 1 or (entry.type == "prompt" and known) else None


def selection_rule(state: RunState, name: str, entry: Dataset) -> RowRule | None:
    """Return the rule that chooses a dataset's candidates or pairs; None for a dataset of prompts.

    Raises:
        UserError: There is no such rule, it does not make what the dataset's type is of, or an option is not its own.
    """
    where = state.recipe.where("datasets", name, "select")
    settings = _settings(entry)
    if entry.type == "prompt":
        if entry.select or settings:
            key = "select" if entry.select else next(iter(settings))
            raise UserError(
                f"{where}: datasets.{name}: a dataset of type prompt takes prompts, not candidates, so it "
                f"has no {key!r}; use 'where', such as \"pass_rate between 0.1 and 0.9\""
            )
        return None
    step = find_step("select", entry.select or usual_rule(state, entry), where)
    wanted = {"sft": ("select",), "preference": ("pair",), "unpaired": ("select", "pair")}[entry.type]
    if step.makes not in wanted:
        raise UserError(
            f"{where}: datasets.{name}: {step.name!r} makes {step.makes}s; type {entry.type} needs a rule "
            f"with a function {' or '.join(map(repr, wanted))}"
        )
    _check_pairing(state, name, entry, step)
    _check_keys(state, name, entry, step)
    if "score" in step.reads and score_name(state, name, entry) is None and not score_is_optional(step, settings):
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
    given = {key: _model_name(state, step, value, where) for key, value in settings.items()}
    return RowRule(step, check_settings(step, given, where, state.recipe.seed))


def _settings(entry: Dataset) -> dict[str, Any]:
    """Return the settings of a dataset's rule: one called ``threshold`` too, but of an unpaired dataset."""
    own = {} if entry.threshold is None or entry.type == "unpaired" else {"threshold": entry.threshold}
    return own | entry.settings


def _check_keys(state: RunState, name: str, entry: Dataset, step: Step) -> None:
    """Refuse keys of a dataset that are neither its own nor settings of its rule."""
    own = [field for field in Dataset.model_fields if not field.startswith("control_")]
    known = [*own, *step.required, *step.defaults]
    for key in _settings(entry):
        if key == "threshold" and key not in {*step.required, *step.defaults}:
            raise UserError(
                f"{state.recipe.where('datasets', name, key)}: datasets.{name}.{key}: says from which score an answer "
                f"is good, so it needs the type unpaired, found {entry.type}"
            )
        if key not in known and entry.type == "unpaired" and key in find_step("select", PAIRING, "").defaults:
            raise UserError(
                f"{state.recipe.where('datasets', name, key)}: datasets.{name}.{key}: is a setting of rules that make "
                f"pairs, whose chosen answers are good and whose rejected ones are bad; name one, such as "
                f"select: {PAIRING}"
            )
        if key not in known:
            raise unknown(f"key in datasets.{name} called", key, known, state.recipe.where("datasets", name, key))


def _check_pairing(state: RunState, name: str, entry: Dataset, step: Step) -> None:
    """Refuse options of an unpaired dataset that do not go with its rule, which takes answers or pairs of them."""
    if entry.type != "unpaired":
        return
    if step.makes == "pair":
        if entry.threshold is not None:
            raise UserError(
                f"{state.recipe.where('datasets', name, 'threshold')}: datasets.{name}.threshold: the pairs of "
                f"{step.name!r} say which answers are good (the chosen ones); remove it, or remove 'select'"
            )
        if entry.match == "tokens":
            raise UserError(
                f"{state.recipe.where('datasets', name, 'match')}: datasets.{name}.match: rows made of pairs are "
                f"matched by 'rows'"
            )
    for key in PAIR_OPTIONS if step.makes == "select" else ():
        if getattr(entry, key) is not None:
            raise UserError(
                f"{state.recipe.where('datasets', name, key)}: datasets.{name}.{key}: is about pairs, and "
                f"{step.name!r} makes none; name a rule that does, such as select: best_vs_worst"
            )


def usual_rule(state: RunState, entry: Dataset) -> str:
    """Return the rule of a dataset that names none: of recorded pairs, if nothing else is said, their own pairs."""
    if entry.type in ("sft", "unpaired"):
        return "all"
    by_preference = entry.by in (None, "preference") and recorded_scores(state, ("preference",))
    return "recorded_pairs" if by_preference and not entry.settings else "best_vs_worst"


def makes_pairs(entry: Dataset) -> bool:
    """Return whether a dataset is chosen by a rule that makes pairs of candidates."""
    if entry.type == "unpaired":
        return entry.select is not None and find_step("select", entry.select, "").makes == "pair"
    return entry.type == "preference"


def score_is_optional(step: Step, given: dict[str, Any]) -> bool:
    """Return whether a rule's ``score`` may be left out: it has a default, and no ``margin`` is asked for."""
    default = inspect.signature(step.function).parameters["score"].default
    return default is not inspect.Parameter.empty and given.get("margin") is None


def _model_name(state: RunState, step: Step, value: Any, where: str) -> Any:
    """Turn a model's name in the recipe into its name in the column ``model``, for a rule that reads that."""
    if "model" in step.reads and isinstance(value, str) and value in state.recipe.models:
        return state.model(value, where).short_name
    return value
