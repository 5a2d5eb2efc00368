"""The figures of how a score agrees with recorded verdicts, from columns of numbers: for all answers and by groups."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from curate.algorithms.statistics.figures import Figure
from curate.algorithms.statistics.orders import auroc, kendall, spearman
from curate.algorithms.statistics.same_verdicts import kappa, mean

FIGURES = {
    "by": pl.String, "group": pl.String, "figure": pl.String, "value": pl.Float64, "low": pl.Float64,
    "high": pl.Float64, "count": pl.Int64, "why": pl.String,
}  # fmt: skip
MOST_LEVELS = 20  # grades that two raters may have in common
MOST_OF_PROMPT = 64  # answers to a prompt that are compared with one another
FEWEST = 5  # answers or pairs of a group that has figures
MOST_GROUPS = 20  # values of a column that have figures, the most frequent


@dataclass(frozen=True)
class Verdicts:
    """Answers, or pairs of answers, with a score and a verdict each.

    Attributes:
        kind: ``verdicts`` (good or bad), ``grades`` (an order), or ``pairs`` (one beats the other).
        rows: ``score``, ``verdict``, ``cluster``, ``prompt`` (both as whole numbers), ``length`` and ``kind``. Of
            pairs: ``score`` and ``length`` are the chosen's, ``other`` and ``other_length`` the rejected's.
        at: Of verdicts, the score from which an answer counts as good.
    """

    kind: str
    rows: pl.DataFrame
    at: float | None = None


def figures(held: Verdicts, by: str | None) -> pl.DataFrame:
    """Return all figures of ``FIGURES``: of all answers, by length, and by the column ``kind`` if ``by`` names it."""
    rows = [("", "all", name, *found) for name, found in _all_figures(held).items()]
    groups = [("length", length_groups(held))]
    if held.kind == "pairs":
        longer = pl.col("length") - pl.col("other_length")
        label = pl.when(longer > 0).then(pl.lit("the chosen")).when(longer < 0).then(pl.lit("the rejected"))
        groups.append(("longer answer", held.rows.select(label.alias("group"))["group"]))
    if by:
        groups.append((by, held.rows["kind"]))
    for what, label in groups:
        for name in _group_names(label, by_count=what == by):
            part = held.rows.filter(label == name)
            if part.height >= FEWEST:
                found = _main_figures(Verdicts(held.kind, part, held.at))
                rows += [(what, name, figure, *one) for figure, one in found.items()]
    return pl.DataFrame(rows, schema=FIGURES, orient="row")


def length_groups(held: Verdicts) -> pl.Series:
    """Return the third that each answer's length is in, as text; of a pair the mean length."""
    length = held.rows["length"].cast(pl.Float64)
    if held.kind == "pairs":
        length = (length + held.rows["other_length"].cast(pl.Float64)) / 2
    known = length.drop_nulls().to_numpy()
    if not len(known):
        return pl.Series("group", [None] * len(length), dtype=pl.String)
    low, high = (float(cut) for cut in np.floor(np.quantile(known, (1 / 3, 2 / 3), method="nearest")))
    label = (
        pl.when(length.is_null())
        .then(None)
        .when(length <= low)
        .then(pl.lit(f"up to {low:,.0f} characters"))
        .when(length <= high)
        .then(pl.lit(f"{low + 1:,.0f} to {high:,.0f} characters"))
        .otherwise(pl.lit(f"above {high:,.0f} characters"))
    )
    ordered = pl.select(group=label, length=length).sort("length", maintain_order=True)["group"]
    levels = ordered.drop_nulls().unique(maintain_order=True)
    return pl.select(label.alias("group"))["group"].cast(pl.Enum(levels))


