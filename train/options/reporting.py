"""The options that say where a training reports its figures; they change nothing in it, and are no part of its id."""

from collections.abc import Mapping
from typing import Any

NONE = (None, [], "none", ["none"])
REPORTING = (
    "report_to", "run_name", "project", "trackio_space_id", "trackio_bucket_id", "trackio_static_space_id",
    "hub_private_repo",
)  # fmt: skip


def reports(settings: Mapping[str, Any]) -> bool:
    """Return whether a training with these options reports to a tracker."""
    return settings.get("report_to") not in NONE


def with_names(settings: Mapping[str, Any], known: Mapping[str, Any], project: str, run: str) -> dict[str, Any]:
    """Return a training's options with the names of its run and project for trackers, where the recipe gives none.

    Args:
        settings: The options.
        known: The options that its config class has.
        project: The recipe's name.
        run: The training's name and id: with other options it is another run.
    """
    names = {"run_name": run, "project": project} if reports(settings) else {}
    return {name: value for name, value in names.items() if name in known} | dict(settings)
