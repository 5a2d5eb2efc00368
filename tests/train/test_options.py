import dataclasses
import importlib
import subprocess
import sys
from typing import Any

import pytest

from schemas.errors import UserError
from schemas.recipe import Training
from tests.optional import needs
from train.finding.find_trainer import config_class, find_trainer, trainer_names
from train.options import options

pytestmark = needs("trl")


def training(
    trainer: str = "grpo", lora: dict[str, Any] | None = None, rewards: list[str] | None = None, **given: Any
) -> Training:
    return Training(trainer=trainer, dataset="rl", model="student", lora=lora, rewards=rewards or [], **given)


def test_trainers_are_found_by_file_name():
    assert trainer_names() == ["distill", "dpo", "grpo", "kto", "ppo", "reward", "rloo", "sft"]


@pytest.mark.slow
@pytest.mark.parametrize("trainer", ["sft", "dpo", "grpo", "rloo", "reward", "distill"])
def test_options_read_from_source_equal_the_config_class(trainer):
    config = getattr(importlib.import_module("trl"), config_class(trainer))
    real = {f.name: f for f in dataclasses.fields(config) if f.init}
    assert list(options.fields(trainer)) == list(real)
    for name in ("per_device_train_batch_size", "gradient_accumulation_steps", "max_length", "num_generations"):
        if name in real:
            assert options.default(trainer, name) == real[name].default


@pytest.mark.slow
def test_lora_options_read_from_source_equal_the_config_class():
    from peft import LoraConfig

    assert set(options.lora_fields()) == {f.name for f in dataclasses.fields(LoraConfig) if f.init}


@pytest.mark.slow
def test_reading_options_imports_no_torch():
    code = (
        "import sys; from train.options import options; from schemas.recipe import Training;"
        "options.check(Training(trainer='sft', dataset='d', model='m', learning_rate=1e-4), 'x');"
        "print([m for m in ('torch', 'transformers', 'trl', 'peft', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"learning_rat": 1},
            "r.yaml:9: no option of trl.GRPOConfig called 'learning_rat'; did you mean 'learning_rate'",
        ),
        ({"lora": {"rank": 8}}, "no option of peft.LoraConfig called 'rank'; did you mean 'r'?"),
        ({"learning_rate": "fast"}, "learning_rate: expected float, found 'fast'"),
        ({"max_steps": True}, "max_steps: expected int, found True"),
        ({"output_dir": "x"}, "output_dir cannot be set in a recipe"),
        ({"chat_template_kwargs": {"enable_thinking": False}}, "chat_template_kwargs cannot be set in a recipe"),
        ({"lora": {"task_type": "SEQ_CLS"}}, "task_type cannot be set in a recipe"),
        ({"num_generations": 1}, "num_generations: expected 2 or more"),
        ({"num_generations": 3}, "expected a divisor of the generation batch of 8"),
        ({"generation_batch_size": 12}, "expected a multiple of per_device_train_batch_size"),
        ({"generation_batch_size": 16, "steps_per_generation": 2}, "not both"),
        ({"auto_find_batch_size": True}, "auto_find_batch_size"),
        ({"eval_strategy": "steps", "per_device_eval_batch_size": 3}, "per_device_eval_batch_size"),
    ],
)
def test_what_trl_would_refuse_late_is_refused_at_once(given, message):
    with pytest.raises(UserError) as error:
        options.check(training(**given), "r.yaml:9")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"num_generations": 3}, "expected a divisor of the generation batch of 8"),
        ({"num_generations": 1}, "num_generations: expected 2 or more"),
        (
            {"reward_weights": [1.0]},
            "reward_weights: expected a list of 2 numbers, one for each of math, code; found 1",
        ),
        ({"scale_rewards": "group"}, "no option of trl.RLOOConfig called 'scale_rewards'"),
    ],
)
def test_the_rules_on_groups_and_rewards_hold_for_rloo(given, message):
    options.check(training("rloo", rewards=["math", "code"]), "r.yaml:9")
    options.check(training("rloo", rewards=["math", "code"], reward_weights=[1, 0.5], beta=0.1), "r.yaml:9")
    with pytest.raises(UserError) as error:
        options.check(training("rloo", rewards=["math", "code"], **given), "r.yaml:9")
    assert message in str(error.value)


def test_learn_is_a_key_of_the_dataset():
    with pytest.raises(UserError) as error:
        options.check(training("sft", learn="last"), "r.yaml:9")
    dataset = training("sft").dataset
    assert str(error.value) == (
        "r.yaml:9: learn: which turns are learnt is set in the dataset: datasets: "
        f"{{{dataset}: {{learn: last}}}}; move it there"
    )
    with pytest.raises(UserError, match="no option of trl.DPOConfig called 'learn'"):
        options.check(training("dpo", learn="last"), "r.yaml:9")


def test_good_options_pass():
    options.check(training(num_generations=4, per_device_train_batch_size=4, learning_rate=1, report_to="none"), "r")
    options.check(training("dpo", lora={"r": 16}, beta=0.2, loss_type=["sigmoid"], max_length=None), "r")


def test_an_unknown_trainer_names_the_nearest():
    with pytest.raises(UserError, match="no trainer 'dop'; did you mean 'dpo'"):
        find_trainer("dop", "r.yaml:3")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_length": 0}, "max_length: expected a number of tokens from 1, or null for no limit, found 0"),
        ({"max_length": -5}, "found -5"),
        ({"truncation_mode": "keep_midle"}, "no value of truncation_mode called 'keep_midle'"),
        ({"packing_strategy": "bdf"}, "did you mean 'bfd'"),
        ({"packing": True, "max_length": None}, "packing needs max_length"),
    ],
)
def test_lengths_and_ways_to_cut_are_checked_first(given: dict[str, Any], said: str):
    with pytest.raises(UserError) as error:
        options.check(training("sft", **given), "recipe.yaml:9")
    assert said in str(error.value)
    options.check(training("dpo", max_length=None), "recipe.yaml:9")
