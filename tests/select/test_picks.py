"""Rules that pick candidates by score: rejection, the best overall, weighted draws."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate.select.rejection as rejection
import curate.select.top_k_overall as top_k_overall
import curate.select.weighted as weighted
from schemas.errors import UserError
from tests.select.candidates import columns, numbered

NAN = float("nan")
SCORES = st.one_of(st.none(), st.just(NAN), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
ROWS = st.lists(st.tuples(st.sampled_from("pqr"), SCORES), max_size=14)


def reject(rows, **setting):
    return rejection.select(*columns(rows), **setting)


def top(rows, **setting):
    return top_k_overall.select(*columns(rows)[1:], **setting)


def draw(rows, **setting):
    return weighted.select(*columns(rows), **setting)


def kept(rows, result):
    return {row[1] for row, keep in zip(rows, result["kept"], strict=True) if keep}


SOME = [("p", "a", 0.9), ("p", "b", 0.5), ("p", "c", 0.7), ("p", "d", None), ("q", "e", 0.4), ("q", "f", NAN)]


def test_rejection_keeps_what_passes_and_says_why_not_the_rest():
    assert reject(SOME, at=0.5).rows() == [
        (True, None, None),
        (True, None, None),
        (True, None, None),
        (False, "no score", None),
        (False, "score below 0.5", None),
        (False, "no score", None),
    ]
    assert reject(SOME, at=0.5, per_prompt=2).rows()[1] == (False, "passed, but its prompt has 2 better", "c")
    assert kept(SOME, reject(SOME, at=0.5, per_prompt=2)) == {"a", "c"}
    with pytest.raises(UserError, match="per_prompt must be at least 1, found 0"):
        reject(SOME, at=0.5, per_prompt=0)


def test_top_k_overall_forgets_the_prompts():
    assert kept(SOME, top(SOME, keep=3)) == {"a", "b", "c"}
    assert top(SOME, keep=1).rows()[1:4] == [(False, "lower score", "a")] * 2 + [(False, "no score", "a")]
    assert kept(SOME, top(SOME, keep=0.5)) == {"a", "b", "c"}  # of all six, two of which have no score
    assert kept(SOME, top(SOME, keep=99)) == {"a", "b", "c", "e"}
    ties = [("p", "b", 1.0), ("q", "a", 1.0)]
    assert top(ties, keep=1).rows() == [(False, "equal score, later id", "a"), (True, None, None)]


def test_weighted_takes_as_many_as_asked_for():
    assert len(kept(SOME, draw(SOME))) == 2 and kept(SOME, draw(SOME)) & {"e"}
    assert kept(SOME, draw(SOME, n=9)) == {"a", "b", "c", "e"}
    assert len(kept(SOME, draw(SOME, keep=3))) == 3 and len(kept(SOME, draw(SOME, keep=0.5))) == 3
    assert set(draw(SOME, keep=1)["reason"]) == {None, "not drawn", "no score"}


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"n": 1, "keep": 2}, "give one of them"),
        ({"n": 0}, "at least 1, found 0"),
        ({"temperature": 0.0}, "above 0"),
        ({"temperature": NAN}, "above 0"),
        ({"keep": 0}, "from 1 up"),
    ],
)
def test_weighted_refuses_what_makes_no_sense(setting, words):
    with pytest.raises(UserError, match=words):
        draw(SOME, **setting)


def test_weighted_draws_by_the_weights():
    scores = {"a": 0.0, "b": 1.0, "c": 2.0}
    rows = [(f"p{prompt}", f"{name}{prompt}", scores[name]) for prompt in range(100) for name in scores]
    drawn = [name[0] for seed in range(15) for name in kept(rows, draw(rows, seed=seed))]
    assert len(drawn) == 1500
    for name, score in scores.items():
        expected = math.exp(score) / sum(map(math.exp, scores.values()))
        assert drawn.count(name) / 1500 == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 1500))
    assert all({name[0] for name in kept(rows, draw(rows, temperature=0.01, seed=seed))} == {"c"} for seed in range(3))


@settings(deadline=None, max_examples=60)
@given(ROWS, st.randoms(use_true_random=False), st.integers(1, 3))
def test_no_pick_depends_on_the_order_of_rows(rows, random, n):
    rows = numbered(rows)
    picks = [
        lambda r: reject(r, at=0.25, per_prompt=n),
        lambda r: top(r, keep=n),
        lambda r: draw(r, n=n),
        lambda r: draw(r, keep=n, seed=4),
    ]
    before = [kept(rows, pick(rows)) for pick in picks]
    known = {row[1]: row[2] for row in rows if row[2] is not None and math.isfinite(row[2])}
    assert all(names <= set(known) for names in before)
    assert all(known[name] >= 0.25 for name in before[0])
    assert len(before[1]) == len(before[3]) == min(n, len(known))
    assert all(known[a] >= known[b] for a in before[1] for b in set(known) - before[1])
    for prompt in "pqr":
        mine = [row[1] for row in rows if row[0] == prompt]
        assert len(before[0] & set(mine)) <= n
        assert len(before[2] & set(mine)) == min(n, len([m for m in mine if m in known]))
    random.shuffle(rows)
    assert [kept(rows, pick(rows)) for pick in picks] == before
