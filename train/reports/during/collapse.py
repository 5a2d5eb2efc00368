"""Watches the answers that a model samples in online RL for a collapse, while it trains.

The latest answers are compared with the first ones. A reward that rises while answers shrink to a word, repeat one
another or find no end is likely gamed: the scorer is satisfied, the answers are of no use.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

import polars as pl

from train.damage.answer_figures import Figures, answer_figures, expected_figures
from train.damage.signs import Sign, signs
from train.reports.words import figure

ENOUGH, PROMPTS, MOST = 64, 8, 512  # answers to compare, prompts that they answer if there are so many, answers at most
LOGGED = 4  # logged means that are compared, where there are no answers
SHORT, SHORTER, CUT, MORE_CUT = 8.0, 4.0, 0.6, 0.3  # of those: tokens, how many times shorter, shares cut off
FIRST = "the first ones"
COLUMNS = ("step", "row_id", "response", "finish_reason", "tokens", "value")


class AnswerWatch:
    """Compares the latest sampled answers with the first ones.

    Attributes:
        said: The signs that were found so far, by kind, each with the step at which it was found.
        now: The signs of the latest answers.
    """

    def __init__(self, rows: pl.DataFrame) -> None:
        """Begin; ``rows`` are the prompts' rows, with ``row_id`` and, where there is one, ``ground_truth``."""
        truths = (
            rows["ground_truth"] if "ground_truth" in rows.columns else pl.Series([None] * rows.height, dtype=pl.String)
        )
        self._truths = pl.DataFrame({"row_id": rows["row_id"], "truth": truths}).unique("row_id")
        self._prompts = min(PROMPTS, self._truths.height)
        self._first: list[pl.DataFrame] = []
        self._before: Figures | None = None
        self._latest: deque[pl.DataFrame] = deque()
        self.said: dict[str, int] = {}
        self.now: list[Sign] = []

    def take(self, answers: pl.DataFrame) -> list[tuple[int, Sign, str]]:
        """Take answers in the order in which they were sampled.

        Args:
            answers: ``COLUMNS`` of each answer, and perhaps more.

        Returns:
            The signs that were not there before, with their step and how the reward changed since the first answers.
        """
        found = []
        for (step,), part in answers.select(COLUMNS).group_by("step", maintain_order=True):
            found += [(int(str(step)), *one) for one in self._take_step(part)]
            self.said |= {one.kind: int(str(step)) for one in self.now if one.kind not in self.said}
        return found

    def _take_step(self, answers: pl.DataFrame) -> list[tuple[Sign, str]]:
        if self._before is None:
            self._first.append(answers)
            if self._is_enough(self._first):
                self._before = _figures(pl.concat(self._first))
            return []
        self._latest.append(answers)
        while len(self._latest) > 1 and self._is_enough([*self._latest][1:]):
            self._latest.popleft()
        if not self._is_enough(self._latest):
            return []
        latest = pl.concat(self._latest).tail(MOST)
        expected = expected_figures(latest.select("row_id").unique().join(self._truths, on="row_id")["truth"])
        self.now = signs(_figures(latest), self._before, expected, FIRST)
        reward = f"reward {_mean(pl.concat(self._first))} -> {_mean(latest)}"
        return [(one, reward) for one in self.now if one.kind not in self.said]

    def _is_enough(self, parts: Any) -> bool:
        known = pl.concat(parts) if parts else None
        return known is not None and known.height >= ENOUGH and known["row_id"].n_unique() >= self._prompts


class LengthWatch:
    """Compares the latest lengths that TRL logs with the first ones, for trainers whose answers are not recorded.

    Attributes:
        said: As in ``AnswerWatch``.
        now: As there.
    """

    def __init__(self) -> None:
        """Begin."""
        self._logged: list[tuple[float, float]] = []
        self.said: dict[str, int] = {}
        self.now: list[Sign] = []

    def take(self, step: int, logs: Mapping[str, Any]) -> list[tuple[int, Sign, str]]:
        """Take what TRL logs of a step; return the signs that were not there before, as ``AnswerWatch.take``."""
        length, cut = logs.get("completions/mean_length"), logs.get("completions/clipped_ratio")
        if not isinstance(length, int | float):
            return []
        self._logged.append((float(length), float(cut) if isinstance(cut, int | float) else 0.0))
        if len(self._logged) < 2 * LOGGED:
            return []
        (long, cut_before), (short, cut_now) = (
            _means(part) for part in (self._logged[:LOGGED], self._logged[-LOGGED:])
        )
        self.now = []
        if short <= SHORT and short * SHORTER <= long:
            text = f"its answers have {short:.1f} tokens on average ({FIRST}: {long:.1f})"
            self.now.append(Sign("short", "short answers", text))
        if cut_now >= max(CUT, cut_before + MORE_CUT):
            text = f"{cut_now:.0%} of its answers are cut off at the limit of tokens ({FIRST}: {cut_before:.0%})"
            self.now.append(Sign("cut", "answers without an end", text))
        new = [(step, one, "") for one in self.now if one.kind not in self.said]
        self.said |= {one.kind: step for _, one, _ in new}
        return new


def collapse_text(step: int, sign: Sign, reward: str) -> str:
    """Return a sign as the text of a warning: the step, the figures, and what to do."""
    change = f"; {reward}" if reward else ""
    return (
        f"at step {step:,}, {sign.text}{change}. If they are of no use (the table rollouts keeps them), the reward is "
        f"gamed: reward what is missing too, or set a lower learning_rate or a higher beta"
    )


def _figures(answers: pl.DataFrame) -> Figures | None:
    return answer_figures(answers.rename({"row_id": "prompt"}))


def _mean(answers: pl.DataFrame) -> str:
    values = answers["value"].drop_nulls().to_numpy()
    return figure(float(values.mean())) if len(values) else "without a value"


def _means(part: list[tuple[float, float]]) -> tuple[float, float]:
    return sum(one[0] for one in part) / len(part), sum(one[1] for one in part) / len(part)
