"""A row's messages as the model's chat template can print them."""

from typing import Any

from curate.models.chat.chat_template import ChatTemplate
from curate.models.chat.fit_messages import fit
from curate.models.chat.template_support import support_of
from train.examples.loss_settings import LossSettings

IN_TEXT = "reasoning traces in the text, between <think> and </think>"


def fitted(
    messages: list[dict[str, Any]], template: ChatTemplate, how: LossSettings
) -> tuple[list[dict[str, Any]], frozenset[str]]:
    """Return messages as a template can print them, and the names of what was changed for that.

    Args:
        messages: The messages, in our form; they are not changed.
        template: The chat template.
        how: Whether reasoning traces are written into the text where the template prints none.
    """
    support = support_of(template)
    written = frozenset[str]()
    if how.traces_in_text and not support.reasoning and any(m.get("reasoning_content") for m in messages):
        messages, written = [_with_trace_in_text(message) for message in messages], frozenset((IN_TEXT,))
    messages, changes = fit(messages, support)
    return messages, changes | written


def _with_trace_in_text(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message whose trace stands in its text, as models without a field for it write it."""
    if not message.get("reasoning_content"):
        return message
    rest = {key: value for key, value in message.items() if key != "reasoning_content"}
    return rest | {"content": f"<think>\n{message['reasoning_content']}\n</think>\n\n{message.get('content') or ''}"}
