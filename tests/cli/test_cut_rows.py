"""The lines of ``gristmill check`` on rows that ``max_length`` cuts, and on prompts without room for an answer."""

from hypothesis import given
from hypothesis import strategies as st

from cli.cut_rows import cut_rows, quantile
from schemas.recipe import Training
from train.examples.context import NO_LIMIT, Context
from train.examples.cuts import Cut
from train.examples.examples import Examples


def sft(**settings) -> Training:
    return Training.model_validate({"trainer": "sft", "dataset": "sft", "model": "m", "max_length": 10, **settings})


def lines(
    *cuts: Cut, lengths: list[int], training: Training | None = None, learnt: int = 0, context: int | None = None
) -> list[str]:
    examples = Examples(cuts=list(cuts), lengths=lengths)
    examples.counts["tokens"] = learnt
    return cut_rows(training or sft(), "sft", examples, Context(context))


def test_rows_that_fit_are_no_line():
    assert lines(lengths=[3, 10]) == []


def test_the_first_line_counts_and_names_lengths_that_would_do():
    cuts = [Cut("r_1", 4, 6), Cut("r_2", 5, 5, left_out=True)]
    (first, _) = lines(*cuts, lengths=[2] * 197 + [9, 14, 20], learnt=91)
    assert first == (
        "max_length 10: 2 rows of 200 (1%) lose 9 of 100 tokens that would be learnt; 1 row loses all and is "
        "left out; max_length: 9 would keep 99% whole, 20 all"
    )
    assert lines(Cut("r", 4, 6), lengths=[14])[0].endswith("max_length: 14 would keep all whole")


def test_no_length_is_advised_that_the_model_does_not_read():
    long = [2] * 90 + [200] * 10
    assert lines(Cut("r", 4, 6), lengths=long, context=150)[0].endswith(
        "max_length: 150, all that the model reads, would keep 90% whole"
    )
    few = [2] * 199 + [200]
    assert lines(Cut("r", 4, 6), lengths=few, context=150)[0].endswith(
        "max_length: 2 would keep 99% whole; the longest has 200, the model reads 150"
    )


def test_the_second_line_says_what_the_worst_rows_lose():
    turns = Cut("r_turns", 8, 9, turns=2, calls=1)
    cuts = [Cut("r_end", 3, 6), turns, Cut("r_out", 5, 5, left_out=True), Cut("r_x", 1, 6), Cut("r_y", 1, 6)]
    (_, second) = lines(*cuts, lengths=[20] * 5)
    assert second == (
        "the most is lost by row r_turns (8 of 9 tokens: 2 whole turns, with 1 tool call); row r_out (5 of 5 tokens: "
        "left out); row r_end (3 of 6 tokens: the end of a turn); 2 rows more"
    )
    (_, second) = lines(Cut("r", 3, 6), lengths=[20], training=sft(truncation_mode="keep_end"))
    assert "the beginning of a turn" in second


def test_an_id_can_not_steer_the_terminal():
    assert "\x1b" not in "".join(lines(Cut("r\x1b[2J", 3, 6), lengths=[20]))


def prompts(lengths: list[int], room: int) -> list[str]:
    training = Training.model_validate(
        {"trainer": "grpo", "dataset": "rl", "model": "m", "rewards": ["length"], "max_completion_length": 100}
    )
    return cut_rows(training, "prompt", Examples(lengths=lengths), Context(room + 100))


def test_prompts_that_leave_no_room_for_an_answer():
    assert prompts([50, 99], 100) == prompts([5000], NO_LIMIT - 100) == []
    assert prompts([50, 120], 100) == [
        "1 prompt of 2 (50%) is longer than 100 tokens, which max_completion_length: 100 leaves of the model's 200; "
        "max_completion_length: 80 would take them all"
    ]
    (line,) = prompts([50] * 90 + [110] * 9 + [120], 100)
    assert line.endswith("max_completion_length: 90 would take 99%, max_completion_length: 80 would take them all")
    (line,) = prompts([50, 200], 100)
    assert line.endswith("the longest has 200: a model with a longer context, or a dataset without it (where:)")


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.floats(0, 1))
def test_a_quantile_is_the_least_length_that_does(lengths: list[int], share: float):
    found = quantile(lengths, share)
    assert found in lengths and sum(one <= found for one in lengths) >= share * len(lengths)
    assert all(sum(one <= less for one in lengths) < share * len(lengths) for less in set(lengths) if less < found)
