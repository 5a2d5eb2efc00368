"""PPO through ``train_recipe`` and a real store: what is recorded; and a training resumes at any step as if whole."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from curate.models.model_ref import ModelRef
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.progress import Progress
from tests.optional import needs
from tests.train.ppo.toy import ppo_trainer, share_of_a
from tests.train.tables import preference_rows, recipe_with, rl_rows, write_stage
from train.run import train_recipe

pytestmark = [needs("trl"), pytest.mark.slow]

SHORT = "per_device_train_batch_size: 2, learning_rate: 1e-2, max_completion_length: 6"


def train(folder: Path, store: Store, ref: ModelRef, sections: str, rl: Stage, **more: Stage) -> list[Stage]:
    recipe = recipe_with(folder, f"train:\n{sections}")
    return train_recipe(recipe, store, {"rl": rl, **more}, {"student": ref}, None, Progress())


@pytest.mark.parametrize("options", ["lora: {r: 4}, critic: copy", "critic: head, steps_per_generation: 2"])
def test_ppo_trains_and_records_answers_and_figures(tmp_path: Path, store: Store, ref: ModelRef, options: str):
    line = f"trainer: ppo, dataset: rl, model: student, rewards: [length], max_steps: 3, {SHORT}, {options}"
    rl = write_stage(store, "rl_prompts", rl_rows(8))
    (stage,) = train(tmp_path, store, ref, f"  p: {{{line}, num_iterations: 2}}\n", rl)
    rollouts = stage.read("rollouts")
    assert rollouts["step"].unique().to_list() == ([1, 3] if "lora" in options else [1])
    assert rollouts["value"].null_count() == 0 and rollouts["advantage"].null_count() == 0
    assert rollouts["advantage"].n_unique() > 1
    assert set(stage.read("training_rows")["fate"]) == {"trained", "not reached before the last step"}
    history = json.loads(stage.read("trainings")["metrics"][0])["history"]
    figures = {"kl", "value", "return", "value/loss", "value/explained_variance", "value/clip_ratio"}
    assert figures | {"reward", "clip_ratio/region_mean"} <= set(history[0])
    assert history[0]["kl"] == pytest.approx(0, abs=1e-5)  # the policy is the reference
    assert not figures & set(history[1])  # its answers are those of step 1
    if "lora" in options:
        assert abs(history[2]["kl"]) > 1e-4
    assert not list((stage.path / "model").glob("*critic*"))


def test_the_reference_of_full_weights_has_the_merged_adapter(tmp_path: Path, store: Store, ref: ModelRef):
    """Else the divergence would start above 0: the DPO training before it moves the policy."""
    dpo = write_stage(store, "preferences", preference_rows(8))
    rl = write_stage(store, "rl_prompts", rl_rows(8))
    first = "  d: {trainer: dpo, dataset: dpo, model: student, lora: {r: 4}, learning_rate: 0.1, max_steps: 2}\n"
    line = f"trainer: ppo, dataset: rl, model: d, rewards: [length], max_steps: 1, {SHORT}"
    for lora in ("", ", lora: {r: 4}"):
        _, stage = train(tmp_path, store, ref, f"{first}  p: {{{line}{lora}}}\n", rl, dpo=dpo)
        history = json.loads(stage.read("trainings")["metrics"][0])["history"]
        assert history[0]["kl"] == pytest.approx(0, abs=1e-4)


def test_an_option_that_makes_no_sense_is_named_with_its_place(tmp_path: Path, store: Store, ref: ModelRef):
    rl = write_stage(store, "rl_prompts", rl_rows(8))
    line = f"trainer: ppo, dataset: rl, model: student, max_steps: 1, {SHORT}"
    cases = {
        "rewards: [length], scale_rewards: group": r"train\.p: PPOConfig: scale_rewards cannot be set for PPO",
        "rewards: [length], lam: 2.0": r"train\.p: PPOConfig: lam: expected a number from 0 to 1, found 2\.0",
        "lora: true": r"the trainer 'ppo' needs 'rewards'",
    }
    for more, message in cases.items():
        with pytest.raises(UserError, match=message):
            train(tmp_path, store, ref, f"  p: {{{line}, {more}}}\n", rl)


class NoRollouts:
    """Records nothing."""

    ends: frozenset[int] = frozenset()

    def end_batch(self, phase: str, advantages: list[float]) -> None:
        """Forget them."""


def recorded_trainer(folder: Path, **options: Any) -> Any:
    """Return the toy's trainer as ``train_on_prompts`` builds it, which saves a checkpoint after each step."""
    from train.online.rollouts import RecordedRollouts

    trainer = ppo_trainer(folder, share_of_a, mixin=RecordedRollouts, **(SAVED | options))
    trainer.start_recording(NoRollouts())
    return trainer


SAVED: dict[str, Any] = {
    "save_strategy": "steps",
    "save_steps": 1,
    "max_steps": 7,
    "num_iterations": 2,
    "per_device_train_batch_size": 4,
    "learning_rate": 1e-2,
    "critic_learning_rate": 1e-2,
    "beta": 0.2,
    "generation_kwargs": None,
}
KINDS: list[dict[str, Any]] = [
    {"critic": "copy", "lora": {"r": 4, "lora_dropout": 0.1}, "steps_per_generation": 2},
    {"critic": "head", "gradient_accumulation_steps": 2, "steps_per_generation": 4},
]


@pytest.mark.parametrize("kind", KINDS, ids=["adapter", "full"])
def test_a_training_resumes_after_any_step_as_if_whole(tmp_path: Path, kind: dict[str, Any]):
    whole = recorded_trainer(tmp_path / "whole", **kind)
    whole.train()
    logs = figures(whole)
    assert len(logs) == 7 and any(abs(log.get("kl", 0)) > 1e-3 for log in logs)
    for step in (1, 2, 4, 6):
        folder = tmp_path / f"after-{step}"
        resumed = recorded_trainer(folder, **kind)
        shutil.copytree(tmp_path / "whole" / f"checkpoint-{step}", folder / f"checkpoint-{step}")
        resumed.train(resume_from_checkpoint=str(folder / f"checkpoint-{step}"))
        assert figures(resumed) == logs, step
        for one, other in ((whole.model, resumed.model), (whole.critic, resumed.critic)):
            for name, weight in one.state_dict().items():
                assert weight.equal(other.state_dict()[name]), (step, name)


def figures(trainer: Any) -> list[dict[str, Any]]:
    """Return what was logged at each step, without times, and NaN as None."""
    history = [entry for entry in trainer.state.log_history if "loss" in entry]
    return [{k: v if v == v else None for k, v in entry.items() if k != "step_time"} for entry in history]
