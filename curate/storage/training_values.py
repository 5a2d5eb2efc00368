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
        and ``entropy_last``. The margin of a bad answer of an unpaired dataset is turned round: of every row it says
        how far the model has learnt what the row says. Online RL: ``reward_mean``, the mean reward of the answers
        sampled for the prompt, each the sum of its rewards by their weights.
    """
    datasets = store.stages_labelled(f"datasets.{training.read('trainings')['dataset'][0]}")
    id = "completion_id" if "completion_id" in rows.columns else "prompt_id"
    learnt = _candidates(datasets) if id == "completion_id" else _prompts(datasets)
    own = row_figures(training, bad_rows(store, training))
    figures = learnt.join(own, on="row_id").drop("row_id").group_by(id).agg(pl.all().mean())
    rewards = _prompts(datasets).join(row_rewards(training), on="row_id").drop("row_id")
    rewards = rewards.group_by("prompt_id").agg(pl.col("reward_mean").mean())
    found = rows.join(figures, on=id, how="left", maintain_order="left")
    return found.join(rewards, on="prompt_id", how="left", maintain_order="left").drop(rows.columns)


def row_figures(training: Stage, bad: pl.Series) -> pl.DataFrame:
    """Return the first, last and mean loss, the last margin and the last entropy of each row of the split ``train``.

    Args:
        training: The training's stage.
        bad: The ids of its rows that are bad answers of an unpaired dataset. The margin of such a row, as KTO records
            it, is the answer's gain in log-probability, which falls where the row is learnt: here its sign is turned.
    """
    losses = training.read("row_losses", ["row_id", "phase", "step", "loss", "margin", "entropy"])
    figures = [
        pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in ("loss", "margin", "entropy")
    ]
    losses = losses.filter(pl.col("phase") == "train").sort("step", maintain_order=True).with_columns(figures)
    side = pl.when(pl.col("row_id").is_in(bad.implode())).then(-1.0).otherwise(1.0)
    losses = losses.with_columns(margin=side * pl.col("margin"))
    known = {name: pl.col(name).drop_nulls() for name in ("loss", "margin", "entropy")}
    return losses.group_by("row_id", maintain_order=True).agg(
        loss_first=known["loss"].first(),
        loss_last=known["loss"].last(),
        loss_mean=known["loss"].mean(),
        margin_last=known["margin"].last(),
        entropy_last=known["entropy"].last(),
    )


def bad_rows(store: Store, training: Stage) -> pl.Series:
    """Return the ids of the rows of a training that are bad answers of an unpaired dataset.

    The rows of a dataset keep their ids where a later run labels them otherwise. So the labels are those of the dataset
    that the training had; where its stage is not there, or is not known as the training is old, the newest labels.
    """
    datasets = store.stages_labelled(f"datasets.{training.read('trainings')['dataset'][0]}")
    own = training.manifest.get("dataset")
    ordered = sorted(datasets, key=lambda one: (one.stage_id == own, one.order), reverse=True)
    parts = [one.read("unpaired", ["row_id", "label"]) for one in ordered if one.rows("unpaired")]
    labels = pl.concat([pl.DataFrame(schema={"row_id": pl.String, "label": pl.Boolean}), *parts])
    return labels.unique("row_id", keep="first", maintain_order=True).filter(~pl.col("label"))["row_id"]


def row_rewards(training: Stage) -> pl.DataFrame:
    """Return the mean reward of the answers sampled for each row; a reward without a value is left out of the sum."""
    names = [*reward_weights(training)]  # a distillation has none: its answers have divergences
    rollouts = weighed_rollouts(training).filter(pl.col("reward").is_in(names))
    answers = rollouts.filter(pl.col("weighed").is_finite())
    sums = answers.group_by("row_id", "step", "sample_index", maintain_order=True).agg(pl.col("weighed").sum())
    return sums.group_by("row_id", maintain_order=True).agg(reward_mean=pl.col("weighed").mean())


def reward_weights(training: Stage) -> dict[str, float]:
    """Return the weight of each reward of a training."""
    settings = json.loads(training.read("trainings", ["settings"])["settings"][0])
    names = settings.get("rewards") or []
    return dict.fromkeys(names, 1.0) | dict(zip(names, settings.get("reward_weights") or [], strict=False))


def weighed_rollouts(training: Stage) -> pl.DataFrame:
    """Return the rollouts of a training, as ``trained_rollouts``, with each value times its reward's weight."""
    weight = pl.col("reward").replace_strict(reward_weights(training), default=1.0, return_dtype=pl.Float64)
    return trained_rollouts(training).with_columns(weighed=pl.col("value") * weight)


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
