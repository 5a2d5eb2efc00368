"""The prompts that an evaluation asks: held-out rows of a dataset, with the columns that scorers read."""

import polars as pl

from curate.storage.stage import Stage
from schemas.counted import the_first
from schemas.errors import UserError
from schemas.evaluation import Evaluation
from schemas.recipe import Recipe
from schemas.rows import DATASET_TABLES
from train.answer_scorers import OPTIONAL, AnswerScorer, prompt_columns


def evaluation_section(recipe: Recipe) -> Evaluation:
    """Return the section ``evaluate`` of a recipe. Raises ``UserError`` if it has none, or no model or scorer in it."""
    if recipe.evaluate is None:
        raise UserError(f"{recipe.path}: has no section 'evaluate'")
    if not (recipe.evaluate.by and recipe.evaluate.models):
        where = recipe.where("evaluate")
        raise UserError(f"{where}: evaluate: needs at least one model in 'models' and one scorer in 'by'")
    return recipe.evaluate


def held_out_prompts(recipe: Recipe, dataset: Stage, prompts: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return the prompts to evaluate on, each once: those in the splits ``evaluate.split`` (default: all but train).

    Args:
        recipe: The recipe.
        dataset: The stage of the dataset that ``evaluate`` names.
        prompts: As in ``evaluate_recipe``.

    Returns:
        A table with row_id, prompt_id, split, messages, prompt, tools, ground_truth and metadata.

    Raises:
        UserError: There are none.
    """
    evaluation, where = evaluation_section(recipe), recipe.where("evaluate")
    dataset_type = recipe.datasets[evaluation.dataset].type
    rows = dataset.read(DATASET_TABLES[dataset_type]).with_columns(pl.col("split").fill_null("train"))
    wanted = [evaluation.split] if isinstance(evaluation.split, str) else evaluation.split
    splits = sorted(rows["split"].unique())
    rows = rows.filter(pl.col("split").is_in(wanted) if wanted else pl.col("split") != "train")
    rows = rows.unique("prompt_id", keep="first", maintain_order=True)
    if rows.is_empty():
        raise UserError(
            f"{where}: the dataset {evaluation.dataset!r} has no rows in {wanted or 'any split but train'} "
            f"(it has: {', '.join(splits) or 'no rows at all'}); {_more_held_out(recipe)}"
        )
    if prompts is not None and dataset_type != "prompt":
        known = prompts.select("prompt_id", *OPTIONAL).unique("prompt_id")
        rows = rows.drop(OPTIONAL, strict=False).join(known, on="prompt_id", how="left", maintain_order="left")
    return pl.concat([rows.select("prompt_id", "split"), prompt_columns(rows)], how="horizontal")


def _more_held_out(recipe: Recipe) -> str:
    """Return what gives an evaluation rows: a split, or a larger one where it leaves none of the few rows."""
    if recipe.splits:
        more = "give it a larger part, such as {test: 0.5}"
        limited = f", or more than {the_first(recipe.limit, 'row')} of each source (--limit)" if recipe.limit else ""
        return f"'split' ({', '.join(recipe.splits)}) took none of them; {more}{limited}"
    return "add a 'split', such as {test: 0.1}"


def check_columns(recipe: Recipe, scorers: dict[str, AnswerScorer]) -> None:
    """Refuse a scorer that reads a column which the dataset's rows do not have: it would see nulls only."""
    dataset_type = recipe.datasets[evaluation_section(recipe).dataset].type
    for name, scorer in scorers.items():
        missing = [column for column in ("ground_truth", "metadata") if column in scorer.reads]
        if missing and dataset_type != "prompt":
            raise UserError(
                f"{recipe.where('evaluate', 'dataset')}: the scorer {name!r} reads {missing[0]}, which "
                f"rows of type {dataset_type!r} do not carry; name a dataset of type 'prompt'"
            )
