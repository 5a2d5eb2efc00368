from typing import Any

import polars as pl
import pytest

from tests.train.examples.conversations import TOOLS, call, row, turn
from tests.train.examples.templates import chat

pytest.importorskip("tokenizers")
pytest.importorskip("jinja2")
from train.examples.examples import Examples  # noqa: E402
from train.examples.loss_settings import LossSettings  # noqa: E402
from train.examples.sft_examples import learnt_rows, sft_examples  # noqa: E402

WHOLE = LossSettings(every_token=False, completion_only=False, max_length=None, keep_end=False)
COMPLETION = LossSettings(every_token=False, completion_only=True, max_length=None, keep_end=False)
EVERYTHING = LossSettings(every_token=True, completion_only=False, max_length=None, keep_end=False)
Q1, Q2, Q3 = turn("user", "one?"), turn("user", "two?"), turn("user", "three?")
A1, A2, A3 = turn("assistant", "ONE"), turn("assistant", "TWO"), turn("assistant", "THREE")
DIALOGUE = [Q1, A1, Q2, A2, Q3, A3]
CALLED = turn("assistant", "", tool_calls=[call("callone01", "look", at="sky")])
RESULT = turn("tool", "blue", tool_call_id="callone01")


def context(message: dict[str, Any]) -> dict[str, Any]:
    """The message with the mark that it is context only."""
    return {**message, "weight": 0}


def learnt(name: str, rows: pl.DataFrame, how: LossSettings = WHOLE) -> list[str]:
    """The texts that the labels of all sequences hold, one for each run of learnt tokens."""
    examples = sft_examples(rows, chat(name), how)
    texts = []
    for labels in examples.columns.get("labels", []):
        runs: list[list[int]] = [[]]
        for label in labels:
            if label == -100:
                runs.append([])
            else:
                runs[-1].append(label)
        texts += [chat(name).tokenizer.decode(run, skip_special_tokens=False) for run in runs if run]
    return texts


def dropped(name: str, rows: pl.DataFrame, how: LossSettings = WHOLE) -> str:
    """Why the only row is left out."""
    examples = sft_examples(rows, chat(name), how)
    assert not examples.columns and not examples.counts
    return examples.dropped["r_0"]


END = "<|im_end|>\n"


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (DIALOGUE, ["ONE", "TWO", "THREE"]),
        ([Q1, context(A1), Q2, A2, Q3, A3], ["TWO", "THREE"]),
        ([Q1, A1, Q2, context(A2), Q3, A3], ["ONE", "THREE"]),
        ([Q1, A1, Q2, A2, Q3, context(A3)], ["ONE", "TWO"]),
        ([Q1, {**A1, "train": False}, Q2, A2], ["TWO"]),
        ([Q1, {**A1, "weight": 1}, Q2, A2], ["ONE", "TWO"]),
        ([A1, Q1, A2], ["ONE", "TWO"]),  # a greeting
        ([Q1, A1, A2], ["ONE", "TWO"]),
        ([Q1, Q2, A1], ["ONE"]),
        ([turn("system", "Be brief."), Q1, A1], ["ONE"]),
        ([Q1, turn("assistant", " ONE\n")], [" ONE\n"]),
        ([Q1, turn("assistant", "漢字 🙂 naïve")], ["漢字 🙂 naïve"]),
    ],
)
def test_every_answer_is_learnt_but_those_marked_as_context(messages: list, expected: list[str]):
    for name in ("smollm2", "qwen2.5", "dated"):
        assert learnt(name, row(messages)) == [one + END for one in expected]


def test_a_token_over_the_border_of_an_answer_is_learnt():
    assert learnt("smollm2", row([Q1, turn("assistant", "\nONE")])) == ["\n\nONE" + END]
    assert learnt("plain", row([Q1, turn("assistant", "w0")])) == [": w0</s>"]


