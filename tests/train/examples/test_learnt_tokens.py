import pytest

from tests.train.examples.conversations import TOOLS, call, turn
from tests.train.examples.templates import chat, template

pytest.importorskip("jinja2")
from curate.models.chat.chat_template import ChatTemplate, TemplateRefused  # noqa: E402
from train.examples.learnt_tokens import (  # noqa: E402
    Part,
    Rendered,
    TokenSequence,
    render_all,
    render_learnt,
    token_sequences,
)

QUESTION, ANSWER, NEXT, LAST = turn("user", "q"), turn("assistant", "a"), turn("user", "n"), turn("assistant", "z")
TRACED = turn("assistant", "a", reasoning_content="because")
CALLED = turn("assistant", "", tool_calls=[call("callone01", "look", at="sky")])
RESULT = turn("tool", "blue", tool_call_id="callone01", name="look")
DIALOGUE = [QUESTION, ANSWER, NEXT, LAST]


def learnt(name: str, messages: list, *places: int, tools: list | None = None) -> list[list[str]]:
    """The learnt texts of each sequence that a style's template gives."""
    found = render_learnt(template(name), messages, tools, places)
    return [[one.text[start:end] for start, end in one.learnt] for one in found]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("smollm2", ["a<|im_end|>\n", "z<|im_end|>\n"]),
        ("qwen2.5", ["a<|im_end|>\n", "z<|im_end|>\n"]),
        ("llama3.1", ["a<|eot_id|>", "z<|eot_id|>"]),
        ("gemma", ["a<end_of_turn>\n", "z<end_of_turn>\n"]),
        ("mistral", [" a</s>", " z</s>"]),
        ("dated", ["a<|im_end|>\n", "z<|im_end|>\n"]),
        ("qwq", ["a<|im_end|>\n", "z<|im_end|>\n"]),
        ("plain", [" a</s>", " z</s>"]),
        ("no end", ["a", "z"]),
    ],
)
def test_one_sequence_holds_both_answers_of_most_templates(name: str, expected: list[str]):
    assert learnt(name, DIALOGUE, 1, 3) == [expected]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("qwen3", ["<think>\n\n</think>\n\na<|im_end|>\n", "<think>\n\n</think>\n\nz<|im_end|>\n"]),
        ("thinking", ["\n</think>\n\na<|im_end|>\n", "\n</think>\n\nz<|im_end|>\n"]),
        ("gpt-oss", ["<|channel|>final<|message|>a<|return|>", "<|channel|>final<|message|>z<|return|>"]),
    ],
)
def test_an_answer_printed_otherwise_later_has_its_own_sequence(name: str, expected: list[str]):
    assert learnt(name, DIALOGUE, 1, 3) == [[one] for one in expected]


def test_an_answer_that_no_longer_differs_shares_the_sequence():
    assert learnt("qwen3", [QUESTION, TRACED, NEXT, LAST], 3) == [["<think>\n\n</think>\n\nz<|im_end|>\n"]]


def test_a_trace_is_learnt_and_is_no_context_later():
    first, last = render_learnt(template("qwen3"), [QUESTION, TRACED, NEXT, LAST], None, [1, 3])
    assert first.text[first.learnt[0][0] :] == "<think>\nbecause\n</think>\n\na<|im_end|>\n"
    assert "because" not in last.text


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("qwen2.5", '<tool_call>\n{"name": "look", "arguments": {"at": "sky"}}\n</tool_call><|im_end|>\n'),
        ("llama3.1", '{"name": "look", "parameters": {"at": "sky"}}<|eot_id|>'),
        ("mistral", '[TOOL_CALLS] [{"name": "look", "arguments": {"at": "sky"}, "id": "callone01"}]</s>'),
        ("gpt-oss", ' to=functions.look<|channel|>commentary json<|message|>{"at": "sky"}<|call|>'),
    ],
)
def test_a_call_is_learnt_and_its_result_is_not(name: str, called: str):
    found = render_learnt(template(name), [QUESTION, CALLED, RESULT, LAST], TOOLS, [1, 3])
    spans = [(one.text, start, end) for one in found for start, end in one.learnt]
    assert len(spans) == 2
    (text, start, end), (after, begin, stop) = spans
    assert text[start:end] == called
    assert "z" in after[begin:stop] and "blue" in after[:begin] and "blue" not in after[begin:stop]


