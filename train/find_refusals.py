"""Looks for everything that refuses a planned training, before a model is loaded."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from curate.models.chat.chat import chat_for
from curate.models.model_ref import ModelRef
from curate.storage.stage import Stage
from schemas.counted import counted
from schemas.recipe import Recipe
from schemas.trained_models import with_needed
from train.examples.context import context_of, prompt_room
from train.examples.examples import FATES
from train.finding.dotted_trainer import is_dotted
from train.plan import PlannedTraining, first_model
from train.refusals.constant_reward import constant_rewards, counted_rewards
from train.refusals.held_out import shared_prompts_refusal
from train.refusals.nothing_learnt import nothing_learnt
from train.refusals.refusal import Refusal, settle
from train.refusals.too_long import too_long
from train.refusals.unaccepted_truths import NAME as UNACCEPTED
from train.refusals.unaccepted_truths import Unaccepted, unaccepted_truths
from train.row_mentions import first_rows


@dataclass(frozen=True)
class Looked:
    """Warnings and left-out rows of a training that is not refused.

    Attributes:
        warnings: What the recipe allows, and what may be wrong.
        left_out: The rows that it leaves out: ``row_id`` and ``fate``.
    """

    warnings: list[str] = field(default_factory=list)
    left_out: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FATES))


def refusals_of(
    recipe: Recipe,
    plans: Iterable[PlannedTraining],
    datasets: Mapping[str, Stage],
    models: Mapping[str, ModelRef],
) -> dict[str, Looked]:
    """Return what was looked for in planned trainings, by name; the arguments are those of ``look_for_refusals``.

    Raises:
        UserError: A training is refused, and does not allow it.
    """
    return {planned.name: look_for_refusals(recipe, planned, datasets, models) for planned in plans}


def look_for_refusals(
    recipe: Recipe, planned: PlannedTraining, datasets: Mapping[str, Stage], models: Mapping[str, ModelRef]
) -> Looked:
    """Look for all that refuses a training; of one that is done, for shared prompts only.

    Args:
        recipe: The recipe.
        planned: The training's plan.
        datasets: The recipe's datasets that are built, by name.
        models: The models of the recipe's section ``models``, by name.

    Raises:
        UserError: The training is refused, and does not allow it.
    """
    name, training = planned.name, planned.training
    if planned.rows.is_empty():  # the dataset is not built
        return Looked()
    where, warnings = recipe.where("train", name), list[str]()
    shared = shared_prompts_refusal(recipe, name, datasets, _models_of_others(recipe, planned, models))
    warnings += settle(shared, training.allow, name, where)
    if planned.stage is not None:
        return Looked(warnings)
    of_rows = _of_rewards(recipe, planned, warnings) if planned.rewards else pl.DataFrame(schema=FATES)
    warnings += settle(_of_tokens(recipe, planned, of_rows, models), training.allow, name, where)
    return Looked(warnings, of_rows)


def _of_tokens(
    recipe: Recipe, planned: PlannedTraining, left_out: pl.DataFrame, models: Mapping[str, ModelRef]
) -> Iterator[Refusal | str]:
    """Yield what refuses a training by the tokens of its rows, where its model's tokenizer is on this machine."""
    training, first = planned.training, first_model(recipe, planned.training)
    if is_dotted(training.trainer) or first not in models:  # TRL's own tokenise the rows themselves
        return
    chat, context = chat_for(models[first]), context_of(models[first])
    if chat is None:
        return
    where = f"{recipe.where('train', planned.name)}: train.{planned.name}"
    kind = recipe.datasets[training.dataset].type
    named = training.model_copy(update={"model": first})
    rows = planned.rows.join(left_out, on="row_id", how="anti", maintain_order="left")
    yield from nothing_learnt(named, kind, rows, planned.eval_rows, chat, where, prompt_room(training, context))
    if kind != "prompt":
        yield from too_long(named, kind, rows, chat, context, where)


def _of_rewards(recipe: Recipe, planned: PlannedTraining, warnings: list[str]) -> pl.DataFrame:
    """Look for all that refuses a training by its rewards; add warnings, and return the rows that it leaves out.

    Raises:
        UserError: The training is refused, and does not allow it.
    """
    name, training, where = planned.name, planned.training, recipe.where("train", planned.name)
    warnings += settle(constant_rewards(recipe, name, planned.rows, planned.rewards), training.allow, name, where)
    truths = unaccepted_truths(planned.rows, counted_rewards(recipe, name, planned.rewards), recipe.seed)
    refusal = truths.refusal()
    warnings += settle([refusal] if refusal else [], training.allow, name, where)
    if refusal is None and truths.text():
        left = "" if UNACCEPTED in training.allow else "; these rows are left out"
        warnings.append(truths.text() + left)
    warnings += _not_judged(truths, planned)
    return truths.fates.clear() if UNACCEPTED in training.allow else truths.fates


def _not_judged(truths: Unaccepted, planned: PlannedTraining) -> list[str]:
    """Return why ground truths were not run through their verifiers."""
    found = [f"the ground truths were not run through {name!r}: {why}" for name, why in truths.problems.items()]
    if truths.late:
        rows = first_rows(truths.late, len(truths.late))
        found.append(
            f"{len(truths.late):,} ground truths were not judged: their programs ran out of time ({rows}); where the "
            f"machine was busy, try again, else give the verifier more 'seconds'"
        )
    if truths.without and not truths.problems:
        has = "has" if truths.without == 1 else "have"
        of = counted(planned.rows.height, "row")
        found.append(f"{truths.without:,} of {of} {has} no ground truth for a verifier to read")
    return found


def _models_of_others(recipe: Recipe, planned: PlannedTraining, models: Mapping[str, ModelRef]) -> list[ModelRef]:
    """Return the models that a training builds on and that no training of this recipe makes."""
    chain = [recipe.train[one] for one in with_needed(recipe, [planned.name])]
    names = [name for one in chain for name in (one.model, one.teacher)]
    names += [ref.name for scorer in planned.rewards.values() for ref in scorer.models]
    return [models[name] for name in dict.fromkeys(names) if name is not None and name in models]
