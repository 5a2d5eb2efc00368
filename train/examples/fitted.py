"""A row's messages as the model's chat template can print them."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

from curate.models.chat.chat_template import ChatTemplate, TemplateRefused
from curate.models.chat.fit_messages import fit
from curate.models.chat.template_support import Support, support_of
from schemas.learnt_turns import is_learnt
from train.examples.loss_settings import LossSettings

IN_TEXT = "reasoning traces in the text, between <think> and </think>"
LEFT_OUT = "reasoning traces left out"
TRACE, ANSWER = "qztracezq", "qzanswerzq"  # words that stand nowhere else


def fitted(
    messages: list[dict[str, Any]], template: ChatTemplate, how: LossSettings
) -> tuple[list[dict[str, Any]], frozenset[str]]:
    """Return messages as a template can print them, and the names of what was changed for that.

    Args:
        messages: The messages, in our form; they are not changed.
        template: The chat template.
        how: Whether reasoning traces are written into the text where the template prints none.
    """
    support, written = support_of(template), frozenset[str]()
    if how.traces_in_text and any(_has_unshown_trace(message, support) for message in messages):
        messages = [_with_trace_in_text(m) if _has_unshown_trace(m, support) else m for m in messages]
        written = frozenset((IN_TEXT,))
    elif any(_has_unshown_trace(message, support) and is_learnt(message) for message in messages):
        written = frozenset((LEFT_OUT,))
    messages, changes = fit(messages, support)
    return messages, changes | written


def with_traces_in_text(template: ChatTemplate) -> Support:
    """Return what a template prints if traces that it does not print are written into the text."""
    support = support_of(template)
    prints = prints_trace_in_text(template)
    return replace(
        support,
        reasoning=support.reasoning or prints,
        reasoning_beside_calls=support.reasoning_beside_calls or (prints and support.text_beside_calls),
    )


@lru_cache(maxsize=64)
def prints_trace_in_text(template: ChatTemplate) -> bool:
    """Return whether a template prints a trace that stands in an answer's text; some cut it off (DeepSeek's)."""
    answer = _with_trace_in_text({"role": "assistant", "content": ANSWER, "reasoning_content": TRACE})
    try:
        printed = template.render([{"role": "user", "content": "?"}, answer])
    except TemplateRefused:
        return False
    return TRACE in printed and ANSWER in printed


def _has_unshown_trace(message: dict[str, Any], support: Support) -> bool:
    """Return whether a message has a trace that the template does not print."""
    if not message.get("reasoning_content"):
        return False
    return not (support.reasoning_beside_calls if message.get("tool_calls") else support.reasoning)


def _with_trace_in_text(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message whose trace stands in its text, as models without a field for it write it."""
    rest = {key: value for key, value in message.items() if key != "reasoning_content"}
    return rest | {"content": f"<think>\n{message['reasoning_content']}\n</think>\n\n{message.get('content') or ''}"}
