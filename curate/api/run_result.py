"""The result of a run: its datasets, its decisions about rows, and its costs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from curate.api.display import html_table, shown
from curate.api.open_store import OpenStore
from curate.storage.polars_types import empty, polars_schema
from curate.storage.prompt_origins import source_counts
from curate.storage.reply_log import costs
from curate.storage.run_stages import read_dataset, stages_of_run
from curate.storage.stage import Stage
from schemas.counted import counted
from schemas.errors import printable, unknown
from schemas.progress import StageWarning
from schemas.recipe import Recipe
from schemas.rows import DATASET_TABLES, HISTORY_TABLES


class Datasets(Mapping[str, pl.DataFrame]):
    """A run's datasets by name; a dataset's rows are read when they are asked for.

    Messages, tools and scores are JSON text, as in SQL; ``OpenStore.dataset`` parses them for TRL.
    """

    def __init__(self, stages: dict[str, tuple[str, Stage]]) -> None:
        """Take the table and the stage of each dataset."""
        self._stages = stages

    def __getitem__(self, name: str) -> pl.DataFrame:
        """Return a dataset's rows.

        Raises:
            UserError: There is no dataset of this name; the message names the nearest.
        """
        if name not in self._stages:
            raise unknown("dataset", name, list(self._stages))
        return read_dataset(*self._stages[name])

    def __contains__(self, name: object) -> bool:
        """Return whether there is a dataset of this name."""
        return name in self._stages

    def __iter__(self) -> Iterator[str]:
        """Yield the datasets' names, in the order of the recipe."""
        return iter(self._stages)

    def __len__(self) -> int:
        """Return the number of datasets."""
        return len(self._stages)

    def __repr__(self) -> str:
        """Return each dataset's name and number of rows."""
        counts = (f"{name!r}: {counted(stage.rows(table), 'row')}" for name, (table, stage) in self._stages.items())
        return printable(f"Datasets({', '.join(counts)})")

    def get(self, key: object, default: Any = None, /) -> Any:
        """Return a dataset's rows, or ``default`` if there is no dataset of this name."""
        return self[str(key)] if key in self else default


@dataclass(frozen=True, repr=False)
class RunResult:
    """A finished run.

    Attributes:
        recipe: The recipe.
        store: The store it is in.
        run_id: The run's id, as in the tables ``runs`` and ``stages``.
        stages: The stage that holds each dataset, by the dataset's name.
        warnings: What a user should look at, in the order of the stages, each with what to set.
        waits_for: The training that the rest of the recipe's stages wait for, as a step asks its model; "" if none.
    """

    recipe: Recipe
    store: OpenStore
    run_id: str
    stages: dict[str, Stage]
    warnings: list[StageWarning] = field(default_factory=list)
    waits_for: str = ""

    @property
    def datasets(self) -> Datasets:
        """The datasets by name, each a frame of its rows."""
        kinds = {name: DATASET_TABLES[entry.type] for name, entry in self.recipe.datasets.items()}
        return Datasets({name: (kinds[name], stage) for name, stage in self.stages.items()})

    @property
    def sources(self) -> pl.DataFrame:
        """The counts of each source: its prompts, answers, drawn and repeated prompts, and rows of datasets.

        The columns are those of ``curate.storage.prompt_origins.source_counts``.
        """
        datasets = {
            name: (DATASET_TABLES[self.recipe.datasets[name].type], stage) for name, stage in self.stages.items()
        }
        return source_counts(self._run_stages(), datasets)

    @property
    def decisions(self) -> pl.DataFrame:
        """Every decision about a row: ``row_id``, ``stage``, ``kept``, ``reason`` and ``evidence``."""
        return pl.concat([empty("decisions"), *(stage.read("decisions") for stage in self._run_stages())])

    @property
    def costs(self) -> pl.DataFrame:
        """The run's requests, tokens, dollars and seconds of models, a row for each; those reused cost nothing."""
        own = [row for row in costs(self.store) if row["run_id"] == self.run_id]
        return pl.DataFrame(own, schema=polars_schema(HISTORY_TABLES["costs"]))

    def summary(self) -> pl.DataFrame:
        """Return the number of rows of each dataset by split; a dataset without rows has one line, without a split."""
        lines: list[tuple[str, str | None, int]] = []
        for name, rows in self.datasets.items():
            counts = rows.group_by("split", maintain_order=True).len().rows()
            lines += [(name, split, count) for split, count in counts] or [(name, None, 0)]
        return pl.DataFrame(lines, {"dataset": pl.String, "split": pl.String, "rows": pl.Int64}, orient="row")

    def learnt(self) -> pl.DataFrame:
        """Return for each SFT dataset how many of the assistant's turns are learnt, call tools, and are context only.

        ``turns`` are learnt, in prompts as in completions; ``calls`` are those of them that call tools, ``earlier``
        those in prompts. ``left_out`` are the turns of answers that make no row, as their last turn is marked as not to
        be learnt; a random control does not count them again.
        """
        held = [(name, stage.manifest.get("learnt")) for name, stage in self.stages.items()]
        counts = [{"dataset": name, **found} for name, found in held if found]
        names = ("turns", "calls", "context", "earlier", "left_out")
        return pl.DataFrame(counts, {"dataset": pl.String} | dict.fromkeys(names, pl.Int64))

    def dropped(self) -> pl.DataFrame:
        """Return how many rows each stage dropped for each reason, the largest number first in each stage."""
        out = self.decisions.filter(~pl.col("kept"))
        counts = out.group_by("stage", "reason", maintain_order=True).agg(dropped=pl.len())
        place = {stage: index for index, stage in enumerate(counts["stage"].unique(maintain_order=True))}
        order = pl.col("stage").replace_strict(place, return_dtype=pl.Int64)
        return counts.sort(order, "dropped", descending=[False, True])

    def _run_stages(self) -> list[Stage]:
        (run,) = (run for run in self.store.runs() if run["run_id"] == self.run_id)
        return stages_of_run(self.store, run)

    def __repr__(self) -> str:
        """Return the datasets' rows, the dropped rows by reason, the cost and the warnings."""
        tables = f"{self._title()}\n{shown(self.summary())}\n{shown(self.dropped())}"
        return "\n".join([tables, *(printable(f"warning: {warning}") for warning in self.warnings)])

    def _repr_html_(self) -> str:
        """Return the same as tables, for a notebook."""
        page = html_table(self._title(), self.summary()) + html_table("Rows dropped", self.dropped())
        if not self.warnings:
            return page
        warnings = pl.DataFrame(self.warnings, {"stage": pl.String, "warning": pl.String}, orient="row")
        return page + html_table("Warnings", warnings)

    def _title(self) -> str:
        spent = self.costs
        cost = f", ${spent['cost'].sum():.4f}" if spent["cost"].sum() else ""
        return f"Run {self.run_id}: {counted(int(spent['requests'].sum()), 'request')} to models{cost}"
