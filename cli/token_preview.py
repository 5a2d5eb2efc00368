"""Prints dataset rows as the tokens that a training gets, and which of them are learnt, for ``gristmill check``."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import polars as pl
from rich.text import Text

from cli.cut_rows import cut_rows
from cli.learnt_counts import REASONS, learnt_counts
from cli.token_text import CLOSE, OPEN, harmless, token_text
from curate.api.first_rows import condition_reads
from curate.models.chat.chat import Chat, chat_for, template_for
from curate.models.chat.template_support import support_of
from curate.models.model_ref import ModelRef
from curate.models.weights import local_folder
from schemas.counted import counted
from schemas.errors import UserError
from schemas.progress import StageWarning
from schemas.recipe import Recipe, Training
from schemas.rows import DATASET_TABLES
from train.examples.context import context_of, prompt_room
from train.examples.missing_marks import missing_marks
from train.finding.dotted_trainer import is_dotted
from train.launch.accelerate_config import process_count
from train.plan import first_model, split_rows
from train.preview import Sample, preview, training_examples
from train.reports.before.planned import planned_lines
from train.rows.unpaired_labels import known_labels
from train.rows.unshown import check_prints_turns, no_template

if TYPE_CHECKING:
    from rich.console import Console

    from curate.pipeline.planner import Plan
    from train.examples.examples import Examples

MOST_ROWS = 2000  # rows that the counts are of
REFUSED_ROWS = "these rows would be refused (see the warning); what would be learnt of them all the same:"
TOKENISES = "{} tokenises the rows itself, so that they are not shown as tokens, nor what max_length would cut of them"
REFUSED_PROMPTS = "rows of these prompts would be refused (see the warning); the prompts as the template prints them:"


@dataclass(frozen=True)
class Known:
    """The rows of a training that are known.

    Attributes:
        frame: The first of them.
        total: How many there are; None if only the first were read.
        kind: The dataset's type; 'prompt' where the rows are prompts whose answers are still to be written.
        built: Whether the dataset is there; otherwise they come from the sources.
    """

    frame: pl.DataFrame
    total: int | None
    kind: str
    built: bool


def refuse_without_template(recipe: Recipe, found: "Plan") -> None:
    """Raise ``UserError`` where a model to train is on this machine and has no chat template."""
    for name, training in recipe.train.items():
        ref = _start(recipe, found, training)
        folder = local_folder(ref)
        here = folder is not None and (folder / "config.json").exists()
        if not here or find_spec("jinja2") is None:
            continue
        template, where = template_for(ref), f"{recipe.where('train', name, 'model')}: train.{name}"
        if template is None:
            raise no_template(where, ref.name)
        check_prints_turns(template, where, ref.name)


def show_previews(recipe: Recipe, found: "Plan", shown: "Console", count: int) -> list[StageWarning]:
    """Print for each training what it learns: counts, and a few rows as tokens.

    Args:
        recipe: The recipe.
        found: Its plan.
        shown: The console.
        count: How many rows of each training to show.

    Returns:
        What is wrong with rows of the sources: the training would refuse them, unless something leaves them out.
    """
    chats: dict[str, Chat | str] = {}
    warnings: list[StageWarning] = []
    for name, training in recipe.train.items():
        ref = _start(recipe, found, training)
        if ref.name not in chats:
            chats[ref.name] = _chat(ref)
        chat = chats[ref.name]
        if isinstance(chat, str):
            shown.print(Text(f"\ntrain.{name}: {chat}"), soft_wrap=True)
            continue
        rows = _known_rows(recipe, found, training)
        if is_dotted(training.trainer):
            shown.print(Text(f"\ntrain.{name}: {TOKENISES.format(training.trainer)}"), soft_wrap=True)
            continue
        examples, wrong = _examples(recipe, name, chat, rows, ref)
        warnings += [StageWarning(f"train.{name}", wrong)] if wrong else []
        if examples is not None and not rows.built and rows.total is not None:
            warnings += [StageWarning(f"train.{name}", said) for said in known_labels(examples)]
        lines = [] if rows.built else [_origin(recipe, found, training, rows)]
        if examples is not None and wrong:
            lines.append(REFUSED_PROMPTS if rows.kind == "prompt" else REFUSED_ROWS)
        if examples is not None and not rows.frame.is_empty():
            lines += learnt_counts(training, rows.kind, rows.total, examples)
            lines += cut_rows(training, rows.kind, examples, context_of(ref))
        if examples is not None and rows.kind == recipe.datasets[training.dataset].type:
            processes = process_count(recipe, training, recipe.where("train", name))
            sizes = planned_lines(training, ref, rows.kind, examples, rows.total, recipe.seed, processes)
            shown.print(Text("".join(f"\ntrain {name}: {line}" for line in sizes)), soft_wrap=True, end="")
        lines += missing_marks(support_of(chat.template), calls=examples is not None and examples.counts["calls"] > 0)
        shown.print(Text("\n" + "\n".join(f"train.{name}: {line}" for line in lines)), soft_wrap=True)
        if examples is not None:
            _show_rows(name, training, chat, rows, examples, shown, count)
    return warnings


def rows_and_examples(recipe: Recipe, found: "Plan", name: str, most: int) -> tuple[Known, "Examples | None", str]:
    """Return the rows of a training that are known, and what the training gets of them.

    Args:
        recipe: The recipe.
        found: Its plan.
        name: The training.
        most: The most rows of a dataset that is built.

    Returns:
        The rows; these as the training would get them, or None where that can't be said; and why it can't, or why the
        training would refuse rows as they are, or "".
    """
    ref = _start(recipe, found, recipe.train[name])
    rows, chat = _known_rows(recipe, found, recipe.train[name], most), _chat(ref)
    if isinstance(chat, str):
        return rows, None, chat
    examples, wrong = _examples(recipe, name, chat, rows, ref)
    return rows, examples, wrong or ""


def _start(recipe: Recipe, found: "Plan", training: Training) -> ModelRef:
    """Return the model that a training starts from, before all trainings: it has the tokenizer and the template."""
    return found.state.model(first_model(recipe, training), "")


def _chat(ref: ModelRef) -> Chat | str:
    """Return a model's chat template and tokenizer, or why there is no preview."""
    if find_spec("tokenizers") is None or find_spec("jinja2") is None:
        return "the preview of tokenised rows needs the extra 'local': pip install 'gristmill[local]'"
    folder = local_folder(ref)
    if folder is None:
        return f"no preview of tokenised rows: the model {ref.name!r} is not on this machine yet"
    return chat_for(ref) or f"no preview of tokenised rows: the model {ref.name!r} has no file tokenizer.json"


