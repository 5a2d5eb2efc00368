"""The rows of a dataset with what the store knows of their prompts and answers, some thousand at a time.

To the columns of the dataset's table (``schemas.rows``) come ``ground_truth``, ``metadata`` and ``source`` of the
prompt and the ``model`` of the answer: of a pair, ``chosen_model`` and ``rejected_model``.
"""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl

from curate.storage.damage import Damaged, files_damage, read_table, remedy_of
from curate.storage.row_check import wrong_columns, wrong_row
from curate.storage.sql_views import connect
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.rows import STAGE_TABLES
from schemas.sql_frames import frame_of, register_frame

BATCH = 2_000  # rows that are held at once: a row may be a book
ANSWERS = {
    "sft": {"model": "completion_id"},
    "unpaired": {"model": "completion_id"},
    "preferences": {"chosen_model": "chosen_id", "rejected_model": "rejected_id"},
    "rl_prompts": {},
}
OF_PROMPTS = ("ground_truth", "metadata", "source")
MAY_BE_EMPTY = ("tools", "score", "chosen_score", "rejected_score", "pass_rate", "ground_truth", "metadata")


def dataset_batches(store: Store, recipe: str, table: str, stage: Stage) -> Iterator[pl.DataFrame]:
    """Yield a dataset's rows in their order; a row without a split is for training.

    Args:
        store: The store.
        recipe: The name of the recipe whose dataset it is.
        table: The table that has it.
        stage: The stage that holds it.

    Raises:
        Damaged: A file of it is gone or cut short, or holds what is no row of such a dataset.
    """
    ids = ["prompt_id", *ANSWERS[table].values()]
    own = _own_columns(table, stage)
    with connect(store, recipe, "SELECT 1 FROM prompts, completions") as con:
        for file in stage.files(table):
            known = _known(con, table, read_table(file, ids))
            begin = 0
            for batch in pl.scan_parquet(file).select(own).collect_batches(chunk_size=BATCH, maintain_order=True):
                part = batch.with_columns(pl.col("split").fill_null("train"))
                of_part = known.slice(begin, part.height)
                begin += part.height
                whole = part.drop(known.columns, strict=False).hstack(of_part)
                _refuse(file, wrong_row(whole))
                yield whole


def _own_columns(table: str, stage: Stage) -> list[str]:
    """Return the columns that a dataset's files have of its table: what else they have, nobody here knows."""
    own: list[str] = []
    rows = 0
    for file in stage.files(table):
        for damage in files_damage([file]):
            raise damage
        schema = pl.read_parquet_schema(file)
        _refuse(file, wrong_columns(schema, table))
        own = [name for name in schema if name in STAGE_TABLES[table][0]]
        rows += pl.scan_parquet(file).select(pl.len()).collect().item()
    if rows != stage.rows(table):
        _refuse(stage.path, f"has {rows:,} rows of {table}, and its stage.json says {stage.rows(table):,}")
    return own


def _refuse(path: Path, problem: str) -> None:
    if problem:
        raise Damaged(path, problem, remedy_of(path if path.is_dir() else path.parent))


def empty_columns(store: Store, recipe: str, table: str, stage: Stage) -> list[str]:
    """Return those of ``MAY_BE_EMPTY`` that hold nothing in any row of a dataset."""
    _own_columns(table, stage)  # a damaged file is said before it is read
    files = stage.files(table)
    ids = pl.concat([read_table(file, ["prompt_id"]) for file in files])
    frame = pl.scan_parquet(files)
    own = [name for name in MAY_BE_EMPTY if name in frame.collect_schema().names() and name not in OF_PROMPTS]
    counts = frame.select(pl.col(own).count()).collect().row(0, named=True) if own else {}
    with connect(store, recipe, "SELECT 1 FROM prompts") as con:
        register_frame(con, "ids", ids)
        truths, metadata = con.sql(
            "SELECT count(ground_truth), count(metadata) FROM prompts SEMI JOIN ids USING (prompt_id)"
        ).fetchall()[0]
    counts |= {"ground_truth": truths, "metadata": metadata}
    return [name for name, count in counts.items() if not count]


def first_prompts(table: str, stage: Stage, count: int) -> list[str]:
    """Return the prompts of a dataset's first rows, as JSON text."""
    files = stage.files(table)
    return pl.scan_parquet(files[:1]).select("prompt").head(count).collect()["prompt"].to_list() if files else []


def _known(con: duckdb.DuckDBPyConnection, table: str, ids: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each row of ``ids`` with what is known of its prompt and its answers."""
    register_frame(con, "ids", ids.with_row_index("n"))
    answers = ANSWERS[table]
    joins = "".join(f" LEFT JOIN completions AS {c} ON {c}.completion_id = ids.{c}" for c in answers.values())
    models = "".join(f", any_value({c}.model) AS {name}" for name, c in answers.items())
    relation = con.sql(
        f"SELECT n, any_value(ground_truth) AS ground_truth, any_value(metadata::VARCHAR) AS metadata, "
        f"any_value(p.source) AS source{models} FROM ids LEFT JOIN prompts AS p USING (prompt_id){joins} "
        f"GROUP BY n ORDER BY n"
    )
    found = frame_of(relation)
    text = [pl.col(name).cast(pl.String) for name in found.columns if name != "n"]
    return found.select(text)
