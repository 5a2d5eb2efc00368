"""What holds of every conversation and every style of template: what is learnt, and behind which prompt."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.learnt_turns import is_learnt
from tests.train.examples.conversations import TOOLS, call_words, conversations, row, trace_word, word
from tests.train.examples.templates import SOURCES, chat, template

pytest.importorskip("tokenizers")
pytest.importorskip("jinja2")
from curate.models.chat.chat_template import TemplateRefused  # noqa: E402
from curate.models.chat.fit_messages import fit  # noqa: E402
from curate.models.chat.template_support import support_of  # noqa: E402
from train.examples.learnt_tokens import TokenSequence, render_all, render_learnt  # noqa: E402
from train.examples.loss_settings import LossSettings  # noqa: E402
from train.examples.sft_examples import (  # noqa: E402
    CUT_OFF,
    NOTHING_MARKED,
    NOTHING_PRINTED,
    Learnt,
    learnt_rows,
    sft_examples,
)

pytestmark = pytest.mark.slow
WHOLE = LossSettings(every_token=False, completion_only=False, max_length=None, keep_end=False)
STYLES = st.sampled_from(sorted(SOURCES))
WORDS = re.compile(r"[a-z]\d+(?:c\d)?x")  # those of ``conversations``
FEW = settings(max_examples=100)


def learnt(name: str, messages: list[dict[str, Any]], how: LossSettings = WHOLE, split: int | None = None) -> Learnt:
    """What is learnt of a conversation with a style's template."""
    tools = TOOLS if any(message.get("tool_calls") for message in messages) else None
    ((_, found),) = learnt_rows(row(messages, split, tools), chat(name), how)
    return found


def learnt_words(sequence: TokenSequence) -> list[str]:
    """The words of ``conversations`` in the tokens that are learnt."""
    spans = [span for span, flag in zip(sequence.offsets, sequence.learnt, strict=True) if flag]
    covered = {at for start, end in spans for at in range(start, end)}
    return WORDS.findall("".join(c if i in covered else "\0" for i, c in enumerate(sequence.text)))


def expected_words(name: str, message: dict[str, Any], place: int) -> list[str]:
    """The words of a learnt turn that its template prints when the turn is the last one."""
    support, calls = support_of(template(name)), message.get("tool_calls") or []
    shown = support.reasoning_beside_calls if calls else support.reasoning
    words = [trace_word(place)] if message.get("reasoning_content") and shown else []
    is_printed = bool(message["content"]) and (not calls or support.text_beside_calls)
    words += [word(place)] if is_printed else []
    printed = 0 if not support.tool_calls else len(calls) if support.parallel_calls else min(len(calls), 1)
    return words + [one for i in range(printed) for one in call_words(place, i)]


@FEW
@given(STYLES, conversations())
def test_every_learnt_turn_is_learnt_once_and_nothing_else_is(name: str, messages: list[dict[str, Any]]):
    found = learnt(name, messages)
    places = [i for i, message in enumerate(messages) if is_learnt(message)]
    if not places:
        assert found.reason == NOTHING_MARKED
    elif found.reason == NOTHING_PRINTED:
        assert not any(expected_words(name, messages[i], i) for i in places)
    elif found.reason is not None:
        assert found.reason.startswith("the model's chat template refuses it: ") and not found.sequences
    else:
        words = [one for sequence in found.sequences for one in learnt_words(sequence)]
        assert sorted(words) == sorted(one for i in places for one in expected_words(name, messages[i], i))
        assert sum(len(sequence.turns) for sequence in found.sequences) == len(places)
        assert found.calls == sum(len(messages[i].get("tool_calls") or ()) for i in places)


@FEW
@given(STYLES, conversations(plain=True))
def test_no_template_refuses_a_plain_conversation(name: str, messages: list[dict[str, Any]]):
    found = learnt(name, messages)
    assert found.reason == (None if any(is_learnt(message) for message in messages) else NOTHING_MARKED)


