"""Defines an engine: the ``Engine`` protocol, and the ``EngineSpec`` that each file in ``models/clients`` defines.

To add an engine, add one file ``curate/models/clients/NAME.py`` that defines ``SPEC``. A recipe can then say
``engine: NAME``; nothing is registered.
"""

import importlib
import pkgutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from curate.models.model_ref import ModelRef
from curate.models.streamed import Asked, Streamed
from schemas.errors import UserError, unknown
from schemas.messages import Message
from schemas.progress import Progress
from schemas.recipe import Model
from schemas.requests import Give, Take, Task

CLIENTS = "curate.models.clients"  # a name, not an import: its modules import this one
NUMBER = (int, float)
KINDS: dict[type, str] = {int: "whole number", str: "text", dict: "mapping", list: "list", bool: "true or false"}


class Engine(Protocol):
    """Runs one model for one task."""

    def answer(self, take: Take, give: Give) -> None:
        """Answer requests until there are none left.

        Args:
            take: Returns the next few requests that belong together, or None.
            give: Stores replies; called as soon as any has arrived.
        """
        ...

    def close(self) -> None:
        """Free the memory and the processes that the engine holds. May be called twice."""
        ...


class Streamer(Protocol):
    """Runs one model that answers one conversation at a time, and hands over its answer as it is written."""

    def stream(self, messages: list[Message], asked: Asked, sample: int = 0) -> Streamed:
        """Begin to answer a conversation; ``sample`` is which of several answers to it.

        Raises ``TooLong`` where it does not fit the model's context, here or where the pieces are read.
        """
        ...

    def describe(self, asked: Asked) -> str:
        """Return the sampling settings in a few words."""
        ...

    def close(self) -> None:
        """Free the memory and the processes that it holds. May be called twice."""
        ...


class TextEmbedder(Protocol):
    """A loaded embedding model.

    ``longest`` is how many tokens of a text it reads (0 if that is not known); ``cut`` counts the texts embedded so
    far that had more.
    """

    longest: int
    cut: int

    def encode(self, texts: list[str]) -> np.ndarray:
        """Return the unit vectors of texts: float32 of shape ``[len(texts), d]``."""
        ...


@dataclass(frozen=True)
class Setting:
    """One setting of an engine, as a recipe's model entry may give it.

    ``kind`` is its type; a number is at least 0, above 0 where ``above_zero``,
    and at most ``most``. ``choices`` are its only values,
    where there are any. ``default`` is None where it depends on the machine or the task; ``meaning`` says which.
    """

    name: str
    kind: type | tuple[type, ...]
    meaning: str
    default: Any = None
    above_zero: bool = False
    choices: tuple[str, ...] = ()
    most: float = inf

    def of(self, ref: ModelRef) -> Any:
        """Return the setting's value for a model: the recipe's, else the default."""
        return ref.setting(self.name, self.default)

    def check(self, value: Any, place: str) -> None:
        """Raise ``UserError`` unless the value has the setting's type and is within its bounds.

        Args:
            value: The value in the recipe.
            place: The file, the line and the setting's full name, for the message.
        """
        is_kind: bool = isinstance(value, self.kind)  # said so, as a check by isinstance would narrow ``value``
        if not is_kind or (isinstance(value, bool) and self.kind is not bool):
            kinds = (self.kind,) if isinstance(self.kind, type) else self.kind
            expected = "number" if kinds == NUMBER else " or ".join(KINDS[kind] for kind in kinds)
            raise UserError(f"{place}: expected a {expected}, found {value!r}")
        if value == "":
            raise UserError(f"{place}: is empty")
        if self.kind in (int, NUMBER) and not 0 <= value < inf:
            raise UserError(f"{place}: {value!r} is out of range, it is at least 0")
        if self.kind in (int, NUMBER) and value > self.most:
            raise UserError(f"{place}: {value!r} is out of range, it is at most {self.most:,}")
        if self.above_zero and value == 0:
            raise UserError(f"{place}: 0 is out of range, it is above 0; leave it out for the default")
        if self.choices and value not in self.choices:
            raise unknown(self.name, value, self.choices, place)


