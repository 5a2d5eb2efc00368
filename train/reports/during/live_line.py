"""The line that shows how far a training is: its step, its figures, tokens a second, and the time left."""

import math
from typing import Any

from schemas.counted import counted
from train.reports.during.pace import Pace
from train.reports.words import figure, in_time

FIRST, MOST, SHARE = 10.0, 300.0, 1 / 20  # seconds between two lines: at first, at most, and by the time so far
MARGIN = "rewards/margins"
# Figures of an evaluation that say how it ran, not how good the model is.
RUNNING = ("runtime", "per_second", "num_tokens", "clip_ratio", "sampling", "epoch", "step_time", "completions/",
           "entropy", "logits/", "logps/", "frac_", "_std", "/std", "preparation_time")  # fmt: skip
SHOWN = 6  # figures of an evaluation


def figures(logs: dict[str, Any], *, rewarded: bool, parts: bool) -> str:
    """Return what to show of TRL's figures of a step: the reward in online RL, whose loss says nothing; else the loss.

    Args:
        logs: TRL's figures.
        rewarded: Whether answers are sampled and rewarded. A step that learns from earlier answers logs no reward.
        parts: Whether to show the mean of each reward beside their sum, where there are several.
    """
    if rewarded:
        if "reward" not in logs:
            return ""
        means = {n.split("/")[1]: v for n, v in logs.items() if n.startswith("rewards/") and n.endswith("/mean")}
        shown = f"reward {_value(logs['reward'])}"
        if parts and len(means) > 1:
            shown += f" ({', '.join(f'{name} {_value(value)}' for name, value in means.items())})"
        length = logs.get("completions/mean_length")
        return f"{shown}, {length:,.0f} tokens an answer" if isinstance(length, int | float) else shown
    shown = f"loss {_value(logs['loss'])}" if "loss" in logs else ""
    margin = logs.get(MARGIN)
    return f"{shown}, margin {_value(margin)}" if shown and margin is not None else shown


def _value(value: Any) -> str:
    if value is None or not isinstance(value, int | float):
        return "without a value"
    return figure(float(value))


def not_numbers(logs: dict[str, Any]) -> list[str]:
    """Return which of a step's loss and gradient norm are NaN or infinite."""
    found = {name: logs.get(name) for name in ("loss", "grad_norm")}
    return [name for name, value in found.items() if isinstance(value, float) and not math.isfinite(value)]


def note_of(shown: str, pace: Pace, evaluations: int, *, ended: bool = False) -> str:
    """Return a step's figures with the tokens a second and the time left, as far as they are known.

    Args:
        shown: The figures (``figures``).
        pace: How fast the training goes.
        evaluations: How many evaluations are still made.
        ended: Whether the training ends here, before its last step.
    """
    rate, left = pace.tokens_a_second, None if ended else pace.left(evaluations)
    parts = [shown] if shown else []
    parts += [f"{rate:,.0f} tokens/s"] if rate is not None else []
    parts += [f"{in_time(left)} left"] if left is not None and pace.done < pace.total else []
    return ", ".join(parts)


def step_line(name: str, pace: Pace, note: str) -> str:
    """Return a line such as ``train.sft: step 12 of 64, loss 1.234, 5,120 tokens/s, 3 min left``."""
    return f"train.{name}: step {pace.done:,} of {pace.total:,}{f', {note}' if note else ''}"


def estimate_line(name: str, pace: Pace, evaluations: int) -> str:
    """Return a line such as ``train.sft: about 6 min for the 60 steps left (5.6 s a step)``."""
    each = pace.seconds_a_step or 0.0
    steps = f"the {counted(pace.total - pace.done, 'step')} left"
    unknown = evaluations and not pace.knows_evaluations
    without = f", its {counted(evaluations, 'evaluation')} not counted" if unknown else ""
    took = f"{each:.2g} s" if each < 10 else in_time(each)
    return f"train.{name}: about {in_time(pace.left(evaluations) or 0)} for {steps} ({took} a step{without})"


def evaluation_line(name: str, step: int, total: int, logs: dict[str, Any], seconds: float) -> str:
    """Return a line with the figures of an evaluation and its time, without those that say how it ran."""
    held = [n for n in logs if n.startswith("eval_") and not any(word in n for word in RUNNING)]
    rewards = [n for n in held if n.startswith("eval_rewards/") and n.endswith("/mean")]
    without = {"eval_loss"} if "eval_reward" in held else set()
    without |= set(rewards) if len(rewards) == 1 else set()
    first = [n for n in ("eval_loss", "eval_reward") if n in held]
    ordered = [n for n in dict.fromkeys([*first, *held]) if n not in without][:SHOWN]
    said = "".join(f", {n} {_value(logs[n])}" for n in ordered)
    took = f"{seconds:.1f} s" if seconds < 10 else in_time(seconds)
    return f"train.{name}: evaluated after step {step:,} of {total:,}{said}, in {took}"


class Lines:
    """Decides when a line is due: for the first step, the last, and now and then between, ever more rarely."""

    def __init__(self, now: float) -> None:
        """Begin at a time in seconds."""
        self._began = now
        self._last: float | None = None

    def is_due(self, now: float, *, always: bool) -> bool:
        """Return whether to write a line; if so, the next one is due later.

        Args:
            now: The time in seconds.
            always: Whether the step is the first or the last.
        """
        wait = min(MOST, max(FIRST, SHARE * (now - self._began)))
        if always or self._last is None or now - self._last >= wait:
            self._last = now
            return True
        return False
