"""Assign prompts to splits. A prompt is in one split, in every dataset, and prompts of a family are in one split.

``families`` says which prompts are of one family. A share is met to within one family. The families of the prompts that
no condition takes are sorted by a number that a hash draws from the seed and the family, the large ones last
(``LARGE``); each share takes whole families, the next ones in that order, until its number of prompts is met as nearly
as it can be. So the split of a prompt depends on the other prompts, but little: where prompts are added or removed,
families near the ends of the shares change sides, about the square root of their number, and those that grow together.

Where a step that makes prompts asks for a split (``where: split = 'train'``), the families and the ends of the shares
are set by the prompts that there are before that step, and stay: a prompt that was shown to a model as one for training
is never held out later, and the prompts made from it are on its side.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from curate.algorithms.families.components import sizes_of
from curate.algorithms.random_order import mix64
from curate.pipeline.families import Families, Tables, counted, find_families
from curate.pipeline.prompt_keys import concat_keys, prompt_keys
from curate.steps.sql_conditions import holds, mentioned

Ends = dict[str, tuple[float, float]]  # of each share, the least draw that it takes and the least that it leaves
LAST = 2.0  # more than any draw
MANY = 50  # prompts of a large family, at the least
LARGE = 0.02  # the share of all prompts that a large family has, at the least
FEW = 3  # a family of more prompts is large too where it has more than half of all


@dataclass(frozen=True)
class SplitRules:
    """How prompts are split.

    Attributes:
        splits: For each split's name an SQL condition over the prompts, or a share between 0 and 1 of the prompts that
            the conditions leave.
        by: A column, or a key of the metadata after ``metadata.``, whose equal values are of one family.
        near: The least Jaccard similarity of near-duplicates, which are of one family, in (0, 1]; 0 for none.
        seed: The recipe's seed.
        where: The recipe's file and line, for errors.
    """

    splits: dict[str, float | str]
    by: str | None = None
    near: float = 0.0
    seed: int = 0
    where: str = ""

    @property
    def shares(self) -> dict[str, float]:
        """The splits that are shares."""
        return {name: share for name, share in self.splits.items() if not isinstance(share, str)}


@dataclass(frozen=True)
class Assigned:
    """The splits of prompts.

    Attributes:
        split: The split of every prompt, ``train`` for those that no split takes.
        draw: The number that its family is sorted by.
        families: Their families.
        early: How many prompts, the first ones, the shares are of.
        free: Which of these no condition takes.
        groups: How many values ``by`` has.
        without: How many prompts have none.
    """

    split: pl.Series
    draw: np.ndarray
    families: Families
    early: int
    free: np.ndarray
    groups: int
    without: int

    def counts(self) -> dict[str, int]:
        """Return how many of the prompts that the shares are of each split has."""
        return dict(self.split[: self.early].filter(pl.Series(self.free)).value_counts().rows())


def assign(tables: Tables, rules: SplitRules, early: int, *, recorded: bool = True) -> Assigned:
    """Return the split of every prompt.

    Args:
        tables: Reads the prompts, with the columns that ``needs`` names. They are read up to three times.
        rules: How they are split.
        early: How many prompts, the first ones, the shares are of.
        recorded: Whether any prompt has a recorded family.
    """
    parts = []
    taken = [pl.Series("split", [], dtype=pl.String)]
    for table in tables():
        parts.append(prompt_keys(table, rules.by, recorded=recorded))
        taken.append(by_conditions(table, rules))
    keys, conditions = concat_keys(parts), pl.concat(taken)
    free = conditions[:early].is_null().to_numpy()

    def too_large(label: np.ndarray, identity: np.ndarray) -> np.ndarray:
        return _too_large(label, identity, free, rules)

    families = find_families(keys, tables, early, rules.near, too_large)
    draw = draws(families.label, families.identity, early, rules.seed)
    ends = share_ends(draw[:early][free], rules.shares)
    groups, without = len(np.unique(keys.by[keys.by != 0])), int((keys.by == 0).sum())
    return Assigned(take_shares(conditions, draw, ends), draw, families, early, free, groups, without)


def needs(rules: SplitRules, columns: Sequence[str]) -> list[str]:
    """Return the columns of the prompts that ``assign`` reads."""
    conditions = " ".join(c for c in rules.splits.values() if isinstance(c, str))
    by = [rules.by.partition(".")[0]] if rules.by else []
    return list(dict.fromkeys(["messages", "prompt", "family", *by, *mentioned(conditions, list(columns))]))


def by_conditions(prompts: pl.DataFrame, rules: SplitRules) -> pl.Series:
    """Return for every prompt the split whose condition is the first to hold, or null."""
    split = pl.Series("split", [None], dtype=pl.String).new_from_index(0, prompts.height)
    for name, condition in rules.splits.items():
        if isinstance(condition, str):
            split = _mark(split, holds(prompts, condition, f"{rules.where}: split.{name}") & split.is_null(), name)
    return split


def draws(label: np.ndarray, identity: np.ndarray, early: int, seed: int) -> np.ndarray:
    """Return the number that each row's family is sorted by: in [0, 1), or in [1, 2) for a large family."""
    key = np.uint64(int.from_bytes(hashlib.sha256(f"{seed}".encode()).digest()[:8], "little"))
    drawn = (mix64(identity ^ key) >> np.uint64(11)).astype(np.float64) / (1 << 53)
    sizes = np.bincount(label[counted(label, early)], minlength=len(label))[label]
    return drawn + ((sizes > max(MANY, LARGE * early)) | (sizes > max(FEW, early / 2)))


