"""Which round is the best, and when the rounds end."""

import polars as pl
import pytest

from schemas.errors import UserError
from schemas.load_recipe import load_recipe
from tests.train.rounds.recipes import sections
from train.rounds.choice import Choice, choice_of, choose, round_scores
from train.rounds.state import Round, RoundsState
from train.rounds.words import rounds_line


@pytest.mark.parametrize(
    ("scores", "patience", "threshold", "expected"),
    [
        ([0.4], 1, 0.0, Choice(0, 0, False)),
        ([0.4, 0.5], 1, 0.0, Choice(1, 0, False)),
        ([0.4, 0.4], 1, 0.0, Choice(0, 1, True)),  # as good is not better
        ([0.4, 0.5, 0.45], 1, 0.0, Choice(1, 1, True)),
        ([0.4, 0.5, 0.45], 2, 0.0, Choice(1, 1, False)),
        ([0.4, 0.5, 0.45, 0.5], 2, 0.0, Choice(1, 2, True)),
        ([0.4, 0.5, 0.45, 0.6], 2, 0.0, Choice(3, 0, False)),
        ([0.4, 0.45, 0.5], 2, 0.2, Choice(0, 2, True)),  # each gains, none by more than the threshold
        ([None, 0.1], 1, 0.0, Choice(1, 0, False)),  # the start is not evaluated: the first round is the best so far
        ([None, 0.1, 0.1], 1, 0.0, Choice(1, 1, True)),
        ([-3.0, -2.0], 1, 0.5, Choice(1, 0, False)),
    ],
)
def test_rounds_end_where_the_score_does_not_rise(scores, patience, threshold, expected):
    assert choose(scores, patience, threshold) == expected


def test_a_score_that_counts_faults_is_to_fall():
    assert choose([0.4, 0.3, 0.35], 1, lower=True) == Choice(1, 1, True)
    assert choose([0.4, 0.3], 1, 0.2, lower=True) == Choice(0, 1, True)
    evaluate = sections()["evaluate"] | {"by": ["repetition"]}
    recipe = load_recipe(sections(evaluate=evaluate, rounds={"most": 3, "split": "dev"}))
    assert choice_of(recipe, [0.5, 0.2]) == Choice(1, 0, False) and choice_of(recipe, [0.5, 0.7]).ended
    assert "they end where repetition on 'dev' does not fall once" in rounds_line(recipe)
    held = RoundsState(recipe, [_round(n) for n in (1, 2)], None, [0.1, 0.5, 0.2], Choice(0, 2, True))
    assert held.chosen.number == 2


def _round(number: int) -> Round:
    return Round(number, load_recipe(sections()), {}, [], {})


def rows(*values: tuple[str, str, str, float | None]) -> pl.DataFrame:
    return pl.DataFrame(values, schema=["model", "split", "scorer", "value"], orient="row")


def test_scores_are_means_of_the_scorer_on_the_split():
    recipe = load_recipe(sections(rounds={"most": 3, "by": "es", "split": "dev"}))
    held = rows(
        ("student", "dev", "es", 0.0),
        ("student", "dev", "es", 1.0),
        ("student", "test", "es", 9.0),
        ("student", "retention", "es", 9.0),
        ("sft.round1", "dev", "es", 1.0),
        ("sft.round1", "dev", "es", None),
        ("sft.round1", "dev", "length", 7.0),
        ("sft.round2", "dev", "es", 2.0),
    )
    assert round_scores(recipe, held, 2) == [0.5, 1.0, 2.0]


def test_a_round_without_a_score_is_an_error():
    recipe = load_recipe(sections(rounds={"most": 3, "split": "dev"}))
    with pytest.raises(UserError, match="round 1 has no score 'es' on the split 'dev'"):
        round_scores(recipe, rows(("student", "dev", "es", 1.0), ("sft.round1", "dev", "es", None)), 1)
    with pytest.raises(UserError, match="no prompt is held out in the split 'dev'.*the evaluation has: test"):
        round_scores(recipe, rows(("student", "test", "es", 1.0)), 1)
