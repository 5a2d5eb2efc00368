"""The prompts of the recipes identity and math: rows parse, none repeats another, the verifier reads every answer."""

import json
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest

from curate.score.math import score

RECIPES = Path(__file__).parents[2] / "cli" / "recipes"
OPERATIONS = {"add", "subtract", "multiply", "divide"}


def rows(name: str) -> list[dict]:
    return [json.loads(line) for line in (RECIPES / name).read_text(encoding="utf-8").splitlines()]


def bare(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def similarity(one: str, other: str) -> float:
    """Return the shared words over all words of two texts."""
    a, b = set(bare(one).split()), set(bare(other).split())
    return len(a & b) / len(a | b)


IDENTITY, MATH = rows("identity.jsonl"), rows("math.jsonl")


@pytest.mark.parametrize(
    ("found", "keys"), [(IDENTITY, {"prompt", "metadata"}), (MATH, {"prompt", "ground_truth", "metadata"})]
)
def test_rows_have_one_shape_and_prompts_of_their_own(found, keys):
    assert [row for row in found if set(row) != keys] == []
    assert [row for row in found if row["prompt"].strip() != row["prompt"] or not row["prompt"]] == []
    assert [text for text, count in Counter(bare(row["prompt"]) for row in found).items() if count > 1] == []


def test_there_are_enough_other_prompts_to_see_a_leak():
    assert Counter(row["metadata"]["about"] for row in IDENTITY) == {"identity": 90, "other": 150}
    assert {row["metadata"]["about"] for row in IDENTITY[:8]} == {"identity", "other"}  # a short run sees both


def test_no_identity_prompt_is_nearly_another():
    texts = [row["prompt"] for row in IDENTITY]
    close = [(a, b) for i, a in enumerate(texts) for b in texts[:i] if similarity(a, b) > 0.5]
    assert close == []


def test_identity_prompts_give_no_model_name_away():
    """A reply must not get its name from the question, or the recipe would measure copying."""
    names = re.compile(r"gristmill|qwen|smollm|chatgpt|gpt|llama|claude|gemini|alibaba|openai|hugging ?face", re.I)
    assert [row["prompt"] for row in IDENTITY if names.search(row["prompt"])] == []


def test_math_rows_state_their_steps():
    assert len(MATH) == 150
    for row in MATH:
        about = row["metadata"]
        assert set(about) == {"operations", "steps"}
        assert set(about["operations"]) <= OPERATIONS
        assert 1 <= len(set(about["operations"])) == len(about["operations"]) <= about["steps"] <= 3, row["prompt"]
    assert min(Counter(row["metadata"]["steps"] for row in MATH).values()) >= 30
    assert {name for row in MATH for name in row["metadata"]["operations"]} == OPERATIONS


def test_math_answers_are_small_numbers_asked_for_after_hashes():
    for row in MATH:
        assert re.fullmatch(r"-?\d+(\.\d{1,2})?", row["ground_truth"]), row
        assert abs(Fraction(row["ground_truth"])) <= 5000
        assert row["prompt"].count("####") == 1


def test_no_math_problem_is_worded_alike_more_than_three_times():
    """Problems that differ in their numbers alone; names and things may differ too, so alike is not equal."""
    told = [re.sub(r"\d+", "", row["prompt"].rsplit("?", 1)[0]) for row in MATH]
    alike = Counter(i for i, a in enumerate(told) for b in told if similarity(a, b) > 0.7)
    assert [(told[i], count) for i, count in alike.items() if count > 3] == []


def test_the_verifier_takes_the_right_answer_and_no_other():
    truth = pl.Series([row["ground_truth"] for row in MATH])
    right, wrong = "It comes to this.\n#### " + truth, "It comes to this.\n#### 1" + truth.str.strip_prefix("-")
    assert score(right, truth)["value"].to_list() == [1.0] * len(MATH)
    assert score(wrong, truth)["value"].to_list() == [0.0] * len(MATH)
