"""The panels of a training's curves: which figures of TRL's log are drawn, and in which order."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

PANELS = 12  # the most; how many figures are left out is said
# Figures in the order of what matters, those of one panel together. A reward's own mean follows ``reward``.
REWARD = (("reward",), ("mean_reward", "min_reward", "max_reward"))
REST = (
    ("rewards/margins",), ("margin",), ("rewards/accuracies",), ("accuracy",), ("rewards/chosen", "rewards/rejected"),
    ("mean_token_accuracy",), ("reward_std",), ("frac_reward_zero_std",), ("kl",), ("completions/mean_length",),
    ("completions/clipped_ratio",), ("entropy",), ("value/loss",), ("value/explained_variance",),
)  # fmt: skip
LAST = (("learning_rate",), ("grad_norm",), ("logps/chosen", "logps/rejected"))  # then the others, as they are logged
OF_ONE_REWARD = re.compile(r"rewards/.+/mean")
# What is in the table ``trainings`` and in no panel: counters, times, and details of what is drawn.
NOT_DRAWN = re.compile(
    r"step|epoch|num_tokens|step_time|.*runtime|.*_per_second|num_input_tokens.*|total_flos|train_loss|advantage|return"
    r"|value|value/clip_ratio|(completions|clip_ratio|logits|sampling|tools)/.*|rewards/.+/std"
)
LOGARITHMIC = re.compile(r".*(loss|grad_norm|kl|perplexity|divergence)")  # where they span decades
LARGEST = 1e300  # a larger value counts as infinite: what is computed with it would be
DECADES = 100.0  # the least ratio of the largest to the smallest value for a logarithmic scale


@dataclass(frozen=True)
class Line:
    """A figure: its name, and what was logged: (step, value) in the log's order, None for what is no finite number."""

    name: str
    points: list[tuple[float, float | None]]
    evaluated: list[tuple[float, float | None]]

    @property
    def last(self) -> float | None:
        """The last value of the training, or of the evaluations where there is no other."""
        return (self.points or self.evaluated)[-1][1]


@dataclass(frozen=True)
class Panel:
    """One plot: the lines in it, and whether its scale is logarithmic."""

    lines: list[Line]
    logarithmic: bool

    @property
    def values(self) -> list[float]:
        """All finite values of its lines."""
        return [y for line in self.lines for _, y in (*line.points, *line.evaluated) if y is not None]

    @property
    def lost(self) -> int:
        """How many values are not finite."""
        return sum(y is None for line in self.lines for _, y in (*line.points, *line.evaluated))


def panels(history: Iterable[Mapping[str, Any]]) -> tuple[list[Panel], int]:
    """Return the panels to draw of TRL's log, and the number of figures that are left out for want of room.

    Args:
        history: Entries with their ``step``; ``eval_`` begins the name of a figure of an evaluation.
    """
    logged = _logged(history)
    names = [name for name in logged if not name.startswith("eval_")]
    names += [name.removeprefix("eval_") for name in logged if name.startswith("eval_")]
    names = list(dict.fromkeys(names))
    own = sorted(name for name in names if OF_ONE_REWARD.fullmatch(name))
    shown = own if len(own) > 1 or "reward" not in names else []  # the mean of the only one is the reward
    online = "reward" in names  # where TRL's loss says nothing
    loss = (("loss",),)
    order = (*REWARD, *((name,) for name in shown), *(() if online else loss), *REST, *(loss if online else ()), *LAST)
    known = {"step", *own, *(name for group in order for name in group)}
    others = [(name,) for name in names if name not in known and not NOT_DRAWN.fullmatch(name)]
    groups = [[name for name in group if name in names] for group in (*order, *others)]
    groups = [group for group in groups if group]
    found = [_panel(group, logged) for group in groups]
    found = [panel for panel in found if panel.values]
    return found[:PANELS], sum(len(panel.lines) for panel in found[PANELS:])


def _logged(history: Iterable[Mapping[str, Any]]) -> dict[str, list[tuple[float, float | None]]]:
    """Return the points of each figure. A value that is text or of another kind is no figure."""
    found: dict[str, list[tuple[float, float | None]]] = {}
    for entry in history:
        step = entry.get("step")
        if not isinstance(step, int | float) or not math.isfinite(step):
            continue
        for name, value in entry.items():
            if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
                finite = value is not None and abs(value) <= LARGEST
                found.setdefault(name, []).append((step, float(value) if finite else None))
    return found


def _panel(names: list[str], logged: dict[str, list[tuple[float, float | None]]]) -> Panel:
    lines = [Line(name, logged.get(name, []), logged.get(f"eval_{name}", [])) for name in names]
    panel = Panel(lines, logarithmic=False)
    low, high = min(panel.values, default=0.0), max(panel.values, default=0.0)
    wide = low > 0 and high / low >= DECADES
    return Panel(lines, logarithmic=wide and all(LOGARITHMIC.fullmatch(name) for name in names))
