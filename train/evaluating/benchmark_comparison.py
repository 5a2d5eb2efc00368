"""The table of an evaluation's benchmarks: means and differences of the models, beside the harness's own figures."""

from collections.abc import Sequence

import polars as pl

from curate.storage.stage import Stage
from train.evaluating.comparison import compare_answers

FIGURES = {
    "benchmark": pl.String,
    "version": pl.String,
    "metric": pl.String,
    "model": pl.String,
    "harness": pl.Float64,
}


def compare_benchmarks(stages: Sequence[Stage]) -> pl.DataFrame:
    """Compare the models of an evaluation in its benchmarks, each with the first one.

    Args:
        stages: The stages of the benchmarks.

    Returns:
        A row for each task or group, metric and model. ``benchmark`` is the task, ``version`` its version; ``metric``
        ends in the name of the filter that read the answer, where it has one. ``harness`` is the harness's figure. The
        columns of ``compare_models`` follow, of all benchmarks together, null where that figure is none of rows.
    """
    tables = [_figures(stage) for stage in stages]
    if not tables:
        return pl.DataFrame(schema=FIGURES)
    figures = pl.concat(tables).with_columns(scorer=pl.concat_str("benchmark", "metric", separator="."))
    compared = compare_answers(pl.concat([stage.read("evaluations") for stage in stages]))
    models = figures["model"].unique(maintain_order=True)
    order = pl.col("model").replace_strict(models, range(len(models)), return_dtype=pl.Int64)
    first = pl.int_range(pl.len()).min().over("scorer")
    rows = figures.join(compared, on=["scorer", "model"], how="left", maintain_order="left")
    return rows.sort(first, order, maintain_order=True)


def _figures(stage: Stage) -> pl.DataFrame:
    """Return the harness's figures of one benchmark."""
    held = stage.manifest.get("benchmark", {"tasks": [], "figures": []})
    versions = {task["name"]: task["version"] for task in held["tasks"]}
    rows = [
        {
            "benchmark": one["task"],
            "version": versions.get(one["task"], ""),
            "metric": one["metric"] + ("" if one["filter"] == "none" else f".{one['filter']}"),
            "model": one["model"],
            "harness": one["value"],
        }
        for one in held["figures"]
    ]
    return pl.DataFrame(rows, schema=FIGURES)
