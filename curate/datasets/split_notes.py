"""Say which shares of the prompts came out, and warn of what splits leak or cannot keep apart."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import polars as pl

from curate.pipeline.prompt_keys import metadata_keys
from curate.pipeline.prompt_splits import PromptSplits, split_prompts, split_rules, tables_of
from curate.pipeline.run_state import RunState
from curate.pipeline.split import LARGE, MANY
from curate.storage.rows import RowSet, read_batches
from schemas.errors import nearest, printable, short_repr
from schemas.progress import StageWarning
from schemas.recipe import Recipe

EXAMPLES, SHOWN = 3, 60  # examples of what leaks, and the characters of each
TASKS = 0.1  # large families that hold more than this part of the prompts are warned of
OFF = 0.2  # a share that is off by more than this part of it is warned of


def shares_note(recipe: Recipe, prompts: RowSet, shares_of: RowSet) -> str:
    """Return ``; of 180 prompts test: 0.3 asked, 0.3 came out``; "" without shares."""
    rules = split_rules(recipe)
    if not rules.shares or not prompts.height:
        return ""
    assigned = split_prompts(recipe, prompts, shares_of).assigned
    counts, rows = assigned.counts(), int(assigned.free.sum())
    said = [
        f"{name} {share:g} asked, {counts.get(name, 0) / max(rows, 1):.4g} came out"
        for name, share in rules.shares.items()
    ]
    return f"; of {rows:,} prompts {', '.join(said)}"


def split_warnings(state: RunState) -> list[StageWarning]:
    """Return what a user should look at in the splits of a recipe's prompts, as far as these are known."""
    if not state.recipe.splits or not state.recipe.datasets or not state.prompts.height:
        return []
    splits = split_prompts(state.recipe, state.prompts, state.shares_of)
    found = [
        _leaks(state, splits),
        _off(splits),
        _by(state, splits),
        _openings(splits),
        _template(splits),
        _large(state, splits),
    ]
    return [StageWarning("split", printable(text)) for text in found if text]


def _leaks(state: RunState, splits: PromptSplits) -> str:
    """Return how many held-out prompts have prompts of their family in another split, with examples, or ""."""
    family, split = splits.assigned.families.all, splits.assigned.split
    table = pl.DataFrame({"row": np.arange(len(family)), "family": family, "split": split})
    mixed = table.filter(pl.col("split").n_unique().over("family") > 1)
    held = mixed.filter(pl.col("split") != "train")
    if held.is_empty():
        return ""
    counts = held["split"].value_counts(sort=True).rows()
    totals = dict(split.value_counts().rows())
    said = ", ".join(f"{count:,} of {totals[name]:,} in {name}" for name, count in counts)
    firsts = [
        (part["row"][0], part.filter(pl.col("split") != part["split"][0])["row"][0])
        for part in islice(_families(mixed), EXAMPLES)
    ]
    texts = _texts(state, sorted({row for pair in firsts for row in pair}))
    shown = "; ".join(
        f"{short_repr(texts[one], SHOWN)} ({split[one]}) and {short_repr(texts[other], SHOWN)} ({split[other]})"
        for one, other in firsts
    )
    later = len(split) > splits.assigned.early
    remedy = (
        "hold out whole families: a share, or a condition that both meet"
        if any(isinstance(value, str) for value in splits.rules.splits.values())
        else "drop them by dedup after the step that made them"
        if later
        else "set split.by"
    )
    return (
        f"prompts that are near-copies, of one conversation or made from one another are in different splits: {said} "
        f"({shown}); {remedy}"
    )


def _families(mixed: pl.DataFrame) -> Iterator[pl.DataFrame]:
    for _, part in mixed.group_by("family", maintain_order=True):
        yield part


def _texts(state: RunState, rows: list[int]) -> dict[int, str]:
    """Return the texts of prompts by their place among those that splits are of."""
    texts: dict[int, str] = {}
    start = 0
    for table in tables_of(state.prompts, state.shares_of, ["prompt"])():
        for row in rows:
            if start <= row < start + table.height:
                texts[row] = table["prompt"][row - start] or ""
        start += table.height
    return texts


def _off(splits: PromptSplits) -> str:
    """Return which shares are far from what was asked for, and the largest family, or ""."""
    assigned, rows = splits.assigned, int(splits.assigned.free.sum())
    counts = assigned.counts()
    off = [
        f"{name}: {share:g} asked, {counts.get(name, 0) / rows:.4g} came out"
        for name, share in splits.rules.shares.items()
        if rows and abs(counts.get(name, 0) - share * rows) > max(1, OFF * share * rows)
    ]
    sizes = np.unique(assigned.families.label[: assigned.early][assigned.free], return_counts=True)[1]
    if not off or not len(sizes):
        return ""
    return (
        f"{', '.join(off)}, as families stay together: {len(sizes):,} of {rows:,} prompts, the largest has "
        f"{sizes.max():,}; see Splits in docs/data.md"
    )


def _by(state: RunState, splits: PromptSplits) -> str:
    """Return that ``by`` has one value, or none for some prompts, or ""."""
    by = splits.rules.by
    if by is None:
        return ""
    rows, without = len(splits.numbers), splits.assigned.without
    if without == rows:
        first = next(iter(read_batches(state.prompts, ["metadata"])))
        return f"by: no prompt has a value for {by!r}{nearest(by, [*metadata_keys(first.head(1000)), 'source'])}"
    if splits.assigned.groups == 1 and not without and rows > 1:
        return f"by: {by} has one value for all {rows:,} prompts, so they are one family; name another, or remove by"
    if without:
        return f"by: {by} is null for {without:,} of {rows:,} prompts, which are of families by their texts alone"
    return ""


def _openings(splits: PromptSplits) -> str:
    count = splits.assigned.families.openings
    if not count:
        return ""
    return (
        f"{count:,} prompts begin with one of few openings, so that the shares could not be met; they are kept "
        f"together by what follows (the next turn, or the system text); to keep conversations together set by: "
        f"metadata.KEY"
    )


def _large(state: RunState, splits: PromptSplits) -> str:
    """Return how many prompts are of large families, which go to one side whole, or ""."""
    assigned = splits.assigned
    rows, label = int(assigned.free.sum()), assigned.families.label[: assigned.early][assigned.free]
    families, sizes = np.unique(label, return_counts=True)
    large = sizes > max(MANY / 2, LARGE * rows)
    if not splits.rules.shares or len(families) < 2 or sizes[large].sum() <= TASKS * rows or splits.rules.by:
        return ""
    first = int(families[large][np.argmax(sizes[large])])  # a label is the least row of its family
    text = short_repr(_texts(state, [first])[first], SHOWN)
    return (
        f"{int(large.sum()):,} families of near-duplicates hold {int(sizes[large].sum()):,} of {rows:,} prompts (the "
        f"largest {sizes.max():,}, such as {text}) and go to one side whole, so a split may have few kinds of prompts; "
        f"to compare more strictly set near_duplicates: 0.95, or 0 for equal texts only"
    )


def _template(splits: PromptSplits) -> str:
    found = splits.assigned.families
    if not found.template:
        return ""
    apart = f", {found.apart:,} of them by equal texts only" if found.apart else ""
    return (
        f"{found.template:,} prompts are near-duplicates of very many others, so that the shares could not be met; "
        f"they were compared without the words that they share{apart}; to keep groups together set by: metadata.KEY, "
        f"to compare more strictly near_duplicates: 0.95"
    )
