"""Numbers out of range, options that need another one, and wrong names of measures are refused at once."""

from typing import Any

import pytest

from schemas.errors import UserError
from schemas.recipe import Training
from tests.optional import needs
from train.finding.find_trainer import trainer_names
from train.options import options
from train.options.best_model import effective_settings
from train.options.measures import measures

pytestmark = needs("trl", "peft")

WHERE = "r.yaml:9"
ONLINE = ("grpo", "rloo", "ppo")


def training(trainer: str = "sft", **given: Any) -> Training:
    rewards = ["length"] if trainer in ONLINE else []
    options: dict[str, Any] = {"rewards": rewards} | given
    return Training(trainer=trainer, dataset="d", model="m", **options)


def said(trainer: str = "sft", **given: Any) -> str:
    with pytest.raises(UserError) as error:
        options.check(training(trainer, **given), WHERE)
    assert str(error.value).startswith(f"{WHERE}: ")
    return str(error.value).removeprefix(f"{WHERE}: ")


@pytest.mark.parametrize(
    ("trainer", "given", "message"),
    [
        ("sft", {"adam_beta2": 95}, "adam_beta2: expected a number from 0 to below 1, found 95"),
        ("sft", {"adam_beta1": -1}, "adam_beta1: expected a number from 0 to below 1, found -1"),
        ("sft", {"max_steps": 0}, "max_steps: expected a number from 1, or -1 (num_train_epochs decides), found 0"),
        ("sft", {"eval_steps": 0}, "eval_steps: expected a number above 0, found 0"),
        ("sft", {"eval_steps": -1}, "eval_steps: expected a number above 0, found -1"),
        ("sft", {"save_steps": 0}, "save_steps: expected a number above 0, found 0"),
        ("dpo", {"beta": 0}, "beta: expected a number above 0, found 0"),
        ("dpo", {"loss_type": []}, "loss_type: expected one loss or more, found none"),
        ("dpo", {"label_smoothing": 2}, "label_smoothing: expected a number from 0 to 1, found 2"),
        ("grpo", {"epsilon": -1}, "epsilon: expected a number from 0, found -1"),
        ("grpo", {"top_entropy_quantile": 2}, "top_entropy_quantile: expected a number from 0 to 1, found 2"),
        ("grpo", {"delta": 0.0}, "delta: expected a number above 0, found 0.0"),
        ("rloo", {"reward_clip_range": [1, -1]}, "reward_clip_range: expected [lowest, highest], found [1, -1]"),
        ("sft", {"eval_on_start": True}, "eval_on_start needs evaluations; add eval_strategy: epoch"),
        ("sft", {"dataloader_persistent_workers": True}, "set dataloader_num_workers, or remove it"),
        (
            "grpo",
            {"log_completions": True, "log_completions_hub_repo": "a/b"},
            "log_completions_hub_repo cannot be set",
        ),
        ("sft", {"push_to_hub": True}, "push_to_hub cannot be set in a recipe: the store keeps the model"),
        (
            "sft",
            {"fsdp": "full_shard"},
            "fsdp cannot be set in a recipe: how processes share a training is set up by launch",
        ),
        ("sft", {"save_strategy": "best"}, "save_strategy: best needs evaluations to compare models"),
    ],
)
def test_nonsense_is_refused(trainer: str, given: dict[str, Any], message: str):
    assert message in said(trainer, **given)


def test_values_at_the_end_of_a_range_pass():
    for trainer, given in (
        ("grpo", {"beta": 0, "epsilon": 0.2, "epsilon_high": 5.0, "top_entropy_quantile": 0.2, "learning_rate": 0}),
        ("rloo", {"reward_clip_range": [-1, 1]}),
        ("distill", {"beta": 0.0}),
        ("sft", {"max_steps": -1, "eval_steps": 0.1, "eval_on_start": True, "eval_strategy": "epoch"}),
        ("sft", {"max_steps": 3, "num_train_epochs": 0, "adam_beta1": 0}),
        ("sft", {"dataloader_persistent_workers": True, "dataloader_num_workers": 1}),
    ):
        options.check(training(trainer, **given), WHERE)


