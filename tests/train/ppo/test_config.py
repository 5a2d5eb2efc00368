"""The options of PPO: their defaults, their ranges, and those of GRPO that make no sense with a critic."""

from pathlib import Path
from typing import Any

import pytest

from schemas.errors import UserError
from schemas.recipe import Training
from tests.optional import needs
from train.options import options

pytestmark = [needs("trl"), pytest.mark.slow]


def config(tmp_path: Path, **given: Any) -> Any:
    from train.ppo.config import PPOConfig

    return PPOConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, **given)


@pytest.mark.parametrize("given", [{}, {"num_generations": 4}, {"per_device_train_batch_size": 2}])
def test_one_answer_to_a_prompt_is_enough_and_several_may_be(tmp_path: Path, given: dict):
    made = config(tmp_path, **given, eval_strategy="steps", eval_steps=1)
    assert made.num_generations == given.get("num_generations", 1)
    assert made.num_generations_eval is None
    assert made.generation_batch_size == given.get("per_device_train_batch_size", 8)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"critic": "none"}, "critic: expected copy or head, found 'none'"),
        ({"gamma": 1.1}, "gamma: expected a number from 0 to 1, found 1.1"),
        ({"lam": float("nan")}, "lam: expected a number from 0 to 1, found nan"),
        ({"value_clip": 0}, "value_clip: expected a number above 0, or null, found 0"),
        ({"critic_learning_rate": -1.0}, "critic_learning_rate: expected a number above 0, or null, found -1.0"),
        ({"beta": -0.1}, "beta: expected a number from 0, found -0.1"),
        ({"num_iterations": 0}, "num_iterations: expected 1 or more epochs, found 0"),
        ({"loss_type": "cispo"}, "loss_type: expected bnpo, dapo, grpo, dr_grpo, which clip the ratio"),
        ({"per_device_train_batch_size": 1}, "PPO needs 2 or more answers in a batch"),
        ({"scale_rewards": "group"}, "scale_rewards cannot be set for PPO: the critic is the baseline"),
        ({"importance_sampling_level": "sequence"}, "importance_sampling_level cannot be set for PPO: each token"),
        ({"off_policy_mask_threshold": 0.1}, "off_policy_mask_threshold cannot be set for PPO"),
        ({"multi_objective_aggregation": "normalize_then_sum"}, "multi_objective_aggregation cannot be set for PPO"),
        ({"use_bias_correction_kl": False}, "use_bias_correction_kl cannot be set for PPO"),
        ({"num_generations": 3}, "must be divisible by num_generations"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(tmp_path: Path, given: dict, message: str):
    with pytest.raises(ValueError) as error:
        config(tmp_path, **given)
    assert message in str(error.value)


def test_check_knows_our_options_and_trl_s_without_importing_it():
    known = options.fields("ppo")
    assert {"lam", "gamma", "critic", "value_clip", "critic_learning_rate", "epsilon", "learning_rate"} <= set(known)
    assert options.default("ppo", "num_generations") == 1 and options.default("ppo", "beta") == 0.05
    assert options.default("ppo", "max_completion_length") == options.default("grpo", "max_completion_length")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lamda": 0.9}, "no option of PPOConfig called 'lamda'; did you mean 'lam'?"),
        ({"gamma": "high"}, "gamma: expected float, found 'high'"),
        ({"num_generations": 0}, "num_generations: expected 1 or more answers, found 0"),
    ],
)
def test_check_names_a_mistaken_option(settings: dict, message: str):
    training = Training(trainer="ppo", dataset="rl", model="student", rewards=["length"], **settings)
    with pytest.raises(UserError) as error:
        options.check(training, "train.p")
    assert message in str(error.value)


def test_the_defaults_are_those_of_classic_ppo(tmp_path: Path):
    made = config(tmp_path)
    assert (made.gamma, made.lam, made.epsilon, made.value_clip) == (1.0, 0.95, 0.2, 0.2)
    assert (made.num_iterations, made.beta, made.loss_type, made.critic) == (4, 0.05, "bnpo", "copy")
    assert made.disable_dropout and made.whiten_advantages