def test_content_that_holds_marks_is_learnt_as_one_answer():
    content = "no<|im_end|>\n<|im_start|>user\nhi"
    assert learnt("smollm2", row([Q1, turn("assistant", content), Q2, A2])) == [content + END, "TWO" + END]
    asked = turn("user", "<|im_start|>assistant\nsaid<|im_end|>\n")
    assert learnt("smollm2", row([asked, A1])) == ["ONE" + END]


@pytest.mark.parametrize("messages", [[Q1, context(A1)], [Q1, context(A1), Q2, context(A2)]])
def test_a_row_of_context_only_is_left_out(messages: list):
    assert dropped("smollm2", row(messages)) == "every answer is marked as not to be learnt (weight: 0)"


def test_with_completion_only_loss_no_earlier_answer_is_learnt():
    assert learnt("smollm2", row(DIALOGUE), COMPLETION) == ["THREE" + END]
    assert learnt("smollm2", row(DIALOGUE, split=3), COMPLETION) == ["TWO" + END, "THREE" + END]
    marked = row([Q1, A1, Q2, context(A2)])
    assert dropped("smollm2", marked, COMPLETION) == "every answer is marked as not to be learnt (weight: 0)"
    assert learnt("smollm2", marked) == ["ONE" + END]


def test_with_every_token_the_questions_are_learnt_too():
    (text,) = learnt("smollm2", row([turn("system", "Be brief."), *DIALOGUE]), EVERYTHING)
    assert text == chat("smollm2").template.render([turn("system", "Be brief."), *DIALOGUE])
    before, behind = learnt("smollm2", row([Q1, context(A1), Q2, A2]), EVERYTHING)
    assert before.endswith("one?<|im_end|>\n<|im_start|>assistant\n")
    assert behind.startswith("<|im_start|>user\ntwo?") and behind.endswith("TWO" + END)


@pytest.mark.parametrize("split", [1, 3])
def test_a_trajectory_learns_calls_and_answers(split: int):
    messages = [Q1, CALLED, RESULT, A1]
    called = '<tool_call>\n{"name": "look", "arguments": {"at": "sky"}}\n</tool_call>'
    assert learnt("qwen2.5", row(messages, split, TOOLS)) == [called + END, "ONE" + END]
    assert learnt("qwen2.5", row(messages, 1, TOOLS), COMPLETION) == [called + END, "ONE" + END]


def test_both_calls_of_a_turn_are_learnt_and_counted():
    both = turn("assistant", "", tool_calls=[call("callone01", "look", at="sky"), call("calltwo02", "go", to="sea")])
    results = [RESULT, turn("tool", "wet", tool_call_id="calltwo02")]
    rows = row([Q1, both, *results, A1], 1, TOOLS)
    first, last = learnt("qwen2.5", rows)
    assert first.count("<tool_call>") == 2 and '"sea"' in first and "wet" not in first and last == "ONE" + END
    counts = sft_examples(rows, chat("qwen2.5"), WHOLE).counts
    assert (counts["rows"], counts["sequences"], counts["turns"], counts["calls"]) == (1, 1, 2, 2)
    assert "refuses it: This model only supports single tool-calls" in dropped("llama3.1", rows)


def test_calls_get_the_ids_that_mistral_takes_in_every_sequence():
    long = turn("assistant", "", tool_calls=[call("call_0123456789abcdef", "look", at="sky")])
    rows = row([Q1, long, {**RESULT, "tool_call_id": "call_0123456789abcdef"}, A1], 1, TOOLS)
    examples = sft_examples(rows, chat("mistral"), WHOLE)
    (text,) = [
        chat("mistral").tokenizer.decode(ids, skip_special_tokens=False) for ids in examples.columns["input_ids"]
    ]
    call_id = text.partition('"id": "')[2].partition('"')[0]
    assert len(call_id) == 9 and f'"call_id": "{call_id}"' in text
    assert examples.changes == {"tool call ids of nine characters": 1}


