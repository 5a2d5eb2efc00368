"""Assign prompts to splits. A prompt is in one split, in every dataset, and prompts of a family are in one split.

A share is met to within one family. The families of the prompts that no condition takes are sorted by a number that a
hash draws from the seed and the family; each share takes whole families, the next ones in that order, until its number
of prompts is met as nearly as it can be. So the split of a prompt depends on the other prompts, but little: where
prompts are added or removed, only families near the ends of the shares change sides, about the square root of their
number.

Where a step that makes prompts asks for a split (``where: split = 'train'``), the ends of the shares are set by the
prompts that there are before that step, and stay: a prompt that was shown to a model as one for training is never held
out later.
"""

import hashlib
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import polars as pl

from curate.steps.sql_conditions import holds, mentioned
from curate.storage.rows import RowSet, read_batches

Ends = dict[str, tuple[float, float]]  # of each share, the least draw that it takes and the least that it leaves
LAST = 2.0  # more than any draw


def assign(
    prompts: pl.DataFrame, splits: dict[str, float | str], seed: int, where: str, ends: Ends | None = None
) -> pl.Series:
    """Return the split of every prompt: a String Series, ``train`` for the prompts that no split takes.

    Equal prompts and the prompts that a model made from them are never in two splits by a share.

    Args:
        prompts: Prompts, with the columns that ``needs`` names.
        splits: For each split's name an SQL condition over the prompts, or a share between 0 and 1 of the prompts that
            the conditions leave.
        seed: The recipe's seed.
        where: The recipe's file and line, for errors.
        ends: The ends of the shares, where they are of more prompts than these; None if they are of these.
    """
    drawn = draw(prompts, splits, seed, where)
    return take_shares(drawn, share_ends([drawn], splits) if ends is None else ends)


def needs(splits: dict[str, float | str], columns: list[str]) -> list[str]:
    """Return the columns of the prompts that ``assign`` reads for these splits."""
    conditions = " ".join(c for c in splits.values() if isinstance(c, str))
    return list(dict.fromkeys(["messages", "family", *mentioned(conditions, columns)]))


def draw(prompts: pl.DataFrame, splits: dict[str, float | str], seed: int, where: str) -> pl.DataFrame:
    """Return for every prompt the ``split`` whose condition it meets, or null, and the ``draw`` of its family.

    The arguments are those of ``assign``.
    """
    split = pl.Series("split", [None], dtype=pl.String).new_from_index(0, prompts.height)
    for name, condition in splits.items():
        if isinstance(condition, str):
            taken = holds(prompts, condition, f"{where}: split.{name}") & split.is_null()
            split = _mark(split, taken, name)
    draws: Iterable[float] = [0.0] * prompts.height
    if any(not isinstance(share, str) for share in splits.values()):
        family = prompts["family"] if "family" in prompts.columns else [None] * prompts.height
        draws = [_uniform(f or family_of(m), seed) for m, f in zip(prompts["messages"], family, strict=True)]
    return pl.DataFrame({"split": split, "draw": pl.Series(draws, dtype=pl.Float64)})


def share_ends(drawn: Iterable[pl.DataFrame], splits: dict[str, float | str]) -> Ends:
    """Return the ends of each share.

    A share has at least one family, as far as there are families for all shares and one for training.

    Args:
        drawn: All prompts that the shares are shares of, as tables that ``draw`` returns.
        splits: As in ``assign``.
    """
    shares = {name: share for name, share in splits.items() if not isinstance(share, str)}
    free = [part.filter(pl.col("split").is_null()).select("draw") for part in drawn] if shares else []
    if not free:
        return dict.fromkeys(shares, (LAST, LAST))
    families = pl.concat(free).group_by("draw").len().sort("draw")
    sums = np.concatenate([[0], families["len"].cast(pl.Int64).to_numpy().cumsum()])
    half, taken, wanted = np.diff(sums).max(initial=0) / 2, [0], 0.0
    for share in shares.values():
        owed = min(max(wanted - sums[taken[-1]], -half), half)  # what the shares before are off by
        goal = sums[taken[-1]] + owed + share * sums[-1]
        wanted += share * sums[-1]
        nearest = int(np.argmin(np.abs(sums - goal)))
        taken.append(max(taken[-1], min(max(nearest, taken[-1] + 1), families.height - 1)))
    first = [0.0, *(families["draw"][n] if n < families.height else LAST for n in taken[1:])]
    return dict(zip(shares, pairwise(first), strict=True))


def ends_of(prompts: RowSet, splits: dict[str, float | str], seed: int, where: str) -> Ends:
    """Return the ends of each share of these prompts; the other arguments are those of ``assign``."""
    batches = read_batches(prompts, needs(splits, list(prompts.columns())))
    return share_ends((draw(batch, splits, seed, where) for batch in batches), splits)


def take_shares(drawn: pl.DataFrame, ends: Ends) -> pl.Series:
    """Return the split of every prompt of a table that ``draw`` returned."""
    split, draws = drawn["split"], drawn["draw"]
    for name, (first, end) in ends.items():
        split = _mark(split, drawn["split"].is_null() & (draws >= first) & (draws < end), name)
    return split.fill_null("train")


def _mark(split: pl.Series, taken: pl.Series, name: str) -> pl.Series:
    return pl.select(pl.when(taken).then(pl.lit(name)).otherwise(split).alias("split")).to_series()


def family_of(messages: str) -> str:
    """Return the family of a prompt, which all prompts made from it share: a hash of its messages."""
    return hashlib.sha256(messages.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def _uniform(family: str, seed: int) -> float:
    """Return a number in [0, 1) that depends on the family and the seed only."""
    digest = hashlib.sha256(f"{seed}\n{family}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)
