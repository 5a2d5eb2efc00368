"""Warns of unpaired rows of one label only, or of far more of one than of the other, and says which weights mend it.

KTO weighs the losses of good and of bad answers; the paper recommends weights such that (desirable weight x good
answers) / (undesirable weight x bad answers) is from 1 to 4/3 (Ethayarajh et al. 2024, arXiv 2402.01306, Eq. 8, as TRL
reads it).
"""

from schemas.recipe import Recipe

LEAST, MOST = 1.0, 4 / 3  # the recommended ratio
FAR = 2.0  # how far below the least or above the most ratio is warned of
WEIGHTS = ("desirable_weight", "undesirable_weight")


def balance_warning(recipe: Recipe, name: str, good: int, bad: int) -> str:
    """Return what is wrong with the labels of an unpaired dataset's rows to train on, and what to set; "" if nothing.

    Args:
        recipe: The recipe, whose trainings may have weights.
        name: The dataset's name.
        good: How many good answers are in the split train.
        bad: How many bad ones.
    """
    if not good + bad:
        return ""
    if not good or not bad:
        return (
            f"all {good + bad:,} rows of the split train are {'good' if good else 'bad'} answers; KTO needs both "
            f"kinds: set another threshold, by or where, or train on good answers alone with a dataset of type sft"
        )
    used = [(one, training) for one, training in recipe.train.items() if training.dataset == name]
    weights = {f"train.{one}": _weights(training.settings) for one, training in used} or {"a training": (1.0, 1.0)}
    for training, (desirable, undesirable) in weights.items():
        if not desirable or not undesirable:  # both are refused (``train.options.kto_options``)
            lost, weight = ("good", WEIGHTS[0]) if not desirable else ("bad", WEIGHTS[1])
            return (
                f"{training} has {weight}: 0, so it learns nothing from the {lost} answers; the KTO paper weighs both"
            )
        ratio = desirable * good / (undesirable * bad)
        if LEAST / FAR <= ratio <= MOST * FAR:
            continue
        return (
            f"{good:,} good and {bad:,} bad answers in the split train: in {training} the good ones weigh {ratio:.2g} "
            f"times as much as the bad ones, and the KTO paper recommends 1 to 4/3; set "
            f"desirable_weight: {_range(undesirable * bad / good)}, or "
            f"undesirable_weight: {_range(desirable * good / bad / MOST)}"
        )
    return ""


def _weights(settings: dict) -> tuple[float, float]:
    """Return the weights of good and bad answers in a training's settings; 1 where they are no numbers."""
    values = [settings.get(name, 1.0) for name in WEIGHTS]
    good, bad = (float(value) if isinstance(value, int | float) else 1.0 for value in values)
    return good, bad


def _range(least: float) -> str:
    return f"{least:.3g} to {least * MOST:.3g}"
