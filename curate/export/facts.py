"""What the store says of how a dataset was made: its recipe, funnel, models and refused rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from curate.export.for_others import for_others
from curate.export.licences import SourceLicence, source_licences
from curate.storage.records import RunInfo
from curate.storage.run_stages import recipe_datasets
from curate.storage.sql_views import FINISHED, connect
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.errors import UserError, unknown
from schemas.rows import DATASET_TABLES

BATCH = 2_000
TAKES_OUT = ("pii", "secrets", "toxicity")  # scorers that find what nobody wants to publish
REFUSED = ("row_id", "kind", "stage", "reason", "detail", "evidence", "prompt", "response")


@dataclass(frozen=True)
class Found:
    """A dataset in a store.

    Attributes:
        name: Its name.
        recipe: The name of its recipe.
        table: The table that has it.
        stage: The stage that holds it.
        run: The record of the run that made it, or used it last.
    """

    name: str
    recipe: str
    table: str
    stage: Stage
    run: RunInfo

    @property
    def kind(self) -> str:
        """Its type, as a recipe names it."""
        return next(kind for kind, table in DATASET_TABLES.items() if table == self.table)

    @property
    def resolved(self) -> dict[str, Any]:
        """The recipe as the run has read it, for others to see: of paths from the root, the last part alone.

        What no recipe has is left out, as a store may be a stranger's.
        """
        held = self.run.get("resolved") or {}
        steps = {name: _steps(held.get(name)) for name in ("prompts", "completions")}
        named = {name: held[name] for name in ("models", "datasets") if isinstance(held.get(name), dict)}
        return for_others({**{key: held.get(key) for key in ("name", "seed", "split")}, **steps, **named})

    @property
    def sources(self) -> list[SourceLicence]:
        """The recipe's sources with their licences."""
        return source_licences(self.resolved)

    @property
    def of_its_stages(self) -> str:
        """The SQL condition on ``stage`` for all that decided on its rows, not on another dataset's."""
        name = self.name.replace("'", "''")
        return (
            f"(stage LIKE 'prompts.%' OR stage LIKE 'completions.%' OR stage = 'datasets.{name}' "
            f"OR starts_with(stage, 'datasets.{name}.'))"
        )


def _steps(held: Any) -> list[dict[str, Any]]:
    """Return the steps in what a run's record has as them."""
    steps = [step for step in held if isinstance(step, dict)] if isinstance(held, list) else []
    return [s for s in steps if isinstance(s.get("verb"), str) and isinstance(s.get("settings"), dict | None)]


def find_dataset(store: Store, name: str, recipe: str | None) -> Found:
    """Return the dataset of a name.

    Args:
        store: The store.
        name: The dataset's name in its recipe.
        recipe: The recipe's name, where several have a dataset of this name.

    Raises:
        UserError: There is none, it has no rows, or several recipes have one.
    """
    found = recipe_datasets(store, recipe)
    owners = [one for one in found if name in found[one]]
    if not owners:
        raise unknown("dataset", name, [known for names in found.values() for known in names])
    if len(owners) > 1:
        raise UserError(f"dataset {name!r}: the recipes {', '.join(owners)} each have one; choose with --recipe NAME")
    table, stage = found[owners[0]][name]
    if not stage.rows(table):
        raise UserError(f"dataset {name!r} has no rows; 'gristmill show decisions' says why")
    runs = [run for run in store.runs() if run["recipe"] == owners[0] and run["command"] == "run"]
    finished = [run for run in runs if run["status"] in FINISHED]
    return Found(name, owners[0], table, stage, (finished or runs)[-1])


def funnel(store: Store, found: Found) -> list[tuple[str, str | None, int | None, int | None, int | None]]:
    """Return the stages of a dataset: the stage, the reason, the rows that came in, were kept, were dropped."""
    with connect(store, found.recipe, "SELECT * FROM funnel") as con:
        query = f"SELECT stage, reason, rows_in, kept, dropped FROM funnel WHERE run_id = ? AND {found.of_its_stages}"
        return con.execute(query, [found.run["run_id"]]).fetchall()


def refused_rows(store: Store, found: Found) -> Iterator[pl.DataFrame]:
    """Yield the rows that did not become rows of a dataset, with the stage and the reason, some thousand at a time."""
    columns = ", ".join(f"{name}::VARCHAR AS {name}" for name in REFUSED)
    with connect(store, found.recipe, "SELECT * FROM dropped") as con:
        rows = con.execute(f"SELECT {columns} FROM dropped WHERE {found.of_its_stages} ORDER BY stage, row_id")
        while chunk := rows.fetchmany(BATCH):
            yield pl.DataFrame(chunk, schema=dict.fromkeys(REFUSED, pl.String), orient="row")


def taken_out(found: Found) -> list[str]:
    """Return the scorers of the recipe that find what is not to be published, and that its refused rows may hold."""
    steps = found.resolved.get("completions") or []
    return sorted({step["use"] for step in steps if isinstance(step, dict) and step.get("use") in TAKES_OUT})