def share_ends(draw: np.ndarray, shares: dict[str, float]) -> Ends:
    """Return the ends of each share.

    A share has at least one family, as far as there are families for all shares and one for training.

    Args:
        draw: The draws of all prompts that the shares are shares of; those of a family are equal.
        shares: The shares.
    """
    families, counts = np.unique(draw, return_counts=True)
    sums = np.concatenate([[0], counts.cumsum()])
    half, taken, wanted = counts.max(initial=0) / 2, [0], 0.0
    for share in shares.values():
        owed = min(max(wanted - sums[taken[-1]], -half), half)  # what the shares before are off by
        goal = sums[taken[-1]] + owed + share * sums[-1]
        wanted += share * sums[-1]
        nearest = int(np.argmin(np.abs(sums - goal)))
        taken.append(max(taken[-1], min(max(nearest, taken[-1] + 1), len(families) - 1)))
    first = [0.0, *(float(families[n]) if n < len(families) else LAST for n in taken[1:])]
    return dict(zip(shares, pairwise(first), strict=True))


def take_shares(conditions: pl.Series, draw: np.ndarray, ends: Ends) -> pl.Series:
    """Return the split of every prompt: that of its condition, else of the share that takes its draw, else train."""
    split = conditions
    for name, (first, end) in ends.items():
        split = _mark(split, conditions.is_null() & pl.Series((draw >= first) & (draw < end)), name)
    return split.fill_null("train")


def _mark(split: pl.Series, taken: pl.Series, name: str) -> pl.Series:
    return pl.select(pl.when(taken).then(pl.lit(name)).otherwise(split).alias("split")).to_series()


def _too_large(label: np.ndarray, identity: np.ndarray, free: np.ndarray, rules: SplitRules) -> np.ndarray:
    """Return which rows are of a family that is too large for the shares to be met.

    Where one share has more than twice its prompts, or less than half, too large is a family that has more than half of
    the prompts, or more than ``MANY`` and more than the least share. Without shares the former is.
    """
    shares, rows = rules.shares, int(free.sum())
    if not shares:
        return sizes_of(label) > len(label) / 2
    draw = draws(label, identity, len(label), rules.seed)[free]
    ends = share_ends(draw, shares)
    asked = np.array([*shares.values()]) * rows
    found = np.array([((draw >= first) & (draw < end)).sum() for first, end in ends.values()])
    asked, found = np.append(asked, rows - asked.sum()), np.append(found, rows - found.sum())
    if not ((found > 2 * asked + 1) | (found < asked / 2)).any():
        return np.zeros(len(label), bool)
    size = np.bincount(label[free], minlength=len(label))[label]
    return (size > rows / 2) | ((size > MANY) & (size > asked.min()))
