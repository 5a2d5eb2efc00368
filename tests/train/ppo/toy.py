"""Toy problems with a known optimum: a tiny random model of a few tokens, and rewards of its answers' tokens."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.tiny_model import small_llama

WORDS = "a b c d e f g h".split()
PROMPTS = tuple(f"{one} {other}" for one in WORDS for other in WORDS)
LENGTH = 4  # tokens of an answer; nothing ends it earlier


def model_and_tokenizer(seed: int = 0) -> tuple[Any, Any]:
    """Return a random Llama (hidden 32, 2 layers) and a tokenizer with a token a word, of which an answer has four."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(["<pad>", "<end>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>")
    torch.manual_seed(seed)
    config = small_llama(fast, vocab_size=len(vocabulary), positions=32, tied=False)
    return LlamaForCausalLM(config).train(), fast


def ppo_trainer(
    folder: Path,
    reward: Callable[..., Any],
    *,
    lora: dict[str, Any] | None = None,
    mixin: type | None = None,
    prompts: tuple[str, ...] = PROMPTS,
    **options: Any,
) -> Any:
    """Return a PPO trainer of the toy model.

    Args:
        folder: For checkpoints, and for the start model, which TRL loads as the reference.
        reward: A reward function, as TRL calls it.
        lora: Options of ``LoraConfig``, or None for full weights.
        mixin: A class that the trainer also has, in front.
        prompts: The prompts.
        options: Options of ``PPOConfig``.
    """
    from datasets import Dataset

    from train.ppo.config import PPOConfig
    from train.ppo.ppo_trainer import PPOTrainer

    model, tokenizer = model_and_tokenizer()
    model.save_pretrained(folder / "start")
    model.config._name_or_path = str(folder / "start")
    defaults: dict[str, Any] = {
        "per_device_train_batch_size": 16,
        "max_completion_length": LENGTH,
        "seed": 5,
        "max_steps": 4,
        "logging_steps": 1,
        "save_strategy": "no",
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "dataloader_pin_memory": False,
        "generation_kwargs": {"suppress_tokens": [0, 1]},
    }
    peft_config = None
    if lora is not None:
        from peft import LoraConfig

        peft_config = LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM", **lora)
    kind = type("Mixed", (mixin, PPOTrainer), {}) if mixin else PPOTrainer
    return kind(
        model=model,
        reward_funcs=[reward],
        args=PPOConfig(output_dir=str(folder), **(defaults | options)),
        processing_class=tokenizer,
        peft_config=peft_config,
        train_dataset=Dataset.from_dict({"prompt": list(prompts)}),
    )


def first_is_a(completions: list[str], **others: Any) -> list[float]:
    """Reward an answer whose first word is ``a`` by 1, any other by 0."""
    return [float(text.split()[:1] == ["a"]) for text in completions]


def share_of_a(completions: list[str], **others: Any) -> list[float]:
    """Reward an answer by the share of its words that are ``a``."""
    return [text.split().count("a") / LENGTH for text in completions]
