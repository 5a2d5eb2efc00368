from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.train.examples.conversations import TOOLS, call, conversations, pair, turn
from tests.train.examples.templates import SOURCES, chat

pytest.importorskip("tokenizers")
pytest.importorskip("jinja2")
from train.examples.examples import Examples  # noqa: E402
from train.examples.loss_settings import LossSettings  # noqa: E402
from train.examples.pair_examples import (  # noqa: E402
    PAIR_TOO_LONG,
    PROMPT_TOO_LONG,
    SAME,
    SAME_ONCE_CUT,
    dpo_examples,
    learnt_pairs,
    reward_examples,
    shared_length,
)

WHOLE = LossSettings(every_token=False, completion_only=False, max_length=None, keep_end=False)
PROMPT = [turn("user", "one?"), turn("assistant", "ONE"), turn("user", "two?")]
GOOD, BAD = [turn("assistant", "GOOD")], [turn("assistant", "BAD and longer")]
CALLED = turn("assistant", "", tool_calls=[call("callone01", "look", at="sky")])
TRAJECTORY = [CALLED, turn("tool", "blue", tool_call_id="callone01"), turn("assistant", "Blue.")]


def short(length: int, *, keep_end: bool = False) -> LossSettings:
    """Settings with ``max_length``."""
    return LossSettings(every_token=False, completion_only=False, max_length=length, keep_end=keep_end)


def text(name: str, ids: list[int]) -> str:
    """The text of tokens."""
    return chat(name).tokenizer.decode(ids, skip_special_tokens=False)


def counted(name: str, columns: dict[str, list], side: str) -> str:
    """The text of the tokens of the only pair's answer that count."""
    flags = zip(columns[f"{side}_ids"][0], columns[f"{side}_learnt"][0], strict=True)
    return text(name, [token for token, flag in flags if flag])


@pytest.mark.parametrize("name", ["smollm2", "qwen2.5", "llama3.1", "gemma", "mistral", "qwq"])
def test_a_pair_shares_its_prompt_and_only_the_answers_count(name: str):
    columns = dpo_examples(pair(PROMPT, GOOD, BAD), chat(name), WHOLE).columns
    template = chat(name).template
    prompt = template.render(PROMPT, add_generation_prompt=True).removesuffix("<think>\n")
    assert text(name, columns["prompt_ids"][0]) == prompt
    for side, answer in (("chosen", GOOD), ("rejected", BAD)):
        assert text(name, columns["prompt_ids"][0] + columns[f"{side}_ids"][0]) == template.render([*PROMPT, *answer])
        assert counted(name, columns, side).strip().startswith(answer[0]["content"])
        assert all(columns[f"{side}_learnt"][0]), "no earlier answer counts"


@settings(max_examples=30)
@given(st.sampled_from(sorted(SOURCES)), conversations(plain=True), st.sampled_from(["\n", "", "w0"]))
def test_what_a_pair_shares_is_the_same_in_both_and_no_answer(name: str, messages: list, start: str):
    prompt = messages[:-1]
    rows = pair(prompt, [turn("assistant", f"{start}chosen")], [turn("assistant", "rejected")])
    ((_, found),) = learnt_pairs(rows, chat(name), WHOLE)
    assert found.chosen and found.rejected
    shared = shared_length(found)
    assert found.chosen.ids[:shared] == found.rejected.ids[:shared]
    assert not any(found.chosen.learnt[:shared]) and not any(found.rejected.learnt[:shared])
    if not start:
        assert shared == found.chosen.learnt.index(True) == found.rejected.learnt.index(True)


def test_a_token_that_holds_the_headers_end_is_not_shared():
    columns = dpo_examples(pair(PROMPT, [turn("assistant", "\nGOOD")], BAD), chat("smollm2"), WHOLE).columns
    assert text("smollm2", columns["prompt_ids"][0]).endswith("<|im_start|>assistant")
    assert text("smollm2", columns["chosen_ids"][0]) == "\n\nGOOD<|im_end|>\n"
    assert text("smollm2", columns["rejected_ids"][0]) == "\nBAD and longer<|im_end|>\n"
    assert columns["rejected_learnt"][0][:2] == [False, True] and columns["chosen_learnt"][0][0]


def test_of_a_trajectory_calls_and_answers_count_and_no_results():
    rows = pair(PROMPT[:1], TRAJECTORY, BAD, TOOLS)
    examples = dpo_examples(rows, chat("qwen2.5"), WHOLE)
    called = '<tool_call>\n{"name": "look", "arguments": {"at": "sky"}}\n</tool_call><|im_end|>\n'
    assert counted("qwen2.5", examples.columns, "chosen") == f"{called}Blue.<|im_end|>\n"
    assert "blue" in text("qwen2.5", examples.columns["chosen_ids"][0])
    assert "<tools>" in text("qwen2.5", examples.columns["prompt_ids"][0])
    counts = examples.counts
    assert (counts["rows"], counts["sequences"], counts["turns"]) == (1, 2, 3)
    flags = sum(examples.columns["chosen_learnt"][0]) + sum(examples.columns["rejected_learnt"][0])
    assert counts["tokens"] == flags


def test_earlier_answers_count_as_they_stand_in_the_whole_answer():
    answer = [turn("assistant", "first"), turn("user", "go on"), turn("assistant", "last")]
    examples = dpo_examples(pair(PROMPT, answer, BAD), chat("qwen3"), WHOLE)
    last = "<think>\n\n</think>\n\nlast<|im_end|>\n"
    assert counted("qwen3", examples.columns, "chosen") == f"first<|im_end|>\n{last}"
    assert not examples.changes and examples.counts["turns"] == 3
    called = dpo_examples(pair(PROMPT[:1], TRAJECTORY, BAD, TOOLS), chat("qwen3"), WHOLE)
    call = '<tool_call>\n{"name": "look", "arguments": {"at": "sky"}}\n</tool_call><|im_end|>\n'
    assert counted("qwen3", called.columns, "chosen").startswith(call) and called.counts["calls"] == 1
    both = dpo_examples(pair(PROMPT, answer, BAD), chat("qwen2.5"), WHOLE)
    assert counted("qwen2.5", both.columns, "chosen") == "first<|im_end|>\nlast<|im_end|>\n"
    assert not both.changes and both.counts["turns"] == 3


