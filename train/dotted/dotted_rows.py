"""Rows for a trainer of a dotted path: TRL's conversational columns, as the model's chat template can print them."""

import json
from collections import Counter
from typing import Any

import polars as pl

from curate.models.chat.chat import Chat
from curate.models.chat.chat_template import TemplateRefused
from schemas.counted import counted
from schemas.learnt_turns import is_learnt
from train.examples.examples import Examples
from train.examples.fitted import fitted
from train.examples.loss_settings import LossSettings
from train.examples.pair_examples import SAME
from train.examples.prompt_examples import prompt_dataset, prompt_examples
from train.examples.sft_examples import NOTHING_MARKED
from train.job import TrainingJob
from train.rows.data import to_dataset
from train.rows.training_rows import TrainingRows, check_held_out, nothing_left, rows_shown
from train.tables import MESSAGE_COLUMNS
from train.trl_setup import say_changes


def kind_of_rows(rows: pl.DataFrame) -> str:
    """Return the type of dataset rows, by their columns: 'preference', 'unpaired', 'sft' or 'prompt'."""
    if "chosen" in rows.columns:
        return "preference"
    if "completion" in rows.columns:
        return "unpaired" if "label" in rows.columns else "sft"
    return "prompt"


def dotted_rows(
    job: TrainingJob, rows: TrainingRows, kind: str, chat: Chat, how: LossSettings, room: int, *, in_one: bool = False
) -> tuple[TrainingRows, tuple[Any, Any]]:
    """Return the rows that are left to train on, and TRL's datasets of them and of the rows to evaluate on.

    Args:
        job: The training.
        rows: Its checked rows.
        kind: Their type.
        chat: The model's chat template and tokenizer.
        how: What becomes of reasoning traces.
        room: The most tokens of a prompt whose answers are sampled.
        in_one: Whether a row's prompt and answer are one column ``messages``.

    Raises:
        UserError: No row is left to train on.
    """
    rows = rows_shown(job, rows, kind, chat.template)
    if kind == "prompt":
        made = [prompt_examples(part, chat, how, room) for part in (rows.train, rows.held_out)]
    else:
        made = [_printable(part, kind, chat, how) for part in (rows.train, rows.held_out)]
    left = rows.without(made[0].dropped_rows())
    if left.train.is_empty():
        raise nothing_left(job, left.dropped)
    say_changes(job, made[0], chat.template)
    check_held_out(job, rows, made[1])
    unlearnt = made[0].counts.pop("unlearnt", 0)
    if unlearnt:
        job.progress.say(
            f"train {job.name}: {counted(unlearnt, 'row has', 'rows have')} turns that are marked as not to be "
            f"learnt; {job.trainer} does not know the mark"
        )
    datasets, first = [], 0
    for part, examples in zip((left.train, rows.held_out), made, strict=True):
        part = part.join(examples.dropped_rows(), on="row_id", how="anti", maintain_order="left")
        datasets.append(_dataset(part, kind, examples, first, in_one=in_one))
        first += part.height
    held_out = rows.held_out.join(made[1].dropped_rows(), on="row_id", how="anti", maintain_order="left")
    return TrainingRows(left.train, held_out, left.dropped), (datasets[0], datasets[1])


def _printable(rows: pl.DataFrame, kind: str, chat: Chat, how: LossSettings) -> Examples:
    """Return rows whose messages the template can print, as JSON by column; those that it refuses are left out.

    So are pairs whose answers are the same tokens, as it prints them.
    """
    examples = Examples()
    prompt, *answers = MESSAGE_COLUMNS[kind]
    tools = rows["tools"] if "tools" in rows.columns else [None] * rows.height
    for row, of_row in zip(rows.select("row_id", prompt, *answers).iter_rows(named=True), tools, strict=True):
        example, changed, unlearnt = {}, Counter[str](), False
        printed: list[str] = []
        for name in answers:
            answer = json.loads(row[name])
            unlearnt = unlearnt or not all(is_learnt(m) for m in answer if m["role"] == "assistant")
            messages, changes = fitted([*json.loads(row[prompt]), *answer], chat.template, how)
            changed.update(dict.fromkeys(changes, 1))
            if not any(is_learnt(message) for message in answer):
                examples.dropped[row["row_id"]] = NOTHING_MARKED
            try:
                printed.append(chat.template.render(messages, json.loads(of_row) if of_row else None))
            except TemplateRefused as error:
                examples.dropped[row["row_id"]] = f"the model's chat template refuses it: {error}"
            first = len(messages) - len(answer)
            example |= {prompt: messages[:first], name: messages[first:]}
        if kind == "preference" and len(printed) == len(answers) and _same_tokens(printed, chat):
            examples.dropped.setdefault(row["row_id"], SAME)
        if row["row_id"] not in examples.dropped:
            examples.changes.update(changed.keys())
            examples.counts.update(rows=1, unlearnt=unlearnt)
            examples.add({column: json.dumps(value, ensure_ascii=False) for column, value in example.items()})
    return examples


def _same_tokens(printed: list[str], chat: Chat) -> bool:
    """Return whether two printed conversations are the same tokens."""
    return len({tuple(chat.encode(text).ids) for text in printed}) == 1


def _dataset(rows: pl.DataFrame, kind: str, examples: Examples, first: int, *, in_one: bool) -> Any:
    """Return TRL's dataset of rows, or None where there are none; ``row_index`` counts on from ``first``."""
    from datasets import disable_progress_bars

    disable_progress_bars()  # the trainer maps the dataset
    if rows.is_empty():
        return None
    if kind == "prompt":
        examples.columns["row_index"] = [*range(first, first + rows.height)]
        return prompt_dataset(examples)
    printed = rows.with_columns(pl.Series(name, values) for name, values in examples.columns.items())
    dataset = to_dataset(printed, kind, first_index=first)
    if kind == "unpaired" and "label" not in dataset.column_names:
        dataset = dataset.add_column("label", rows["label"].to_list())
    if in_one and kind == "sft":
        messages = [json.loads(p) + json.loads(c) for p, c in printed.select("prompt", "completion").iter_rows()]
        dataset = dataset.remove_columns(["prompt", "completion"]).add_column("messages", messages)
    return dataset
