"""Whether two forms of a model write the same greedy tokens on 20 prompts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curate.models.chat.chat import template_of
from curate.models.chat.chat_template import TemplateRefused

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
NEW_TOKENS = 24
KEPT = 5  # the best tokens of a step whose logits are kept
TIE = 1e-3  # logits that differ by less are a tie: rounding in float32 decides between them


@dataclass(frozen=True)
class Greedy:
    """The greedy answers of a model.

    Attributes:
        prompts: The token ids of each prompt.
        answers: The new token ids of each, without the one that ends the answer.
        best: For each step of each answer the best tokens with their logits, where the model gives them.
    """

    prompts: list[list[int]]
    answers: list[list[int]]
    best: list[list[dict[int, float]]]


@dataclass(frozen=True)
class Agreement:
    """How the greedy answers of two forms of a model agree.

    Attributes:
        prompts: How many prompts were answered.
        equal: How many answers are equal.
        ties: How many differ only after a tie: two tokens whose logits differ by less than rounding does.
        tokens: The tokens of the first form's answers.
        shared: Those of them before the first difference.
        first: Answers whose first token is equal.
        at: The first difference that is no tie: prompt, step, and by how much the first form prefers its token (None
            where that is not known); or None.
    """

    prompts: int
    equal: int
    ties: int
    tokens: int
    shared: int
    first: int
    at: tuple[int, int, float | None] | None

    @property
    def same(self) -> bool:
        """Whether all answers are equal, but for ties."""
        return self.at is None

    def line(self) -> str:
        """Return the agreement in words."""
        said = f"{self.equal} of {self.prompts} greedy answers are equal ({self.shared:,} of {self.tokens:,} tokens)"
        if self.ties:
            said += f"; {self.ties} differ after a tie of two tokens"
        if self.at is not None:
            prompt, step, gap = self.at
            more = "" if gap is None else f", where the next token is {gap:.3g} worse in logits"
            said += f"; the first difference is at token {step + 1} of prompt {prompt + 1}{more}"
        return said


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


def greedy(model: Any, tokenizer: Any, count: int, new_tokens: int = NEW_TOKENS) -> Greedy:
    """Return a model's greedy answers to the first ``count`` prompts, each by itself: no padding, no penalty.

    Args:
        model: A causal language model of transformers.
        tokenizer: Its tokenizer.
        count: How many of the prompts; 1 to 20.
        new_tokens: The longest answer.
    """
    import torch
    from transformers import GenerationConfig

    ends = model.generation_config.eos_token_id
    stops = {end for end in (*(ends if isinstance(ends, list) else [ends]), tokenizer.eos_token_id) if end is not None}
    # Nothing else of the model's own: a penalty would hide what differs.
    config = GenerationConfig(
        do_sample=False,
        max_new_tokens=new_tokens,
        eos_token_id=sorted(stops) or None,
        pad_token_id=min(stops, default=0),
        output_logits=True,
        return_dict_in_generate=True,
    )
    own, model.generation_config = model.generation_config, config
    prompts, answers, best = prompt_ids(tokenizer, PROMPTS[:count]), [], []
    for prompt in prompts:
        inputs = torch.tensor([prompt], device=model.device)
        with torch.no_grad():
            found = model.generate(input_ids=inputs, attention_mask=torch.ones_like(inputs), generation_config=config)
        new = found.sequences[0, len(prompt) :].tolist()
        answers.append([token for token in new if token not in stops])
        tops = [step[0].float().topk(KEPT) for step in found.logits]
        best.append([dict(zip(top.indices.tolist(), top.values.tolist(), strict=True)) for top in tops])
    model.generation_config = own
    return Greedy(prompts, answers, best)


def compare(first: Greedy, answers: list[list[int]]) -> Agreement:
    """Return how the answers of another form of a model agree with those of the first."""
    equal = ties = shared = right = 0
    at = None
    for number, (ours, theirs, steps) in enumerate(zip(first.answers, answers, first.best, strict=True)):
        step = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
        if step is None and len(ours) != len(theirs):
            step = min(len(ours), len(theirs))
        shared += len(ours) if step is None else step
        right += step is None or step > 0
        if step is None:
            equal += 1
            continue
        gap = _gap(steps[step], theirs[step]) if step < min(len(theirs), len(steps)) else _second(steps, step)
        if gap is not None and gap < TIE:
            ties += 1
        elif at is None:
            at = (number, step, gap)
    return Agreement(len(answers), equal, ties, sum(map(len, first.answers)), shared, right, at)


def _gap(step: dict[int, float], token: int) -> float | None:
    """Return by how much a token's logit is below the best; None where the token is none of the best."""
    return max(step.values()) - step[token] if token in step else None


def _second(steps: list[dict[int, float]], step: int) -> float | None:
    """Return the gap between the two best tokens of a step at which only one of two answers ends."""
    if step >= len(steps):
        return None
    best = sorted(steps[step].values(), reverse=True)
    return best[0] - best[1]
