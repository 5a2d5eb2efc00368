"""Finds trainers that a recipe names by a dotted path: those of TRL that have no file here, and the user's own.

``trl.experimental.orpo`` is the only trainer of that module, ``trl.experimental.orpo.ORPOTrainer`` the same by its
name. ``own.weighted`` is the trainer in ``own/weighted.py`` below the current folder. A trainer is a class whose name
ends in ``Trainer`` and that inherits from TRL's or transformers' trainer; its config class is found by its name, by
the type of the parameter ``args``, or is that of the class that it inherits from. Nothing but modules of TRL and files
below the current folder is ever imported, and nothing before a training starts: classes are read from their source.
"""

import ast
import importlib
import importlib.metadata
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from curate.steps.code_hash import Definition
from schemas.errors import UserError, needs_extra, short_repr, unknown
from train.finding.class_source import (
    SourceClass,
    base_class,
    classes_in,
    find_class,
    init_parameters,
    library_root,
    lineage,
    module_file,
)
from train.finding.user_module import import_modules, of_library
from train.job import Outcome, TrainingJob

EXPERIMENTAL = "trl.experimental"
LONGEST = 200  # characters of a dotted path
# A parameter of a trainer's __init__ -> the key of a training that gives it.
KEYS = {"reward_funcs": "rewards", "teacher_model": "teacher"}


@dataclass(frozen=True)
class DottedTrainer:
    """A trainer that a recipe names by a dotted path; it has what the modules of ``train.trainers`` have.

    Attributes:
        name: The dotted path.
        trainer: The trainer class.
        config: Its config class.
    """

    name: str
    trainer: SourceClass
    config: SourceClass

    DATA = ""  # the type of its dataset is not known: it gets the recipe's

    @property
    def CONFIG(self) -> str:  # noqa: N802 - the name that a module of ``train.trainers`` has
        """The name of the config class."""
        return self.config.name

    @property
    def NEEDS(self) -> tuple[str, ...]:  # noqa: N802
        """The keys of a training that the class cannot be built without."""
        parameters = init_parameters(self.trainer)
        return tuple(key for name, key in KEYS.items() if name in parameters and not parameters[name].optional)

    @property
    def TAKES(self) -> tuple[str, ...]:  # noqa: N802
        """The keys of a training that the class takes."""
        return tuple(key for name, key in KEYS.items() if name in init_parameters(self.trainer))

    @property
    def train(self) -> Callable[[TrainingJob, Path], Outcome]:
        """The function that trains as a job says, and saves the model into a folder."""
        module: Any = importlib.import_module("train.dotted.dotted_training")  # as the modules of train.trainers are
        return partial(module.train_dotted, self)

    @property
    def code(self) -> tuple[Definition, ...]:
        """The user's own classes, for the hash of the training's code."""
        own = [one for one in (self.trainer, self.config) if of_library(one.file) is None]
        return tuple(Definition(one.file, one.name) for one in own)

    @property
    def reads_messages(self) -> bool:
        """Whether the class reads a row as one column ``messages``: TRL's collator for them is named in its file."""
        return re.search(rb"\b(DataCollatorForChatML|messages_key)\b", self.trainer.file.read_bytes()) is not None

    @property
    def experimental(self) -> bool:
        """Whether TRL may change or drop the trainer in any version."""
        root = library_root("trl")
        inside = None if root is None else (root / "experimental").resolve()
        return inside is not None and any(one.file.is_relative_to(inside) for one in lineage(self.trainer))

    def config_classes(self) -> dict[str, ast.ClassDef]:
        """Return the config class and all that it inherits from, by the names that its files have for them.

        Raises:
            UserError: One name stands for two of these classes.
        """
        found: dict[str, ast.ClassDef] = {}
        for one in lineage(self.config):
            bases = [(ast.unparse(base).rsplit(".", 1)[-1], base_class(one.file, base)) for base in one.node.bases]
            for name, named in [(one.name, one), *bases]:
                if named is not None and found.setdefault(name, named.node) is not named.node:
                    raise UserError(f"trainer {self.name!r}: two config classes are called {name}; rename yours")
        return found

    def load(self) -> tuple[type, type]:
        """Import the trainer class and its config class, without TRL's warning of what is experimental."""
        os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
        module, of_config = import_modules(self.trainer.file, self.config.file)
        return getattr(module, self.trainer.name), getattr(of_config, self.config.name)


