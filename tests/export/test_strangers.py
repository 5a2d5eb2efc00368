"""A store from a stranger: rows, tables and records that gristmill did not write are named, or shown as they can be."""

import json

import polars as pl
import pytest

from tests.command import mistake
from tests.export.test_export import export, head
from tests.exporting import of_kind

pytestmark = pytest.mark.slow  # makes stores: seconds for the file


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        (pl.lit("{oops").alias("prompt"), "whose prompt cannot be read"),
        (pl.lit(None, pl.String).alias("prompt"), "whose prompt cannot be read"),
        (pl.lit('[{"content": "a"}]').alias("prompt"), "whose prompt cannot be read"),
        (pl.lit("[" * 5_000 + "]" * 5_000).alias("prompt"), "whose prompt cannot be read"),
        (pl.lit("[]").alias("completion"), "whose completion cannot be read"),
        (pl.lit('[{"role": "assistant", "content": "", "tool_calls": [{}]}]').alias("completion"), "completion cannot"),
        (pl.lit('{"a": 1}').alias("tools"), "whose tools is no list"),
        (pl.lit("zz").alias("scores"), "whose scores cannot be read"),
        (pl.lit("high").alias("score"), "'score' of the type String"),
    ],
)
def test_a_stranger_s_rows_are_checked(tmp_path, column, problem):
    of_kind(tmp_path / "kept", "sft", [{"prompt": "a", "completion": "b"}])
    for file in (tmp_path / "kept/store/stages").glob("datasets.*/sft-*.parquet"):
        pl.read_parquet(file).with_columns(column).write_parquet(file)
    for format in ("hub", "jsonl", "llamafactory"):
        assert problem in mistake(export(tmp_path, "out", "--format", format)) and not (tmp_path / "out").exists()


@pytest.mark.parametrize("change", (lambda rows: rows.head(0), lambda rows: rows.drop("prompt_id")))
def test_a_stranger_s_table_is_checked(tmp_path, change):
    of_kind(tmp_path / "kept", "sft", [{"prompt": "a", "completion": "b"}])
    for file in (tmp_path / "kept/store/stages").glob("datasets.*/sft-*.parquet"):
        change(pl.read_parquet(file)).write_parquet(file)
    assert "damaged: has" in mistake(export(tmp_path, "out"))


@pytest.mark.parametrize(
    "resolved",
    (
        {"prompts": 5, "completions": {"a": 1}, "models": ["a"], "datasets": "d"},
        {"prompts": [{"verb": "source", "settings": "zzz"}, {"verb": ["a"]}, 5]},
        {
            "prompts": [{"verb": "source", "settings": {"path": ["a\n---\n"], "license": 5}}],
            "models": {"a": {"model": {}}},
        },
    ),
)
def test_a_stranger_s_recipe_is_shown_as_it_can_be(tmp_path, resolved):
    of_kind(tmp_path / "kept", "sft")
    for file in (tmp_path / "kept/store/runs").glob("*.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"resolved": resolved}))
    assert export(tmp_path, "out").code == 0
    assert head((tmp_path / "out/README.md").read_text())["license"] == "unknown"
