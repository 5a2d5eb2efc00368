"""From prompts to curated datasets: sources, generate, score, dedup, select, filter, split, and the store.

The way in from Python (docs/python.md):

    from curate import load_recipe, open_store, run, plan

A name is imported when it is first asked for, so that ``import curate`` takes milliseconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curate.api.call_step import call_step
    from curate.api.chat import ChatSession
    from curate.api.export import export_dataset
    from curate.api.open_store import OpenStore, open_store
    from curate.api.run import plan, run
    from curate.api.run_result import RunResult
    from curate.steps.own_code import only_allowed
    from schemas.load_recipe import load_recipe
    from schemas.progress import Progress

__all__ = ["ChatSession", "OpenStore", "Progress", "RunResult", "call_step", "export_dataset", "load_recipe",
           "only_allowed", "open_store", "plan", "run"]  # fmt: skip
_HOMES = {
    "ChatSession": "curate.api.chat",
    "OpenStore": "curate.api.open_store",
    "Progress": "schemas.progress",
    "RunResult": "curate.api.run_result",
    "call_step": "curate.api.call_step",
    "export_dataset": "curate.api.export",
    "load_recipe": "schemas.load_recipe",
    "only_allowed": "curate.steps.own_code",
    "open_store": "curate.api.open_store",
    "plan": "curate.api.run",
    "run": "curate.api.run",
}


def __getattr__(name: str) -> Any:
    """Import a public name."""
    if name not in _HOMES:
        raise AttributeError(f"module 'curate' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Return the public names, for completion."""
    return __all__
