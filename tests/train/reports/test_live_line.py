"""The lines that show how far a training is."""

import math

import pytest

from train.reports.during.live_line import (
    Lines,
    estimate_line,
    evaluation_line,
    figures,
    not_numbers,
    note_of,
    step_line,
)
from train.reports.during.pace import Pace
from train.reports.words import figure, in_bytes, in_time, share


def paced(done: int, total: int, seconds: float, tokens: int) -> Pace:
    pace = Pace(total, 0)
    for step in range(done):
        pace.step(seconds)
        pace.count(step * tokens)
    return pace


def test_a_step_on_one_line():
    pace = paced(12, 64, 3.5, 17_920)
    note = note_of("loss 1.234", pace, 0)
    assert step_line("sft", pace, note) == "train.sft: step 12 of 64, loss 1.234, 5,120 tokens/s, 3 min left"
    assert step_line("sft", paced(1, 64, 3.5, 9), "loss 1.234") == "train.sft: step 1 of 64, loss 1.234"
    assert note_of("loss 1.234", paced(64, 64, 3.5, 17_920), 0) == "loss 1.234, 5,120 tokens/s"
    assert note_of("loss 1.234", paced(12, 64, 3.5, 17_920), 2, ended=True) == "loss 1.234, 5,120 tokens/s"


def test_an_estimate_on_one_line():
    pace = paced(4, 64, 5.61, 0)
    assert estimate_line("sft", pace, 0) == "train.sft: about 6 min for the 60 steps left (5.6 s a step)"
    assert estimate_line("sft", pace, 3).endswith("(5.6 s a step, its 3 evaluations not counted)")
    pace.evaluated(60)
    assert estimate_line("sft", pace, 3) == "train.sft: about 9 min for the 60 steps left (5.6 s a step)"


def test_a_reward_is_shown_in_the_place_of_the_loss():
    logs = {"loss": 0.0, "reward": 0.3, "rewards/math/mean": 0.1, "rewards/math/std": 0.2, "rewards/short/mean": 0.2}
    assert figures(logs, rewarded=True, parts=False) == "reward 0.300"
    assert figures(logs, rewarded=True, parts=True) == "reward 0.300 (math 0.100, short 0.200)"
    assert figures({"reward": math.nan}, rewarded=True, parts=True) == "reward not a number"
    assert figures({"loss": 0.1}, rewarded=True, parts=True) == "", "a step that learns from earlier answers"
    assert figures({"loss": 0.6, "rewards/margins": 0.02}, rewarded=False, parts=True) == "loss 0.600, margin 0.020"
    assert figures({"learning_rate": 1.0}, rewarded=False, parts=True) == ""


def test_what_is_no_number_is_named():
    assert not_numbers({"loss": math.nan, "grad_norm": math.inf}) == ["loss", "grad_norm"]
    assert not_numbers({"loss": 1.0, "grad_norm": 0.0}) == [] == not_numbers({})
    assert figures({"loss": math.nan}, rewarded=False, parts=False) == "loss not a number"


def test_an_evaluation_on_one_line():
    logs = {"eval_mean_token_accuracy": 0.8, "eval_loss": 0.5123, "eval_runtime": 4.0, "eval_num_tokens": 99.0}
    line = evaluation_line("sft", 12, 64, logs, 4.2)
    assert line == "train.sft: evaluated after step 12 of 64, eval_loss 0.512, eval_mean_token_accuracy 0.800, in 4.2 s"
    logs = {"eval_loss": 0.0, "eval_reward": 0.5, "eval_rewards/math/mean": 0.5, "eval_completions/mean_length": 9.0}
    assert evaluation_line("g", 3, 6, logs, 90.5).endswith("after step 3 of 6, eval_reward 0.500, in 2 min")


def test_lines_come_more_rarely_the_longer_it_takes():
    lines, written = Lines(0.0), []
    for second in range(1, 7200):
        if lines.is_due(float(second), always=second == 1):
            written.append(second)
    assert written[:4] == [1, 11, 21, 31]
    gaps = [later - earlier for earlier, later in zip(written, written[1:], strict=False)]
    assert min(gaps) == 10 and max(gaps) == 300 and gaps == sorted(gaps) and len(written) < 110


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (89, "89 s"), (91, "2 min"), (5000, "83 min"), (7800, "2 h 10 min"), (200_000, "2 days 8 h")],
)
def test_times(seconds, text):
    assert in_time(seconds) == text


def test_numbers():
    assert [figure(v) for v in (1.2345, 0.0, 2.4e-5, -3.0, math.inf)] == [
        "1.234",
        "0.000",
        "2.4e-05",
        "-3.000",
        "infinite",
    ]
    assert in_bytes(850e6) == "850 MB" and in_bytes(5.23e9) == "5.2 GB"
    assert share(35, 1000) == "3.5%" and share(1, 1) == "100%" and share(1, 3) == "33%"
