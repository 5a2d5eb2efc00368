"""The splits of a recipe's prompts, read from the store. All datasets of a recipe have the same, so they are kept."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from curate.pipeline.families import Tables
from curate.pipeline.split import Assigned, SplitRules, assign, by_conditions, needs
from curate.storage.row_numbers import NumberIndex, id_numbers, joined
from curate.storage.rows import RowSet, read_batches
from schemas.errors import UserError
from schemas.recipe import Recipe

HELD = 2  # results that are kept in memory, as all datasets of a recipe have the same splits
_held: "OrderedDict[tuple[Any, ...], PromptSplits]" = OrderedDict()


@dataclass(frozen=True)
class PromptSplits:
    """The splits of prompts.

    Attributes:
        numbers: The numbers of the prompts' ids, those that the shares are of first.
        assigned: The split and the family of each.
        rules: How they are split.
    """

    numbers: np.ndarray
    assigned: Assigned
    rules: SplitRules


def split_rules(recipe: Recipe) -> SplitRules:
    """Return how a recipe splits its prompts."""
    return SplitRules(recipe.splits, recipe.split_by, recipe.split_near, recipe.seed, recipe.where("split"))


def check_split(recipe: Recipe, prompts: RowSet) -> None:
    """Raise ``UserError`` where ``split.by`` names no column."""
    by = recipe.split_by
    if by is None:
        return
    column, _, path = by.partition(".")
    columns = prompts.columns()
    where = f"{recipe.where('split', 'by')}: split.by"
    if column not in columns:
        more = f"a key of the sources' rows is metadata.{by}"
        raise UserError(f"{where}: no column {by!r}; {more} (there are: {', '.join(sorted(columns))})")
    if path and column != "metadata":
        raise UserError(
            f"{where}: {column!r} has no keys; expected a column, or a key of the metadata: metadata.{path}"
        )


def split_key(recipe: Recipe) -> list[Any]:
    """Return what the splits of a recipe depend on beside its prompts and its seed, for a stage's key."""
    return [[*recipe.splits.items()], recipe.split_by, recipe.split_near] if recipe.splits else []


def split_table(recipe: Recipe, prompts: RowSet, shares_of: RowSet) -> pl.DataFrame:
    """Return the ids of prompts (``prompt_id``) with their ``split``; the arguments are those of ``split_prompts``."""
    return prompts.kept_ids.with_columns(split=splits_of(recipe, prompts, shares_of))


def splits_of(recipe: Recipe, prompts: RowSet, shares_of: RowSet) -> pl.Series:
    """Return the split of each of the prompts that are in; the arguments are those of ``split_prompts``."""
    rules = split_rules(recipe)
    if rules.shares:
        found, own = split_prompts(recipe, prompts, shares_of), prompts.kept_numbers
        split = found.assigned.split.rename("split")
        if np.array_equal(found.numbers, own):
            return split
        places = NumberIndex(found.numbers).find(own)
        return split.gather(pl.select(pl.when(pl.Series(places) >= 0).then(pl.Series(places))).to_series())
    parts = [
        by_conditions(batch, rules).fill_null("train")
        for batch in read_batches(prompts, needs(rules, list(prompts.columns())))
    ]
    return pl.concat([pl.Series("split", [], dtype=pl.String), *parts])


def split_prompts(recipe: Recipe, prompts: RowSet, shares_of: RowSet) -> PromptSplits:
    """Return the splits and the families of prompts.

    Args:
        recipe: The recipe.
        prompts: The prompts.
        shares_of: The prompts that the shares are shares of (``RunState.shares_of``).

    Raises:
        UserError: A condition is wrong, or ``split.by`` names no column.
    """
    rules = split_rules(recipe)
    key = (prompts.fingerprint(sorted(prompts.scores)), shares_of.content, repr(rules))
    if key not in _held:
        _held[key] = _split(recipe, prompts, shares_of, rules)
    _held.move_to_end(key)
    while len(_held) > HELD:
        _held.popitem(last=False)
    return _held[key]


def split_ids(prompts: RowSet, shares_of: RowSet) -> pl.Series:
    """Return the ids of the prompts that ``split_prompts`` splits, in its order."""
    parts = [batch["prompt_id"] for batch in tables_of(prompts, shares_of, [])()]
    return pl.concat([pl.Series("prompt_id", [], dtype=pl.String), *parts])


def tables_of(prompts: RowSet, shares_of: RowSet, names: list[str]) -> Tables:
    """Return a function that reads prompts, those that the shares are of first."""

    def read() -> Iterator[pl.DataFrame]:
        yield from read_batches(shares_of, names)
        if prompts.content != shares_of.content:
            known = NumberIndex(shares_of.kept_numbers)
            for batch in read_batches(prompts, names):
                yield batch.filter(pl.Series(known.find(id_numbers(batch["prompt_id"])) < 0))

    return read


def _split(recipe: Recipe, prompts: RowSet, shares_of: RowSet, rules: SplitRules) -> PromptSplits:
    check_split(recipe, shares_of)
    names = needs(rules, list(prompts.columns()))
    ids = []
    recorded = False
    for batch in tables_of(prompts, shares_of, ["family"])():
        ids.append(id_numbers(batch["prompt_id"]))
        recorded = recorded or batch["family"].null_count() < batch.height
    early = shares_of.height
    assigned = assign(tables_of(prompts, shares_of, names), rules, early, recorded=recorded)
    return PromptSplits(joined(ids), assigned, rules)
