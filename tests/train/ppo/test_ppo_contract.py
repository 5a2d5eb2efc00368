"""Checks the internals of TRL's GRPO trainer that the PPO trainer relies on, and the two methods that it overrides."""

import inspect
from pathlib import Path
from typing import Any

import pytest

from tests.optional import needs
from tests.train.ppo.toy import LENGTH, WORDS, first_is_a, ppo_trainer

pytestmark = [needs("trl"), pytest.mark.slow]

ROWS = [{"prompt": f"a {word}", "row_index": i} for i, word in enumerate(WORDS)]
KEYS = {
    *("prompt_ids", "prompt_mask", "completion_ids", "completion_mask", "advantages", "num_items_in_batch"),
    *("old_per_token_logps", "ref_per_token_logps"),
}


def sampled(trainer: Any) -> dict[str, Any]:
    trainer.create_optimizer_and_scheduler(num_training_steps=4)
    trainer.model.train()
    return trainer._generate_and_score_completions([dict(row) for row in ROWS])


def test_the_methods_that_are_overridden_have_trl_s_parameters():
    from trl import GRPOTrainer

    from train.ppo.ppo_trainer import PPOTrainer

    for name in (
        "_calculate_rewards",
        "_generate_and_score_completions",
        "_save_checkpoint",
        "_load_optimizer_and_scheduler",
    ):
        ours, theirs = (inspect.signature(getattr(one, name)).parameters for one in (PPOTrainer, GRPOTrainer))
        assert list(ours) == list(theirs), name
    overridden = {name for name, value in vars(PPOTrainer).items() if callable(value) and hasattr(GRPOTrainer, name)}
    assert overridden == {
        *("__init__", "_calculate_rewards", "_generate_and_score_completions"),
        *("_save_checkpoint", "_load_optimizer_and_scheduler"),
    }
    reader = list(inspect.signature(GRPOTrainer._get_per_token_logps_and_entropies).parameters)
    assert reader[:6] == ["self", "model", "input_ids", "attention_mask", "logits_to_keep", "batch_size"]


def test_a_batch_has_trl_s_keys_and_an_advantage_for_each_token(tmp_path: Path):
    trainer = ppo_trainer(tmp_path, first_is_a, beta=0.1, per_device_train_batch_size=8)
    batch = sampled(trainer)
    assert set(batch) == KEYS
    mask = batch["completion_mask"]
    assert batch["advantages"].shape == batch["completion_ids"].shape == (8, LENGTH)
    assert batch["advantages"].isfinite().all() and not batch["advantages"][mask == 0].any()
    assert trainer.beta == 0.0  # the loss has no penalty: the reward has it
    assert trainer._metrics["train"]["kl"] == [pytest.approx(0, abs=1e-6)]
    assert "frac_reward_zero_std" not in trainer._metrics["train"]


def test_the_loss_reads_the_advantage_of_each_token(tmp_path: Path):
    import torch

    trainer = ppo_trainer(tmp_path, first_is_a, per_device_train_batch_size=8, beta=0.0)
    batch = sampled(trainer)
    trainer.current_gradient_accumulation_steps = 1
    mask, own = batch["completion_mask"], torch.randn(8, LENGTH)
    # The ratio is 1, so that the loss is the mean of minus the advantages.
    loss = trainer.compute_loss(trainer.model, batch | {"advantages": own})
    assert loss.item() == pytest.approx(-(own * mask).sum().item() / mask.sum().item(), abs=1e-6)


def test_rewards_have_a_column_a_function_and_nan_for_none(tmp_path: Path):
    import torch

    def sometimes(completions: list[str], row_index: list[int], **others: Any) -> list[float | None]:
        return [None if i == 3 else float(i) for i in row_index]

    trainer = ppo_trainer(tmp_path, sometimes, per_device_train_batch_size=8, reward_weights=[2.0])
    given = []
    original = type(trainer).__mro__[1]._calculate_rewards
    trainer._calculate_rewards = lambda *args: given.append(args) or type(trainer)._calculate_rewards(trainer, *args)
    batch = sampled(trainer)
    rewards = original(trainer, *given[0])
    assert rewards.shape == (8, 1) and torch.isnan(rewards[3]).all()
    assert [s for s in trainer._scores.tolist() if s == s] == [0.0, 2.0, 4.0, 8.0, 10.0, 12.0, 14.0]
    # An answer without any reward moves nothing.
    assert not batch["advantages"][3].any() and batch["advantages"][4].any()


def test_answers_without_any_reward_leave_the_critic_alone(tmp_path: Path):
    def never(completions: list[str], **others: Any) -> list[None]:
        return [None] * len(completions)

    trainer = ppo_trainer(tmp_path, never, per_device_train_batch_size=8)
    before = {name: weight.clone() for name, weight in trainer.critic.trained().items()}
    assert not sampled(trainer)["advantages"].any()
    for name, weight in trainer.critic.trained().items():
        assert weight.equal(before[name]), name


def test_nothing_is_learnt_of_answers_that_are_masked_as_cut_off(tmp_path: Path):
    trainer = ppo_trainer(tmp_path, first_is_a, per_device_train_batch_size=8, mask_truncated_completions=True)
    batch = sampled(trainer)
    assert not batch["completion_mask"].any() and not batch["advantages"].any()


@pytest.mark.parametrize("critic", ["copy", "head"])
@pytest.mark.parametrize("lora", [None, {"r": 4, "lora_dropout": 0.1}])
def test_the_critic_learns_and_shares_no_trained_weight(tmp_path: Path, critic: str, lora: dict | None):
    trainer = ppo_trainer(
        tmp_path, first_is_a, lora=lora, critic=critic, critic_learning_rate=1e-2, beta=0.1, learning_rate=1e-2
    )
    names = set(trainer.critic.trained())
    assert {"head.weight", "head.bias"} <= names
    own = [name for name in names if name.startswith("backbone")]
    assert bool(own) == (critic == "copy")
    if critic == "copy":
        assert all("lora_" in name for name in own) == (lora is not None)
        frozen = {id(w) for w in trainer.model.parameters() if not w.requires_grad}
        shared = {id(w) for w in trainer.critic.parameters() if not w.requires_grad}
        assert shared <= frozen and bool(shared) == (lora is not None)
    trained = {id(weight) for weight in trainer.model.parameters() if weight.requires_grad}
    assert not trained & {id(weight) for weight in trainer.critic.trained().values()}
    before = {name: weight.clone() for name, weight in trainer.critic.trained().items()}
    trainer.train()
    assert not trainer.critic.head.weight.equal(before["head.weight"])
    moved = [name for name in own if not trainer.critic.trained()[name].equal(before[name])]
    assert bool(moved) == (critic == "copy")


def test_the_start_of_the_critic_is_decided_by_the_seed(tmp_path: Path):
    import torch

    starts = []
    for seed, noise in ((5, 1), (5, 2), (6, 1)):
        torch.manual_seed(noise)
        trainer = ppo_trainer(tmp_path / f"{seed}-{noise}", first_is_a, lora={"r": 4}, seed=seed)
        starts.append({name: weight.clone() for name, weight in trainer.critic.trained().items()})
    names = [name for name in starts[0] if "lora_A" in name]
    assert names and all(starts[0][name].equal(starts[1][name]) for name in starts[0])
    assert not any(starts[0][name].equal(starts[2][name]) for name in names)
