"""The rows that a training holds out, those that its model has learnt, and the refusal where prompts are in both."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from curate.models.model_ref import ModelRef
from curate.storage.stage import Stage
from schemas.recipe import NEAR_DUPLICATES, Recipe
from schemas.rows import DATASET_TABLES
from schemas.trained_models import with_needed
from train.refusals.earlier_trainings import trained_elsewhere
from train.refusals.refusal import Refusal
from train.refusals.shared_prompts import SHARED, shared_prompts
from train.row_mentions import FIRST

NAME = "shared_prompts"
COLUMNS = ["row_id", "prompt"]


@dataclass(frozen=True)
class Held:
    """Rows that are held out.

    Attributes:
        label: Where they are from, for messages.
        rows: ``COLUMNS``.
        apart: Whether the split that they are of has put near-duplicates on one side, so that none is trained on.
        condition: Whether an SQL condition holds them out.
        benchmark: Whether they are of a dataset that no split divides.
    """

    label: str
    rows: pl.DataFrame
    apart: bool
    condition: bool = False
    benchmark: bool = False


def shared_prompts_refusal(
    recipe: Recipe, name: str, datasets: Mapping[str, Stage], models: list[ModelRef]
) -> Iterator[Refusal | str]:
    """Yield the refusal of a training where a prompt is trained on and held out, and a warning where one may be.

    A training learns the rows of its dataset's split ``train``, and its model those of the trainings that it starts
    from, learns from or is rewarded by. Held out are the other splits of its dataset, and the prompts of ``evaluate``.

    Args:
        recipe: The recipe.
        name: The training's name.
        datasets: The recipe's datasets that are built, by name.
        models: The models of other recipes that it starts from, learns from, or is rewarded by.
    """
    held = held_out(recipe, name, datasets)
    if not any(one.rows.height for one in held):
        return
    needed = [one for one in with_needed(recipe, [name]) if one != name]
    own = [_trained(recipe, one, datasets) for one in (name, *needed)]
    elsewhere = [part.select(*COLUMNS, of=pl.lit(model.name)) for model in models for part in trained_elsewhere(model)]
    near = recipe.split_near or NEAR_DUPLICATES
    found = []
    for one in held:
        shared = _shared(own, one.rows, 0 if one.apart else near)
        left = one.rows.join(shared, on="row_id", how="anti", maintain_order="left")
        shared = pl.concat([shared, _shared(elsewhere, left, near)])
        if shared.height:
            found.append((one, shared))
    sure = [(one, shared.filter("sure")) for one, shared in found if shared["sure"].any()]
    if sure:
        yield Refusal(NAME, "; ".join(_text(*one) for one in sure), _remedy(recipe, sure))
    for one, shared in found:
        unsure = shared.filter(~pl.col("sure"))
        if unsure.height:
            yield _doubt(one, unsure)


def held_out(recipe: Recipe, name: str, datasets: Mapping[str, Stage]) -> list[Held]:
    """Return the rows that a training's figures are measured on; each row is there once.

    A row that ``evaluate`` asks for by ``split: train`` is one to train on, where the recipe has splits.
    """
    training, evaluation = recipe.train[name], recipe.evaluate
    wanted = [(training.dataset, None)]
    if evaluation is not None and name in evaluation.models:
        splits = [evaluation.split] if isinstance(evaluation.split, str) else evaluation.split
        wanted.append((evaluation.dataset, splits))
    found: list[Held] = []
    seen = pl.Series("row_id", [], dtype=pl.String)
    for dataset, splits in wanted:
        if dataset not in datasets:
            continue
        table = datasets[dataset].read(DATASET_TABLES[recipe.datasets[dataset].type], [*COLUMNS, "split"])
        table = table.with_columns(pl.col("split").fill_null("train")).filter(~pl.col("row_id").is_in(seen.implode()))
        divided = bool(recipe.splits) or dataset == training.dataset
        for (split,), rows in table.group_by("split", maintain_order=True):
            asked = split != "train" if divided else splits is not None
            if not asked or (splits is not None and split not in splits):
                continue
            condition = isinstance(recipe.splits.get(str(split)), str)
            apart = split in recipe.splits and not condition and recipe.split_near > 0
            label = f"{split!r} of the dataset {dataset!r}"
            found.append(Held(label, rows.select(COLUMNS), apart, condition, not divided))
            seen = pl.concat([seen, rows["row_id"]])
    return found


def _trained(recipe: Recipe, name: str, datasets: Mapping[str, Stage]) -> pl.DataFrame:
    """Return the rows that a training of the recipe learns: ``COLUMNS`` and ``of``, the training."""
    dataset = recipe.train[name].dataset
    if dataset not in datasets:
        return pl.DataFrame(schema=dict.fromkeys([*COLUMNS, "of"], pl.String))
    rows = datasets[dataset].read(DATASET_TABLES[recipe.datasets[dataset].type], [*COLUMNS, "split"])
    return rows.filter(pl.col("split").fill_null("train") == "train").select(*COLUMNS, of=pl.lit(f"train.{name}"))


def _shared(trained: list[pl.DataFrame], held: pl.DataFrame, near: float) -> pl.DataFrame:
    """Return what ``shared_prompts`` returns, and ``of``, the training that has the row."""
    if not trained:
        return pl.DataFrame(schema={**SHARED, "of": pl.String})
    rows = pl.concat(trained)
    found = shared_prompts(rows, held, near)
    names = rows.select(trained="row_id", of="of").unique("trained", keep="first")
    return found.join(names, on="trained", how="left", maintain_order="left")


def _text(held: Held, shared: pl.DataFrame) -> str:
    """Return how many prompts of a split are trained on too, and the first."""
    same = int(shared["same"].sum())
    kinds = [f"{same:,} the same"] if same else []
    near = shared.height - same
    kinds += [f"{near:,} near-duplicate{'' if near == 1 else 's'}"] if near else []
    first = [
        f"row {row} is {'' if is_same else 'like '}row {other} of {of}"
        for row, other, is_same, _, of in shared.head(FIRST).iter_rows()
    ]
    more = ", ..." if shared.height > FIRST else ""
    return (
        f"{shared.height:,} of {held.rows.height:,} held-out prompts ({held.label}) "
        f"{'is' if shared.height == 1 else 'are'} trained on too: "
        f"{', '.join(kinds)} ({', '.join(first)}{more})"
    )


def _doubt(held: Held, shared: pl.DataFrame) -> str:
    """Return that some prompts of a split may be trained on too, and the first."""
    are = "is" if shared.height == 1 else "are"
    first = ", ".join(
        f"row {row} is like row {other} of {of}" for row, other, _, _, of in shared.head(FIRST).iter_rows()
    )
    return (
        f"{shared.height:,} of {held.rows.height:,} held-out prompts ({held.label}) {are} near-duplicates of prompts "
        f"that are trained on ({first}{', ...' if shared.height > FIRST else ''}): if these ask the same, the held-out "
        f"figures are too good; if they only have an instruction in common, all is well"
    )


def _remedy(recipe: Recipe, found: list[tuple[Held, pl.DataFrame]]) -> str:
    """Return what keeps the prompts apart: it depends on what held them out."""
    if any(one.condition for one, _ in found):
        how = "an SQL condition takes no near-duplicates with it: split by a share (split: {test: 0.1}), or take these"
        return f"{how} prompts out of one side (prompts: - decontaminate: {{against: FILE}}, or a dataset's where)"
    if not recipe.split_near and not any(one.benchmark for one, _ in found):
        return f"near-duplicates stay on one side with split: {{near_duplicates: {NEAR_DUPLICATES}}}"
    apart = "take these prompts out of one side (prompts: - decontaminate: {against: FILE}, or a dataset's where)"
    if not recipe.splits:
        return f"hold out a share: split: {{test: 0.1}}, and split: test in evaluate; or {apart}"
    return apart