@FEW
@given(STYLES, conversations())
def test_what_stands_before_a_learnt_turn_is_the_models_prompt(name: str, messages: list[Any]):
    chat_template = template(name)
    messages, _ = fit(messages, support_of(chat_template))
    places = [i for i, message in enumerate(messages) if is_learnt(message)]
    try:
        found = render_learnt(chat_template, messages, TOOLS, places)
    except TemplateRefused:
        return
    for text, turn in [(one.text, turn) for one in found for turn in one.turns]:
        before, answer = text[: turn.start], text[turn.start : turn.end]
        if turn.message == 0:
            assert not WORDS.search(before)  # nobody asks for a greeting
            continue
        prompt = chat_template.render(messages[: turn.message], TOOLS, add_generation_prompt=True)
        if name == "qwq":  # its template prints no trace, so none is opened in what is learnt
            prompt = prompt.removesuffix("<think>\n")
        elif name == "no end" and messages[turn.message - 1]["role"] == "assistant":
            prompt += "<|im_start|>assistant\n"
        assert before == prompt
        assert chat_template.render(messages[: turn.message + 1], TOOLS).endswith(answer)


@FEW
@given(STYLES, conversations(), st.integers(1, 200), st.booleans())
def test_what_is_cut_off_and_what_is_left_add_up(name: str, messages: list[Any], length: int, keep_end: bool):
    whole = learnt(name, messages)
    found = learnt(name, messages, LossSettings(False, False, length, keep_end))
    tokens = sum(sum(one.learnt) for one in whole.sequences)
    if found.reason == CUT_OFF:
        kept = [one.ids[-length:] if keep_end else one.ids[:length] for one in whole.sequences]
        assert kept and not found.sequences
    else:
        assert found.reason == whole.reason
        assert sum(sum(one.learnt) for one in found.sequences) + found.cut == tokens
        kept, all_turns = (sum(len(one.turns) for one in which.sequences) for which in (found, whole))
        assert found.loss.turns + kept == all_turns
        assert found.loss.longest == whole.loss.longest == max(whole.lengths, default=0)
    starts = {tuple(one.ids[-length:] if keep_end else one.ids[:length]) for one in whole.sequences}
    for one, before in zip(found.sequences, found.lengths, strict=True):
        assert len(one.ids) == min(before, length) and any(one.learnt)
        assert tuple(one.ids) in starts


@FEW
@given(STYLES, conversations(), st.sampled_from([None, 60]))
def test_a_label_is_the_tokens_id_where_it_is_learnt(name: str, messages: list[Any], length: int | None):
    how = LossSettings(False, False, length, False)
    found, examples = learnt(name, messages, how), sft_examples(row(messages, None, TOOLS), chat(name), how)
    if any(message.get("tool_calls") for message in messages) and found.reason is None:
        assert examples.columns["input_ids"] == [one.ids for one in found.sequences]
        pairs = [(one.ids, one.learnt) for one in found.sequences]
        labels = [[i if flag else -100 for i, flag in zip(*one, strict=True)] for one in pairs]
        assert examples.columns["labels"] == labels
        assert examples.counts["tokens"] == sum(label != -100 for row_labels in labels for label in row_labels)
        assert set(examples.columns["row_index"]) == {0} and not examples.dropped


@FEW
@given(STYLES, conversations())
def test_a_token_is_learnt_if_a_character_of_it_is(name: str, messages: list[Any]):
    for one in learnt(name, messages).sequences:
        spans = [(turn.start, turn.end) for turn in one.turns]
        for (first, last), flag in zip(one.offsets, one.learnt, strict=True):
            assert flag == any(max(first, start) < min(last, end) for start, end in spans)
        decoded = chat(name).tokenizer.decode(one.ids, skip_special_tokens=False)
        assert decoded == one.text


@FEW
@given(STYLES, conversations())
def test_with_every_token_only_the_marked_turns_are_not(name: str, messages: list[Any]):
    chat_template = template(name)
    flags = [is_learnt(message) for message in messages if message["role"] == "assistant"]
    messages, _ = fit(messages, support_of(chat_template))  # which takes the marks away
    answers = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
    places = [i for i, flag in zip(answers, flags, strict=True) if flag]
    try:
        found = render_all(chat_template, messages, TOOLS, places)
    except TemplateRefused:
        return
    words = {one for start, end in found.learnt for one in WORDS.findall(found.text[start:end])}
    printed = set(WORDS.findall(found.text))
    marked = [messages[i] for i in answers if i not in places]
    assert words == printed - {one for message in marked for one in WORDS.findall(str(message))}
    assert [part.message for part in found.turns] == places
