"""``check`` makes what a training's options name: optimizers, schedules, reports, ways to sample."""

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from curate.models.model_ref import ModelRef
from schemas.errors import UserError
from schemas.recipe import Training
from tests.optional import needs
from train.trl_check import check_configs, check_tokens

pytestmark = [needs("trl", "peft"), pytest.mark.slow]

WHERE = "r.yaml:9: train.t"


def training(trainer: str = "sft", **given: Any) -> Training:
    return Training(trainer=trainer, dataset="d", model="m", **given)


@pytest.mark.parametrize(
    ("trainer", "given", "message"),
    [
        ("sft", {"optim": "lomo"}, "optim: lomo: You need to install `lomo_optim`"),
        ("sft", {"optim": "galore_adamw", "optim_target_modules": ["attn"]}, "You need to install `galore_torch`"),
        ("sft", {"optim": "schedule_free_adamw"}, "You need to install `schedulefree`"),
        ("sft", {"optim": "adamw_torch", "optim_args": "betas=(0.9,0.95)"}, "expected 'name=value, name=value', found"),
        ("sft", {"optim_args": "foo=1"}, "optim_args: 'foo=1' would not be read; remove it"),
        ("sft", {"report_to": "wandbb"}, "report_to: wandbb is not supported, only "),
        ("sft", {"report_to": ["swanlab"]}, "report_to: SwanLabCallback requires swanlab to be installed"),
        ("sft", {"lr_scheduler_type": "cosine_with_min_lr"}, "One of min_lr or min_lr_rate should be set"),
        (
            "sft",
            {"lr_scheduler_type": "warmup_stable_decay"},
            "lr_scheduler_kwargs: missing 1 required positional argument: 'num_decay_steps'; found {}",
        ),
        ("sft", {"lr_scheduler_kwargs": {"foo": 1}}, "unexpected keyword argument 'foo'; found {'foo': 1}"),
        (
            "sft",
            {"lr_scheduler_type": "constant", "lr_scheduler_kwargs": {"foo": 1}},
            "constant takes none, found {'foo': 1}; remove it",
        ),
        (
            "sft",
            {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"foo": 1}},
            "gradient_checkpointing_kwargs: Unexpected keyword arguments: foo",
        ),
        ("sft", {"activation_offloading": True, "use_cpu": True}, "activation_offloading: a CPU training has no"),
        ("sft", {"torch_compile_backend": "inductr"}, "no value called 'inductr'; did you mean 'inductor'?"),
        ("grpo", {"top_k": -1}, "top_k: expected a number from 1, or 0 for all tokens, found -1"),
        ("grpo", {"top_p": 1.5}, "top_p: expected a number above 0, at most 1, found 1.5"),
        ("rloo", {"top_p": 0.0}, "top_p: expected a number above 0, at most 1, found 0"),
        ("ppo", {"min_p": 2.0}, "min_p: expected a number from 0 to 1, found 2"),
        ("distill", {"repetition_penalty": 0.0}, "repetition_penalty: expected a number above 0, found 0"),
        ("grpo", {"cache_implementation": "foo"}, "Invalid `cache_implementation` (foo). Choose one of: "),
        (
            "grpo",
            {"generation_kwargs": {"stop_string": ["x"]}},
            "no option of transformers' GenerationConfig called 'stop_string'; did you mean 'stop_strings'?",
        ),
    ],
)
def test_what_would_end_a_training_late_is_refused(trainer: str, given: dict[str, Any], message: str):
    with pytest.raises(UserError) as error:
        check_configs(training(trainer, **given), 0, WHERE)
    assert message in str(error.value) and str(error.value).startswith(WHERE) and "\n" not in str(error.value)


def test_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch):
    import transformers.utils

    monkeypatch.setattr(importlib.import_module("trl.import_utils"), "is_vllm_available", lambda: False)
    monkeypatch.setattr(transformers.utils, "is_liger_kernel_available", lambda: False)
    for given in ({"use_vllm": True}, {"use_liger_kernel": True}):
        with pytest.raises(UserError, match=f"train.t: {next(iter(given))}: .* is not installed: pip install "):
            check_configs(training("grpo", **given), 0, WHERE)


@pytest.mark.parametrize(
    ("trainer", "given"),
    [
        ("sft", {"optim": "sgd", "lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"power": 2.0}}),
        ("sft", {"optim": "adafactor", "optim_args": "scale_parameter=False"}),
        ("sft", {"lr_scheduler_type": "warmup_stable_decay", "lr_scheduler_kwargs": {"num_decay_steps": 1}}),
        ("sft", {"lr_scheduler_type": "constant", "report_to": "none", "optim_target_modules": ["q_proj"]}),
        ("dpo", {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}}),
        ("grpo", {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "generation_kwargs": {"max_new_tokens": 3}}),
        ("distill", {"top_k": 20, "temperature": 0.7, "generation_kwargs": {"stop_strings": ["x"]}}),
    ],
)
def test_good_options_pass(trainer: str, given: dict[str, Any]):
    check_configs(training(trainer, **given), 0, WHERE)


def test_tokens_are_looked_up_in_the_vocabulary(tiny: Path):
    ref = ModelRef("student", "tiny@0", str(tiny))
    check_tokens(training(eos_token="<|im_end|>", pad_token=None), ref, WHERE)
    with pytest.raises(UserError, match=r"train.t: pad_token: '<foo>' is no token of the model 'student'; remove it"):
        check_tokens(training(pad_token="<foo>"), ref, WHERE)


def test_what_trl_raises_before_the_first_step_is_said():
    from train.trl_setup import trl_errors

    job: Any = SimpleNamespace(name="t")
    for kind in (ImportError, RuntimeError, TypeError, ValueError, OSError):
        with pytest.raises(UserError, match="^train.t: no such thing$"), trl_errors(job):
            raise kind("no such\nthing")
        with pytest.raises(kind, match="no such thing"), trl_errors(job, lambda: True):
            raise kind("no such thing")  # a bug, or no memory: not of the options
