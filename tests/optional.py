"""Packages that a core installation lacks: skip a test without them, and import them only when a test runs.

Importing torch, transformers or TRL takes seconds, and collecting the tests must not take those.
"""

import importlib
from importlib.util import find_spec
from typing import Any

import pytest


def needs(*packages: str) -> pytest.MarkDecorator:
    """Return a mark that skips a test where a package is not installed."""
    missing = [name for name in packages if find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


class Lazy:
    """A module that is imported when an attribute of it is first read."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):  # pytest looks for some in everything that a test module holds
            raise AttributeError(attribute)
        return getattr(importlib.import_module(self._name), attribute)