def _no_check(name: str, settings: Mapping[str, Any], where: str) -> None:
    """Accept all settings."""


def _always_ready(ref: ModelRef) -> None:
    """Accept the machine and its environment as they are."""


@dataclass(frozen=True)
class EngineSpec:
    """Declares an engine: its tasks, its settings, its capabilities and how it is started. Holds no loaded model.

    Attributes:
        tasks: The tasks that it serves, each with the function that starts an ``Engine`` for a model.
        resolve: Makes a ``ModelRef`` of a recipe's entry: the model's name, the entry, and the recipe's folder.
        settings: The engine's own settings; budgets and prices are settings of every engine.
        check: Raises ``UserError`` for settings that are wrong together or in a way that no type says. It is given
            the model's name, its settings and the place in the recipe.
        installed: Raises ``UserError`` where this machine lacks what the engine needs; called before a run is planned.
        ready: Raises ``UserError`` for what must be there before the first request, such as a key.
        embedder: Loads a model that makes embeddings, or None where the engine makes none.
        streamer: Starts a model that hands over its answers as they are written, or None where the engine has none.
        remote: Whether the model is behind a server that is not ours: it may cost money, and its weights are not here.
        spreads: Tasks whose requests may go to other processes, each of which loads the model, in windows
            (``curate.models.windows``): what is answered does not depend on who answers.
        response_format: Whether it can hold a reply to a JSON schema.
        needs_user_prefix: Whether it can write a user's turn only if the setting ``user_prefix`` says how one begins.
        in_recipes: Whether a recipe's ``models:`` may name it.
    """

    tasks: Mapping[Task, Callable[[ModelRef, Progress], Engine]]
    resolve: Callable[[str, Model, Path], ModelRef]
    settings: tuple[Setting, ...] = ()
    check: Callable[[str, Mapping[str, Any], str], None] = _no_check
    installed: Callable[[], None] = lambda: None
    ready: Callable[[ModelRef], None] = _always_ready
    embedder: Callable[[ModelRef], TextEmbedder] | None = None
    streamer: Callable[[ModelRef, Progress], Streamer] | None = None
    remote: bool = False
    spreads: tuple[Task, ...] = ()
    response_format: bool = False
    needs_user_prefix: bool = False
    in_recipes: bool = True

    def writes_user_turn(self, ref: ModelRef) -> bool:
        """Return whether the model, as the recipe sets it up, can be asked to write a user's turn."""
        return not self.needs_user_prefix or bool(ref.setting("user_prefix"))


def engine_names() -> list[str]:
    """Return the names of all engines: the modules in ``curate/models/clients``, sorted."""
    folders = importlib.import_module(CLIENTS).__path__
    return sorted(module.name for module in pkgutil.iter_modules(folders) if not module.ispkg)


def find_engine(name: str, where: str = "") -> EngineSpec:
    """Return the spec of the engine ``NAME``. Raises ``UserError`` if there is no such file."""
    spec = getattr(sys.modules.get(f"{CLIENTS}.{name}"), "SPEC", None)
    if spec is not None:  # imported before; listing the folder takes much longer
        return spec
    if name not in engine_names():
        raise unknown("engine", name, recipe_engines(), where)
    return importlib.import_module(f"{CLIENTS}.{name}").SPEC


def recipe_engines() -> list[str]:
    """Return the names of the engines that a recipe may name."""
    return [name for name in engine_names() if find_engine(name).in_recipes]


def engines_that(able: Callable[[EngineSpec], bool]) -> str:
    """Return the quoted names of a recipe's engines that are able to do something, for a message: "'a' or 'b'"."""
    return " or ".join(repr(name) for name in recipe_engines() if able(find_engine(name)))


def engine_of(ref: ModelRef) -> EngineSpec:
    """Return the spec of a model's engine."""
    return find_engine(ref.engine)


def setting_of(ref: ModelRef, name: str) -> Any:
    """Return a model's setting that its engine declares: the recipe's value, else the declared default."""
    return next(setting for setting in engine_of(ref).settings if setting.name == name).of(ref)
