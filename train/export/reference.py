"""The greedy answers of a model as it was trained, and each exported form of it compared with them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from curate.models.chat.chat import template_of
from curate.models.chat.chat_template import TemplateRefused
from curate.models.model_ref import ModelRef
from curate.models.weights import load
from schemas.errors import UserError
from train.export.tokenizer import tokenizer_of
from train.same_answers.compare import Comparison, GreedyAnswer, compare

# Questions of several kinds, since an error of a conversion may touch some tokens only: prose, code, lists, numbers,
# other scripts, long and short.
PROMPTS = (
    "What is the capital of France?",
    "Write a short poem about the sea.",
    "Explain in two sentences why the sky is blue.",
    "List five fruits in lower case, separated by commas.",
    "What is 17 + 25?",
    "Write a Python function that returns the n-th Fibonacci number.",
    "Translate to German: The weather is fine today.",
    "Who are you?",
    "Give me three names for a bakery.",
    "Summarise: The cat sat on the mat. Then it fell asleep, and the dog watched it until evening.",
    "Is a whale a fish? Answer yes or no.",
    "Write a polite e-mail that declines an invitation to dinner.",
    "What comes next: 2, 4, 8, 16?",
    "Name a river in Africa and the countries it flows through.",
    "Return a JSON object with the keys name and age.",
    "Qu'est-ce que la photosynthèse ?",
    "日本の首都はどこですか。",
    "How do I boil an egg?",
    "Tell me a joke about computers.",
    "Describe the colour red to someone who cannot see.",
)
NEW_TOKENS = 24  # of an answer


class Reference(NamedTuple):
    """Prompts, as the ids of their tokens, a model's greedy answers to them, and the tokens that end an answer."""

    prompts: list[list[int]]
    answers: list[GreedyAnswer]
    ends: list[int]


def prompt_ids(tokenizer: Any, prompts: Sequence[str]) -> list[list[int]]:
    """Return the token ids of prompts, as the chat template prints them; of the texts where there is none."""
    template, found = template_of(tokenizer), []
    for prompt in prompts:
        try:
            turn = [{"role": "user", "content": prompt}]
            text = None if template is None else template.render(turn, add_generation_prompt=True)
        except TemplateRefused:
            text = None
        found.append((tokenizer(prompt) if text is None else tokenizer(text, add_special_tokens=False))["input_ids"])
    return found


def reference_of(ref: ModelRef, count: int) -> Reference:
    """Return a model's answers in float32, with its last adapter on top of the weights, not merged into them.

    Each prompt is answered by itself, without padding. Earlier adapters are merged, as they were when the last one was
    trained.

    Args:
        ref: The model.
        count: How many of ``PROMPTS`` are asked; 1 to 20.
    """
    import torch

    model, _ = load(ref, torch.float32, merged=False)
    return _answers(model, tokenizer_of(ref), count)


def compare_exported(reference: Reference, model: Any, tokenizer: Any, dtype: str) -> Comparison:
    """Compare the answers of an exported model with the reference's.

    Args:
        reference: The answers of the model before it was exported.
        model: The exported one, loaded in float32.
        tokenizer: Its tokenizer.
        dtype: The type that its weights were stored in.

    Raises:
        UserError: The exported tokenizer reads other tokens.
    """
    found = _answers(model, tokenizer, len(reference.prompts))
    if found.prompts != reference.prompts:
        raise UserError("the exported tokenizer gives other tokens than the model's; nothing is kept")
    return compare(reference.answers, [one.tokens for one in found.answers], dtype)


def _answers(model: Any, tokenizer: Any, count: int) -> Reference:
    from train.same_answers.greedy import ends_of, greedy_answers

    prompts, ends = prompt_ids(tokenizer, PROMPTS[:count]), ends_of(model, tokenizer)
    return Reference(prompts, greedy_answers(model, prompts, ends, NEW_TOKENS, together=1), ends)
