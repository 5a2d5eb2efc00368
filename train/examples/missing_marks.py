"""Says where a chat template prints no mark by which a model learns to stop."""

from curate.models.chat.template_support import Support

REMEDY = "so that the model does not learn to stop{}; give it one that does (chat_template: in models)"


def missing_marks(support: Support, *, calls: bool) -> list[str]:
    """Return a line for each mark that a template does not print.

    Args:
        support: What the template prints.
        calls: Whether rows have calls to learn.
    """
    lines = []
    if not support.end_mark:
        lines.append(f"the chat template prints no mark after an answer, {REMEDY.format('')}")
    if calls and support.end_mark and support.tool_calls and not support.call_end_mark:
        lines.append(f"the chat template prints no end mark after a tool call, {REMEDY.format(' there')}")
    return lines