def _known_rows(recipe: Recipe, found: "Plan", training: Training, most: int | None = None) -> Known:
    kind = recipe.datasets[training.dataset].type
    stage = found.datasets.get(training.dataset)
    if stage is not None:
        rows = split_rows(stage.read(DATASET_TABLES[kind]))[0]
        return Known(rows.head(most or MOST_ROWS), rows.height, kind, built=True)
    rows = found.first_rows[training.dataset]
    answered = "completion" in rows.columns or "chosen" in rows.columns
    total = None if rows.height == MOST_ROWS else rows.height
    return Known(rows, total, kind if answered else "prompt", built=False)


def _origin(recipe: Recipe, found: "Plan", training: Training, rows: Known) -> str:
    """Return where rows come from whose dataset is not built."""
    asked = any(stage.pending and stage.label.startswith("completions.generate") for stage in found.stages)
    if rows.frame.is_empty():
        return "the dataset is not built yet, and no row that it could have is there"
    wanted = recipe.datasets[training.dataset].type
    if rows.kind != wanted and wanted == "preference" and not asked and found.state.completions.height:
        return "the dataset is not built yet, and no prompt has two different answers; the prompts:"
    if rows.kind != wanted:
        return "the answers are still to be written; the prompts, as the model will see them:"
    pairs = "; a pair is of recorded answers" if rows.kind == "preference" else ""
    more = "; further answers are still to be written" if asked and rows.kind != "prompt" else ""
    selected = "before anything is selected"
    if condition := recipe.datasets[training.dataset].where:
        if condition_reads(found.state, recipe.datasets[training.dataset]) is None:
            selected += " (where: reads what is not there yet)"
        else:
            selected = f"those with {harmless(' '.join(condition.split()))}, before anything else is selected"
    selected += "; splits are not applied yet" if recipe.splits else ""
    return f"the dataset is not built yet: rows straight from the sources, {selected}{pairs}{more}"


