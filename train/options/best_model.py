"""Evaluation while a model is trained: when, on which measure, which model is kept, and when the training ends early.

``early_stopping`` or ``load_best_model_at_end`` needs several of TRL's options at once. Those that the recipe leaves
out are set here; those that it sets so that the best model could not be kept are refused.
"""

from typing import Any

import polars as pl

from schemas.counted import counted
from schemas.errors import UserError, unknown
from schemas.recipe import Recipe, Training
from train.finding.find_trainer import find_trainer

EVALUATIONS = 0.1  # the share of all steps between two evaluations: ten in a training
NEVER = (None, False, "no")
NULLS = {"max_grad_norm": 0.0, "report_to": "none"}  # TRL's values for none, where a recipe says null


def effective_settings(training: Training) -> dict[str, Any]:
    """Return a training's options, with those that keeping the best model needs where the recipe leaves them out.

    A model is evaluated ten times, saved whenever it is the best yet, and the best one is loaded at the end. Online RL
    goes by the reward, all else by the loss.
    """
    given = dict(training.settings)
    for name in ("eval_strategy", "save_strategy", "logging_strategy"):
        if given.get(name) is False:  # YAML's reading of 'no'
            given[name] = "no"
    for name, none in NULLS.items():
        if name in given and given[name] is None:
            given[name] = none
    if not keeps_best(training):
        best = given.get("save_strategy") == "best" and evaluates(given)
        return _default_measure(training) | given if best else given
    default: dict[str, Any] = {"eval_strategy": "steps", "load_best_model_at_end": True, "save_strategy": "best"}
    if given.get("eval_strategy", "steps") == "steps":
        default["eval_steps"] = EVALUATIONS
    if given.get("save_strategy") == "steps" and "eval_steps" in default | given:
        default["save_steps"] = (default | given)["eval_steps"]
    if "rewards" in find_trainer(training.trainer).NEEDS:
        default |= _default_measure(training)
    if training.early_stopping is not None:
        default["restore_callback_states_from_checkpoint"] = True  # a resumed training goes on counting
    return default | given


def _default_measure(training: Training) -> dict[str, Any]:
    """Return the measure that models are compared by if the recipe sets none, as an option."""
    online = "rewards" in find_trainer(training.trainer).NEEDS
    return {"metric_for_best_model": "eval_reward" if online else "eval_loss"}


def keeps_best(training: Training) -> bool:
    """Return whether the model that is kept is the best one, not the last."""
    return training.early_stopping is not None or training.settings.get("load_best_model_at_end") is True


def evaluates(settings: dict[str, Any]) -> bool:
    """Return whether a training with these options evaluates on held-out rows."""
    return settings.get("eval_strategy") not in NEVER


def check_best_model(training: Training, where: str) -> None:
    """Check that the best model can be kept, if the recipe asks for it.

    Raises:
        UserError: An option is against it; the message says what to set.
    """
    settings = effective_settings(training)
    if not keeps_best(training):
        if settings.get("save_strategy") == "best" and not evaluates(settings):
            raise UserError(
                f"{where}: save_strategy: best needs evaluations to compare models; add load_best_model_at_end: true, "
                f"which evaluates and keeps the best model, or remove it"
            )
        return
    asked = "early_stopping" if training.early_stopping is not None else "load_best_model_at_end"
    if settings["load_best_model_at_end"] is not True:
        raise UserError(f"{where}: early_stopping keeps the best model; remove load_best_model_at_end: false")
    if not evaluates(settings):
        raise UserError(f"{where}: {asked} needs evaluations, but eval_strategy is 'no'; remove it")
    if settings.get("restore_callback_states_from_checkpoint") is False and asked == "early_stopping":
        raise UserError(f"{where}: restore_callback_states_from_checkpoint: early_stopping needs true; remove it")
    saved, evaluated = settings["save_strategy"], settings["eval_strategy"]
    if saved != "best" and not (saved == evaluated and (saved == "epoch" or _is_multiple(settings))):
        how = f"save_strategy: {saved}" + (
            f", save_steps: {settings['save_steps']}" if "save_steps" in settings else ""
        )
        raise UserError(
            f"{where}: {asked}: {how} would save models that are not evaluated, or none; remove it: each best model is "
            f"saved (save_strategy: best)"
        )


