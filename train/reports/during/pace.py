"""How fast a training goes: the time of a step, tokens a second, and the time that is left."""

import math
from collections import deque
from typing import Any, NamedTuple

STEPS = 50  # steps that the pace is of
FEW, LONG = 3, 20.0  # an estimate is made after so many steps, or after so many seconds of steps


class _Count(NamedTuple):
    """The number of tokens seen after some steps, and some seconds of steps."""

    done: int
    seconds: float
    tokens: float


class Pace:
    """Measures steps. The first step of a process is left out: it warms up caches, and a resumed one skips rows.

    Attributes:
        total: The number of steps of the training.
        done: How many are done.
    """

    def __init__(self, total: int, done: int, cycle: int = 1) -> None:
        """Begin after ``done`` steps; ``cycle`` is the number of steps that share one sampling of answers."""
        self.total, self.done = total, done
        kept = cycle * math.ceil(STEPS / cycle)
        self._cycle = cycle
        self._times: deque[float] = deque(maxlen=kept)
        self._tokens: deque[_Count] = deque(maxlen=kept + 1)
        self._seconds: float | None = None  # of all steps but the first; None before it
        self._evaluations: list[float] = []

    def step(self, seconds: float) -> None:
        """Count a step."""
        self.done += 1
        if self._seconds is None:
            self._seconds = 0.0
            return
        self._seconds += seconds
        self._times.append(seconds)

    def count(self, tokens: float) -> None:
        """Take the number of tokens seen since the training began."""
        if self._seconds is not None:
            self._tokens.append(_Count(self.done, self._seconds, tokens))

    def evaluated(self, seconds: float) -> None:
        """Take the time of an evaluation."""
        self._evaluations.append(seconds)

    @property
    def seconds_a_step(self) -> float | None:
        """The mean time of the last steps, over whole samplings; None before one is measured."""
        whole = len(self._times) // self._cycle * self._cycle
        return sum(list(self._times)[-whole:]) / whole if whole else None

    @property
    def tokens_a_second(self) -> float | None:
        """The tokens of the last steps by their time, over whole samplings; None before it is known."""
        if not self._tokens:
            return None
        last = self._tokens[-1]
        first = next(one for one in self._tokens if (last.done - one.done) % self._cycle == 0)
        return (last.tokens - first.tokens) / (last.seconds - first.seconds) if last.seconds > first.seconds else None

    def left(self, evaluations: int) -> float | None:
        """Return the seconds that the training still takes, with this many evaluations; None before it is known."""
        each = self.seconds_a_step
        if each is None:
            return None
        known = self._evaluations[-1] if self._evaluations else 0.0
        return each * max(self.total - self.done, 0) + known * evaluations

    @property
    def is_known(self) -> bool:
        """Whether enough steps were measured for an estimate."""
        counted = len(self._times)
        return counted >= self._cycle and (counted >= FEW or sum(self._times) >= LONG)

    @property
    def knows_evaluations(self) -> bool:
        """Whether an evaluation was measured."""
        return bool(self._evaluations)


def cycle_of(args: Any) -> int:
    """Return how many steps share one sampling of answers; 1 where none are sampled.

    Args:
        args: TRL's config.
    """
    passes = (getattr(args, "steps_per_generation", None) or 1) * (getattr(args, "num_iterations", None) or 1)
    return max(1, math.ceil(passes / args.gradient_accumulation_steps))


def evaluations_left(args: Any, state: Any) -> int:
    """Return how many evaluations a training still makes.

    Args:
        args: TRL's config.
        state: transformers' state of the training.
    """
    strategy = str(getattr(args.eval_strategy, "value", args.eval_strategy))
    if strategy == "steps" and state.eval_steps:
        return int(state.max_steps // state.eval_steps - state.global_step // state.eval_steps)
    if strategy == "epoch":
        return max(0, int(state.num_train_epochs) - int(state.epoch or 0))
    return 0
