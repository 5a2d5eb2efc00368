"""Answers of a prompt as a chat template prints them, of which the assistant's turns count: of a pair, or by itself.

An answer is one sequence, so that an earlier turn of it counts as it stands there (``learnt_tokens.render_answer``).
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from curate.models.chat.chat import Chat
from curate.models.chat.chat_template import TemplateRefused
from schemas.learnt_turns import is_learnt
from train.examples.fitted import fitted
from train.examples.learnt_tokens import Rendered, render_answer
from train.examples.loss_settings import LossSettings
from train.examples.sft_examples import NOTHING_MARKED

EARLIER = "earlier turns of an answer as context"  # the template prints nothing of them once another turn follows


class PrintedAnswers(NamedTuple):
    """The answers of a row, each with its prompt, as the template prints them, or why it can't.

    Attributes:
        texts: A text for each answer; none where the row is left out.
        reason: Why the row is left out, or None.
        changes: What was changed so that the template can print the messages.
        calls: How many tool calls the answers have.
    """

    texts: list[Rendered]
    reason: str | None = None
    changes: frozenset[str] = frozenset()
    calls: int = 0


def printed_answers(row: dict[str, Any], answers: Sequence[str], chat: Chat, how: LossSettings) -> PrintedAnswers:
    """Return a row's answers as the chat template prints them.

    Args:
        row: The row: ``prompt``, its answers and ``tools``, as JSON text.
        answers: The names of the columns that hold its answers.
        chat: The model's chat template and tokenizer.
        how: Whether reasoning traces are written into the text.
    """
    prompt = json.loads(row["prompt"])
    tools = json.loads(row["tools"]) if row.get("tools") else None
    texts, changed, calls = [], frozenset[str](), 0
    for name in answers:
        answer = json.loads(row[name])
        if not any(is_learnt(message) for message in answer):
            return PrintedAnswers([], NOTHING_MARKED, changed)
        messages, changes = fitted([*prompt, *answer], chat.template, how)
        first = len(messages) - len(answer)
        places = [first + i for i, message in enumerate(answer) if is_learnt(message)]
        try:
            text = render_answer(chat.template, messages, tools, places)
        except TemplateRefused as error:
            return PrintedAnswers([], f"the model's chat template refuses it: {error}", changed)
        texts.append(text)
        calls += sum(len(messages[turn.message].get("tool_calls") or ()) for turn in text.turns)
        changed |= changes | frozenset((EARLIER,) if len(text.turns) < len(places) else ())
    return PrintedAnswers(texts, None, changed, calls)
