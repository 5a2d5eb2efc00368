"""Assign prompts to splits. A prompt is in one split, in every dataset, and stays there as data grow."""

import hashlib

import polars as pl

from curate.steps.sql_conditions import holds, mentioned


def assign(prompts: pl.DataFrame, splits: dict[str, float | str], seed: int, where: str) -> pl.Series:
    """Return the split of every prompt: a String Series, ``train`` for the prompts that no split takes.

    A share is taken by a hash of the seed and the prompt's family, not by position: adding prompts moves none of the
    old ones, equal prompts and the prompts that a model made from them are never in two splits, and a share holds on
    average rather than to the row.

    Args:
        prompts: Prompts, with the columns that ``needs`` names.
        splits: For each split's name an SQL condition over the prompts, or a share between 0 and 1 of the prompts that
            the conditions leave.
        seed: The recipe's seed.
        where: The recipe's file and line, for errors.
    """
    split = pl.Series("split", ["train"]).new_from_index(0, prompts.height)
    free = pl.Series([True]).new_from_index(0, prompts.height)
    for name, condition in splits.items():
        if isinstance(condition, str):
            taken = holds(prompts, condition, f"{where}: split.{name}") & free
            split, free = _mark(split, taken, name), free & ~taken
    family = prompts["family"] if "family" in prompts.columns else [None] * prompts.height
    draws = [_uniform(f or family_of(m), seed) for m, f in zip(prompts["messages"], family, strict=True)]
    draw = pl.Series(draws, dtype=pl.Float64)
    floor = 0.0
    for name, share in splits.items():
        if not isinstance(share, str):
            split = _mark(split, free & (draw >= floor) & (draw < floor + share), name)
            floor += share
    return split


def needs(splits: dict[str, float | str], columns: list[str]) -> list[str]:
    """Return the columns of the prompts that ``assign`` reads for these splits."""
    conditions = " ".join(c for c in splits.values() if isinstance(c, str))
    return list(dict.fromkeys(["messages", "family", *mentioned(conditions, columns)]))


def _mark(split: pl.Series, taken: pl.Series, name: str) -> pl.Series:
    return pl.select(pl.when(taken).then(pl.lit(name)).otherwise(split).alias("split")).to_series()


def family_of(messages: str) -> str:
    """Return the family of a prompt, which all prompts made from it share: a hash of its messages."""
    return hashlib.sha256(messages.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def _uniform(family: str, seed: int) -> float:
    """Return a number in [0, 1) that depends on the family and the seed only."""
    digest = hashlib.sha256(f"{seed}\n{family}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)
