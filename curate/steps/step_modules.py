"""Makes the modules of a folder of steps callable, so that a step is a function in Python too.

    from curate.score import constraints
    constraints(["all lower case"], ['[{"kind": "lowercase"}]'])

``curate.api.call_step`` makes the call: it takes lists and frames, and checks the settings as a recipe's are checked.
"""

import inspect
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import polars as pl

from curate.steps.find_step import find_step, step_names


class StepModule(ModuleType):
    """The module of a step."""

    @property
    def __signature__(self) -> inspect.Signature:
        """The step's columns and settings, for ``help`` and editors."""
        _, kind, name = self.__name__.split(".")
        return inspect.signature(find_step(kind, name).function).replace(return_annotation=pl.DataFrame)

    def __call__(self, *columns: Any, **settings: Any) -> Any:
        """Call the step; see ``curate.api.call_step.call_step``."""
        _, kind, name = self.__name__.split(".")
        # By name at run time: steps import neither the store nor the models, which such a call may need.
        return import_module("curate.api.call_step").call_step(kind, name, *columns, **settings)


class StepPackage(ModuleType):
    """A folder of steps. Python sets a module that it has imported as an attribute of its package."""

    def __dir__(self) -> list[str]:
        """Return the names of the steps, for completion."""
        return step_names(self.__name__.rpartition(".")[2])

    def __setattr__(self, name: str, value: object) -> None:
        """Make a step's module callable; modules whose names begin with ``_`` are no steps."""
        if isinstance(value, ModuleType) and not name.startswith("_"):
            value.__class__ = StepModule
        super().__setattr__(name, value)


def make_callable(package: str) -> None:
    """Make the modules that will be imported from a package callable."""
    sys.modules[package].__class__ = StepPackage
