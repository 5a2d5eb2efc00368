"""How long the rewards of an online training take in a step, and how long the scorers take of that."""

import functools
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from statistics import median
from typing import Any


class RewardClock:
    """Adds up the seconds of each step: all of its rewards with their record, and of that the scorers' own."""

    def __init__(self) -> None:
        self.rewards, self.scorers, self.ended = [0.0], [0.0], [time.perf_counter()]

    def begin(self) -> None:
        """Forget what was scored before the training began."""
        self.__init__()

    def end_step(self) -> None:
        """Begin the next step."""
        self.rewards.append(0.0)
        self.scorers.append(0.0)
        self.ended.append(time.perf_counter())

    def figures(self) -> dict[str, float]:
        """Medians of the steps, in milliseconds: ``step``, ``rewards`` and, of these, ``scorers``."""
        steps = [after - before for before, after in zip(self.ended, self.ended[1:], strict=False)]
        parts = {"step": steps, "rewards": self.rewards[:-1], "scorers": self.scorers[:-1]}
        return {name: 1000 * median(seconds) for name, seconds in parts.items()}

    @contextmanager
    def watching(self) -> Generator[None]:
        """Time the reward functions of trainings, the record of their answers, and the scorers' functions."""
        from curate.steps.find_step import Step
        from train.online import online_training
        from train.online.rollouts import Rollouts

        def made_timed(*given: Any) -> list[Callable]:
            return [self._timed(function, "rewards") for function in made(*given)]

        made = online_training.reward_functions
        replaced: list[tuple[Any, str, Callable]] = [
            (online_training, "reward_functions", made_timed),
            (Rollouts, "end_batch", self._timed(Rollouts.end_batch, "rewards")),
            (Step, "call", self._timed(Step.call, "scorers")),
        ]
        originals = [(owner, name, getattr(owner, name)) for owner, name, _ in replaced]
        for owner, name, function in replaced:
            setattr(owner, name, function)
        try:
            yield
        finally:
            for owner, name, function in originals:
                setattr(owner, name, function)

    def _timed(self, function: Callable, part: str) -> Callable:
        """Return a function that adds its time to a part of the step: ``rewards`` or ``scorers``."""

        @functools.wraps(function)
        def timed(*given: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                getattr(self, part)[-1] += time.perf_counter() - started

        return timed
