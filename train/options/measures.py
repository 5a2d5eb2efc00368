"""The measures that an evaluation gives, by which the best model is chosen: read from the trainer's source file.

Importing TRL takes seconds; a trainer writes each measure as ``self._metrics[mode]["name"]``.
"""

import importlib.util
import re
from functools import cache
from pathlib import Path

from schemas.errors import UserError
from schemas.recipe import Training
from train.finding.dotted_trainer import DottedTrainer
from train.finding.find_trainer import config_class, find_trainer
from train.options.option_names import near_names

ALWAYS = ("loss", "runtime", "samples_per_second", "steps_per_second")
WRITTEN = re.compile(r"""metrics(?:\[mode\])?\[f?"([^"\]]+(?:\{[a-z_]+\}[^"\]]*)?)"\]""")
OWN = re.compile(r'"(kl|advantage|return|value|value/explained_variance)": ')
FIRST = ("loss", "reward")  # what one would mostly choose
MOST = 16  # names that an error lists
OF_A_REWARD = "{reward_func_name}"


def check_measure(training: Training, measure: str | None, where: str) -> None:
    """Check the name of the measure that models are compared by.

    A trainer of a dotted path may give any.

    Raises:
        UserError: No evaluation gives it; the nearest is named.
    """
    if measure is None or isinstance(find_trainer(training.trainer), DottedTrainer):
        return
    known = measures(training)
    name = measure.removeprefix("eval_")
    if not known or name in known:
        return
    near = _near(name, known)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    shown = sorted(known - set(ALWAYS[1:]), key=lambda one: (one not in FIRST, "/" in one, one))[:MOST]
    more = len(known - set(ALWAYS[1:])) - len(shown)
    raise UserError(
        f"{where}: metric_for_best_model: no evaluation of {training.trainer} gives {measure!r}{hint} "
        f"(there are: {', '.join(shown)}{f' and {more} more' if more else ''})"
    )


def _near(name: str, known: set[str]) -> list[str]:
    """Return the measures nearest to a name: of the same word, such as ``rewards/accuracies`` for ``accuracy``."""
    if name.removeprefix("train_") in known:
        return [name.removeprefix("train_")]
    stem = name.rsplit("/", 1)[-1].removesuffix("ies").removesuffix("y")
    same = sorted((one for one in known if stem in one), key=lambda one: ("/" not in one, one)) if len(stem) > 5 else []
    return same[:2] or near_names(name, known)


def measures(training: Training) -> set[str]:
    """Return the names of the measures that an evaluation of a training may give, without ``eval_``; none without TRL.

    Some are given only with other options (``kl`` with ``beta``): what is missing all the same, is said after the first
    evaluation.
    """
    found = set()
    for name in _written(config_class(training.trainer), training.trainer):
        rewards = training.rewards if OF_A_REWARD in name else [""]
        found |= {name.replace(OF_A_REWARD, reward) for reward in rewards}
    return found | set(ALWAYS) if found else found


@cache
def _written(config: str, trainer: str) -> frozenset[str]:
    """Return the names in the source of TRL's trainer, and of ours on top of GRPO's if there is one."""
    spec = importlib.util.find_spec("trl")
    if spec is None or not spec.submodule_search_locations:
        return frozenset()
    folder = Path(spec.submodule_search_locations[0]) / "trainer"
    own = Path(__file__).parent.parent / trainer / f"{trainer}_trainer.py"
    base = "grpo" if own.exists() else config.removesuffix("Config").lower()
    file = folder / f"{base}_trainer.py"
    names = set(WRITTEN.findall(file.read_text(encoding="utf-8"))) if file.exists() else set()
    if own.exists():
        names |= set(OWN.findall(own.read_text(encoding="utf-8")))
    return frozenset(names - {"train", "step_time"})  # of the training only