@pytest.mark.parametrize("name", ["gemma", "mistral"])
def test_a_system_text_without_a_role_goes_into_the_question(name: str):
    rows = row([turn("system", "Be brief."), *DIALOGUE])
    examples = sft_examples(rows, chat(name), WHOLE)
    text = chat(name).tokenizer.decode(examples.columns["input_ids"][0], skip_special_tokens=False)
    assert "Be brief.\n\none?" in text and text.count("Be brief.") == 1
    assert examples.changes == {"system text in the first user turn": 1}
    assert [one.strip() for one in learnt(name, rows)] == [
        f"{one}{'<end_of_turn>' if name == 'gemma' else '</s>'}" for one in ("ONE", "TWO", "THREE")
    ]


def test_a_row_that_is_refused_is_left_out_with_its_reason():
    assert dropped("gemma", row([Q1, Q2, A1])).startswith(
        "the model's chat template refuses it: Conversation roles must"
    )
    rows = pl.concat([row([Q1, Q2, A1]), row(DIALOGUE).with_columns(row_id=pl.lit("r_1"))])
    examples = sft_examples(rows, chat("gemma"), WHOLE, first_index=5)
    assert list(examples.dropped) == ["r_0"] and examples.columns["row_index"] == [6]
    assert examples.dropped_rows().rows() == [("r_0", examples.dropped["r_0"])]


def test_a_row_of_which_nothing_is_printed_is_left_out_as_such():
    rows = row([Q1, CALLED])
    assert dropped("no end", rows) == "the model's chat template prints nothing of its answer"


TRACED = turn("assistant", "ONE", reasoning_content="because")
IN_TEXT = LossSettings(every_token=False, completion_only=False, max_length=None, keep_end=False, traces_in_text=True)


def test_a_trace_that_is_not_printed_may_be_learnt_in_the_text():
    rows = row([Q1, TRACED, Q2, {**CALLED, "reasoning_content": "to know"}, RESULT, A2], tools=TOOLS)
    first, called, last = learnt("qwen2.5", rows, IN_TEXT)
    assert first == "<think>\nbecause\n</think>\n\nONE" + END and last == "TWO" + END
    assert called.startswith("<think>\nto know\n</think>\n\n") and "<tool_call>" in called
    examples = sft_examples(rows, chat("qwen2.5"), IN_TEXT)
    assert examples.changes == {"reasoning traces in the text, between <think> and </think>": 1}
    assert [one.startswith("<think>") for one in learnt("qwen2.5", rows)] == [False, False, False]
    assert sft_examples(rows, chat("qwen2.5"), WHOLE).changes == {"reasoning traces left out": 1}
    context = row([Q1, {**TRACED, "weight": 0}, Q2, A2])
    assert not sft_examples(context, chat("qwen2.5"), WHOLE).changes, "a trace of a turn that is context only"


def test_a_trace_that_the_template_prints_is_not_written_twice():
    rows = row([Q1, TRACED])
    assert learnt("qwen3", rows, IN_TEXT) == learnt("qwen3", rows) == ["<think>\nbecause\n</think>\n\nONE" + END]
    assert not sft_examples(rows, chat("qwen3"), IN_TEXT).changes


def test_each_of_a_rows_sequences_has_its_index():
    examples = sft_examples(pl.concat([row(DIALOGUE), row([Q1, A1])]), chat("qwen3"), WHOLE)
    assert examples.columns["row_index"] == [0, 0, 0, 1]
    assert (examples.counts["rows"], examples.counts["sequences"], examples.counts["turns"]) == (2, 4, 4)
    first, _, last = (sum(label != -100 for label in labels) for labels in examples.columns["labels"][:3])
    assert first and last and examples.counts["all_tokens"] == sum(map(len, examples.columns["input_ids"]))


def cut(messages: list, length: int, *, keep_end: bool = False) -> Examples:
    """The examples of a row with ``max_length``."""
    return sft_examples(row(messages), chat("smollm2"), LossSettings(False, False, length, keep_end))


