"""A store to ask from Python: SQL gives DuckDB relations, tables are Polars LazyFrames, datasets are for TRL."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from curate.api.display import html_table, shown
from curate.steps.duckdb_errors import one_line
from curate.storage.run_stages import read_dataset, recipe_datasets
from curate.storage.sql_views import connect
from curate.storage.store import Store
from schemas.errors import UserError, needs_extra, unknown
from schemas.rows import HISTORY_TABLES, STAGE_TABLES, VIEWS

if TYPE_CHECKING:
    import datasets

READS = ("SELECT", "EXPLAIN", "RELATION")
JSON_COLUMNS = ("prompt", "completion", "chosen", "rejected", "tools", "metadata", "scores")
TABLES = (*STAGE_TABLES, *HISTORY_TABLES, *VIEWS)


class OpenStore(Store):
    """A store with methods to look at what it holds. Each call shows what is finished at that moment."""

    def sql(self, query: str, params: list[Any] | None = None, *, recipe: str | None = None) -> duckdb.DuckDBPyRelation:
        """Return the rows of an SQL query (DuckDB's) over the store's tables.

        Args:
            query: The query, such as ``SELECT scorer, avg(value) FROM scores GROUP BY 1``.
            params: Values for the ``?`` in the query.
            recipe: The name of a recipe: the tables have only what its runs made. ``demo.limit20`` is the name of the
                runs of the recipe ``demo`` with ``limit: 20``, which the tables do not have once it has run as a whole.

        Returns:
            A relation: it prints itself, ``.fetchall()`` is tuples, ``polars.DataFrame(relation)`` a Polars frame, and
            so is ``.pl()`` with the extra ``arrow``; ``.df()`` is a Pandas one.

        Raises:
            UserError: The query is wrong, or is not one query; the tables of a store cannot be changed. Or there is no
                such recipe.
        """
        con = connect(self, recipe, query)
        try:
            statements = con.extract_statements(query)
            if len(statements) != 1 or statements[0].type.name not in READS:
                found = ", ".join(one.type.name for one in statements) or "none"
                raise UserError(f"sql: expected one query that reads, such as SELECT ..., found {found}")
            return con.sql(query, params=params)
        except duckdb.Error as error:
            raise UserError(f"sql: {one_line(error)}") from error

    def table(self, name: str, *, recipe: str | None = None) -> pl.LazyFrame:
        """Return a table or a view, such as ``completions`` or ``dropped``. Only what is collected is read.

        Args:
            name: The table's name.
            recipe: The name of a recipe, as in ``sql``.

        Raises:
            UserError: There is no such table, or no such recipe; the message names the nearest. Or pyarrow, which is of
                the extra ``arrow``, is not installed.
        """
        if name not in TABLES:
            raise unknown("table", name, TABLES)
        if find_spec("pyarrow") is None:  # DuckDB's lazy frames read through it
            raise needs_extra("a table as a Polars LazyFrame", "arrow")
        return self.sql(f'SELECT * FROM "{name}"', recipe=recipe).pl(lazy=True)

    def dataset(self, name: str, *, split: str | None = None, recipe: str | None = None) -> "datasets.Dataset":
        """Return a curated dataset for TRL's trainers, as it is: messages and tools are lists, scores are mappings.

        Args:
            name: The dataset's name in its recipe.
            split: The split, such as ``train``; all rows if None, with a column ``split``.
            recipe: The recipe's name, where several recipes in the store have a dataset of this name.

        Raises:
            UserError: There is no such dataset or split, or several recipes have it.
        """
        rows = self.dataset_rows(name, recipe=recipe).drop("dataset")
        empty = [c for c in ("tools", "score", "reasoning_content") if c in rows.columns and rows[c].is_null().all()]
        rows = rows.drop(empty)  # of the whole dataset, so that all its splits have the same columns
        if split is not None:
            splits = sorted(rows["split"].unique())
            if split not in splits:
                raise unknown(f"rows of the dataset {name!r} in the split", split, splits)
            rows = rows.filter(pl.col("split") == split).drop("split")
        return to_hugging_face(rows)

    def dataset_rows(self, name: str, *, recipe: str | None = None) -> pl.DataFrame:
        """Return a dataset's rows as they are stored: messages, tools and scores are JSON text.

        Args:
            name: The dataset's name in its recipe.
            recipe: The recipe's name, where several recipes in the store have a dataset of this name.

        Raises:
            UserError: There is no such dataset, or several recipes have it.
        """
        found = recipe_datasets(self, recipe)
        owners = [one for one in found if name in found[one]]
        if not owners:
            raise unknown("dataset", name, list(dict.fromkeys(n for names in found.values() for n in names)))
        if len(owners) > 1:
            raise UserError(f"dataset {name!r}: the recipes {', '.join(owners)} each have one; name it with recipe=")
        return read_dataset(*found[owners[0]][name])

    def __repr__(self) -> str:
        """Return the path, and the datasets with their numbers of rows."""
        return f"{self._title()}\n{shown(self._overview())}" if self.runs() else f"{self._title()}, empty"

    def _repr_html_(self) -> str:
        """Return the same as a table, for a notebook."""
        return html_table(self._title(), self._overview())

    def _title(self) -> str:
        return f"OpenStore({str(self.path)!r})"

    def _overview(self) -> pl.DataFrame:
        rows = [
            {"recipe": recipe, "dataset": name, "rows": stage.rows(table)}
            for recipe, names in recipe_datasets(self).items()
            for name, (table, stage) in names.items()
        ]
        return pl.DataFrame(rows, schema={"recipe": pl.String, "dataset": pl.String, "rows": pl.Int64})


def open_store(path: Path | str = "store", *, create: bool = True) -> OpenStore:
    """Open a store; see ``OpenStore`` for what it can be asked.

    Args:
        path: Its folder.
        create: Make an empty store where there is none.

    Raises:
        UserError: The folder is something else, a newer version made the store, or there is none and ``create`` is
            False.
    """
    if not isinstance(path, Path | str):
        raise UserError(f"store: expected a store or its folder, found {type(path).__name__}")
    opened = OpenStore(path, create=create)
    opened.note_killed_runs()
    return opened


def to_hugging_face(rows: pl.DataFrame) -> "datasets.Dataset":
    """Return a dataset's rows as a ``datasets.Dataset``.

    JSON text becomes lists and mappings, stored as JSON, because Arrow would give every message the keys that one of
    them has.

    Raises:
        UserError: There are no rows: nothing can be trained on them.
    """
    if rows.is_empty():
        raise UserError("the dataset has no rows; RunResult.dropped() and 'gristmill show decisions' say why")
    try:
        from datasets import Dataset
    except ImportError:
        raise needs_extra("a dataset for TRL", "train") from None

    parsed = [
        {
            name: json.loads(value) if name in JSON_COLUMNS and value is not None else value
            for name, value in row.items()
        }
        for row in rows.iter_rows(named=True)
    ]
    return Dataset.from_list(parsed, on_mixed_types="use_json")
