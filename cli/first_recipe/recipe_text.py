"""The text of a first recipe: five to ten lines, in which whatever comes from a file is quoted as YAML wants it."""

import io
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cli.first_recipe.jobs import Job
from cli.terminal import STEERING
from schemas.errors import printable

LONGEST_NAME = 60
LONGEST_COMMENT = 90
BUILT_IN = "smollm2-135m"
DATASETS = {"sft": "sft", "dpo": "pairs", "kto": "labelled", "grpo": "prompts"}
# What the shipped recipes train the built-in model with; keys of TRL's.
SETTINGS: dict[str, dict[str, Any]] = {
    "sft": {"learning_rate": 5e-4, "num_train_epochs": 1, "per_device_train_batch_size": 8},
    "dpo": {"learning_rate": 1e-4, "num_train_epochs": 1, "per_device_train_batch_size": 4},
    "kto": {"learning_rate": 1e-4, "num_train_epochs": 1, "per_device_train_batch_size": 8},
    "grpo": {"learning_rate": 2e-4, "num_generations": 8, "max_completion_length": 128, "max_steps": 50},
}
ANSWER_TOKENS = 128  # of an answer in the evaluation
LENGTH = {"score": {"use": "length", "unit": "words", "as": "words"}}


@dataclass(frozen=True)
class Draft:
    """The parts that a first recipe is written of.

    Attributes:
        title: What the recipe is for, in its first line.
        name: The recipe's name.
        file: The name of its file, without ``.yaml``.
        job: What is learnt.
        source: The settings of the source, without its path.
        paths: The path of the source, or of each file that is one.
        model: The model, or its settings.
        notes: Comments by the section that they stand behind: ``prompts``, ``models``, ``train``.
        training: Further settings of the training.
    """

    title: str
    name: str
    file: str
    job: Job
    source: dict[str, Any]
    paths: tuple[str, ...]
    model: str | dict[str, Any] = BUILT_IN
    notes: dict[str, str] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)


def recipe_name(text: str) -> str:
    """Return a text as the name of a recipe and of its file: ``my_data`` for ``my data``."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", text)[:LONGEST_NAME].strip("._-") or "data"


def file_name(text: str) -> str:
    """Return a text as the name of a recipe's file, with the letters, marks and numbers of every script."""
    text = unicodedata.normalize("NFC", text)
    kept = "".join(one if one in "-." or unicodedata.category(one)[0] in "LMN" else "_" for one in text)
    return re.sub("_+", "_", kept)[:LONGEST_NAME].strip("._-") or "data"


def recipe_text(draft: Draft) -> str:
    """Return the text of a recipe.

    Raises:
        UnicodeEncodeError: A name is no text that a file can hold (half of a surrogate pair).
    """
    job, dataset = draft.job, DATASETS[draft.job.trainer]
    steps = [*job.steps, {"score": job.reward}] if job.reward else [*job.steps, LENGTH]
    by = job.reward or "words"
    training: dict[str, Any] = {"trainer": job.trainer, "dataset": dataset, "model": "student"}
    training |= {"rewards": [job.reward]} if job.reward else {}
    training |= {"lora": {"r": 16, "lora_alpha": 32}} | draft.training
    sources = [{"source": {"path": path, **draft.source} if draft.source else path} for path in draft.paths]
    evaluate = {"models": ["student", job.trainer], "dataset": dataset, "by": [by], "max_tokens": ANSWER_TOKENS}
    lines = [
        f"# {comment(draft.title)}",
        f"name: {flow(draft.name)}",
        _noted(f"models: {flow({'student': draft.model})}", draft.notes.get("models", "")),
        _noted(f"prompts: {flow(sources)}", draft.notes.get("prompts", "")),
        _noted(
            f"completions: {flow(steps)}", "" if job.reward else "for the evaluation alone" if not job.steps else ""
        ),
        _noted(f"datasets: {flow({dataset: job.dataset})}", job.note),
        _noted("split: {test: 0.1}", "a tenth is held out, for the evaluation"),
        "train:",
        _noted(f"  {job.trainer}: {flow(training)[:-1]},", draft.notes.get("train", "")),
        _noted(f"{' ' * len(job.trainer)}     {flow(SETTINGS[job.trainer])[1:]}", "these are TRL's own"),
        f"evaluate: {flow(evaluate)}",
    ]
    text = "\n".join(lines) + "\n"
    text.encode()
    return text


def flow(value: Any) -> str:
    """Return plain values as YAML on one line, with quotes and escapes where a text needs them."""
    from ruamel.yaml import YAML

    text, writer = io.StringIO(), YAML(typ="safe", pure=True)
    writer.default_flow_style, writer.width, writer.sort_base_mapping_type_on_output = True, 1 << 30, False
    writer.allow_unicode = not any(STEERING.search(one) for one in _texts(value))  # else each is an escape
    writer.dump(value if isinstance(value, dict | list) else [value], text)
    written = text.getvalue().strip()
    return written if isinstance(value, dict | list) else written[1:-1]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _texts(one)


def comment(text: str) -> str:
    """Return text as a comment of one line, cut where it is long."""
    text = " ".join(printable(text).split())
    return text if len(text) <= LONGEST_COMMENT else f"{text[: LONGEST_COMMENT - 3]}..."


def _noted(line: str, note: str) -> str:
    return f"{line}  # {comment(note)}" if note else line
