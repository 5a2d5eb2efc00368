"""The answer of a text is what no trace holds, whatever marks a model writes and wherever the trace stands."""

import time

import pytest

from schemas.answer_text import CLOSING, answer_of

TEXTS = [
    ("<think>a</think>5", "a", "5"),
    ("Okay.\n<think>\nI get \\boxed{4}\n</think>\n\nIt is 5.", "I get \\boxed{4}", "It is 5."),
    ("It is 5.\n<think>Was it?</think>", "Was it?", "It is 5."),
    ("Okay, so.\n\n<think>\nI get 4", "I get 4", ""),
    ("<think>a</think>\n\n<thinking>b 4</thinking>\n\n5", "a\n\nb 4", "5"),
    ("<think>a</think>It is 41.<think>b</think>It is 42.", "a\n\nb", "It is 41.\nIt is 42."),
    ("<Think>I get 4", "I get 4", ""),
    ("I get 4.</thinking>5", "I get 4.", "5"),
    ("<|im_start|>assistant\n<think>a</think>5", "a", "5"),
    ("analysisWe need 4", "analysisWe need 4", ""),
]
ANSWERS = [
    "analysis of the thing",
    "Use `<think>` and `</think>`.",
    "```\n<think>\nx\n</think>\n```\nThat is it.",
    "Put it between <think> and </think>.",
    "The tag <think> opens a trace.",
    "So.\n<think> is the opening tag.",
    "assert '<think>' in text",
    "1 < 2 and [3]",
]


@pytest.mark.parametrize(("text", "trace", "answer"), TEXTS)
def test_traces_are_taken_off(text, trace, answer):
    assert answer_of(text) == (trace, answer)


@pytest.mark.parametrize("text", ANSWERS)
def test_marks_that_an_answer_mentions_stay(text):
    assert answer_of(text) == (None, text)


@pytest.mark.parametrize("opening", CLOSING)
def test_every_mark_closed_and_cut(opening):
    assert answer_of(f"{opening}\nI add.\n{CLOSING[opening]}\n\n5") == ("I add.", "5")
    assert answer_of(f"{opening.upper()}\nI add.\n{CLOSING[opening].upper()}\n\n5")[1] == "5"
    assert answer_of(f"{opening}\nI add 5")[1] == ""
    assert answer_of(f"Well.\n{opening}\nI add 5")[1] == ""


@pytest.mark.parametrize(
    "text", ["<think>a</think>" + "\n" * 300_000 + "x<think>", "<think>" * 60_000, "a.\n<think>" * 60_000]
)
def test_hostile_texts_take_no_time(text):
    started = time.process_time()
    answer_of(text)
    assert time.process_time() - started < 2
