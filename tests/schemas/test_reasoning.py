"""Reasoning traces: what is split off from the answer, and which mentions of a mark split nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.reasoning import MARKS, join_traces, opening_mark, split_reasoning

NEXT = "<|end|><|start|>assistant"
HARMONY = "<|channel|>analysis<|message|>why<|end|><|start|>assistant<|channel|>final<|message|>so"
CALL = '<|start|>assistant<|channel|>commentary to=functions.sky <|constrain|>json<|message|>{"at":"X"}<|call|>'
SOLUTION = "<|begin_of_solution|>\n\nso\n\n<|end_of_solution|>"


@pytest.mark.parametrize(
    ("text", "trace", "answer"),
    [
        ("plain", None, "plain"),
        ("<think>why</think>so", "why", "so"),
        ("<think>\nwhy\n\nnot\n</think>\n\nso\n", "why\n\nnot", "so\n"),
        ("why</think>so", "why", "so"),  # the template opened the tag
        ("<think></think>so", None, "so"),
        ("<think>cut short", "cut short", ""),  # no answer came
        ("<think>a</think>b</think>c", "a", "b</think>c"),
        ("", None, ""),
        (" \n<think>why</think>so", "why", "so"),
        ("<think>\n<think>why</think>so", "why", "so"),  # the template and the model opened it
        ("<Thought>why</Thought>\n<Output>so</Output>", "why", "<Output>so</Output>"),
        ("<reasoning>\nwhy\n</reasoning>\n<answer>\n4\n</answer>", "why", "<answer>\n4\n</answer>"),
        ("why</thought>so", "why", "so"),
        ("why\n</seed:think>so", "why", "so"),
        ("[THINK]why[/THINK]so", "why", "so"),
        ("[THINK]cut", "cut", ""),
        (f"<|begin_of_thought|>\n\nwhy\n\n<|end_of_thought|>\n\n{SOLUTION}", "why", "so"),
        ("<|START_THINKING|>why<|END_THINKING|><|START_RESPONSE|>so<|END_RESPONSE|>", "why", "so"),
        ("<|channel>thought\nwhy<channel|>so", "why", "so"),
        ("◁think▷why◁/think▷so", "why", "so"),
        (f"{HARMONY}<|return|>", "why", "so"),
        (HARMONY, "why", "so"),
        (f"<|start|>assistant{HARMONY}<|end|>", "why", "so"),
        ("<|channel|>final<|message|>so<|return|>", None, "so"),
        ("<|channel|>analysis<|message|>cut", "cut", ""),
        (
            f"<|channel|>analysis<|message|>a{NEXT}<|channel|>analysis<|message|>b<|end|>",
            "a\n\nb",
            "",
        ),
        (f"<|channel|>analysis<|message|>why<|end|>{CALL}", "why", CALL),
        ("<|channel|>commentary<|message|>First,<|end|><|channel|>final<|message|>so", None, "First,\n\nso"),
        ("analysisWe add.assistantfinalIt is 4.", "We add.", "It is 4."),  # decoded without special tokens
        ("<think>The tag `</think>` ends it.\n</think>\nso", "The tag `</think>` ends it.", "so"),
        ('<think>"hm"</think>"so"', '"hm"', '"so"'),  # the only closing tag is no quotation
        ("It is about `</think>`.\n</think>\nso", "It is about `</think>`.", "so"),
        ("<THINK>a</THINK>so", "a", "so"),
        ("<th\u0131nk>a</think>so", "<th\u0131nk>a", "so"),  # a dotless i is no i, so this is no opening mark
    ],
)
def test_a_reasoning_trace_is_split_off(text, trace, answer):
    assert split_reasoning(text) == (trace, answer)


@pytest.mark.parametrize(
    "text",
    [
        "To close it write</think>after the trace, as in <think>x</think>. Done.",
        "To close it write\n</think>\nafter the trace, as in <think>x</think>.",
        "Sure. <think>x</think> is how a trace looks.",
        "Write </think> after the trace.",
        "The trace ends with </think>.",
        "先写 </think> 再写答案",
        "Write `</think>` after it.",
        'It ends with "</think>" or with “</think>”.',
        "As in:\n```\nwhy\n</think>\nso\n```",
        "Use `why</think>so` here.",
        "The tag <think> opens it and </think> ends it.",
        "`<think>` opens a trace.",
        "It is opened at the start only: [THINK] x [/THINK] y",
        "The end: [/THINK]",
        "Look: <|channel|>final<|message|>so",
        "analysis of the text: no final",
        "a < b, a[0], <<2+2=4>>4",
        "<b>bold</b>",
    ],
)
def test_a_mention_of_a_mark_splits_nothing(text):
    assert split_reasoning(text) == (None, text)


marks = st.sampled_from(MARKS)
letters = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<[◁"))  # no mark can be written
plain = letters.filter(lambda text: not text.startswith("analysis"))


@given(marks, letters, letters, st.sampled_from(["", "\n", "\n\n"]))
def test_what_is_wrapped_is_given_back(mark, trace, answer, space):
    text = f"{mark.opening}{space}{trace}{space}{mark.closing}{space}{answer}"
    assert split_reasoning(text) == (trace.strip() or None, answer.lstrip())


@given(letters, letters)
def test_harmony_is_given_back(trace, answer):
    text = f"<|channel|>analysis<|message|>{trace}{NEXT}<|channel|>final<|message|>{answer}<|return|>"
    assert split_reasoning(text) == (trace.strip() or None, answer.strip())


@given(plain)
def test_a_text_without_marks_is_given_back_as_it_is(text):
    assert split_reasoning(text) == (None, text)


parts = [part for mark in MARKS for part in (mark.opening, mark.closing)]
soup = st.lists(st.sampled_from([*parts, " ", "\n", "`", '"', "Yes", "and", "```", "."]), max_size=9).map("".join)


@given(soup)
def test_nothing_but_marks_and_white_space_is_lost(text):
    trace, answer = split_reasoning(text)

    def words(written):
        for part in sorted(parts, key=len, reverse=True):
            written = written.replace(part, " ")
        return "".join(written.split())

    assert words(f"{trace or ''} {answer}") == words(text)
    assert trace is None or trace == trace.strip() != ""
    if trace and trace not in text:
        assert all(block in text for block in trace.split("\n\n")), "it is in the text, or is several that are"
        assert any(text.count(mark.opening) > 1 for mark in MARKS)


def test_a_prompt_may_open_a_trace():
    assert opening_mark("<|im_start|>assistant\n<think>\n") == "<think>"
    assert opening_mark("[|assistant|]<thought>\n") == "<thought>"
    assert opening_mark("<think>\n\n</think>\n\n") == opening_mark("Think!") == opening_mark("") == ""


def test_traces_are_joined_but_for_those_that_another_holds():
    assert join_traces(["a", "b"]) == "a\n\nb"
    assert join_traces([" a\n"]) == " a\n"
    assert join_traces(["a b", "b"]) == join_traces(["b", "a b", ""]) == "a b"
    assert join_traces(["", " "]) is join_traces([]) is None
