"""What ``gristmill steps`` prints: the steps of each kind, or one step with its settings."""

import inspect
import json
import re
from collections.abc import Iterable
from typing import Any

from curate.steps.find_step import FUNCTIONS, find_step, step_names, step_summary
from schemas.errors import unknown
from train.finding.find_trainer import find_trainer, trainer_names, trainer_summary

KINDS = (*FUNCTIONS, "train")
# Where the settings are that all steps of a kind take, and those of verbs that have no steps.
PAGES = {
    "generate": "docs/generation.md",
    "score": "docs/scoring.md",
    "select": "docs/scoring.md",
    "dedup": "docs/curation.md",
    "train": "docs/training.md",
    "decontaminate": "docs/curation.md",
    "filter": "docs/curation.md",
    "source": "docs/data.md",
}
# Names that a recipe may use beside the files of a kind of step.
UNLISTED = {
    "score": "  training           The losses that candidates had in a training of another recipe (docs/training.md).",
    "train": "A dotted path, such as trl.experimental.orpo, names any other trainer of TRL's shape (docs/training.md).",
}
ARGUMENT = re.compile(r"^    (\w+): (.*(?:\n     +.*)*)", re.MULTILINE)


def step_lines(name: str | None) -> list[str]:
    """Return the lines to print: of every kind's steps, of one kind's, or of the step or trainer of a name.

    Raises:
        UserError: There is no kind, step or trainer of this name.
    """
    if name is None or name in KINDS:
        return [line for kind in ([name] if name else KINDS) for line in _list(kind)]
    if name in PAGES:
        return [f"{name} is a verb without kinds of its own; {PAGES[name]} has its settings"]
    kinds = [kind for kind in KINDS if name in _names(kind)]
    if not kinds:
        raise unknown("kind of step, and no step", name, [*KINDS, *(one for kind in KINDS for one in _names(kind))])
    parts = [_trainer(name) if kind == "train" else _step(kind, name) for kind in kinds]
    return [line for number, part in enumerate(parts) for line in ([""] if number else []) + part]


def _names(kind: str) -> Iterable[str]:
    return trainer_names() if kind == "train" else step_names(kind)


def _list(kind: str) -> list[str]:
    """Return a kind's heading, and a line for each of its steps."""
    lines = [f"{kind}:"]
    for name in _names(kind):
        summary = _trainer_summary(name) if kind == "train" else step_summary(kind, name)
        lines.append(f"  {name:<18} {_plain(summary)}")
    return lines + ([UNLISTED[kind]] if kind in UNLISTED else [])


def _step(kind: str, name: str) -> list[str]:
    """Return what a step does, and its settings with their defaults."""
    step = find_step(kind, name)
    told = {found[1]: " ".join(found[2].split()) for found in ARGUMENT.finditer(inspect.getdoc(step.function) or "")}
    settings = {**dict.fromkeys(step.required, "needed"), **{k: _default(v) for k, v in step.defaults.items()}}
    names = max(map(len, settings), default=0)
    values = max(map(len, settings.values()), default=0)
    lines = [f"{kind}: {{use: {name}}}", f"  {_plain(step_summary(kind, name))}", ""]
    lines += [
        f"  {setting:<{names}}  {value:<{values}}  {_plain(told.get(setting, ''))}".rstrip()
        for setting, value in settings.items()
    ] or ["  no settings of its own"]
    return [*lines, "", f"The settings of every step of the kind {kind}: {PAGES[kind]}"]


def _trainer(name: str) -> list[str]:
    lines = [f"train: {{trainer: {name}}}", f"  {_plain(_trainer_summary(name))}", ""]
    return [*lines, f"Its settings are TRL's own, beside those of {PAGES['train']}"]


def _trainer_summary(name: str) -> str:
    """Return a trainer's summary, the type of dataset that it trains on, and the keys that its training needs."""
    trainer = find_trainer(name)
    return f"{trainer_summary(name)} Dataset: type {trainer.DATA}{''.join(f'; needs {key}' for key in trainer.NEEDS)}."


def _default(value: Any) -> str:
    """Return a default as a recipe has it."""
    return value or "''" if isinstance(value, str) else json.dumps(value, default=str)


def _plain(text: str) -> str:
    return text.replace("``", "")
