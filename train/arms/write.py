"""The stage of a comparison: the table ``comparisons``, its drawing, and its Markdown."""

from collections.abc import Mapping, Sequence

import polars as pl

from curate.steps.code_hash import code_hash
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.errors import printable
from schemas.ids import fingerprint
from train.arms.cells import cells_of
from train.arms.differences import Compared, compare_arms
from train.arms.directions import direction
from train.arms.drawing import drawing, png
from train.arms.expected import LABEL
from train.arms.markdown import markdown
from train.arms.prepare import Prepared
from train.arms.result import PNG, SVG, TEXT
from train.arms.sentences import sentences
from train.arms.trained import trained
from train.evaluating.behaviour import damage_warnings


def write_comparison(
    prepared: Prepared, store: Store, trainings: Mapping[int, Mapping[str, Stage]], evaluations: Mapping[int, Stage]
) -> tuple[Stage, bool]:
    """Compare the arms and write the stage, or reuse it.

    Args:
        prepared: The comparison.
        store: The store, locked by this process.
        trainings: For each seed the stages of its trainings, by their names in the recipe of the arms.
        evaluations: The stage of each seed's evaluation.

    Returns:
        The stage, and whether it was there.
    """
    recipe = prepared.recipe
    depends_on = {
        "arms": [[arm.name, *arm.chain] for arm in prepared.arms],
        "trainings": [[trainings[seed][arm.training].stage_id for arm in prepared.arms] for seed in prepared.seeds],
        "evaluations": [evaluations[seed].stage_id for seed in prepared.seeds],
        "tolerance": prepared.tolerance,
        "lower": sorted(prepared.lower),
        "recipe": recipe.run_name,
        "code": code_hash(cells_of, compare_arms, direction, damage_lines),
    }
    if recipe.limit is not None:
        depends_on["limit"] = recipe.limit
    stage_id = fingerprint(depends_on)[:12]
    if held := store.stage(stage_id):
        return held, True
    rows = _rows(prepared, stage_id, trainings, evaluations)
    with store.new_stage(stage_id, LABEL + recipe.limit_suffix, what=depends_on, rows_in=len(prepared.seeds)) as writer:
        writer.write("comparisons", rows)
        picture = drawing(f"{recipe.run_name}: {', '.join(arm.name for arm in prepared.arms)}", rows)
        writer.write_text(SVG, picture)
        warnings = damage_lines(evaluations, {seed: _names(prepared, seed) for seed in prepared.seeds})
        writer.info["warnings"] = warnings
        writer.write_text(TEXT, markdown(recipe.run_name, rows, warnings))
        if (pixels := png(picture)) is not None:
            writer.write_bytes(PNG, pixels)
        writer.info["result"] = "; ".join(sentences(rows, short=True)[:2])
    return writer.stage(), False


def damage_lines(evaluations: Mapping[int, Stage], names: Mapping[int, Mapping[str, str]]) -> list[str]:
    """Return a line for each arm and split with signs of damage, with the warning of the first seed that has one.

    Args:
        evaluations: The stage of each seed's evaluation.
        names: For each seed, what the models of its table are called here.
    """
    parts = []
    for seed, stage in evaluations.items():
        found = damage_warnings(stage).filter(pl.col("model").is_in([*names[seed]]))
        arm = pl.col("model").replace(names[seed])
        parts.append(found.select("split", "warning", arm=arm, seed=pl.lit(seed, pl.Int64)))
    every = pl.concat(parts)
    lines = []
    for (arm, split), rows in every.group_by("arm", "split", maintain_order=True):
        seeds = rows["seed"].n_unique()
        where = f" on {split}" if split else ""
        lines.append(printable(f"{arm}{where}, on {seeds} of {len(evaluations)} seeds: {rows['warning'][0]}"))
    return lines


def _rows(
    prepared: Prepared, stage_id: str, trainings: Mapping[int, Mapping[str, Stage]], evaluations: Mapping[int, Stage]
) -> pl.DataFrame:
    """Return the rows of ``comparisons``."""
    amounts = {
        (seed, arm.name): trained([trainings[seed][one] for one in arm.chain])
        for seed in prepared.seeds
        for arm in prepared.arms
    }
    names = {seed: _names(prepared, seed) for seed in prepared.seeds}
    cells = cells_of(evaluations, names)
    keys = cells.select("split", "scorer").unique(maintain_order=True).rows()
    better = {(split, scorer): direction(prepared.recipe, split, scorer, prepared.lower) for split, scorer in keys}
    sampled = [arm.name for arm in prepared.arms if prepared.alike.samples(arm)]
    found = Compared(prepared.arms, prepared.start_shown, cells, amounts, prepared.tolerance, better, sampled)
    evaluation = prepared.recipe.evaluate
    return compare_arms(found).with_columns(
        comparison_id=pl.lit(stage_id),
        recipe=pl.lit(prepared.recipe.run_name),
        dataset=pl.lit(evaluation.dataset if evaluation else None, pl.String),
    )


def _names(prepared: Prepared, seed: int) -> dict[str, str]:
    """Return what the models of a seed's evaluation are called here."""
    arms: Sequence = prepared.arms
    return {prepared.start: prepared.start_shown} | {prepared.name(arm.training, seed): arm.name for arm in arms}
