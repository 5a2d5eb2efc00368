"""Splits: which prompts are held out. A prompt is on one side, in every dataset, and stays there as data grow."""

import hashlib

import polars as pl

from curate.steps.sql_conditions import holds, mentioned


def assign(prompts: pl.DataFrame, splits: dict[str, float | str], seed: int, where: str) -> pl.Series:
    """Give every prompt a split: a String Series, ``train`` for what no split takes.

    ``splits`` maps a name to an SQL condition over the prompts, or to a share between 0 and 1 of what the conditions
    leave. Shares go by a hash of the seed and the prompt's ``messages`` (of those it was made from, where a model made
    it), not by position: adding prompts moves none of the old ones, equal prompts and a prompt's offspring are never on
    two sides, and a share holds on average rather than to the row.
    """
    side = pl.Series("split", ["train"]).new_from_index(0, prompts.height)
    free = pl.Series([True]).new_from_index(0, prompts.height)
    for name, condition in splits.items():
        if isinstance(condition, str):
            taken = holds(prompts, condition, f"{where}: split.{name}") & free
            side, free = _mark(side, taken, name), free & ~taken
    family = prompts["family"] if "family" in prompts.columns else [None] * prompts.height
    places = [_place(f or family_of(m), seed) for m, f in zip(prompts["messages"], family, strict=True)]
    place = pl.Series(places, dtype=pl.Float64)
    floor = 0.0
    for name, share in splits.items():
        if not isinstance(share, str):
            side = _mark(side, free & (place >= floor) & (place < floor + share), name)
            floor += share
    return side


def needs(splits: dict[str, float | str], columns: list[str]) -> list[str]:
    """The columns of the prompts that ``assign`` reads for these splits."""
    conditions = " ".join(c for c in splits.values() if isinstance(c, str))
    return list(dict.fromkeys(["messages", "family", *mentioned(conditions, columns)]))


def _mark(side: pl.Series, taken: pl.Series, name: str) -> pl.Series:
    return pl.select(pl.when(taken).then(pl.lit(name)).otherwise(side).alias("split")).to_series()


def family_of(messages: str) -> str:
    """The family that a prompt founds: what it and all prompts made from it are split by."""
    return hashlib.sha256(messages.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def _place(family: str, seed: int) -> float:
    """A place in [0, 1) that depends on the family and the seed only."""
    digest = hashlib.sha256(f"{seed}\n{family}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)
