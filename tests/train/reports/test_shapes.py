"""The sizes of a model that are found without weights, against those of a real one."""

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.optional import needs

pytestmark = [needs("trl"), pytest.mark.slow]


def real(tiny: Path, adapter=None):
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(tiny).train()
    if adapter is None:
        return model
    from peft import get_peft_model

    return get_peft_model(model, copy.deepcopy(adapter))


@pytest.mark.parametrize("lora", [False, True])
def test_a_pass_keeps_what_a_real_one_keeps(tiny, lora):
    import torch

    from train.reports.before.shapes import Batch, _saved_bytes, shapes_of
    from train.trl_setup import build_lora_config

    adapter = build_lora_config({}, "t") if lora else None
    model = real(tiny, adapter)
    base = model.get_base_model() if lora else model
    found = shapes_of(lambda: type(base)(base.config), adapter, Batch(3, 17), half=False, checkpointing=False)
    assert found.saved == _saved_bytes(model, Batch(3, 17), half=False)
    assert found.parameters == sum(one.numel() for one in model.parameters())
    assert found.trainable == sum(one.numel() for one in model.parameters() if one.requires_grad)
    assert found.modules == (14 if lora else 0)
    kept = shapes_of(lambda: type(base)(base.config), adapter, Batch(3, 17), half=False, checkpointing=True)
    assert kept.saved is not None and found.saved is not None and kept.saved < found.saved
    assert torch.zeros(1).device.type == "cpu", "the default device is what it was"


def test_the_generator_of_random_numbers_is_not_moved(tiny):
    import torch
    import transformers

    from train.reports.before.shapes import Batch, shapes_of

    config = transformers.AutoConfig.from_pretrained(tiny)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    shapes_of(lambda: transformers.LlamaForCausalLM(config), None, Batch(1, 4), half=False, checkpointing=False)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_model_that_cannot_be_run_has_parameters_all_the_same(tiny):
    import torch
    import transformers

    from train.reports.before.shapes import Batch, shapes_of

    def broken():
        model = transformers.LlamaForCausalLM(config)
        model.model.layers[0] = torch.nn.Bilinear(2, 2, 1, bias=False)
        return model

    config = transformers.AutoConfig.from_pretrained(tiny)
    found = shapes_of(broken, None, Batch(1, 4), half=False, checkpointing=False)
    assert found.parameters == 29_376 - 9_280 + 4 and found.saved is None


def test_a_mixture_of_experts_is_estimated_quietly(capfd, caplog):
    import torch
    import transformers

    from train.reports.before.shapes import Batch, _saved_bytes, shapes_of

    config = transformers.Qwen3MoeConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, moe_intermediate_size=16, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, num_experts=4, num_experts_per_tok=2,
    )  # fmt: skip
    torch.manual_seed(0)
    real = _saved_bytes(transformers.Qwen3MoeForCausalLM(config).train(), Batch(4, 32), half=False)
    found = shapes_of(
        lambda: transformers.Qwen3MoeForCausalLM(config), None, Batch(4, 32), half=False, checkpointing=False
    )
    assert found.saved is not None and 0.8 * real < found.saved < 1.3 * real
    assert "Traceback" not in capfd.readouterr().err + caplog.text


SFT = {"per_device_train_batch_size": 3, "gradient_accumulation_steps": 2}
GRPO = {"per_device_train_batch_size": 4, "num_generations": 2, "max_completion_length": 4}


@pytest.mark.parametrize(
    ("trainer", "options"),
    [
        ("sft", SFT),
        ("sft", {**SFT, "dataloader_drop_last": True}),
        ("sft", {"per_device_train_batch_size": 64}),
        ("grpo", GRPO),
        ("grpo", {**GRPO, "gradient_accumulation_steps": 2, "steps_per_generation": 4}),
        ("grpo", {**GRPO, "num_iterations": 3, "steps_per_generation": 1}),
        ("distill", {"per_device_train_batch_size": 3, "gradient_accumulation_steps": 2}),
    ],
)
def test_the_steps_of_an_epoch_are_trls(tiny, tmp_path, trainer, options):
    import transformers
    import trl
    from datasets import Dataset

    from train.reports.before.planned import planned_steps

    plain: dict[str, Any] = {"output_dir": str(tmp_path), "use_cpu": True, "bf16": False, "report_to": "none"} | options
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    given: dict[str, Any] = {"model": real(tiny), "processing_class": tokenizer}
    prompts = Dataset.from_dict({"prompt": [f"answer {i}" for i in range(17)]})
    if trainer == "sft":
        rows = Dataset.from_dict({"input_ids": [[5, 6, 7]] * 17, "labels": [[5, 6, 7]] * 17})
        made = trl.SFTTrainer(args=trl.SFTConfig(**plain), train_dataset=rows, **given)
    elif trainer == "grpo":

        def none(completions: list, **others: Any) -> list[float | None]:
            return [None] * len(completions)

        made = trl.GRPOTrainer(args=trl.GRPOConfig(**plain), train_dataset=prompts, reward_funcs=none, **given)
    else:
        args = trl.DistillationConfig(**plain)
        made = trl.DistillationTrainer(args=args, train_dataset=prompts, teacher_model=real(tiny), **given)
    steps = made.set_initial_training_values(made.args, made.get_train_dataloader())[1]
    assert planned_steps(made.args, 17) == steps


def test_rows_are_dealt_to_processes_as_accelerate_deals_them():
    from accelerate.data_loader import BatchSamplerShard
    from torch.utils.data import BatchSampler

    from train.reports.before.planned import planned_steps

    for rows in range(1, 40):
        for drop_last in (False, True):
            args = SimpleNamespace(
                per_device_train_batch_size=3, gradient_accumulation_steps=1, dataloader_drop_last=drop_last
            )
            shard = BatchSamplerShard(BatchSampler(range(rows), 3, drop_last), 2, 0)
            assert planned_steps(args, rows, 2) == max(1, len(shard)), (rows, drop_last)
