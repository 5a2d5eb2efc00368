"""The facts of a training whose model is loaded and which is about to take its first step."""

import copy
import itertools
import math
from typing import Any

from train.job import TrainingJob
from train.options.lora_rules import task_of
from train.reports.before.facts import Facts, adapter_text, largest_batch, memories, sizes_of
from train.reports.before.given_rows import GivenRows
from train.reports.before.memory import in_use, setup_of


def kind_of(job: TrainingJob) -> str:
    """Return the type of a training's rows, by their columns."""
    columns = job.rows.columns
    if "completion" in columns:
        return "unpaired" if "label" in columns else "sft"
    return "preference" if "chosen" in columns else "prompt"


def loaded_facts(trainer: Any, job: TrainingJob, given: GivenRows, batches: Any) -> Facts:
    """Return what is known of a training that is about to take its first step.

    Args:
        trainer: TRL's trainer, with its model loaded.
        job: The training.
        given: Its rows.
        batches: The trainer's loader of batches; its length is that of an epoch.
    """
    from train.trl_setup import build_lora_config

    args, model = trainer.args, trainer.accelerator.unwrap_model(trainer.model)
    base = model.get_base_model() if hasattr(model, "peft_config") else model
    own = next(iter(model.peft_config.values())) if hasattr(model, "peft_config") else None
    adapter = own or build_lora_config({}, f"train.{job.name}", task_of(job.trainer))
    inner = base.config.get_text_config()
    batch = largest_batch(args, kind_of(job), getattr(inner, "max_position_embeddings", None), given.longest)
    models = {
        n: one for n in ("ref_model", "teacher_model", "critic") if (one := getattr(trainer, n, None)) is not None
    }
    teacher = _bytes([one for name, one in models.items() if name == "teacher_model"])
    held = max((in_use() or 0) - _bytes([model, *models.values()]), 0)
    setup = setup_of(args, inner, job.trainer, batch, quantize=job.quantize, further=teacher, process=held)
    sizes = sizes_of(lambda: type(base)(copy.deepcopy(base.config)), adapter, args, batch)
    weights = [*model.parameters()]
    shapes = sizes.lora if job.lora is not None else sizes.full
    per_epoch = math.ceil(len(batches) / args.gradient_accumulation_steps) if hasattr(batches, "__len__") else 1
    return Facts(
        parameters=shapes.parameters if shapes else sum(one.numel() for one in weights),
        trainable=shapes.trainable if shapes else sum(one.numel() for one in weights if one.requires_grad),
        adapter=adapter_text(getattr(own, "r", None), sizes.lora) if job.lora is not None else "",
        steps_per_epoch=max(1, per_epoch),
        steps=trainer.state.max_steps,
        per_step=trainer.get_total_train_batch_size(args),
        rows=given.rows,
        tokens_per_epoch=given.counts.get("all_tokens", 0),
        learnt_per_epoch=given.counts.get("tokens", 0),
        **memories(sizes, setup),
    )


def _bytes(models: list[Any]) -> int:
    """Return the bytes of the weights of models, as far as there are any; weights that they share count once."""
    found = itertools.chain.from_iterable((*one.parameters(), *one.buffers()) for one in models if one is not None)
    return sum({id(one): one.numel() * one.element_size() for one in found}.values())
