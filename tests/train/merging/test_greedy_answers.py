"""Where greedy answers differ, and what of it is rounding."""

import pytest

from tests.optional import needs

pytestmark = [needs("torch", "transformers"), pytest.mark.slow]


class Letters:
    """Decodes tokens as letters."""

    def decode(self, tokens):
        return "".join(chr(97 + token) for token in tokens)


def answer(tokens, gap=0.5):
    """Return an answer in whose places the next token of the alphabet lies a gap below the likeliest."""
    from train.merging.greedy_answers import GreedyAnswer

    return GreedyAnswer(tokens, [[one, one + 1] for one in tokens], [[0.0, gap] for _ in tokens])


def compared(expected, found, dtype="float32"):
    import torch

    from train.merging.asked_prompts import Asked
    from train.merging.same_answers import tokens_compared

    asked = Asked([f"r_{i}" for i in range(len(expected))], [[1]] * len(expected))
    return tokens_compared(asked, expected, found, getattr(torch, dtype), Letters())


def test_equal_answers_are_the_same():
    both = [answer([1, 2, 3]), answer([4])]
    assert compared(both, both) == ({"prompts": 2, "tokens": 4, "ties": 0}, "")


def test_a_gap_within_rounding_is_a_tie_and_counted():
    facts, differs = compared([answer([1, 2, 3], 5e-5)], [answer([1, 3, 9])])
    assert facts == {"prompts": 1, "tokens": 2, "ties": 1} and differs == ""
    facts, differs = compared([answer([1, 2, 3], 0.01)], [answer([1, 3, 9])], "bfloat16")
    assert facts["ties"] == 1 and differs == ""


def test_a_wider_gap_is_a_difference_in_words():
    facts, differs = compared([answer([1, 2, 3], 0.01)], [answer([1, 3, 9])])
    assert facts["ties"] == 0
    assert differs.startswith("to the prompt of r_0 token 2 is 'd' instead of 'c', whose logit lies 0.01 of")


def test_a_token_that_was_none_of_the_likeliest_is_a_difference():
    assert "lies inf of" in compared([answer([1, 2])], [answer([1, 20])])[1]


def test_answers_are_those_of_plain_greedy_decoding(tiny):
    import torch
    import transformers

    from train.merging.greedy_answers import greedy_answers

    model = transformers.AutoModelForCausalLM.from_pretrained(tiny).eval()
    model.generation_config.repetition_penalty = 5.0  # it is no part of the weights
    prompts = [[5, 6, 7], [40, 41, 42, 43, 44, 45], *([n, n + 1] for n in range(30, 42))]
    found = greedy_answers(model, prompts, 0, [2])
    for prompt, one in zip(prompts, found, strict=True):
        ids = list(prompt)
        for token, likeliest in zip(one.tokens, one.likeliest, strict=True):
            logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
            assert token == likeliest[0] == int(logits.argmax())
            ids.append(token)
        assert len(one.tokens) == 32 or one.tokens[-1] == 2
        assert all(below[0] == 0 and below == sorted(below) for below in one.below)