def test_a_pair_that_loses_tokens_in_both_answers_is_one_row():
    whole = dpo_examples(pair(PROMPT, GOOD, BAD), chat("smollm2"), WHOLE)
    length = len(whole.columns["prompt_ids"][0]) + 2
    examples = dpo_examples(pair(PROMPT, GOOD, BAD), chat("smollm2"), short(length))
    assert examples.counts["cut_rows"] == 1 and examples.counts["tokens"] == 4
    assert examples.counts["cut_tokens"] == whole.counts["tokens"] - 4


def test_an_answer_marked_as_context_does_not_count():
    chosen = [{**CALLED, "weight": 0}, *TRAJECTORY[1:]]
    examples = dpo_examples(pair(PROMPT[:1], chosen, BAD, TOOLS), chat("qwen2.5"), WHOLE)
    assert counted("qwen2.5", examples.columns, "chosen") == "Blue.<|im_end|>\n"
    marked = pair(PROMPT, [{**GOOD[0], "weight": 0}], BAD)
    assert dpo_examples(marked, chat("smollm2"), WHOLE).dropped["r_0"].startswith("every answer is marked")


def test_pairs_that_cannot_be_used_are_left_out_with_the_reason():
    rows = [
        pair(PROMPT, GOOD, BAD),
        pair([*PROMPT, turn("user", "three?")], GOOD, BAD, row_id="r_1"),
        pair([turn("user", "x" * 200)], GOOD, BAD, row_id="r_2"),
        pair([turn("user", "four?")], GOOD, BAD, row_id="r_3"),
    ]
    for make, reason in ((dpo_examples, PROMPT_TOO_LONG), (reward_examples, PAIR_TOO_LONG)):
        examples = make(pl.concat(rows, how="vertical_relaxed"), chat("gemma"), short(150), first_index=10)
        assert examples.columns["row_index"] == [10, 13]
        assert examples.dropped.pop("r_1").startswith("the model's chat template refuses it: ")
        assert examples.dropped == {"r_2": reason}
    silent = dpo_examples(pair(PROMPT[:1], [CALLED], GOOD), chat("no end"), WHOLE)
    assert silent.dropped == {"r_0": "the model's chat template prints nothing of its answer"}


@pytest.mark.parametrize("make", [dpo_examples, reward_examples])
def test_a_pair_of_equal_tokens_is_left_out(make: Callable[..., Examples]):
    spaced = [turn("assistant", "\n GOOD  ")]  # gemma's template strips white space
    examples = make(pair(PROMPT, GOOD, spaced), chat("gemma"), WHOLE)
    assert examples.dropped == {"r_0": SAME} and not examples.columns and not examples.cuts
    assert make(pair(PROMPT, GOOD, spaced), chat("smollm2"), WHOLE).dropped == {}


def test_a_pair_that_is_equal_once_cut_is_left_out():
    longer = [turn("assistant", "GOOD and longer")]
    whole = dpo_examples(pair(PROMPT, GOOD, longer), chat("smollm2"), WHOLE)
    length = next(
        at for at in range(200) if dpo_examples(pair(PROMPT, GOOD, longer), chat("smollm2"), short(at + 1)).columns
    )
    assert length > len(whole.columns["prompt_ids"][0])
    cut = dpo_examples(pair(PROMPT, GOOD, longer), chat("smollm2"), short(length))
    assert cut.dropped == {"r_0": SAME_ONCE_CUT}
    (lost,) = cut.cuts
    assert lost.left_out and lost.lost == lost.learnt == whole.counts["tokens"]


@pytest.mark.parametrize("keep_end", [False, True])
def test_what_max_length_cuts_of_a_pair_is_counted(keep_end: bool):
    whole = dpo_examples(pair(PROMPT, GOOD, BAD), chat("smollm2"), WHOLE)
    prompt, chosen, rejected = (len(whole.columns[f"{name}_ids"][0]) for name in ("prompt", "chosen", "rejected"))
    length = prompt + chosen  # the rejected answer is longer
    examples = dpo_examples(pair(PROMPT, GOOD, BAD), chat("smollm2"), short(length, keep_end=keep_end))
    assert examples.columns == whole.columns, "TRL's collator cuts them"
    lost = 0 if keep_end else rejected - chosen
    assert (examples.counts["cut_tokens"], examples.counts["cut_rows"]) == (lost, bool(lost))
    assert examples.counts["all_tokens"] == 2 * length


def test_a_reward_model_reads_whole_conversations():
    columns = reward_examples(pair(PROMPT, GOOD, BAD), chat("mistral"), WHOLE).columns
    for side, answer in (("chosen", GOOD), ("rejected", BAD)):
        assert text("mistral", columns[f"{side}_ids"][0]) == chat("mistral").template.render([*PROMPT, *answer])
    assert sorted(columns) == ["chosen_ids", "rejected_ids", "row_index"]


def test_what_was_changed_is_counted_once_a_pair():
    examples = dpo_examples(pair([turn("system", "Be brief."), *PROMPT], GOOD, BAD), chat("gemma"), WHOLE)
    assert examples.changes == {"system text in the first user turn": 1}
    assert "Be brief.\n\none?" in text("gemma", examples.columns["prompt_ids"][0])
