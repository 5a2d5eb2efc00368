"""Where greedy answers differ, and what of it is rounding."""

import pytest

from train.same_answers.compare import GreedyAnswer, compare, until_end


def answer(tokens: list[int], gap: float = 0.5) -> GreedyAnswer:
    """Return an answer in whose places the next token lies a gap below the likeliest."""
    return GreedyAnswer(tokens, [[one, one + 1] for one in tokens], [[0.0, gap] for _ in tokens])


def test_equal_answers_are_the_same():
    found = compare([answer([1, 2, 3]), answer([4])], [[1, 2, 3], [4]], "float32")
    assert (found.equal, found.ties, found.begun, found.difference) == (2, 0, 2, None)
    assert found.line() == "2 of 2 greedy answers are equal (4 of 4 tokens)"


@pytest.mark.parametrize(("gap", "dtype"), [(5e-5, "float32"), (0.001, "float16"), (0.01, "bfloat16")])
def test_a_gap_within_rounding_is_a_tie_and_counted(gap: float, dtype: str):
    found = compare([answer([1, 2, 3], gap), answer([4])], [[1, 3, 9], [4]], dtype)
    assert (found.equal, found.ties, found.begun, found.shared, found.difference) == (1, 1, 2, 2, None)
    assert found.line().endswith("(2 of 4 tokens); 1 differ after a tie of two tokens")


def test_a_wider_gap_is_a_difference_in_words():
    found = compare([answer([4]), answer([1, 2, 3], 0.01)], [[4], [1, 3, 9]], "float32")
    assert found.ties == 0 and found.difference == (1, 1, 2, 3, 0.01)
    assert "at token 2 of prompt 2, to a token whose logit lies 0.01 of their spread lower" in found.line()


def test_an_equal_first_token_is_counted():
    assert compare([answer([1, 2]), answer([1, 2])], [[7, 2], [1, 9]], "float32").begun == 1


@pytest.mark.parametrize("other", [[1, 20], [1], [1, 2, 3]], ids=["unlikely", "shorter", "longer"])
def test_what_was_none_of_the_likeliest_is_a_difference(other: list[int]):
    found = compare([answer([1, 2])], [other], "bfloat16")
    assert found.difference is not None and found.difference.gap == float("inf")
    assert found.difference.second == (other[1] if other == [1, 20] else None if other == [1] else 3)


def test_an_answer_is_cut_at_its_end():
    assert until_end([5, 2, 2, 7], [2]) == [5, 2] and until_end([5, 6], [2]) == [5, 6] and until_end([5], []) == [5]
