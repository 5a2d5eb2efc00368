"""What a report is of: a recipe in a store, as it was after one of its runs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from curate.storage.sql_views import FINISHED

if TYPE_CHECKING:
    from curate.storage.records import RunInfo
    from curate.storage.store import Store


@dataclass(frozen=True)
class Subject:
    """What a report is of.

    Attributes:
        recipe: The name of the recipe.
        last: The record of the last run that counts: the tables are as they were after it.
        run: The record of the run whose datasets are shown; None where none made any.
        others: The names of the store's other recipes.
    """

    recipe: str
    last: "RunInfo"
    run: "RunInfo | None"
    others: tuple[str, ...]


def subject(store: "Store", name: str | None) -> Subject | None:
    """Return what a report is of; None where the store has no run yet.

    Args:
        store: The store.
        name: The start of a run's id, or the name of a recipe, of which it is the latest run; None for the latest run.

    Raises:
        UserError: There is no such run.
    """
    runs = store.runs()
    if not runs:
        return None
    last = runs[-1] if name is None else _find(runs, name)
    place = next(at for at, run in enumerate(runs) if run is last)
    own = [run for run in runs[: place + 1] if run["recipe"] == last["recipe"]]
    builds = [run for run in own if run["command"] == "run"]
    whole = [run for run in builds if run["status"] in FINISHED] or builds
    others = tuple(dict.fromkeys(run["recipe"] for run in runs if run["recipe"] != last["recipe"]))
    return Subject(last["recipe"], last, whole[-1] if whole else None, others)


def _find(runs: "list[RunInfo]", name: str) -> "RunInfo":
    from schemas.errors import UserError, unknown

    found = [run for run in runs if run["run_id"] == name] or [run for run in runs if run["recipe"] == name][-1:]
    found = found or [run for run in runs if name and run["run_id"].startswith(name)]
    if not found:
        names = [*dict.fromkeys(run["recipe"] for run in runs), *(run["run_id"] for run in reversed(runs))]
        raise unknown("run or recipe (in the store) called", name, names)
    if len(found) > 1:
        raise UserError(
            f"{name!r} begins the ids of {len(found)} runs: {', '.join(run['run_id'] for run in found[:4])}"
        )
    return found[0]
