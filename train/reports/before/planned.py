"""The facts that ``gristmill check`` says before a model is loaded: parameters, memory, the steps of an epoch."""

import importlib.util
import math
import tempfile
import warnings
from pathlib import Path
from typing import Any

from curate.models.model_ref import ModelRef
from curate.models.weights import local_folder
from schemas.recipe import Training
from train.examples.context import ANSWER
from train.examples.examples import Examples
from train.finding.dotted_trainer import is_dotted
from train.options.best_model import effective_settings
from train.options.lora_rules import task_of
from train.options.options import lora_options
from train.reports.before.facts import (
    NOUNS,
    Facts,
    Sizes,
    adapter_text,
    largest_batch,
    memories,
    size_lines,
    sizes_of,
    steps_text,
)
from train.reports.before.memory import in_use, setup_of


def planned_lines(
    training: Training,
    ref: ModelRef,
    kind: str,
    examples: Examples,
    total: int | None,
    seed: int,
    processes: int = 1,
) -> list[str]:
    """Return lines on a training's parameters, memory and steps; none without torch and TRL, or without the model.

    Args:
        training: The training.
        ref: The model that it starts from, before all trainings.
        kind: The type of its rows: 'sft', 'preference', 'unpaired' or 'prompt'.
        examples: The rows as the training gets them, or the first of them.
        total: How many rows there are; None if only the first of them were read.
        seed: The recipe's seed.
        processes: The number of the training's processes (``train.launch.accelerate_config.process_count``).
    """
    here = all(importlib.util.find_spec(name) is not None for name in ("torch", "trl", "peft"))
    if not here or is_dotted(training.trainer) or not examples.counts["rows"]:
        return []
    config, sizes, memory = _looked_up(training, ref, kind, examples, seed, processes)
    lora = lora_options(training)
    own = sizes.lora if lora is not None else sizes.full
    if own is None:
        return []
    seen = examples.counts["rows"] + len(examples.dropped)
    grown = max(total or seen, seen) / seen
    per_epoch = planned_steps(config, round(sequences_of(config, examples) * grown), processes)
    facts = Facts(
        parameters=own.parameters,
        trainable=own.trainable,
        adapter=adapter_text((lora or {}).get("r", 16), own) if lora is not None else "",
        steps_per_epoch=per_epoch,
        steps=config.max_steps if config.max_steps > 0 else math.ceil(config.num_train_epochs * per_epoch),
        per_step=config.per_device_train_batch_size * config.gradient_accumulation_steps * processes,
        rows=total or seen,
        tokens_per_epoch=0,
        learnt_per_epoch=0,
        **memory,
    )
    exact = total == seen and not getattr(config, "packing", False)
    steps = steps_text(facts, NOUNS[kind], config)
    return [*size_lines(facts), steps if exact else f"about {steps}"]


def _looked_up(
    training: Training, ref: ModelRef, kind: str, examples: Examples, seed: int, processes: int
) -> tuple[Any, Sizes, dict[str, int | None]]:
    """Return a training's config, the shapes of its model and the estimated memory."""
    import transformers

    from train.trl_setup import build_config, build_lora_config, config_type, for_processes

    task, lora = task_of(training.trainer), lora_options(training)
    folder = local_folder(ref)
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as work:
        warnings.simplefilter("ignore")
        settings = effective_settings(training)
        config_class = for_processes(config_type(training.trainer), processes)
        args = build_config(config_class, settings, seed, Path(work), "train", training.quantize)
    classifier, causal = transformers.AutoModelForSequenceClassification, transformers.AutoModelForCausalLM
    model = classifier if task == "SEQ_CLS" else causal
    if folder is None or ref.setting("trust_remote_code", False):
        return args, Sizes(None, None), {}
    try:
        config = transformers.AutoConfig.from_pretrained(folder)
    except Exception:  # of any kind: the config of an unknown architecture
        return args, Sizes(None, None), {}
    inner = config.get_text_config()
    longest = max(examples.lengths, default=0)
    batch = largest_batch(args, kind, getattr(inner, "max_position_embeddings", None), longest)
    adapter = build_lora_config(lora or {}, "train", task)
    sizes = sizes_of(lambda: model.from_config(config), adapter, args, batch)
    if training.teacher is not None:  # a second model, which may be one that is to be trained first
        return args, sizes, {"memory_lora": None, "memory_full": None}
    process = in_use() or 0
    setup = setup_of(args, inner, training.trainer, batch, quantize=training.quantize, further=0, process=process)
    return args, sizes, memories(sizes, setup)


def sequences_of(config: Any, examples: Examples) -> int:
    """Return how many sequences an epoch has: packed blocks, sequences of rows, or prompts."""
    if getattr(config, "packing", False) and config.max_length:
        return math.ceil(examples.counts["all_tokens"] / config.max_length)
    return len(next(iter(examples.columns.values()), []))


def planned_steps(config: Any, sequences: int, processes: int = 1) -> int:
    """Return the optimizer steps of an epoch, as transformers and accelerate count them.

    Online trainers (those whose config has ``num_generations``, or samples one answer a prompt) sample answers to whole
    batches of prompts, and leave the rest out; each sampling serves ``steps_per_generation`` x ``num_iterations``
    passes. Other rows are dealt to the processes batch by batch, the last ones evened out.

    Args:
        config: TRL's config of the training, built for these processes.
        sequences: The sequences of the dataset; prompts, where answers are sampled.
        processes: The number of processes.
    """
    batch, accumulation = config.per_device_train_batch_size, config.gradient_accumulation_steps
    if hasattr(config, ANSWER):
        passes = getattr(config, "steps_per_generation", None) or accumulation
        prompts = batch * processes * passes // (getattr(config, "num_generations", None) or 1)
        batches = sequences // max(prompts, 1) * passes * (getattr(config, "num_iterations", None) or 1)
    else:
        every = sequences // batch if config.dataloader_drop_last else math.ceil(sequences / batch)
        batches = every // processes if config.dataloader_drop_last else math.ceil(every / processes)
    return max(1, math.ceil(batches / accumulation))
