"""The likeliest answers of a model, with the logits that others' tokens have in their places."""

from collections.abc import Iterator
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessor

from train.same_answers.compare import GreedyAnswer, until_end

KEPT = 64  # of a place's likeliest tokens


class _Likeliest(LogitsProcessor):
    """Keeps the likeliest tokens at each step, and changes nothing."""

    def __init__(self) -> None:
        self.ids: list[torch.Tensor] = []
        self.below: list[torch.Tensor] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        logits = scores.float()
        top = logits.topk(min(KEPT, logits.shape[-1]))
        best = top.values[:, :1]
        spread = (best - logits.mean(dim=-1, keepdim=True)).clamp_min(1e-30)
        self.ids.append(top.indices.cpu())
        self.below.append(((best - top.values) / spread).cpu())
        return scores


def greedy_answers(
    model: Any, prompts: list[list[int]], ends: list[int], longest: int, together: int
) -> list[GreedyAnswer]:
    """Return a model's likeliest answers, decoded without a penalty or any other rule of its generation config.

    Args:
        model: A causal language model of transformers, or PEFT's model of one. It gets another generation config.
        prompts: The ids of the prompts' tokens.
        ends: The ids of the tokens that end an answer (``ends_of``); one is the last token of an answer that ends.
        longest: The most tokens of an answer.
        together: How many prompts are answered in a batch, padded on the left; 1 pads none.
    """
    network = model.get_base_model() if hasattr(model, "peft_config") else model
    network.generation_config = GenerationConfig(
        do_sample=False, max_new_tokens=longest, pad_token_id=min(ends, default=0), eos_token_id=ends or None
    )
    return [one for start in range(0, len(prompts), together) for one in _decode(network, prompts[start:][:together])]


def _decode(network: Any, prompts: list[list[int]]) -> Iterator[GreedyAnswer]:
    config = network.generation_config
    width, device = max(map(len, prompts)), network.device
    ids = torch.tensor([[config.pad_token_id] * (width - len(one)) + one for one in prompts], device=device)
    mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in prompts], device=device)
    seen = _Likeliest()
    with torch.inference_mode():
        written = network.generate(input_ids=ids, attention_mask=mask, logits_processor=[seen])[:, width:].tolist()
    for row, answer in enumerate(written):
        tokens = until_end(answer, config.eos_token_id or ())
        yield GreedyAnswer(
            tokens,
            [step[row].tolist() for step in seen.ids[: len(tokens)]],
            [step[row].tolist() for step in seen.below[: len(tokens)]],
        )


def ends_of(model: Any, tokenizer: Any) -> list[int]:
    """Return the tokens that end an answer, of a model's generation config and of its tokenizer."""
    found = model.generation_config.eos_token_id
    return sorted({*(found if isinstance(found, list) else [found]), tokenizer.eos_token_id} - {None})
