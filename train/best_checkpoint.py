"""The best checkpoint of a training, of those that were evaluated and saved."""

import operator
from pathlib import Path
from typing import Any

from transformers import EarlyStoppingCallback

from train.checkpoints import step_of


def measure(args: Any) -> str:
    """Return the name, in the log, of the measure that models are compared by."""
    return f"eval_{args.metric_for_best_model.removeprefix('eval_')}"


def evaluations(args: Any, state: Any) -> dict[int, float]:
    """Return the value of the measure at each step that was evaluated."""
    name = measure(args)
    return {entry["step"]: float(entry[name]) for entry in state.log_history if name in entry}


def choose_best(args: Any, state: Any) -> None:
    """Set the best checkpoint in a trainer's state where models are evaluated more often than they are saved.

    transformers keeps the best one only if it was saved by chance, and else an earlier one. A checkpoint that was saved
    by the clock does not count: the result would depend on the time that a step takes.
    """
    if not args.load_best_model_at_end or str(getattr(args.save_strategy, "value", args.save_strategy)) != "steps":
        return
    if state.save_steps == state.eval_steps:
        return
    better = operator.gt if args.greater_is_better else operator.lt
    best = None
    for step, value in evaluations(args, state).items():
        saved = step % state.save_steps == 0 or step == state.max_steps
        if saved and (best is None or better(value, best[1])):
            best = step, value
    state.best_model_checkpoint = str(Path(args.output_dir) / f"checkpoint-{best[0]}") if best else None


def best_model(trainer: Any) -> dict[str, Any]:
    """Return under ``best`` which model is kept: ``metric``, ``value``, ``step``; nothing where it is the last one.

    ``value`` is None if no evaluation gave a number, so that the last model is kept; ``stopped_after`` is the number
    of evaluations that were no better, or better by no more than ``threshold``, where they ended the training.
    """
    args, state = trainer.args, trainer.state
    if not args.load_best_model_at_end:
        return {}
    stopping = [one for one in trainer.callback_handler.callbacks if isinstance(one, EarlyStoppingCallback)]
    early = bool(stopping) and stopping[0].early_stopping_patience_counter >= stopping[0].early_stopping_patience
    step = step_of(Path(state.best_model_checkpoint)) if state.best_model_checkpoint else None
    best = {
        "metric": measure(args),
        "value": None if step is None else evaluations(args, state)[step],
        "step": step,
        "stopped_after": stopping[0].early_stopping_patience_counter if early else None,
        "threshold": stopping[0].early_stopping_threshold if early else None,
    }
    return {"best": best}
