"""Which stage each prompt came from, and how many rows of a run came from each source."""

import polars as pl

from curate.storage.stage import Stage

SOURCE, MIX = "prompts.source.", "prompts.mix"  # how the labels of these stages begin
COUNTS = {"source": pl.String, "prompts": pl.Int64, "answers": pl.Int64}


def first_stages(stages: list[Stage]) -> pl.DataFrame:
    """Return ``prompt_id`` and ``stage_id`` of the first of these stages that holds the prompt."""
    parts = [stage.read("prompts", ["prompt_id"]).with_columns(stage_id=pl.lit(stage.stage_id)) for stage in stages]
    nothing = pl.DataFrame(schema={"prompt_id": pl.String, "stage_id": pl.String})
    return pl.concat([nothing, *parts]).unique("prompt_id", keep="first", maintain_order=True)


def source_counts(stages: list[Stage], datasets: dict[str, tuple[str, Stage]]) -> pl.DataFrame:
    """Return what came from where: a row for each source, and for each step that made prompts of others.

    Args:
        stages: The stages of a run, in order.
        datasets: The datasets that are built, by name: the table that each is in, and its stage.

    Returns:
        ``source``: its name. ``prompts``: how many it has that no source before it has. ``answers``: how many recorded
        answers. Where sources are mixed, ``drawn``: how many prompts were drawn, and ``repeated``: how many repeats
        were made of them. ``datasets.NAME``: the dataset's rows of these prompts, null where it is not built.
    """
    made = [stage for stage in stages if stage.rows("prompts") and stage.manifest["label"] != MIX]
    mixed = [stage for stage in stages if stage.manifest["label"] == MIX]
    origins = first_stages(made)
    rows = [(stage.stage_id, *_row(stage)) for stage in made]
    table = pl.DataFrame(rows, schema={"stage_id": pl.String, "source": pl.String, "answers": pl.Int64}, orient="row")
    table = _with_counts(table, "prompts", origins).select("stage_id", *COUNTS)
    for stage in mixed:
        decisions = stage.read("decisions", ["row_id", "kept"]).rename({"row_id": "prompt_id"})
        decisions = decisions.join(origins, on="prompt_id", how="left")
        drawn = decisions.group_by("stage_id").agg(drawn=pl.col("kept").sum().cast(pl.Int64))
        repeats = stage.read("prompts", ["prompt_id", "parent_ids"])
        repeats = repeats.with_columns(repeat="prompt_id", prompt_id=pl.col("parent_ids").list.first())
        repeats = repeats.join(origins, on="prompt_id", how="left")
        table = table.join(drawn, on="stage_id", how="left", maintain_order="left")  # null: a source after the mix
        table = _with_counts(table, "repeated", repeats)
        origins = pl.concat([origins, repeats.select("stage_id", prompt_id="repeat").select(origins.columns)])
    for name, (held, stage) in datasets.items():
        owners = stage.read(held, ["prompt_id"]).join(origins, on="prompt_id", how="left")
        table = _with_counts(table, f"datasets.{name}", owners)
    return table.drop("stage_id")


def _row(stage: Stage) -> tuple[str, int | None]:
    """Return the name of a stage that has prompts, and the number of its recorded answers."""
    label = stage.manifest["label"]
    if not label.startswith(SOURCE):
        return label.removeprefix("prompts."), None
    return stage.manifest.get("source") or label.removeprefix(SOURCE), stage.rows("completions")


def _with_counts(table: pl.DataFrame, name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Add a column: how many of these rows each stage of the table has."""
    counts = rows.group_by("stage_id").agg(pl.len().cast(pl.Int64).alias(name))
    return table.join(counts, on="stage_id", how="left", maintain_order="left").with_columns(pl.col(name).fill_null(0))
