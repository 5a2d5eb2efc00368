"""Greedy answers are those of plain decoding, together or one by one."""

import pytest

from tests.optional import needs

pytestmark = [needs("torch", "transformers"), pytest.mark.slow]


@pytest.mark.parametrize("together", [1, 10])
def test_answers_are_those_of_plain_greedy_decoding(tiny, together: int):
    import torch
    import transformers

    from train.same_answers.greedy import greedy_answers

    model = transformers.AutoModelForCausalLM.from_pretrained(tiny).eval()
    model.generation_config.repetition_penalty = 5.0  # it is no part of the weights
    prompts = [[5, 6, 7], [40, 41, 42, 43, 44, 45], *([n, n + 1] for n in range(30, 42))]
    found = greedy_answers(model, prompts, [2], 32, together)
    for prompt, one in zip(prompts, found, strict=True):
        ids = list(prompt)
        for token, likeliest in zip(one.tokens, one.likeliest, strict=True):
            logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
            assert token == likeliest[0] == int(logits.argmax())
            ids.append(token)
        assert len(one.tokens) == 32 or one.tokens[-1] == 2
        assert all(below[0] == 0 and below == sorted(below) for below in one.below)
