"""Finish reasons of other servers have OpenAI's names."""

import pytest

from schemas.finish_reasons import FINISH_REASONS, finish_reason

WRITTEN = {
    "stop": "stop STOP Stop eos eos_token EOS end_turn END_TURN stop_sequence STOP_SEQUENCE COMPLETE completed "
    "FinishReason.STOP FINISH_REASON_STOP stop-sequence",
    "length": "length max_tokens MAX_TOKENS MaxTokens model_length max_output_tokens FinishReason.MAX_TOKENS "
    "context_length_exceeded max-tokens ERROR_LIMIT",
    "tool_calls": "tool_calls tool_use TOOL_USE TOOL_CALL function_call FUNCTION_CALL",
    "content_filter": "content_filter SAFETY RECITATION blocked BLOCKLIST PROHIBITED_CONTENT SPII refusal "
    "guardrail_intervened ERROR_TOXIC FinishReason.SAFETY",
    "error": "error ERROR insufficient_system_resource network_error",
    "malformed_tool_call": "MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL FinishReason.MALFORMED_FUNCTION_CALL",
    "abort": "abort cancelled",
}


@pytest.mark.parametrize(("given", "named"), [(one, name) for name, text in WRITTEN.items() for one in text.split()])
def test_a_reason_has_openais_name(given, named):
    assert finish_reason(given) == named


@pytest.mark.parametrize("given", [None, "", " ", "null", "None", "NULL"])
def test_no_reason_is_none(given):
    assert finish_reason(given) is None


@pytest.mark.parametrize("given", ["pause_turn", "repetition", "ended early"])
def test_what_is_not_known_stays_as_it_was_sent(given):
    assert finish_reason(given) == given


def test_no_name_is_in_the_table_twice():
    names = [name for names in FINISH_REASONS.values() for name in names]
    assert len(names) == len(set(names)) and all(name == name.lower() and " " not in name for name in names)