def test_an_answer_stands_behind_the_prompt_that_the_model_sees():
    traced = {**CALLED, "reasoning_content": "because"}
    history = [QUESTION, traced, RESULT]
    (last,) = render_learnt(template("gpt-oss"), [*history, LAST], TOOLS, [1, 3])
    prompt = template("gpt-oss").render(history, TOOLS, add_generation_prompt=True)
    assert "because" in prompt and "because" not in template("gpt-oss").render([*history, LAST], TOOLS)
    assert last.text == f"{prompt}<|channel|>final<|message|>z<|return|>"
    assert last.learnt[1:] == [(len(prompt), len(last.text))]
    assert last.text[slice(*last.learnt[0])].startswith("<|channel|>analysis<|message|>because<|end|>")


@pytest.mark.parametrize("name", ["smollm2", "qwen3", "gpt-oss", "no end", "plain", "thinking", "llama3.1"])
def test_of_two_answers_in_a_row_no_header_is_learnt(name: str):
    header = {"plain": "ASSISTANT:", "gpt-oss": "<|start|>assistant<|channel|>final", "llama3.1": "<|end_header_id|>"}
    for texts in learnt(name, [QUESTION, ANSWER, LAST], 1, 2):
        assert all(header.get(name, "<|im_start|>") not in text for text in texts)
    assert sum(len(texts) for texts in learnt(name, [QUESTION, ANSWER, LAST], 1, 2)) == 2


def test_a_greeting_is_learnt_behind_its_header():
    assert learnt("smollm2", [ANSWER, *DIALOGUE[:1], LAST], 0, 2) == [["a<|im_end|>\n", "z<|im_end|>\n"]]
    assert learnt("gpt-oss", [ANSWER], 0) == [["<|channel|>final<|message|>a<|return|>"]]


def test_an_answer_that_is_printed_as_the_users_is_refused():
    # The template puts the tools and the first message, whoever wrote it, into a user's turn.
    assert learnt("llama3.1", [ANSWER, QUESTION, LAST], 0, 2) == [["a<|eot_id|>", "z<|eot_id|>"]]
    with pytest.raises(TemplateRefused, match="it does not print message 1 as the assistant's"):
        learnt("llama3.1", [ANSWER, QUESTION, LAST], 0, 2, tools=TOOLS)


def test_a_conversation_that_the_template_refuses_is_refused():
    with pytest.raises(TemplateRefused, match="must alternate"):
        learnt("gemma", [QUESTION, QUESTION, ANSWER], 2)


@pytest.mark.parametrize("content", ["\n\ntext", " text ", "漢字 🙂", "<|im_end|>\n<|im_start|>assistant\nno", ""])
def test_any_content_is_learnt_whole(content: str):
    assert learnt("smollm2", [QUESTION, turn("assistant", content)], 1) == [[f"{content}<|im_end|>\n"]]


def test_with_every_token_a_turn_marked_as_context_is_left_out():
    answer = turn("assistant", "WORD", reasoning_content="WHY")
    for name in ("smollm2", "qwen3", "gpt-oss", "no end", "llama3.1", "gemma", "mistral", "thinking"):
        found = render_all(template(name), [QUESTION, answer, NEXT, LAST], None, [3])
        text = "".join(found.text[start:end] for start, end in found.learnt)
        assert "WORD" in found.text and "WORD" not in text and "WHY" not in text
        assert [found.text[start:end].count("z") for _, start, end in found.turns] == [1]
    headless = ChatTemplate("{% for m in messages %}{{ m.content }};{% endfor %}")
    found = render_all(headless, [turn("assistant", "hi"), *DIALOGUE], None, [2, 4])
    assert [found.text[start:end] for start, end in found.learnt] == ["q;a;n;z;"]


def test_a_token_over_the_border_is_learnt():
    pytest.importorskip("tokenizers")
    text = "USER: q ASSISTANT: w0"
    start = text.index(" w0")
    (one,) = token_sequences(chat("plain"), [Rendered(text, [(start, len(text))], [Part(1, start, len(text))])])
    tokens = [text[first:last] for first, last in one.offsets]
    assert [token for token, flag in zip(tokens, one.learnt, strict=True) if flag] == [": w", "0"]


def test_a_part_of_a_sequence_has_the_turns_that_it_shows():
    offsets, turns = [(i, i + 1) for i in range(6)], [Part(1, 1, 2), Part(3, 4, 6)]
    whole = TokenSequence("qaqqzz", [*range(6)], offsets, [False, True, False, False, True, True], turns)
    assert whole.part(slice(None)) is whole and whole.part(slice(9)) is whole
    assert whole.part(slice(3)).turns == [turns[0]] and whole.part(slice(-3, None)).turns == [turns[1]]
    assert whole.part(slice(0)).turns == [] and whole.part(slice(5)).learnt == whole.learnt[:5]
