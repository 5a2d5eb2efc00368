"""What a template prints and needs, found by rendering: each style has ways that a rule on its text would miss."""

from dataclasses import fields

import pytest

pytest.importorskip("jinja2")
from curate.models.chat.chat_template import ChatTemplate  # noqa: E402
from curate.models.chat.fit_messages import PARTS, fit  # noqa: E402
from curate.models.chat.template_support import Support, support_of  # noqa: E402
from tests.models.chat.styles import style  # noqa: E402

CALLS = {"tools", "tool_calls", "parallel_calls", "calls_beside_text", "text_beside_calls", "tool_results"}
DEVELOPER = {"developer", "later_developer"}
BEFORE = {"system", "later_system"}
# The style -> what it prints or refuses, beside the turns; the form of calls where it is not the usual one.
EXPECTED = {
    "chatml": ({*BEFORE, *DEVELOPER, "text_beside_calls", "tool_results"}, {}),
    "gemma": ({"text_beside_calls", "alternates"}, {}),
    "qwen": ({*BEFORE, *CALLS, "reasoning", "reasoning_beside_calls"}, {}),
    "llama": (
        {*BEFORE, *DEVELOPER, "tools", "tool_calls", "calls_beside_text", "tool_results"},
        {},
    ),
    "mistral": ({*CALLS, "alternates", "short_ids"} - {"text_beside_calls"}, {}),
    "deepseek": (
        {*BEFORE, "tool_calls", "parallel_calls", "text_beside_calls", "tool_results"},
        {"arguments": "text", "call_content": "none"},
    ),
    "hermes": ({*BEFORE, *DEVELOPER, *CALLS, "result_names"} - {"text_beside_calls"}, {}),
    "phi": (
        {*BEFORE, *DEVELOPER, "tool_calls", "parallel_calls", "text_beside_calls", "tool_results"},
        {"arguments": "text"},
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_what_each_style_prints_and_needs(name: str):
    support = support_of(style(name))
    shown = {field.name for field in fields(support) if getattr(support, field.name) is True}
    words, form = EXPECTED[name]
    assert shown - {"turns", "end_mark", "call_end_mark"} == words
    assert support.call_end_mark == support.tool_calls
    assert support.turns and support.end_mark and not support.refusal
    assert (support.arguments, support.call_content) == (
        form.get("arguments", "mapping"),
        form.get("call_content", "empty"),
    )


def test_a_template_that_prints_no_answer_or_nothing_is_found():
    asks_only = ChatTemplate("{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}")
    assert not support_of(asks_only).turns and not support_of(asks_only).refusal
    for source in ("{{ raise_exception('never') }}", "{% for m in messages %}", "{{ messages[0].content.text + 1 }}"):
        support = support_of(ChatTemplate(source))
        assert support.refusal and support == Support(refusal=support.refusal)


def test_an_answer_without_a_mark_at_its_end_is_found():
    open_ended = "{% for m in messages %}{{ m.role }}: {{ m.content }}{% if not loop.last %}\n{% endif %}{% endfor %}"
    assert not support_of(ChatTemplate(open_ended)).end_mark
    assert support_of(ChatTemplate(open_ended + "{{ eos_token }}", style("qwen").special)).end_mark


def test_a_call_without_the_mark_that_ends_answers_is_found():
    end = "{% if m.tool_calls | length > 1 %}<|end|>{% endif %}"  # as DeepSeek R1 Distill's: after several calls only
    calls = "{% for c in m.tool_calls %}<call>{{ c.function | tojson }}</call>{% endfor %}"
    turns = "{% for m in messages %}{% if m.tool_calls %}CALLS{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}"
    for shown, marked in ((calls + end, False), (calls, True), (calls.replace("</call>", ""), False), (end, False)):
        support = support_of(ChatTemplate(turns.replace("CALLS", shown)))
        assert support.end_mark and support.call_end_mark == marked and support.tool_calls == ("tojson" in shown)


def test_a_template_of_parts_is_given_parts():
    parts = (
        "{% for m in messages %}<{{ m.role }}>{% for c in m.content %}{% if c.type == 'text' %}{{ c.text }}{% endif %}"
        "{% endfor %}<|end|>{% endfor %}"
    )
    support = support_of(ChatTemplate(parts))
    assert support.turns and support.end_mark and support.system and support.content_parts and not support.tool_calls
    messages = [{"role": "user", "content": "hi", "weight": 0}, {"role": "assistant", "content": "ho"}]
    fitted, changes = fit(messages, support)
    assert changes == {PARTS} and ChatTemplate(parts).render(fitted) == "<user>hi<|end|><assistant>ho<|end|>"
    assert ChatTemplate(parts).render(messages) == ChatTemplate(parts).render(fitted)
    both = parts.replace("{% for c in", "{% if m.content is string %}{{ m.content }}{% else %}{% for c in")
    assert not support_of(ChatTemplate(both.replace("<|end|>", "{% endif %}<|end|>"))).content_parts


def test_tools_count_only_where_every_beginning_prints_them():
    after_a_system_text = "{% if tools and messages[0].role == 'system' %}{{ tools | tojson }}{% endif %}"
    turns = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    assert not support_of(ChatTemplate(after_a_system_text + turns)).tools
    assert support_of(ChatTemplate("{% if tools %}{{ tools | tojson }}{% endif %}" + turns)).tools
    names_only = "{% for t in tools or [] %}{{ t.function.name }}{% endfor %}"
    assert not support_of(ChatTemplate(names_only + turns)).tools


def test_a_call_whose_arguments_are_not_printed_is_not_shown():
    names_only = (
        "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function.name }}"
        "{% endfor %}{% endfor %}"
    )
    assert not support_of(ChatTemplate(names_only)).tool_calls


def test_calls_that_are_printed_beside_the_tools_need_them():
    with_tools_only = (
        "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] if tools %}{{ c | tojson }}"
        "{% endfor %}{% endfor %}"
    )
    support = support_of(ChatTemplate(with_tools_only))
    assert support.tool_calls and support.needs_tools
    assert not support_of(style("qwen")).needs_tools


def test_the_template_for_tools_is_the_one_that_prints_them():
    two = ChatTemplate(style("chatml").source, style("qwen").special, style("qwen").source)
    support = support_of(two)
    assert support.tools and support.tool_calls and support.parallel_calls and support.needs_tools
    assert not support.reasoning and support.reasoning_beside_calls


def test_ids_of_nine_characters_or_more_are_a_need_too():
    at_least = style("mistral").source.replace("| length != 9", "| length < 9")
    assert support_of(ChatTemplate(at_least, style("mistral").special)).short_ids
