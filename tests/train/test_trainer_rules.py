"""``check`` refuses options that TRL's trainers refuse late, or take without a word; the names are those of TRL."""

import importlib
import inspect
from typing import Any

import pytest

from schemas.errors import UserError
from schemas.load_recipe import load_recipe
from schemas.recipe import Training
from tests.optional import needs
from train.options import options
from train.options.best_model import effective_settings
from train.options.trainer_rules import DIVERGING_LOSSES, LATE_CHOICES, PAIR_LOSSES

pytestmark = needs("trl")

WHERE = "r.yaml:9"


def training(trainer: str, **given: Any) -> Training:
    return Training(trainer=trainer, dataset="d", model="m", **given)


@pytest.mark.parametrize(
    ("trainer", "given", "message"),
    [
        ("dpo", {"loss_type": "sigmod"}, "no value of loss_type called 'sigmod'; did you mean 'sigmoid'?"),
        ("dpo", {"loss_type": ["sigmoid", "sftt"]}, "no value of loss_type called 'sftt'"),
        ("dpo", {"loss_type": ["sigmoid"], "loss_weights": [1.0, 2.0]}, "loss_weights: expected 1 numbers"),
        ("dpo", {"loss_type": "exo_pair"}, "label_smoothing: 'exo_pair' needs a number above 0"),
        ("dpo", {"loss_type": "nca_pair", "f_divergence_type": "forward_kl"}, "loss_type has 'nca_pair'"),
        ("dpo", {"loss_type": "aot", "use_weighting": True}, "use_weighting: 'aot' sorts the pairs"),
        ("dpo", {"sync_ref_model": True, "lora": True}, "sync_ref_model: under lora"),
        ("dpo", {"sync_ref_model": True, "precompute_ref_log_probs": True}, "remove precompute_ref_log_probs"),
        ("grpo", {"rewards": ["a"], "sync_ref_model": True}, "with beta: 0 there is no reference"),
        (
            "grpo",
            {"rewards": ["a", "b"], "reward_weights": [1.0]},
            "reward_weights: expected a list of 2 numbers, one for each of a, b; found 1",
        ),
        ("grpo", {"rewards": ["a"], "loss_type": "dappo"}, "did you mean 'dapo'?"),
        ("grpo", {"rewards": ["a"], "scale_rewards": "grup"}, "did you mean 'group'? (there are: group, batch, none)"),
        ("grpo", {"rewards": ["a"], "scale_rewards": 1}, "no value of scale_rewards called 1"),
        ("grpo", {"rewards": ["a"], "temperature": 0.0}, "temperature: answers are sampled; expected a number above 0"),
        (
            "grpo",
            {"rewards": ["a"], "early_stopping": 1, "per_device_eval_batch_size": 3},
            "per_device_eval_batch_size",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(trainer: str, given: dict[str, Any], message: str):
    with pytest.raises(UserError) as error:
        options.check(training(trainer, **given), WHERE)
    assert message in str(error.value) and str(error.value).startswith(WHERE)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"early_stopping": 2, "eval_strategy": "no"}, "early_stopping needs evaluations, but eval_strategy is 'no'"),
        ({"load_best_model_at_end": True, "eval_strategy": False}, "load_best_model_at_end needs evaluations"),
        ({"early_stopping": 2, "load_best_model_at_end": False}, "remove load_best_model_at_end: false"),
        (
            {"early_stopping": 2, "eval_steps": 2, "save_strategy": "steps", "save_steps": 3},
            "save_steps: 3 would save models that are not evaluated",
        ),
        (
            {"load_best_model_at_end": True, "save_strategy": "no"},
            "save_strategy: no would save models that",
        ),
        ({"load_best_model_at_end": True, "save_strategy": "epoch"}, "save_strategy: epoch would save models that"),
        ({"early_stopping": 2, "restore_callback_states_from_checkpoint": False}, "early_stopping needs true"),
    ],
)
def test_what_would_lose_the_best_model_is_refused(given: dict[str, Any], message: str):
    with pytest.raises(UserError) as error:
        options.check(training("sft", **given), WHERE)
    assert message in str(error.value)


def test_early_stopping_sets_what_it_needs():
    assert effective_settings(training("sft", learning_rate=1.0)) == {"learning_rate": 1.0}
    assert effective_settings(training("sft", early_stopping=2)) == {
        "eval_strategy": "steps",
        "eval_steps": 0.1,
        "load_best_model_at_end": True,
        "save_strategy": "best",
        "restore_callback_states_from_checkpoint": True,
    }
    assert effective_settings(training("grpo", early_stopping=2))["metric_for_best_model"] == "eval_reward"
    epochs = effective_settings(training("sft", load_best_model_at_end=True, eval_strategy="epoch"))
    assert (epochs["save_strategy"], "eval_steps" in epochs) == ("best", False)
    for given in (
        {"save_strategy": "steps", "eval_steps": 5},
        {"save_strategy": "epoch", "eval_strategy": "epoch"},
        {"save_strategy": "steps", "eval_steps": 5, "save_steps": 10},
        {"save_strategy": "steps", "eval_steps": 0.1, "save_steps": 0.3},
    ):
        options.check(training("sft", early_stopping=3, **given), WHERE)


def recipe(**training: Any) -> dict[str, Any]:
    return {
        "name": "tiny",
        "models": {"student": "tiny"},
        "prompts": [{"source": "seeds.jsonl"}],
        "datasets": {"sft": {"type": "sft"}},
        "split": {"test": 0.1},
        "train": {"t": {"trainer": "sft", "dataset": "sft", "model": "student", **training}},
    }


def test_early_stopping_is_a_number_or_a_mapping():
    for given, patience, threshold in ((2, 2, 0.0), ({"threshold": 0.1}, 3, 0.1)):
        found = load_recipe(recipe(early_stopping=given)).train["t"].early_stopping
        assert found and (found.patience, found.threshold) == (patience, threshold)
    for given, message in (
        (0, "train.t.early_stopping.patience: expected a number from 1, found 0"),
        ({"patience": 1.5}, "early_stopping.patience: expected a whole number"),
        ({"patiense": 1}, "no key in train.t.early_stopping called 'patiense'; did you mean 'patience'?"),
        (True, "expected how many evaluations may be no better, such as early_stopping: 3"),
    ):
        with pytest.raises(UserError) as error:
            load_recipe(recipe(early_stopping=given))
        assert message in str(error.value)


@pytest.mark.slow
def test_the_names_known_late_are_those_of_the_trainers():
    source = inspect.getsource(importlib.import_module("trl.trainer.dpo_trainer"))
    for name in PAIR_LOSSES:
        assert f'loss_type == "{name}"' in source, name
    assert source.count(' loss_type == "') == len(PAIR_LOSSES)
    start = source.index("f_divergence_loss_types = {")
    listed = source[start : source.index("}", start)]
    assert all(f'"{name}"' in listed for name in DIVERGING_LOSSES) and listed.count('"') == 2 * len(DIVERGING_LOSSES)
    for name in LATE_CHOICES["DPOConfig"]["f_divergence_type"]:
        assert f'f_divergence_type == "{name}"' in source, name
    grpo = inspect.getsource(importlib.import_module("trl.trainer.grpo_trainer"))
    for choices in LATE_CHOICES["GRPOConfig"].values():
        for name in choices:
            assert not isinstance(name, str) or f'"{name}"' in grpo, name