def is_dotted(name: str) -> bool:
    """Return whether a trainer's name is a dotted path."""
    return "." in name


def find_dotted(name: str, where: str = "") -> DottedTrainer:
    """Return the trainer of a dotted path.

    Raises:
        UserError: There is no such module or class, it is no trainer or one of several, or its config is not found.
    """
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts) or len(name) > LONGEST:
        raise UserError(f"{where}: trainer {short_repr(name)}: expected a dotted path, such as trl.experimental.orpo")
    if parts[0] == "trl" and library_root("trl") is None:
        raise needs_extra(f"trainer {name!r}", "train")
    try:
        trainer = _find(name, where)
        config = _config(trainer)
        init_parameters(trainer)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OSError) as error:  # of a user's file
        file = getattr(error, "filename", None)
        place = f"{file}:{getattr(error, 'lineno', None) or 1}: " if file else ""
        said = "it is nested too deep" if isinstance(error, RecursionError | MemoryError) else str(error)
        raise UserError(
            f"{where}: trainer {name!r}: {place}cannot be read: {getattr(error, 'msg', None) or said}"
        ) from error
    if config is None:
        expected = re.sub("Trainer$", "Config", trainer.name)
        raise UserError(
            f"{where}: trainer {name!r}: {trainer.name} has no config class: neither {expected} beside it, nor a class "
            f"of TRL as the type of its parameter 'args', nor a trainer with one that it inherits from"
        )
    return DottedTrainer(name, trainer, config)


def _find(name: str, where: str) -> SourceClass:
    """Return a trainer class by the path of its module, or by its own."""
    parent, _, last = name.rpartition(".")
    elsewhere = name.startswith("transformers.")  # it is read for what TRL's classes inherit from
    file, above = (None, None) if elsewhere else (module_file(name), module_file(parent))
    if file is not None:
        found = [one for n in classes_in(file) if (one := find_class(file, n)) is not None and _is_trainer(one)]
        if len(found) == 1:
            return found[0]
        names = ", ".join(f"{name}.{one.name}" for one in found)
        several = f"has several trainers; name one: {names}" if found else "has no class that is a trainer of TRL"
        raise UserError(f"{where}: trainer {name!r}: {file} {several}")
    if above is not None:
        found = find_class(above, last)
        if found is not None and _is_trainer(found):
            return found
        if found is not None:
            raise UserError(f"{where}: trainer {name!r}: the class {last} in {found.file} inherits from no trainer")
        if above.name != "__init__.py" or not name.startswith("trl."):
            raise unknown(f"class in {above} called", last, classes_in(above), where)
    if name.startswith("trl."):
        raise unknown("trainer", name, _experimental(), where)
    file = Path(*name.split("."))
    raise UserError(f"{where}: no trainer {name!r}: neither {file}.py nor {file.parent}.py exists in {Path.cwd()}")


def _experimental() -> list[str]:
    """Return the modules of ``trl.experimental`` that hold a trainer."""
    root = library_root("trl")
    folders = sorted((root / "experimental").iterdir()) if root is not None else []
    return [f"{EXPERIMENTAL}.{one.name}" for one in folders if (one / f"{one.name}_trainer.py").exists()]


def _is_trainer(one: SourceClass) -> bool:
    """Return whether a class inherits from a trainer of TRL or of transformers."""
    above = lineage(one)[1:]
    return one.name.endswith("Trainer") and any(a.name in ("_BaseTrainer", "Trainer") for a in above)


def _config(trainer: SourceClass) -> SourceClass | None:
    """Return a trainer's config class: by its name, by the type of ``args``, or that of the class it inherits from."""
    for one in lineage(trainer):
        init = init_parameters(one).get("args")
        names = [re.sub("Trainer$", "Config", one.name), *re.findall(r"\w+", init.annotation if init else "")]
        for name in names:
            found = find_class(one.file, name)
            if found is not None and any(a.name == "TrainingArguments" for a in lineage(found)[1:]):
                return found
    return None
