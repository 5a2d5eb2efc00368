"""Says at the end of an online training which of its sampled answers taught nothing, and what to set."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from schemas.progress import StageWarning
from train.job import TrainingJob
from train.online.rollouts import shortened

SAME = 1e-8  # of rewards, relative to the largest: TRL's tolerance is about that of float32
QUOTED = "'[^']*'"  # in an error, which else is the same for many answers
OF_ANSWERS = ("answers", "unrewarded", "cut_answers")  # the counts that are not of groups
ANSWER = ("step", "row_id", "sample_index")


def rollout_counts(rollouts: pl.DataFrame, weights: Mapping[str, float], group: int, *, summed: bool) -> dict[str, int]:
    """Count what the answers of a training taught.

    Args:
        rollouts: ``schemas.rows.ROLLOUTS`` without the training's id.
        weights: The weight of each reward.
        group: How many answers to a prompt TRL compares.
        summed: Whether it compares the sums of their rewards, and not each reward by itself.

    Returns:
        Of the answers to train on: ``answers``; ``unrewarded`` (all rewards null); ``cut_answers`` (at
        ``max_completion_length``); ``groups`` and ``flat_groups`` (whose rewards are all the same); ``samplings`` and
        ``flat_samplings`` (steps that sample, and those whose groups are all flat); ``prompts`` and ``flat_prompts``.
    """
    trained = rollouts.filter(pl.col("phase") == "train")
    weighted = pl.col("value") * pl.col("reward").replace_strict(dict(weights), default=1.0, return_dtype=pl.Float64)
    trained = trained.with_columns(weighted=weighted, group=pl.col("sample_index") // group)
    answers = trained.group_by(ANSWER).agg(
        pl.col("group", "finish_reason").first(), rewarded=pl.col("value").is_not_null().any()
    )
    compared = trained.drop_nulls("value")
    if summed:
        compared = compared.group_by("step", "row_id", "group", "sample_index").agg(
            pl.col("weighted").sum(), reward=pl.lit("")
        )
    spread = pl.col("weighted").max() - pl.col("weighted").min()
    size = pl.max_horizontal(pl.col("weighted").abs().max(), pl.lit(1.0))
    differ = (
        compared.group_by("step", "row_id", "group", "reward")
        .agg(differs=spread > SAME * size)
        .group_by("step", "row_id", "group")
        .agg(pl.col("differs").any())
    )
    groups = answers.select("step", "row_id", "group").unique()
    groups = groups.join(differ, on=["step", "row_id", "group"], how="left").with_columns(
        flat=~pl.col("differs").fill_null(False)
    )
    counts = {
        "answers": answers.height,
        "unrewarded": answers.filter(~pl.col("rewarded")).height,
        "cut_answers": answers.filter(pl.col("finish_reason") == "length").height,
        "groups": groups.height,
        "flat_groups": int(groups["flat"].sum()),
    }
    for name, column in (("samplings", "step"), ("prompts", "row_id")):
        flat = groups.group_by(column).agg(pl.col("flat").all())["flat"]
        counts |= {name: len(flat), f"flat_{name}": int(flat.sum())}
    return counts


def say_rollouts(
    job: TrainingJob, rollouts: pl.DataFrame, counts: Mapping[str, int], config: Any, *, groups: bool
) -> None:
    """Say what taught nothing, and what to set.

    Args:
        job: The training.
        rollouts: Its answers.
        counts: As ``rollout_counts`` returns them.
        config: TRL's config.
        groups: Whether the trainer learns from the differences within a group only.
    """
    for line in [*_nulls(rollouts, counts), *(_flat(counts) if groups else [])]:
        job.progress.say(f"train {job.name}: {line}")
    line = _cut(counts, config.max_completion_length, masked=masks_cut(config))
    if line and masks_cut(config) and counts["cut_answers"] == counts["answers"]:
        job.progress.warn(StageWarning(f"train.{job.name}", f"nothing was learnt: {line}"))
    elif line:
        job.progress.say(f"train {job.name}: {line}")


def masks_cut(config: Any) -> bool:
    """Return whether nothing is learnt from answers that are cut off at ``max_completion_length``."""
    return bool(getattr(config, "mask_truncated_completions", False))


def wholly_cut(rollouts: pl.DataFrame) -> pl.Series:
    """Return the ids of the rows to train on all of whose answers were cut off."""
    trained = rollouts.filter(pl.col("phase") == "train")
    cut = trained.group_by("row_id", maintain_order=True).agg((pl.col("finish_reason") == "length").all())
    return cut.filter("finish_reason")["row_id"]


def _nulls(rollouts: pl.DataFrame, counts: Mapping[str, int]) -> list[str]:
    """Return a line for each reward without a value somewhere, and one for the answers without any."""
    trained = rollouts.filter(pl.col("phase") == "train")
    lines = []
    for (reward,), rows in trained.group_by("reward", maintain_order=True):
        missing = rows.filter(pl.col("value").is_null())
        if missing.height:
            reasons = missing["error"].fill_null("no value").str.replace_all(QUOTED, "'...'")
            reason, most = reasons.value_counts(sort=True).sort("count", "error", descending=[True, False]).row(0)
            others = f"; {missing.height - most:,} x other reasons" if missing.height > most else ""
            lines.append(
                f"the reward {reward} has no value for {missing.height:,} of {rows.height:,} answers: "
                f"{most:,} x {shortened(reason)}{others}"
            )
    if counts["unrewarded"]:
        lines.append(
            f"{counts['unrewarded']:,} of {counts['answers']:,} answers have no reward at all, so nothing is learnt "
            f"from them"
        )
    return lines


def _flat(counts: Mapping[str, int]) -> list[str]:
    if not counts["flat_groups"]:
        return []
    return [
        f"{counts['flat_groups']:,} of {counts['groups']:,} groups taught nothing, since all answers to the prompt had "
        f"the same reward ({counts['flat_samplings']:,} of {counts['samplings']:,} samplings wholly; "
        f"{counts['flat_prompts']:,} of {counts['prompts']:,} prompts each time): raise num_generations or "
        f'temperature, or keep prompts that are solved sometimes (where: "pass_rate between 0.1 and 0.9")'
    ]


def _cut(counts: Mapping[str, int], longest: int | None, *, masked: bool) -> str:
    if not counts["cut_answers"]:
        return ""
    what = f"{counts['cut_answers']:,} of {counts['answers']:,} answers were cut off"
    if masked:
        return f"{what} and taught nothing (mask_truncated_completions): raise max_completion_length ({longest} tokens)"
    return (
        f"{what} at max_completion_length ({longest} tokens): raise it, or set mask_truncated_completions: true to "
        f"learn nothing from them"
    )