def test_null_is_none_where_the_field_says_so():
    given = training(max_grad_norm=None, report_to=None)
    options.check(given, WHERE)
    assert effective_settings(given) == {"max_grad_norm": 0.0, "report_to": "none"}


def test_a_measure_that_no_evaluation_gives_is_refused():
    assert said(early_stopping=2, metric_for_best_model="train_loss") == (
        "metric_for_best_model: no evaluation of sft gives 'train_loss'; did you mean 'loss'? "
        "(there are: loss, aux_loss, entropy, mean_token_accuracy, num_tokens)"
    )
    for trainer, wrong, meant in (
        ("sft", "accuracy", "'mean_token_accuracy'"),
        ("dpo", "eval_accuracy", "'rewards/accuracies' or 'mean_token_accuracy'"),
        ("reward", "eval_accuracies", "'accuracy'"),
        ("grpo", "rewards/lenth/mean", "'rewards/length/mean'"),
        ("ppo", "rewards/math/mean", "'rewards/length/mean'"),
    ):
        given = {"load_best_model_at_end": True, "metric_for_best_model": wrong}
        assert f"gives {wrong!r}; did you mean {meant}?" in said(trainer, **given)
    for trainer, name in (("sft", "eval_loss"), ("grpo", "rewards/length/mean"), ("ppo", "eval_value")):
        options.check(training(trainer, early_stopping=2, metric_for_best_model=name), WHERE)


def test_every_trainer_has_measures():
    for trainer in trainer_names():
        found = measures(training(trainer))
        assert {"loss", "num_tokens"} <= found and "train" not in found, trainer
        assert ("reward" in found) == (trainer in ONLINE)


def test_the_measure_of_the_best_has_a_default():
    given = {"save_strategy": "best", "eval_strategy": "epoch"}
    assert effective_settings(training(**given))["metric_for_best_model"] == "eval_loss"
    assert effective_settings(training("rloo", **given))["metric_for_best_model"] == "eval_reward"


@pytest.mark.parametrize(
    ("trainer", "name", "value", "message"),
    [
        ("ppo", "gae_lambda", 0.9, "did you mean 'lam'?"),
        ("grpo", "gae_lambda", 0.9, "elsewhere it is 'lam', which this trainer does not have; remove it"),
        ("ppo", "cliprange", 0.2, "did you mean 'epsilon'?"),
        ("ppo", "whiten_rewards", True, "of ppo the advantages are (whiten_advantages)"),
        ("ppo", "missing_eos_penalty", 1.0, "mask_truncated_completions: true"),
        ("rloo", "rloo_k", 2, "did you mean 'num_generations'?"),
        ("dpo", "rpo_alpha", 1.0, "did you mean 'loss_type'? (loss_type: [sigmoid, sft], loss_weights: [1.0, ALPHA])"),
        ("dpo", "reference_free", True, "TRL has no such option any more"),
        ("dpo", "generate_during_eval", True, "TRL has no such option any more"),
        ("dpo", "ref_model_init_kwargs", {}, "set it up under 'models'"),
        ("grpo", "loss_type", "gspo", "GSPO is importance_sampling_level: sequence"),
        ("grpo", "scale_rewards", "false", "no value of scale_rewards called 'false': write scale_rewards: none"),
        ("distill", "lmbda", 0.5, "all answers are sampled from the student"),
        ("distill", "loss_type", "jsd", "beta sets the divergence: 0 the forward KL, 0.5 Jensen-Shannon's"),
    ],
)
def test_what_other_releases_call_it_is_named(trainer: str, name: str, value: Any, message: str):
    given: dict[str, Any] = {name: value}
    assert message in said(trainer, **given)
