"""The rows of the table ``comparisons``: each pair of arms, and each arm and the start model, over all seeds."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from curate.algorithms.statistics.holm import holm
from curate.algorithms.statistics.intervals import seed_interval, two_way_interval
from curate.algorithms.statistics.smallest_effect import smallest_effect
from curate.storage.polars_types import polars_schema
from schemas.rows import COMPARISONS
from train.arms.arms import Arm, level
from train.arms.cells import KEYS, RETENTION, is_bounded, scores
from train.arms.directions import HIGHER, LOWER
from train.arms.equal import is_alike
from train.arms.trained import Trained
from train.arms.verdicts import p_of, verdict


@dataclass(frozen=True)
class Compared:
    """The scores and amounts that a comparison is made of.

    Attributes:
        arms: The arms.
        start: The name of the model that they start from.
        cells: The scores (``train.arms.cells.cells_of``), whose models are ``start`` and the arms' names.
        trained: How much each arm was trained, by the seed and the arm's name.
        tolerance: The share by which the trained tokens of two arms may differ.
        better: For a split and a scorer, which scores are better (``train.arms.directions``), if not higher ones, or
            in the retention slice lower ones.
        sampled: The names of the arms that learn answers which they sample, whose tokens cannot be set.
    """

    arms: Sequence[Arm]
    start: str
    cells: pl.DataFrame
    trained: Mapping[tuple[int, str], Trained] = field(default_factory=dict)
    tolerance: float = 0.05
    better: Mapping[tuple[str, str], str] = field(default_factory=dict)
    sampled: Collection[str] = ()

    @property
    def seeds(self) -> list[int]:
        """The seeds, in order."""
        return self.cells["seed"].unique(maintain_order=True).to_list()


def compare_arms(found: Compared) -> pl.DataFrame:
    """Compare all pairs of arms, and each arm with the start model, on each split with each scorer.

    Returns:
        Rows of ``schemas.rows.COMPARISONS`` without what names the comparison (``comparison_id``, ``recipe``,
        ``dataset``). A row without a ``seed`` is of all seeds, and is followed by a row for each. ``difference`` is
        that of ``arm`` less ``versus``; ``low`` and ``high`` are the ends of its interval over seeds, ``new_low`` and
        ``new_high`` those over seeds and prompts. Holm's correction is over the scorers, splits and pairs of arms; it
        is apart for the differences to the start model, and for retention.
    """
    rows: list[list[dict[str, Any]]] = []
    for names, cells in found.cells.group_by(*KEYS, maintain_order=True):
        keys = dict(zip(KEYS, names, strict=True))
        rows += [_pair(found, keys, cells, arm, versus) for arm, versus in pairs_of(found.arms)]
        rows += [_pair(found, keys, cells, arm, None) for arm in found.arms]
    _correct(found, rows)
    flat = [{name: row.get(name) for name in COMPARISONS} for group in rows for row in group]
    return pl.DataFrame(flat, schema=polars_schema(COMPARISONS))


def pairs_of(arms: Sequence[Arm]) -> list[tuple[Arm, Arm]]:
    """Return all pairs of arms in their order; one that goes on from another arm comes before one that does not."""
    pairs = [(one, other) for i, one in enumerate(arms) for other in arms[i + 1 :]]
    return [(other, one) if level(arms, other) > level(arms, one) else (one, other) for one, other in pairs]


def _pair(
    found: Compared, keys: dict[str, Any], cells: pl.DataFrame, arm: Arm, versus: Arm | None
) -> list[dict[str, Any]]:
    """Return the rows of one arm and another one (None: the start model): that of all seeds, then each seed's."""
    prompts = cells["prompt_id"].unique(maintain_order=True).to_list()
    other = versus.name if versus else found.start
    ours, theirs = (scores(cells, name, found.seeds, prompts) for name in (arm.name, other))
    change = ours - theirs
    families = dict(cells.select("prompt_id", "family").unique("prompt_id").iter_rows())
    cluster = np.array([families[one] for one in prompts])
    asked = ~np.isnan(change).all(axis=0)
    common = keys | {
        "better": found.better.get((keys["split"], keys["scorer"]), LOWER if keys["split"] == RETENTION else HIGHER),
        "arm": arm.name,
        "versus": other,
        "on_top": _is_on_top(found.arms, arm, versus),
        "seeds": len(found.seeds),
    }
    each = [
        common
        | _amounts(found, seed, arm, versus)
        | {"seed": seed, "prompts": int((~np.isnan(change[at])).sum()), "difference": _mean(change[at])}
        | {"mean": _mean(ours[at]), "versus_mean": _mean(theirs[at])}
        for at, seed in enumerate(found.seeds)
    ]
    nulls = cells.filter(pl.col("model").is_in([arm.name, other]))["nulls"].sum()
    whole = common | _over_seeds(change, cluster, span=(-1.0, 1.0) if is_bounded(cells) else None)
    whole |= {"prompts": int(asked.sum()), "families": len(set(cluster[asked].tolist())), "nulls": int(nulls)}
    whole |= {name: _over(each, name) for name in ("mean", "versus_mean")}
    whole |= {name: _total(each, name) for name in ("steps", "versus_steps", "tokens", "versus_tokens")}
    return [whole, *each]


