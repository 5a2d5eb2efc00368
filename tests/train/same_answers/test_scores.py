"""Scores of a classifier are compared relative to their norm, by the type of the weights."""

import pytest

from tests.optional import needs

pytestmark = [needs("torch"), pytest.mark.slow]


@pytest.mark.parametrize(("dtype", "differs"), [("float32", 1), ("bfloat16", None)])
def test_what_is_rounding_depends_on_the_type(dtype: str, differs: int | None):
    import torch

    from train.same_answers.scores import compare_scores

    expected = [torch.tensor([1.0, 2.0]), torch.tensor([-4.0, 3.0])]
    found = compare_scores(expected, [torch.tensor([1.0, 2.0001]), torch.tensor([-4.1, 3.0])], dtype)
    assert found.differs == differs and found.largest == pytest.approx(0.1)


def test_a_score_that_is_not_a_number_differs():
    import torch

    from train.same_answers.scores import compare_scores

    assert compare_scores([torch.tensor([1.0])], [torch.tensor([float("nan")])], "bfloat16").differs == 0
