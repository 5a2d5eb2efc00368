"""Conversations as a template can print them: each change is one that the template needs, and is named."""

import json
from typing import Any

import pytest

pytest.importorskip("jinja2")
from curate.models.chat.chat_template import ChatTemplate  # noqa: E402
from curate.models.chat.fit_messages import fit, not_shown  # noqa: E402
from curate.models.chat.template_support import support_of  # noqa: E402
from tests.models.chat.styles import STYLES, style  # noqa: E402

SYSTEM = {"role": "system", "content": "Be brief."}
ASK = {"role": "user", "content": "Name a river."}
ANSWER = {"role": "assistant", "content": "The Rhine."}
TOOLS = [{"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}}]


def call(number: int, call_id: str | None) -> dict[str, Any]:
    named = {} if call_id is None else {"id": call_id}
    return {**named, "type": "function", "function": {"name": "add", "arguments": {"a": number, "b": "ü"}}}


def calls(*ids: str | None, text: str = "") -> dict[str, Any]:
    return {"role": "assistant", "content": text, "tool_calls": [call(n, one) for n, one in enumerate(ids)]}


def result(call_id: str | None, content: str = "7") -> dict[str, Any]:
    return {"role": "tool", **({} if call_id is None else {"tool_call_id": call_id}), "content": content}


def fitted(messages: list[Any], name: str) -> tuple[list[Any], set[str]]:
    found, changed = fit(messages, support_of(style(name)))
    return found, set(changed)


@pytest.mark.parametrize("name", STYLES)
def test_plain_turns_are_the_same_list(name: str):
    messages = [ASK, ANSWER, ASK, ANSWER]
    found, changed = fit(messages, support_of(style(name)))
    assert found is messages and not changed


@pytest.mark.parametrize("name", ["chatml", "qwen", "llama", "hermes"])
def test_what_is_fine_is_not_changed(name: str):
    traced, named = {**ANSWER, "reasoning_content": "Which?"}, {**result("call_123"), "name": "add"}
    messages = [SYSTEM, ASK, traced, ASK, calls("call_123"), named, ANSWER]
    found, changed = fit(messages, support_of(style(name)))
    assert found is messages and not changed


def test_system_texts_go_into_the_users_turn_beside_them():
    first = {"role": "user", "content": "Be brief.\n\nName a river."}
    assert fitted([SYSTEM, ASK, ANSWER], "gemma") == ([first, ANSWER], {"system text in the first user turn"})
    developer = {"role": "developer", "content": "In French."}
    both = {"role": "user", "content": "Be brief.\n\nIn French.\n\nName a river."}
    assert fitted([SYSTEM, developer, ASK], "gemma")[0] == [both]
    later, names = fitted([ASK, ANSWER, SYSTEM, ASK, ANSWER], "gemma")
    assert later == [ASK, ANSWER, first, ANSWER] and names == {"later system text in a user turn"}
    behind = {"role": "user", "content": "Name a river.\n\nBe brief."}
    assert fitted([ASK, SYSTEM, ANSWER], "gemma")[0] == [behind, ANSWER]
    alone = {"role": "user", "content": "Be brief."}
    assert fitted([SYSTEM, ANSWER], "gemma")[0] == [alone, ANSWER]
    assert fitted([SYSTEM], "gemma")[0] == [alone]


def test_a_fitted_conversation_is_printed_with_its_system_text():
    for name in STYLES:
        found, _ = fitted([SYSTEM, ASK, ANSWER], name)
        assert "Be brief." in style(name).render(found), name


def test_a_developer_turn_becomes_a_system_turn_where_unknown():
    developer = {"role": "developer", "content": "Be brief."}
    assert fitted([developer, ASK], "qwen") == ([SYSTEM, ASK], {"developer turns as system turns"})
    messages = [developer, ASK]
    assert fit(messages, support_of(style("chatml")))[0] is messages


def test_system_texts_are_joined_where_only_one_is_printed():
    only_first = style("qwen").source.replace(" or (m.role == 'system' and not loop.first)", "")
    support = support_of(ChatTemplate(only_first))
    assert support.system and not support.later_system
    found, changed = fit([SYSTEM, {"role": "developer", "content": "In French."}, ASK], support)
    assert found == [{"role": "system", "content": "Be brief.\n\nIn French."}, ASK]
    assert changed == {"system texts joined", "developer turns as system turns"}


def test_arguments_become_json_text_and_content_null_if_need_be():
    messages = [ASK, calls("1"), result("1"), ANSWER]
    found, changed = fitted(messages, "deepseek")
    assert changed == {"tool calls' arguments as JSON text"}
    assert found[1]["content"] is None
    assert found[1]["tool_calls"][0]["function"]["arguments"] == '{"a": 0, "b": "ü"}'
    assert messages[1] == calls("1")
    assert '"b": "ü"' in style("deepseek").render(found)
    assert fitted([ASK, calls("1", text="Adding.")], "deepseek")[0][1]["content"] == "Adding."


def test_ids_become_nine_characters_in_calls_and_results_alike():
    messages = [ASK, calls("call_0123456789", "abcDEF123"), result("call_0123456789"), result("abcDEF123"), ANSWER]
    found, changed = fitted(messages, "mistral")
    assert changed == {"tool call ids of nine characters"}
    first, second = (one["id"] for one in found[1]["tool_calls"])
    assert len(first) == 9 and first.isalnum() and second == "abcDEF123"
    assert [found[2]["tool_call_id"], found[3]["tool_call_id"]] == [first, second]
    assert fitted(messages, "mistral")[0] == found
    assert json.dumps(found[1]["tool_calls"][0]["function"]["arguments"]) in json.dumps(messages)
    style("mistral").render(found)


def test_calls_and_results_without_ids_get_those_of_their_order():
    found, _ = fitted([ASK, calls(None, None), result(None), result(None, "8"), ANSWER], "mistral")
    ids = [one["id"] for one in found[1]["tool_calls"]]
    assert ids[0] != ids[1]
    assert [message["tool_call_id"] for message in found[2:4]] == ids
    style("mistral").render(found)


def test_results_get_the_names_of_the_tools_that_were_called():
    found, changed = fitted([ASK, calls("1"), result("1"), ANSWER], "hermes")
    assert found[2] == {**result("1"), "name": "add"} and changed == {"tool results with their tools' names"}
    named = [ASK, calls("1"), {**result("1"), "name": "other"}, ANSWER]
    assert fit(named, support_of(style("hermes")))[0] is named


def test_keys_of_ours_are_not_given_to_a_template():
    found, changed = fitted([ASK, {**ANSWER, "weight": 0}, {**ASK, "train": False}, ANSWER], "chatml")
    assert found == [ASK, ANSWER, ASK, ANSWER] and not changed


def test_what_a_template_does_not_show_is_named():
    traced = {**ANSWER, "reasoning_content": "Which?"}
    messages = [ASK, calls("1", "2", text="Adding."), result("1"), traced]

    def lost(name: str, turns: list[Any] = messages, tools: list[Any] | None = TOOLS) -> list[str]:
        return not_shown(turns, tools, support_of(style(name)))

    assert lost("qwen") == []
    assert lost("chatml") == ["tools", "tool calls", "reasoning"]
    assert lost("gemma") == ["tools", "tool calls", "tool results", "reasoning"]
    assert lost("llama") == ["parallel tool calls", "text beside tool calls", "reasoning"]
    assert lost("deepseek") == ["tools", "tool calls beside a text", "reasoning"]
    assert lost("chatml", [ASK, ANSWER], None) == []
    assert lost("chatml", [ASK, traced, ASK, ANSWER], None) == []
    assert lost("qwen", [ASK, {**calls("1"), "reasoning_content": "Add."}]) == []


def test_calls_without_the_tools_that_a_template_needs_are_named():
    needs = support_of(ChatTemplate(style("chatml").source, style("qwen").special, style("qwen").source))
    assert not_shown([ASK, calls("1"), result("1"), ANSWER], TOOLS, needs) == []
    assert not_shown([ASK, calls("1"), result("1"), ANSWER], None, needs) == ["tool calls"]