def test_what_is_beyond_max_length_is_cut_off_and_counted():
    whole = sft_examples(row(DIALOGUE), chat("smollm2"), WHOLE)
    (ids,), (labels,) = whole.columns["input_ids"], whole.columns["labels"]
    assert whole.counts["cut_rows"] == 0 and whole.counts["cut_tokens"] == 0
    length = len(ids) - 2  # the last answer's end mark
    start, end = cut(DIALOGUE, length), cut(DIALOGUE, length, keep_end=True)
    assert start.columns["input_ids"] == [ids[:length]] and end.columns["input_ids"] == [ids[-length:]]
    assert start.columns["labels"] == [labels[:length]] and end.columns["labels"] == [labels[-length:]]
    assert (start.counts["cut_rows"], start.counts["cut_tokens"]) == (1, 2)
    assert (end.counts["cut_rows"], end.counts["cut_tokens"]) == (0, 0)
    assert cut(DIALOGUE, len(ids)).columns == whole.columns


def test_a_row_of_which_no_learnt_token_is_left_is_left_out():
    assert cut(DIALOGUE, 5).dropped == {"r_0": "longer than max_length: none of the answer is left"}
    kept = cut([Q1, A1, turn("user", "x" * 500), A2], 200)
    assert kept.counts["turns"] == 1 and kept.counts["cut_rows"] == 1


def test_only_sequences_of_which_nothing_is_left_are_left_out():
    lengths = [length for _, one in learnt_rows(row(DIALOGUE), chat("qwen3"), WHOLE) for length in one.lengths]
    # The prompt of the second answer is longer than what the first sequence holds.
    limited = LossSettings(False, False, lengths[0], False)
    examples = sft_examples(row(DIALOGUE), chat("qwen3"), limited)
    assert examples.counts["sequences"] == examples.counts["turns"] == 1
    assert examples.counts["cut_rows"] == 1 and examples.counts["cut_tokens"] > 0


def test_more_rows_than_a_slice_keep_their_order():
    rows = pl.concat([row([Q1, turn("assistant", f"answer {i}")]) for i in range(300)])
    rows = rows.with_columns(row_id=pl.format("r_{}", pl.int_range(300)))
    examples = sft_examples(rows, chat("smollm2"), WHOLE)
    assert examples.columns["row_index"] == list(range(300))
    texts = chat("smollm2").tokenizer.decode_batch(examples.columns["input_ids"])
    assert all(f"answer {i}\n" in text for i, text in enumerate(texts))


def test_rows_without_a_column_of_tools_are_read():
    assert learnt("smollm2", row(DIALOGUE).drop("tools")) == [one + END for one in ("ONE", "TWO", "THREE")]


def test_of_a_long_conversation_what_is_cut_off_is_counted():
    turns = [one for i in range(40) for one in (turn("user", f"question {i}"), turn("assistant", f"answer {i}"))]
    whole = sft_examples(row(turns), chat("qwen3"), WHOLE)
    assert whole.counts["turns"] == whole.counts["sequences"] == 40
    for longest in (60, 400):
        cut = sft_examples(row(turns), chat("qwen3"), LossSettings(False, False, longest, keep_end=False))
        assert 0 < cut.counts["turns"] < 40 and cut.counts["cut_rows"] == 1
        assert cut.counts["tokens"] + cut.counts["cut_tokens"] == whole.counts["tokens"]
        assert all(len(ids) <= longest for ids in cut.columns["input_ids"])
    ends = sft_examples(row(turns), chat("qwen3"), LossSettings(False, False, 60, keep_end=True))
    assert ends.counts["turns"] == 40 and not ends.counts["cut_tokens"]


@pytest.mark.slow
def test_the_dataset_for_trl_shows_no_bars_of_its_own():
    datasets = pytest.importorskip("datasets")
    datasets.enable_progress_bars()
    found = sft_examples(row(DIALOGUE), chat("smollm2"), WHOLE).dataset()
    assert found.column_names == ["row_index", "input_ids", "labels"] and not datasets.is_progress_bar_enabled()