def _is_multiple(settings: dict[str, Any]) -> bool:
    """Return whether each model that is saved is evaluated: ``save_steps`` is a multiple of ``eval_steps``.

    The best is then one of those that are saved. Both are numbers of steps, or both shares of all steps.
    """
    saved, evaluated = (
        settings.get("save_steps", 500),
        settings.get("eval_steps") or settings.get("logging_steps", 1),
    )
    if not all(isinstance(one, int | float) and one > 0 for one in (saved, evaluated)):
        return False
    if (saved < 1) != (evaluated < 1):
        return False
    return abs(saved / evaluated - round(saved / evaluated)) < 1e-6


def check_eval_split(recipe: Recipe, name: str) -> None:
    """Raise ``UserError`` where a training evaluates and the recipe holds out no rows, or names a split for nothing."""
    training, where = recipe.train[name], recipe.where("train", name)
    asked, split = evaluates(effective_settings(training)), training.eval_split
    if split == "train":
        raise UserError(
            f"{recipe.where('train', name, 'eval_split')}: train.{name}: eval_split: train is the part that is trained "
            f"on; name another split ({', '.join(s for s in recipe.splits if s != 'train') or 'add a split section'})"
        )
    if split is not None and split not in recipe.splits:
        raise unknown("split", split, recipe.splits, recipe.where("train", name, "eval_split"))
    if split is not None and not asked:
        raise UserError(
            f"{recipe.where('train', name, 'eval_split')}: train.{name}: eval_split is set, but nothing is evaluated; "
            f"add early_stopping: 3, or eval_strategy: epoch"
        )
    if asked and not recipe.splits:
        raise held_out_missing(training, f"{where}: train.{name}")


def check_held_out_rows(rows: pl.DataFrame, training: Training, where: str) -> None:
    """Raise ``UserError`` where there is no row to evaluate on."""
    if rows.is_empty():
        raise held_out_missing(training, where)


def held_out_missing(training: Training, where: str) -> UserError:
    """Return the error for a training that evaluates, but whose dataset holds out no rows."""
    asked = "early_stopping" if training.early_stopping is not None else "eval_strategy"
    if training.eval_split is not None:
        return UserError(f"{where}: {asked} is set, but the dataset has no rows in the split {training.eval_split!r}")
    return UserError(
        f"{where}: {asked} is set, but all rows of the dataset are for training; add a 'split', such as {{test: 0.1}}"
    )


def held_out_note(training: Training, rows: pl.DataFrame) -> str:
    """Return which rows a training is evaluated on: ``, evaluated on 12 rows of 'test'``; nothing if on none."""
    if not evaluates(effective_settings(training)) or rows.is_empty():
        return ""
    note = f", evaluated on {counted(rows.height, 'row')} of {rows['split'][0]!r}"
    given = training.settings
    compared = given.get("metric_for_best_model") is not None or given.get("save_strategy") == "best"
    if compared and not keeps_best(training):
        note += ", but the last model is kept (load_best_model_at_end: true keeps the best)"
    return note


def best_line(best: dict[str, Any] | None) -> str:
    """Return what a training's result says of its best model: ``best eval_loss 1.234 at step 40 of 100``."""
    if not best:
        return ""
    if best["value"] is None:
        return f"no evaluation gave a number for {best['metric']}, so the last model is kept"
    line = f"best {best['metric']} {best['value']:.3f} at step {best['step']:,}"
    stopped, threshold = best["stopped_after"], best.get("threshold")
    if stopped is None:
        return line
    after = f"{line}, stopped after {stopped:,} evaluation{'' if stopped == 1 else 's'}"
    if not threshold:
        return f"{after} without a better one"
    return f"{after}, {'not' if stopped == 1 else 'none'} better by {threshold:g}"
