"""Tokenises dataset rows as a trainer will, and says which tokens are learnt; it does not import transformers.

The chat template is rendered with jinja2, in the sandbox that transformers uses. The model's own ``tokenizer.json``
splits the text into tokens. A test compares the result with the labels that ``SFTTrainer`` builds.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from curate.models.chat.chat import Chat, chat_in
from curate.models.chat.chat_template import TemplateRefused
from schemas.errors import UserError
from train.tables import MESSAGE_COLUMNS


@dataclass(frozen=True)
class Sample:
    """A row's prompt with one of its answers, as tokens.

    Attributes:
        row_id: The row's id.
        column: The answer's column (completion, chosen, rejected), or ``prompt`` for a row that has no answer.
        tokens: The texts of the tokens.
        learnt: Whether each token enters the loss.
        length: The number of tokens before the end was cut off at ``max_length``.
    """

    row_id: str
    column: str
    tokens: list[str]
    learnt: list[bool]
    length: int


def preview(
    rows: pl.DataFrame, dataset_type: str, folder: Path | None, max_length: int | None = 1024
) -> list[Sample] | None:
    """Tokenise dataset rows with a model's tokenizer and chat template.

    The answer begins where the tokens of the prompt and those of prompt and answer diverge, as in TRL.

    Args:
        rows: Rows that ``train.data.check_rows`` accepts.
        dataset_type: 'sft', 'preference' or 'prompt'.
        folder: The model's folder.
        max_length: The number of tokens after which the end is cut off; None for no limit.

    Returns:
        A sample for each answer; None if the folder has no tokenizer or no chat template, or the libraries for them are
        not installed.

    Raises:
        UserError: The chat template refuses a row; the error names it.
    """
    chat = chat_in(folder)
    if chat is None:
        return None
    return [sample for row in rows.iter_rows(named=True) for sample in _samples(row, dataset_type, chat, max_length)]


def _samples(row: dict[str, Any], dataset_type: str, chat: Chat, max_length: int | None) -> Iterator[Sample]:
    prompt = json.loads(row["prompt"])
    tools = json.loads(row["tools"]) if row.get("tools") else None
    try:
        prompt_text = chat.template.render(prompt, tools, add_generation_prompt=True)
        texts = {
            column: chat.template.render(prompt + json.loads(row[column]), tools, add_generation_prompt=False)
            for column in MESSAGE_COLUMNS[dataset_type][1:]
        }
    except TemplateRefused as error:
        raise UserError(f"row {row['row_id']}: the model's chat template refuses it: {error}") from error
    prompt_ids = chat.encode(prompt_text).ids
    for column, text in (texts or {"prompt": prompt_text}).items():
        encoding = chat.encode(text)
        ids = encoding.ids
        start = _common_prefix(prompt_ids, ids)
        tokens, learnt = list(_token_texts(text, encoding.offsets)), [i >= start for i in range(len(ids))]
        yield Sample(row["row_id"], column, tokens[:max_length], learnt[:max_length], len(ids))


def _common_prefix(ids: list[int], others: list[int]) -> int:
    """Return how many tokens two lists have in common at their beginning."""
    return next((i for i, (a, b) in enumerate(zip(ids, others, strict=False)) if a != b), min(len(ids), len(others)))


def _token_texts(text: str, offsets: list[tuple[int, int]]) -> Iterator[str]:
    """Yield the text of each token. A character of several tokens is the first one's, so that all texts add up."""
    done = 0
    for _, end in offsets:
        yield text[done : max(done, end)]
        done = max(done, end)
