"""Names why a reply ended as OpenAI does, whoever wrote the reply."""

from collections.abc import Mapping

BAD_CALL = "malformed_tool_call"  # a server's word for a call that it could not read, and does not return
# OpenAI's reasons, and those of other servers; case, "_", "-" and " " do not count.
FINISH_REASONS: Mapping[str, tuple[str, ...]] = {
    "stop": (
        "stop", "stopped", "eos", "eos_token", "end", "end_turn", "end_of_text", "end_of_sequence", "endoftext",
        "stop_sequence", "stop_sequences", "stop_str", "stop_string", "stop_token", "stop_word", "complete",
        "completed", "completion", "done", "finish", "finished", "normal", "natural", "success",
    ),
    "length": (
        "length", "max_tokens", "max_token", "max_tokens_reached", "max_length", "max_new_tokens", "max_output_tokens",
        "max_completion_tokens", "max_context_length", "token_limit", "token_limit_reached", "length_limit", "limit",
        "model_length", "context_length", "context_length_exceeded", "context_window_exceeded",
        "model_context_window_exceeded", "truncated", "incomplete", "error_limit", "out_of_tokens",
    ),
    "tool_calls": ("tool_calls", "tool_call", "tool_use", "function_call", "function_calls"),
    "content_filter": (
        "content_filter", "content_filtered", "filtered", "filter", "safety", "image_safety", "recitation", "blocked",
        "blocklist", "prohibited_content", "spii", "refusal", "guardrail", "guardrail_intervened", "moderation",
        "content_policy", "content_policy_violation", "sensitive", "error_toxic",
    ),
    "error": (
        "error", "failed", "failure", "internal_error", "network_error", "insufficient_system_resource",
        "insufficient_system_resources",
    ),
    BAD_CALL: (
        "malformed_function_call", "malformed_tool_call", "unexpected_tool_call", "unexpected_function_call",
        "invalid_tool_call", "invalid_function_call", "tool_use_failed",
    ),
    "abort": ("abort", "aborted", "cancel", "cancelled", "canceled", "user_cancel"),
}  # fmt: skip
_BY_NAME = {name.replace("_", ""): reason for reason, names in FINISH_REASONS.items() for name in names}


def finish_reason(given: str | None) -> str | None:
    """Return OpenAI's name of a finish reason; one that is not known is returned as it is, an empty one as ``None``.

    A server that broke off gives ``error`` or ``abort``, one that could not read the model's tool call ``BAD_CALL``;
    OpenAI has none of them.
    """
    if given is None or given in FINISH_REASONS:
        return given
    name = "".join(given.lower().replace("-", " ").replace("_", " ").split())
    name = name.removeprefix("finishreason").lstrip(".")  # FinishReason.STOP, FINISH_REASON_STOP
    if name in ("", "null", "none"):
        return None
    return _BY_NAME.get(name, given)
