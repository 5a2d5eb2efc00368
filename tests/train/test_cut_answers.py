"""Answers that are cut off under ``mask_truncated_completions``: their rows are not counted as trained."""

from pathlib import Path

import polars as pl
import pytest

from curate.models.model_ref import ModelRef
from curate.storage.store import Store
from schemas.progress import Progress, StageWarning
from tests.optional import needs
from tests.train.tables import recipe_with, rl_rows, write_stage
from train.run import train_recipe

pytestmark = [needs("trl"), pytest.mark.slow]

CUT = "all its answers were cut off at max_completion_length"
OPTIONS = "num_generations: 2, per_device_train_batch_size: 4, max_steps: 2, max_completion_length: 1"


class Warned(Progress):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, warning: StageWarning) -> None:
        self.warnings.append(str(warning))


@pytest.mark.parametrize("masked", [True, False])
def test_a_row_of_cut_answers_only_is_not_trained(tmp_path: Path, tiny: Path, masked: bool):
    store, progress = Store(tmp_path / "store"), Warned()
    mask = f"mask_truncated_completions: {str(masked).lower()}"
    recipe = recipe_with(
        tmp_path, f"train:\n  g: {{trainer: grpo, dataset: rl, model: student, {OPTIONS}, {mask}, rewards: [length]}}\n"
    )
    datasets = {"rl": write_stage(store, "rl_prompts", rl_rows(5))}
    (stage,) = train_recipe(
        recipe, store, datasets, {"student": ModelRef("student", "tiny", str(tiny))}, None, progress
    )
    rollouts = stage.read("rollouts")
    cut = dict(rollouts.group_by("row_id").agg((pl.col("finish_reason") == "length").all()).iter_rows())
    assert any(cut.values())
    fates = dict(stage.read("training_rows").select("row_id", "fate").rows())
    for row_id, fate in fates.items():
        expected = CUT if masked and cut.get(row_id) else "trained"
        assert fate == (expected if row_id in cut else "not reached before the last step")
    told = [one for one in progress.warnings if one.startswith("train.g: nothing was learnt: ")]
    assert bool(told) == (masked and all(cut.values()))
