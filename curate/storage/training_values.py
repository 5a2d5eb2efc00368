"""The figures that a training left on candidates and prompts: their losses, margins, entropies and rewards."""

import json

import polars as pl

from curate.storage.stage import Stage, conform
from curate.storage.store import Store

# Table of a dataset -> its columns with the ids of candidates.
CANDIDATE_IDS = {
    "sft": ("completion_id",),
    "unpaired": ("completion_id",),
    "preferences": ("chosen_id", "rejected_id"),
}


def training_values(store: Store, training: Stage, rows: pl.DataFrame) -> pl.DataFrame:
    """Return what a training recorded of some rows.

    A training's rows are those of its dataset, whose tables say which candidates and prompts they were made of. Only
    the split ``train`` counts: held-out rows that it was evaluated on have no values.

    Args:
        store: The store, which holds the training's dataset.
        training: The training's stage.
        rows: Candidates (``completion_id``, ``prompt_id``) or prompts (``prompt_id``).

    Returns:
        A row for each, in the same order; null where the training recorded nothing. Over the rows of the dataset that
        candidates are in (the pairs, of which they are either side), or that prompts are in (distillation): the mean of
        ``loss_first``, ``loss_last`` and ``loss_mean`` (of all steps at which the row was trained on), ``margin_last``
        and ``entropy_last``. Online RL: ``reward_mean``, the mean reward of the answers sampled for the prompt, each
        the sum of its rewards by their weights.
    """
    datasets = store.stages_labelled(f"datasets.{training.read('trainings')['dataset'][0]}")
    id = "completion_id" if "completion_id" in rows.columns else "prompt_id"
    learnt = _candidates(datasets) if id == "completion_id" else _prompts(datasets)
    figures = learnt.join(row_figures(training), on="row_id").drop("row_id").group_by(id).agg(pl.all().mean())
    rewards = _prompts(datasets).join(row_rewards(training), on="row_id").drop("row_id")
    rewards = rewards.group_by("prompt_id").agg(pl.col("reward_mean").mean())
    found = rows.join(figures, on=id, how="left", maintain_order="left")
    return found.join(rewards, on="prompt_id", how="left", maintain_order="left").drop(rows.columns)


def row_figures(training: Stage) -> pl.DataFrame:
    """Return the first, last and mean loss, the last margin and the last entropy of each row of the split ``train``."""
    losses = training.read("row_losses", ["row_id", "phase", "step", "loss", "margin", "entropy"])
    figures = [
        pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in ("loss", "margin", "entropy")
    ]
    losses = losses.filter(pl.col("phase") == "train").sort("step", maintain_order=True).with_columns(figures)
    known = {name: pl.col(name).drop_nulls() for name in ("loss", "margin", "entropy")}
    return losses.group_by("row_id", maintain_order=True).agg(
        loss_first=known["loss"].first(),
        loss_last=known["loss"].last(),
        loss_mean=known["loss"].mean(),
        margin_last=known["margin"].last(),
        entropy_last=known["entropy"].last(),
    )


def row_rewards(training: Stage) -> pl.DataFrame:
    """Return the mean reward of the answers sampled for each row; a reward without a value is left out of the sum."""
    settings = json.loads(training.read("trainings", ["settings"])["settings"][0])
    names = settings.get("rewards") or []  # a distillation has none: its answers have divergences
    rollouts = trained_rollouts(training).filter(pl.col("reward").is_in(names))
    weights = dict(zip(names, settings.get("reward_weights") or [], strict=False))
    weighed = pl.col("value") * pl.col("reward").replace_strict(weights, default=1.0, return_dtype=pl.Float64)
    answers = rollouts.with_columns(weighed=weighed).filter(pl.col("weighed").is_finite())
    sums = answers.group_by("row_id", "step", "sample_index", maintain_order=True).agg(pl.col("weighed").sum())
    return sums.group_by("row_id", maintain_order=True).agg(reward_mean=pl.col("weighed").mean())


def trained_rollouts(training: Stage) -> pl.DataFrame:
    """Return the rollouts of a training without those of its evaluations; of an old one, which had no phase, all."""
    return conform("rollouts", training.read("rollouts")).filter(pl.col("phase").fill_null("train") == "train")


def _candidates(datasets: list[Stage]) -> pl.DataFrame:
    """Return the rows of datasets with the candidates that they were made of: ``row_id``, ``completion_id``."""
    parts = [
        stage.read(table, ["row_id", id]).select("row_id", pl.col(id).alias("completion_id"))
        for stage in datasets
        for table, ids in CANDIDATE_IDS.items()
        if stage.rows(table)
        for id in ids
    ]
    return pl.concat([pl.DataFrame(schema={"row_id": pl.String, "completion_id": pl.String}), *parts]).unique()


def _prompts(datasets: list[Stage]) -> pl.DataFrame:
    """Return the RL prompts of datasets: ``row_id``, ``prompt_id``."""
    parts = [stage.read("rl_prompts", ["row_id", "prompt_id"]) for stage in datasets if stage.rows("rl_prompts")]
    return pl.concat([pl.DataFrame(schema={"row_id": pl.String, "prompt_id": pl.String}), *parts]).unique()