def _over_seeds(change: np.ndarray, cluster: np.ndarray, *, span: tuple[float, float] | None) -> dict[str, Any]:
    """Return the intervals of a difference [S, N]; ``_intervals`` keeps them for the verdict."""
    means = np.array([_mean(row) if _mean(row) is not None else np.nan for row in change], float)
    known = means[~np.isnan(means)]
    over_seeds, over_prompts = seed_interval(means), two_way_interval(change, cluster, span)
    smallest = (
        smallest_effect(over_seeds.error, over_seeds.freedom) if over_seeds.error and over_seeds.freedom else None
    )
    return {
        "difference": over_seeds.value, "low": over_seeds.low, "high": over_seeds.high, "freedom": over_seeds.freedom,
        "p": p_of(over_seeds, over_prompts), "new_low": over_prompts.low, "new_high": over_prompts.high,
        "seed_sd": float(np.std(known, ddof=1)) if len(known) > 1 else None, "smallest": smallest,
        "why": over_seeds.why or over_prompts.why or None, "_intervals": (over_seeds, over_prompts),
    }  # fmt: skip


def _correct(found: Compared, rows: list[list[dict[str, Any]]]) -> None:
    """Add Holm's correction, and the verdict, to the rows of all seeds."""
    families: dict[tuple[bool, bool], list[dict[str, Any]]] = {}
    levels = {arm.name: level(found.arms, arm) for arm in found.arms}  # the start model has none
    for whole, *_ in rows:
        families.setdefault((whole["versus"] == found.start, whole["split"] == RETENTION), []).append(whole)
    for tests in families.values():
        for row, corrected in zip(tests, holm([row["p"] for row in tests]), strict=True):
            one, other = row["tokens"], row["versus_tokens"]
            pair = row["arm"], row["versus"]
            to_be_equal = levels.get(pair[0]) == levels.get(pair[1]) and not {*pair} & {*found.sampled}
            said = verdict(
                *row["_intervals"],
                corrected,
                row["seeds"],
                better=row["better"],
                equal=not to_be_equal or is_alike(other, one, found.tolerance),
            )
            row |= {"p_holm": corrected, "verdict": said.text, "more_seeds": said.seeds}


def _is_on_top(arms: Sequence[Arm], arm: Arm, versus: Arm | None) -> bool:
    """Return whether one of two arms goes on from the model of another arm, so that it has more tokens."""
    return any(level(arms, one) for one in (arm, versus) if one is not None)


def _amounts(found: Compared, seed: int, arm: Arm, versus: Arm | None) -> dict[str, Any]:
    """Return how much an arm and the other one were trained on a seed; the start model was not."""
    values: dict[str, Any] = {}
    for prefix, one in (("", arm), ("versus_", versus)):
        held = found.trained.get((seed, one.name)) if one is not None else Trained("", 0, 0)
        if held is not None:
            values |= {f"{prefix}steps": held.steps, f"{prefix}tokens": held.tokens}
            values |= {f"{prefix}training_id": held.training_id or None}
    return values


def _mean(values: np.ndarray) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.mean(known)) if len(known) else None


def _over(rows: list[dict[str, Any]], name: str) -> float | None:
    """Return the mean of what is known of each seed."""
    return _mean(np.array([np.nan if row.get(name) is None else row[name] for row in rows], float))


def _total(rows: list[dict[str, Any]], name: str) -> int | None:
    """Return the mean of a count over seeds, as a whole number; None where one is not known."""
    values = [row.get(name) for row in rows]
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known)) if known and len(known) == len(values) else None
