"""Finds trainers by file name: ``train/trainers/kto.py`` with a function ``train(job, folder)`` is ``trainer: kto``.

Constants in a trainer's file name TRL's config class, which takes its options (``CONFIG``), the type of dataset that it
trains on (``DATA``), and the keys of a training that it needs and others do not have (``NEEDS``): ``rewards``,
``teacher``. Importing a trainer imports neither torch nor TRL. A dotted path names a trainer of TRL that has no file
here, or the user's own (``train.finding.dotted_trainer``).
"""

import ast
import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from schemas.errors import unknown
from train.finding.dotted_rules import refuse_own_file
from train.finding.dotted_trainer import find_dotted, is_dotted

if TYPE_CHECKING:
    from train.job import Outcome, TrainingJob

HERE = Path(__file__).parent.parent / "trainers"


class Trainer(Protocol):
    """The module of a trainer, or a trainer of a dotted path, whose ``DATA`` is empty: it gets any dataset."""

    @property
    def CONFIG(self) -> str:  # noqa: N802
        """The name of TRL's config class."""
        ...

    @property
    def DATA(self) -> str:  # noqa: N802
        """The type of dataset that it trains on."""
        ...

    @property
    def NEEDS(self) -> tuple[str, ...]:  # noqa: N802
        """The keys of a training that it needs, and others do not have."""
        ...

    @property
    def train(self) -> "Callable[[TrainingJob, Path], Outcome]":
        """The function that trains as a job says, and saves the model into a folder."""
        ...


@cache
def trainer_names() -> list[str]:
    """Return the names of all trainers, sorted."""
    return sorted(file.stem for file in HERE.glob("*.py") if _is_trainer(file))


def find_trainer(name: str, where: str = "") -> Trainer:
    """Return a trainer's module.

    Args:
        name: The trainer's name.
        where: The place in the recipe, for the error.

    Raises:
        UserError: There is no such trainer; the error names the nearest one. Or a dotted path names a class of TRL that
            a file of ``train/trainers`` runs.
    """
    if is_dotted(name):
        found = find_dotted(name, where)
        refuse_own_file(
            found, {f"{config_class(one).removesuffix('Config')}Trainer": one for one in trainer_names()}, where
        )
        return found
    if name not in trainer_names():
        raise unknown("trainer", name, trainer_names(), where)
    module: Any = importlib.import_module(f"train.trainers.{name}")
    return module


def trainer_summary(name: str) -> str:
    """Return the first line of a trainer's docstring, without importing it."""
    doc = ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text(encoding="utf-8"))) or ""
    return doc.split("\n", 1)[0]


def config_class(trainer: str) -> str:
    """Return the name of TRL's config class for a trainer, such as ``SFTConfig``."""
    return find_trainer(trainer).CONFIG


def _is_trainer(file: Path) -> bool:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == "train" for node in tree.body)