def _examples(
    recipe: Recipe, name: str, chat: Chat, rows: Known, ref: ModelRef
) -> tuple["Examples | None", str | None]:
    """Return rows as the training gets them, and why it would refuse rows of the sources."""
    training, where = recipe.train[name], f"{recipe.where('train', name)}: train.{name}"
    room = prompt_room(training, context_of(ref))
    frame, wrong = rows.frame, None
    left_out = {} if rows.built else dict(frame.drop_nulls("left_out").select("row_id", "left_out").rows())
    for unshown in (training.unshown, "ignore"):
        chosen = training.model_copy(update={"unshown": unshown, "model": ref.name})
        try:
            kept = frame.filter(~pl.col("row_id").is_in([*left_out]))
            examples = training_examples(kept, chosen, rows.kind, chat, where, max_prompt=room)
            examples.dropped.update(left_out)
            return examples, wrong
        except UserError as error:
            if rows.built:
                raise
            wrong = wrong or f"rows of the sources: {str(error).removeprefix(f'{where}: ')}"
    return None, wrong


def _show_rows(
    name: str, training: Training, chat: Chat, rows: Known, examples: "Examples", shown: "Console", count: int
) -> None:
    samples = preview(_first(rows.frame, examples.dropped, count), training, rows.kind, chat, examples.dropped)
    coloured = shown.is_terminal and shown.color_system is not None and not shown.no_color
    if any(any(sample.learnt) for sample in samples):
        how = "in green, the context is dim" if coloured else f"in {OPEN}brackets{CLOSE}"
        what = "the answer" if training.trainer == "reward" else "what is learnt"
        shown.print(Text(f"train.{name}: {what} is shown {how}"), soft_wrap=True)
    for sample in samples:
        shown.print(Text(f"\ntrain.{name}, {_title(sample, training)}"), soft_wrap=True)
        if sample.tokens:
            shown.print(token_text(sample.tokens, sample.learnt, coloured=coloured), soft_wrap=True)


def _first(frame: pl.DataFrame, dropped: Mapping[str, str], count: int) -> pl.DataFrame:
    """Return the first rows that are learnt, and the first that is left out for each of a few reasons."""
    first_of: dict[str, str] = {}
    for row_id, reason in dropped.items():
        first_of.setdefault(reason, row_id)
    kept = frame.filter(~pl.col("row_id").is_in([*dropped]))["row_id"].head(count)
    return frame.filter(pl.col("row_id").is_in([*kept, *[*first_of.values()][:REASONS]]))


def _title(sample: Sample, training: Training) -> str:
    """Return a sample's row, and how many of its tokens are learnt or why it is left out."""
    answer = f" ({sample.column})" if sample.column in ("chosen", "rejected") else ""
    if sample.label is not None:
        answer = " (good)" if sample.label else " (bad)"
    row = f"row {harmless(sample.row_id)}{answer}"
    if sample.reason is not None:
        return f"{row}: left out: {harmless(sample.reason)}"
    part, parts = sample.part
    place = f", part {part} of {parts}" if parts > 1 else ""
    cut = f", cut from {sample.length:,} at max_length" if sample.length > len(sample.tokens) else ""
    counts = sample.column != "prompt" and training.trainer != "reward"
    learnt = f", {sum(sample.learnt):,} learnt" if counts else ""
    return f"{row}{place}: {counted(len(sample.tokens), 'token')}{learnt}{cut}"
