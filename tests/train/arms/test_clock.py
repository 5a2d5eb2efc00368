import time

import pytest

from schemas.progress import Progress, StageWarning
from train.arms.clock import EVALUATION, Clock, Shown


class Now:
    """A clock of the tests: seconds pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Now:
    made = Now()
    monkeypatch.setattr(time, "monotonic", made)
    return made


def test_the_time_left_counts_all_that_is_to_be_done(now: Now):
    clock = Clock(["a", "b", EVALUATION, "a", "b", EVALUATION], {"a": 10, "b": 20})
    clock.begin()
    assert clock.left() is None and clock.text() == ""
    now.now += 60
    clock.end()
    assert clock.left() == 120 + 60 + 120 and clock.text() == "about 5 min left in all, without evaluations"
    clock.begin()
    now.now += 30
    assert clock.left() == 270
    now.now += 1000  # a training that takes longer than expected takes no more time off
    assert clock.left() == 180
    clock.end()
    clock.begin()
    now.now += 10
    clock.end()
    assert clock.done == 3 and clock.left() == 60 + 1030 + 10


def test_what_was_trained_before_tells_the_time():
    clock = Clock(["a", EVALUATION], {"a": 10, "b": 5})
    clock.know("b", 50.0)
    clock.know(EVALUATION, 8.0)
    assert clock.left() == 108


def test_the_display_says_the_time_left_in_all_and_warns_once(now: Now):
    said: list[str] = []

    class Lines(Progress):
        def say(self, message: str) -> None:
            said.append(message)

        def status(self, line: str) -> None:
            said.append(line)

        def detail(self, line: str) -> None:
            said.append(line)

        def warn(self, warning: StageWarning) -> None:
            said.append(str(warning))

    shown = Shown(Lines(), Clock(["a", "a"], {"a": 4}))
    shown.clock.begin()
    shown.detail("train.a: 4 rows")
    shown.warn(StageWarning("train.a", "few rows"))
    shown.warn(StageWarning("train.a", "row r_1 is like row r_2 of train.a"))
    now.now += 7
    shown.end("train.a", "4 steps")
    shown.quiet = True
    shown.detail("train.a.seed8: 4 rows")
    shown.warn(StageWarning("train.a.seed8", "few rows"))
    shown.warn(StageWarning("train.a.seed8", "row r_1 is like row r_2 of train.a.seed8"))
    shown.status("train.a.seed8: step 2 of 4")
    assert said == [
        "train.a: 4 rows",
        "train.a: few rows",
        "train.a: row r_1 is like row r_2 of train.a",
        "compare: 1 of 2 trainings and evaluations done, about 7 s left in all",
        "train.a.seed8: step 2 of 4 (about 7 s left in all)",
    ]
