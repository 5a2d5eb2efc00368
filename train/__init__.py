"""Training and evaluation: thin layers on TRL, one trainer a file, and the comparison of base and trained models.

The way in from Python (docs/python.md):

    from train import check, train, evaluate, compare, export_model

A name is imported when it is first asked for, so that ``import train`` takes milliseconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import curate.models  # noqa: F401 (it chooses how torch's threads wait, which is to be done before torch is imported)

if TYPE_CHECKING:
    from train.api import EvaluationResult, TrainedModel, check, evaluate, export_model, train, trained_model
    from train.arms.compare import compare
    from train.arms.result import Comparison

__all__ = ["Comparison", "EvaluationResult", "TrainedModel", "check", "compare", "evaluate", "export_model", "train",
           "trained_model"]  # fmt: skip
ELSEWHERE = {"Comparison": "train.arms.result", "compare": "train.arms.compare"}  # the others are in train.api


def __getattr__(name: str) -> Any:
    """Import a public name."""
    if name not in __all__:
        raise AttributeError(f"module 'train' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(ELSEWHERE.get(name, "train.api")), name)


def __dir__() -> list[str]:
    """Return the public names, for completion."""
    return __all__
