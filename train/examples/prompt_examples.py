"""RL prompts as ``trl.GRPOTrainer`` reads them: as messages, which it renders itself."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import polars as pl

from curate.models.chat.chat import Chat
from curate.models.chat.chat_template import TemplateRefused
from schemas.reasoning import opening_mark
from train.examples.examples import Examples
from train.examples.fitted import fitted
from train.examples.loss_settings import LossSettings


def prompt_examples(
    rows: pl.DataFrame, chat: Chat, how: LossSettings, max_tokens: int, *, first_index: int = 0
) -> Examples:
    """Return prompts in the column ``prompt``, as messages that the chat template can print.

    Args:
        rows: Rows of type 'prompt' that ``train.rows.data.check_rows`` accepts.
        chat: The model's chat template and tokenizer.
        how: What becomes of reasoning traces.
        max_tokens: The most tokens of a prompt; a longer one is left out (TRL does not check it).
        first_index: The ``row_index`` of the first row; the others count on from it.
    """
    examples = Examples()
    for index, (row_id, messages, text, changes, reason) in enumerate(rendered_prompts(rows, chat, how), first_index):
        length = 0 if text is None else len(chat.encode(text).ids)
        examples.lengths += [] if text is None else [length]
        if text is None or length > max_tokens:
            examples.dropped[row_id] = reason or f"its prompt of {length} tokens leaves no room for an answer"
            continue
        examples.changes.update(changes)
        examples.counts.update(rows=1, all_tokens=length)
        examples.add({"row_index": index, "prompt": messages})
    return examples


class RenderedPrompt(NamedTuple):
    """A prompt as the chat template prints it: the fitted messages, the text (or why there is none), the changes."""

    row_id: str
    messages: list[dict[str, Any]]
    text: str | None
    changes: frozenset[str]
    reason: str | None


def rendered_prompts(rows: pl.DataFrame, chat: Chat, how: LossSettings) -> Iterator[RenderedPrompt]:
    """Yield prompts as the chat template prints them, with their tools and with what comes before an answer."""
    tools = rows["tools"] if "tools" in rows.columns else [None] * rows.height
    for row_id, prompt, row_tools in zip(rows["row_id"], rows["prompt"], tools, strict=True):
        messages, changes = fitted(json.loads(prompt), chat.template, how)
        try:
            text = chat.template.render(
                messages, json.loads(row_tools) if row_tools else None, add_generation_prompt=True
            )
        except TemplateRefused as error:
            yield RenderedPrompt(row_id, messages, None, changes, f"the model's chat template refuses it: {error}")
        else:
            yield RenderedPrompt(row_id, messages, text, changes, None)


def trace_opening(rows: pl.DataFrame, chat: Chat, how: LossSettings) -> str:
    """Return the mark by which the chat template opens a reasoning trace behind these prompts, or an empty text."""
    return next((opening_mark(one.text) for one in rendered_prompts(rows, chat, how) if one.text), "")


def prompt_dataset(examples: Examples) -> Any:
    """Return prompts as a ``datasets.Dataset``, or None where there are none.

    Messages are stored as JSON, because Arrow would give every message the keys that one of them has.
    """
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    rows = [dict(zip(examples.columns, row, strict=True)) for row in zip(*examples.columns.values(), strict=True)]
    return Dataset.from_list(rows, on_mixed_types="use_json") if rows else None