def _group_names(label: pl.Series, *, by_count: bool) -> list[str]:
    """Return the names of groups: the most frequent ``MOST_GROUPS``, or all in the order of their type."""
    if by_count:
        counts = label.drop_nulls().value_counts(sort=False).sort("count", "kind", descending=[True, False])
        return counts["kind"].head(MOST_GROUPS).to_list()
    return label.drop_nulls().unique().sort().cast(pl.String).to_list()


def _all_figures(held: Verdicts) -> dict[str, Figure]:
    rows = held.rows
    score, verdict, cluster = (rows[name].to_numpy() for name in ("score", "verdict", "cluster"))
    found = _main_figures(held)
    if held.kind == "pairs":
        both = np.concatenate((score, rows["other"].to_numpy()))
        good = np.repeat([True, False], len(score))
        found["AUROC, chosen against rejected"] = auroc(both, good, np.concatenate((cluster, cluster)))
        return found
    if held.kind == "grades":
        found["Kendall's tau-b"] = kendall(score, verdict, cluster)
        nearest = _on_scale(score, verdict)
        if nearest is not None:
            found["same grade"] = mean((nearest == verdict).astype(float), cluster)
            found["kappa"] = kappa(nearest, verdict, cluster)
            found["kappa, weighted"] = kappa(nearest, verdict, cluster, quadratic=True)
    within = pairs_within(rows)
    if within.height:
        found["order within prompts"] = pair_accuracy(within)
    return found


def _main_figures(held: Verdicts) -> dict[str, Figure]:
    """Return the figures that a group has too."""
    rows = held.rows
    if held.kind == "pairs":
        found = pair_accuracy(rows)
        beyond = [None if end is None else 2 * end - 1 for end in found[:3]]
        return {"agreement": found, "kappa": Figure(*beyond, found.count, found.why)}
    score, verdict, cluster = (rows[name].to_numpy() for name in ("score", "verdict", "cluster"))
    if held.kind == "grades":
        return {"Spearman's rho": spearman(score, verdict, cluster)}
    good, said = verdict == 1, score >= held.at
    return {
        "agreement": mean((good == said).astype(float), cluster),
        "kappa": kappa(said.astype(float), good.astype(float), cluster),
        "AUROC": auroc(score, good, cluster),
    }


def pair_accuracy(pairs: pl.DataFrame) -> Figure:
    """Return the share of pairs whose better answer (``score``) has the higher score than the ``other``; ties half."""
    gap = pairs["score"].to_numpy() - pairs["other"].to_numpy()
    return mean((np.sign(gap) + 1) / 2, pairs["cluster"].to_numpy())


def pairs_within(rows: pl.DataFrame) -> pl.DataFrame:
    """Return every two answers to a prompt with different verdicts: the better one's ``score``, and the ``other``'s."""
    few = rows.select("prompt", "cluster", "score", "verdict").filter(
        pl.int_range(pl.len()).over("prompt") < MOST_OF_PROMPT, pl.len().over("prompt") > 1
    )
    found = few.join(few.select("prompt", other="score", less="verdict"), on="prompt", how="inner")
    return found.filter(pl.col("verdict") > pl.col("less")).select("cluster", "score", "other")


def threshold(score: pl.Series, verdict: pl.Series) -> float:
    """Return the score from which as many answers count as good as have a good verdict; 1 for scores of 0 and 1."""
    if score.is_in([0.0, 1.0]).all():
        return 1.0
    good = int((verdict == 1).sum())
    ordered = score.sort(descending=True)
    return float(ordered[max(good - 1, 0)])


def _on_scale(score: np.ndarray, verdict: np.ndarray) -> np.ndarray | None:
    """Return the grade nearest to each score, where the scores are on the scale of the grades; else None."""
    levels = np.unique(verdict)
    whole = np.all(levels == np.round(levels))
    if len(levels) > MOST_LEVELS or not whole or score.min() < levels[0] or score.max() > levels[-1]:
        return None
    return levels[np.abs(score[:, None] - levels[None, :]).argmin(axis=1)] if len(levels) > 1 else None
