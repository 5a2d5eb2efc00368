"""Scorers judge the answer without its reasoning trace, which is taken off in one place."""

import polars as pl
import pytest

from curate.api.call_step import call_step
from curate.pipeline.answer_columns import answer_columns, split_traces
from curate.steps.find_step import find_step, step_names
from schemas.answer_text import answer_of
from schemas.reasoning import MARKS


@pytest.mark.parametrize("marks", MARKS)
def test_every_mark_of_a_trace_is_found(marks):
    text = f"{marks.opening}I add one.{marks.closing}\nIt is 42."
    answer, trace = split_traces(pl.Series([text, "It is 42.", None]))
    assert (answer.to_list(), trace.to_list()) == (["It is 42.", "It is 42.", None], ["I add one.", None, None])


@pytest.mark.parametrize(
    "text",
    [
        "<|channel|>analysis<|message|>I add.<|end|><|start|>assistant<|channel|>final<|message|>42<|return|>",
        "analysisI add one.assistantfinalIt is 42.",
        "I add one.</think>42",
        "<THINK>I add one.</THINK>42",
        "<think>I add one",
        "Put it between <think> and </think>.",
        "No mark at all [1] <b>",
    ],
)
def test_traces_are_those_of_one_text(text):
    answer, trace = split_traces(pl.Series([text]))
    assert (trace[0], answer[0]) == answer_of(text)


def test_a_trace_beside_the_text_stays():
    columns: dict[str, pl.Series | pl.DataFrame] = {
        "response": pl.Series(["<think>a</think>b", "b"]),
        "reasoning_content": pl.Series([None, "kept"], dtype=pl.String),
        "ground_truth": pl.Series(["<think>c</think>d", None]),
        "raw_response": pl.Series(["<think>a</think>b", "b"]),
    }
    found = {name: pl.Series(column).to_list() for name, column in answer_columns(columns).items()}
    assert found["response"] == ["b", "b"] and found["reasoning_content"] == ["a", "kept"]
    assert found["ground_truth"] == ["d", None] and found["raw_response"] == ["<think>a</think>b", "b"]


TRACED = [
    ("<think>First I get \\boxed{41}.</think>\nThe answer is 42.", 1.0),
    ("<think>First I get \\boxed{42}.</think>\nThe answer is 41.", 0.0),
    ("<think>Is it 42? Let me check, 42", 0.0),
    ("So it is 42 or so.\n</think>\n\n\\boxed{41}", 0.0),
    ("<think>It is 41.</think>\n#### 42", 1.0),
]


def test_maths_in_a_trace_is_no_answer():
    responses, wanted = zip(*TRACED, strict=True)
    found = call_step("score", "math", list(responses), ["42"] * len(TRACED))
    assert found["value"].to_list() == list(wanted)


def test_other_verifiers_look_at_the_answer():
    text = "<think>I must write SMALL letters.</think>hello there, all of you"
    lowercase = [{"instruction_id_list": ["change_case:english_lowercase"], "kwargs": [{}]}]
    assert call_step("score", "constraints", [text], lowercase)["value"].to_list() == [1.0]
    assert call_step("score", "exact_match", ["<think>No.</think>Yes"], ["yes"])["value"].to_list() == [1.0]
    assert call_step("score", "length", [text], unit="words")["value"].to_list() == [5.0]
    assert call_step("score", "secrets", ["<think>AKIAIOSFODNN7EXAMPLQ</think>No."])["value"].to_list() == [1.0]


def test_scorers_that_read_the_text_as_written_are_few():
    names = [name for name in step_names("score") if "raw_response" in find_step("score", name).reads]
    assert names == ["format", "pii", "regex", "secrets"]
