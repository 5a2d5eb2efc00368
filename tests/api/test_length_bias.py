"""How a score goes with the response's length, as a sentence."""

import polars as pl
import pytest

from curate.api.length_bias import length_bias, length_sentence


def sentence(scores, lengths, prompts=None):
    prompts = range(len(scores)) if prompts is None else prompts
    rows = pl.DataFrame({"score": scores, "length": lengths, "prompt": prompts, "cluster": prompts})
    return length_sentence("judge", length_bias(rows))


def test_the_correlation_within_prompts_counts():
    prompts = [n // 4 for n in range(20)]
    lengths = [n % 4 + 100 * (n // 4) for n in range(20)]
    scores = [n % 4 - 100 * (n // 4) for n in range(20)]
    assert sentence(scores, lengths, prompts).startswith("judge strongly prefers longer responses (Spearman -0.")
    assert sentence([-s for s in scores], lengths, prompts).startswith("judge strongly prefers shorter responses")


def test_a_score_without_a_trend_hardly_depends_on_it():
    assert sentence([1, 2, 3, 2, 1] * 4, [1, 2, 3, 4, 5] * 4) == (
        "judge hardly depends on the response's length (Spearman +0.00)"
    )


def test_a_score_of_the_whole_prompt_prefers_none():
    prompts = [n // 2 for n in range(20)]
    said = sentence([float(one) for one in prompts], list(range(20)), prompts)
    assert said.startswith(
        "judge is the same for all responses to a prompt, so it prefers none by its length (Spearman +"
    )


@pytest.mark.parametrize("count", [0, 1, 9])
def test_of_few_answers_nothing_is_said(count):
    assert sentence(list(range(count)), list(range(count))) == ""


def test_answers_without_a_length_do_not_count():
    assert sentence([*range(10), 99], [*range(10), None]).endswith("prefers longer responses (Spearman +1.00)")
