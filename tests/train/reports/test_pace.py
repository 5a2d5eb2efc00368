"""The pace of a training, and the time left."""

from types import SimpleNamespace

import pytest

from train.reports.during.pace import Pace, cycle_of, evaluations_left


def timed(seconds: list[float], total: int = 100, cycle: int = 1, done: int = 0) -> Pace:
    pace = Pace(total, done, cycle)
    for one in seconds:
        pace.step(one)
    return pace


def test_the_first_step_does_not_count():
    assert timed([60]).seconds_a_step is None and timed([60]).left(0) is None
    pace = timed([60, 2, 4])
    assert pace.seconds_a_step == 3 and pace.left(0) == 97 * 3


def test_an_estimate_needs_a_few_steps_or_long_ones():
    assert not timed([60, 1, 1]).is_known and timed([60, 1, 1, 1]).is_known
    assert timed([60, 25]).is_known and not timed([60]).is_known


def test_steps_that_share_a_sampling_are_measured_together():
    pace = timed([10, 1, 1, 1], cycle=4)
    assert not pace.is_known and pace.seconds_a_step is None
    pace.step(9)
    assert pace.is_known and pace.seconds_a_step == 3
    pace.step(1)  # of the next sampling, which is not over
    assert pace.seconds_a_step == 3


def test_a_resumed_training_counts_from_where_it_was():
    pace = timed([9, 2, 2, 2], total=64, done=50)
    assert pace.done == 54 and pace.left(0) == 20


def test_evaluations_are_added_as_soon_as_one_was_measured():
    pace = timed([9, 2, 2, 2], total=14)
    assert pace.left(3) == 20 and not pace.knows_evaluations
    pace.evaluated(5)
    assert pace.left(3) == 35 and pace.knows_evaluations


def test_tokens_a_second_are_those_of_steps():
    pace = Pace(10, 0)
    for tokens in (100, 200, 300, 500):
        pace.step(2)
        assert pace.tokens_a_second is None or tokens > 100
        pace.count(tokens)
    assert pace.tokens_a_second == pytest.approx(400 / 6)
    assert Pace(10, 0).tokens_a_second is None


@pytest.mark.parametrize("cycle", [2, 4, 7, 64])
def test_tokens_of_a_sampling_belong_to_all_its_steps(cycle: int):
    pace, rates = Pace(1000, 0, cycle), []
    for step in range(5 * cycle):
        pace.step(2)
        pace.count(100 * (step // cycle + 1))
        rates.append(pace.tokens_a_second)
    assert set(rates[:cycle]) == {None}
    assert rates[cycle:] == pytest.approx([100 / (2 * cycle)] * (4 * cycle))


@pytest.mark.parametrize(
    ("options", "cycle"),
    [
        ({}, 1),
        ({"steps_per_generation": 4, "num_iterations": 1, "gradient_accumulation_steps": 4}, 1),
        ({"steps_per_generation": 4, "num_iterations": 2, "gradient_accumulation_steps": 2}, 4),
    ],
)
def test_the_cycle_of_a_sampling(options, cycle):
    assert cycle_of(SimpleNamespace(**({"gradient_accumulation_steps": 1} | options))) == cycle


def test_evaluations_that_are_left():
    state = SimpleNamespace(max_steps=20, global_step=7, eval_steps=5, num_train_epochs=3, epoch=1.2)
    assert evaluations_left(SimpleNamespace(eval_strategy="steps"), state) == 3
    assert evaluations_left(SimpleNamespace(eval_strategy="epoch"), state) == 2
    assert evaluations_left(SimpleNamespace(eval_strategy="no"), state) == 0
