"""PPO reaches the known optimum of toy problems, and its critic finds the token that earns the reward.

The optimum of reward minus ``beta`` times divergence is the reference's distribution times ``exp(reward / beta)``, made
to sum to one: where only the first word counts, that gives the chance of each first word.
"""

import math
from pathlib import Path
from typing import Any

import pytest

from tests.optional import needs
from tests.train.ppo.toy import PROMPTS, first_is_a, model_and_tokenizer, ppo_trainer, share_of_a

pytestmark = [needs("trl"), pytest.mark.slow]

BETA = 0.25
OPTIONS: dict[str, Any] = {
    "per_device_train_batch_size": 64,
    "learning_rate": 5e-3,
    "critic_learning_rate": 1e-2,
    "num_iterations": 2,
    "beta": BETA,
    "generation_kwargs": None,
}


def chance_of_a(model: Any, tokenizer: Any, prompts: tuple[str, ...]) -> Any:
    """Return the chance that an answer starts with ``a``, for each of the prompts."""
    import torch

    ids = torch.tensor([tokenizer.convert_tokens_to_ids(prompt.split()) for prompt in prompts])
    with torch.no_grad():
        return model(input_ids=ids).logits[:, -1].softmax(-1)[:, tokenizer.convert_tokens_to_ids("a")]


def trained(folder: Path, prompts: tuple[str, ...], **options: Any) -> tuple[Any, Any, list[dict[str, float]]]:
    """Train on the reward for the first word; return the chances of ``a``, the optimum, and the log of batches."""
    start = chance_of_a(*model_and_tokenizer(), prompts)
    trainer = ppo_trainer(folder, first_is_a, prompts=prompts, **(OPTIONS | options))
    trainer.train()
    raised = start * math.exp(1 / BETA)
    batches = [entry for entry in trainer.state.log_history if "reward" in entry]
    return chance_of_a(trainer.model, trainer.processing_class, prompts), raised / (raised + 1 - start), batches


def test_one_word_reaches_the_optimum_for_every_prompt(tmp_path: Path):
    chances, optimum, _ = trained(tmp_path, PROMPTS, max_completion_length=1, max_steps=160)
    assert 0.8 < optimum.min() and optimum.max() < 0.9  # from 0.1 each
    assert (chances - optimum).abs().max() < 0.08
    assert abs((chances - optimum).mean().item()) < 0.03


def test_the_first_of_four_words_nears_the_optimum(tmp_path: Path):
    chances, optimum, batches = trained(tmp_path, PROMPTS[::8], num_generations=8, max_steps=160)
    assert chances.mean() > 0.7 and chances.median() > 0.75  # from 0.1; three seeds gave means of 0.74 to 0.77
    assert optimum.mean() < 0.87 and (chances < optimum + 0.05).all()
    # Before the first word nothing tells the outcome, after it everything: the critic has learnt that.
    assert abs(batches[0]["value/explained_variance"]) < 0.01
    assert sum(batch["value/explained_variance"] for batch in batches[-10:]) / 10 > 0.6
    assert batches[-1]["value/loss"] < batches[0]["value/loss"]


@pytest.mark.parametrize("critic", ["copy", "head"])
def test_without_a_penalty_every_word_becomes_the_rewarded_one(tmp_path: Path, critic: str):
    options: dict[str, Any] = {"beta": 0.0, "critic": critic, "per_device_train_batch_size": 32, "num_iterations": 4}
    trainer = ppo_trainer(tmp_path, share_of_a, **(OPTIONS | options), max_steps=120)
    trainer.train()
    rewards = [entry["reward"] for entry in trainer.state.log_history if "reward" in entry]
    assert rewards[0] < 0.25
    assert sum(rewards[-5:]) / 5 > 0.9
