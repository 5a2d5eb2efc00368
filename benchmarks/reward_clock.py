"""How long the rewards of an online training take in a step, and how long the scorers take of that."""

import time
from collections.abc import Callable, Iterator
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
    def watching(self) -> Iterator[None]:
        """Time the reward functions of trainings, the record of their answers, and the scorers' functions."""
        from curate.steps.find_step import Step
        from train.online import online_training
        from train.online.rollouts import Rollouts

        made, end_batch, call = online_training.reward_functions, Rollouts.end_batch, Step.call

        def timed_functions(*given: Any) -> list[Callable]:
            functions = []
            for function in made(*given):
                timed = self._timed(function, self.rewards)
                timed.__name__ = function.__name__
                functions.append(timed)
            return functions

        online_training.reward_functions = timed_functions
        Rollouts.end_batch = self._timed(end_batch, self.rewards)
        Step.call = self._timed(call, self.scorers)
        try:
            yield
        finally:
            online_training.reward_functions, Rollouts.end_batch, Step.call = made, end_batch, call

    def _timed(self, function: Callable, into: list[float]) -> Callable:
        name = "rewards" if into is self.rewards else "scorers"

        def timed(*given: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                getattr(self, name)[-1] += time.perf_counter() - started

        return timed
