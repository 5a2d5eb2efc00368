"""Collapses of sampled answers, found in histories as GRPO makes them."""

import polars as pl
import pytest

from schemas.progress import Progress
from tests.train.reports.histories import TOPICS, history, one_word_history
from train.reports.during.collapse import AnswerWatch, LengthWatch, collapse_text
from train.reports.during.collapse_watch import Collapse


def watched(answers: pl.DataFrame, truths: list[str | None] | None = None) -> tuple[AnswerWatch, list]:
    ids = answers["row_id"].unique(maintain_order=True)
    rows = pl.DataFrame({"row_id": ids, "ground_truth": pl.Series(truths or [None] * len(ids), dtype=pl.String)})
    watch, found = AnswerWatch(rows), []
    for part in answers.partition_by("step", maintain_order=True):
        found += watch.take(part)
    return watch, found


def test_one_word_answers_are_found_while_the_reward_rises():
    watch, found = watched(one_word_history())
    assert [(sign.kind, sign.short) for _, sign, _ in found] == [("one_word", "one-word answers")]
    (step, sign, reward), *_ = found
    assert 9 <= step <= 20, "the answers shrink from step 5 to 17"
    assert "of its answers are a single word (the first ones: 0%; mean " in sign.text
    assert reward.startswith("reward 0.000 -> 0.") or reward.startswith("reward 0.000 -> 1.")
    assert [one.kind for one in watch.now] == ["one_word"] and watch.said == {"one_word": step}


def test_all_at_once_is_found_as_step_by_step_is():
    """As after an interruption, where the answers of all steps so far come from a checkpoint."""
    answers = one_word_history()
    whole = AnswerWatch(answers.select("row_id").unique())
    assert [(step, one.kind) for step, one, _ in whole.take(answers)] == [
        (step, one.kind) for step, one, _ in watched(answers)[1]
    ]


@pytest.mark.parametrize("late", [1, 12])
def test_answers_that_were_short_from_the_start_are_not_told(late):
    short = history(30, lambda rng, step, topic: topic if step >= late else f"{topic}!")
    assert watched(short)[1] == []


def test_answers_that_get_better_are_not_told():
    def answer(rng, step, topic):
        words = max(9, 30 - step) + int(rng.integers(3))
        return " ".join([topic, *rng.choice(TOPICS, words)])

    assert watched(history(45, answer))[1] == []


def test_sums_may_get_short_where_the_truth_is():
    def answer(rng, step, topic):
        return str(TOPICS.index(topic)) if step > 10 else " ".join([topic, *rng.choice(TOPICS, 30)])

    answers = history(45, answer)
    ids = answers["row_id"].unique(maintain_order=True)
    assert watched(answers, [str(TOPICS.index(one)) for one in ids])[1] == []
    assert [one.kind for _, one, _ in watched(answers)[1]] == ["one_word"]


def test_one_answer_for_all_prompts_is_found():
    def answer(rng, step, topic):
        return (
            "I would rather not say anything about that today."
            if step > 10
            else f"{topic} is {rng.choice(TOPICS)} to me"
        )

    assert [one.kind for _, one, _ in watched(history(45, answer))[1]] == ["same"]


def test_a_few_prompts_with_many_answers_are_watched_too():
    answers = history(45, lambda rng, step, topic: topic if step > 10 else " ".join(rng.choice(TOPICS, 30)), prompts=2)
    assert [one.kind for _, one, _ in watched(answers)[1]] == ["one_word"]


def test_logged_lengths_are_watched_where_there_are_no_answers():
    watch, found = LengthWatch(), []
    for step in range(1, 30):
        logs = {"completions/mean_length": 40.0 if step < 10 else 3.0, "completions/clipped_ratio": 0.1}
        found += watch.take(step, logs)
    assert [(step, one.kind) for step, one, _ in found] == [(13, "short")]
    assert watch.take(30, {"loss": 1.0}) == [] and LengthWatch().take(1, {"completions/mean_length": None}) == []


class Said(Progress):
    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.lines: list[str] = []

    def warn(self, warning) -> None:
        self.warnings.append(str(warning))

    def say(self, message) -> None:
        self.lines.append(message)


class Job:
    name = "grpo"

    def __init__(self) -> None:
        self.progress = Said()


class Recorded:
    """A trainer whose rollouts are given, a step at a time."""

    def __init__(self, answers: pl.DataFrame) -> None:
        self.rollouts = self
        self.rows = answers.select("row_id").unique()
        self.parts = answers.partition_by("step", maintain_order=True)

    def take_unseen(self) -> pl.DataFrame | None:
        return self.parts.pop(0) if self.parts else None


def test_a_person_is_told_once_and_beside_the_figures():
    job = Job()
    collapse = Collapse(job, Recorded(one_word_history()))  # ty: ignore[invalid-argument-type]
    shown = []
    for _ in range(46):
        collapse.see_answers()
        shown.append(collapse.beside("reward 0.940"))
    (warning,) = job.progress.warnings
    (kept,) = collapse.metrics()["damage"]
    assert warning == f"train.grpo: {kept['text']}" and warning.startswith(f"train.grpo: at step {kept['step']}, ")
    assert "single word" in warning and "reward is gamed" in warning and kept["short"] == "one-word answers"
    assert shown[0] == "reward 0.940" and shown[-1] == "reward 0.940, one-word answers"
    assert collapse.beside("") == ""


def test_a_mistake_of_the_watch_ends_no_training():
    job = Job()
    collapse = Collapse(job, Recorded(one_word_history().drop("finish_reason")))  # ty: ignore[invalid-argument-type]
    for _ in range(46):
        collapse.see_answers()
    (line,) = job.progress.lines
    assert "its answers are not watched for a collapse: " in line and collapse.metrics() == {}


def test_a_training_without_answers_says_nothing():
    job = Job()
    collapse = Collapse(job, object())  # ty: ignore[invalid-argument-type]
    collapse.see_answers()
    collapse.see_logs(3, {"loss": 2.0})
    assert collapse.beside("loss 2.000") == "loss 2.000" and not job.progress.warnings


def test_the_warning_says_what_to_set():
    (_, sign, _), *_ = watched(one_word_history())[1]
    assert collapse_text(1234, sign, "").startswith("at step 1,234, ") and "beta" in collapse_text(9, sign, "")
