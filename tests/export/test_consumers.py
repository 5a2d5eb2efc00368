"""What reads an export: ``datasets``, Polars, DuckDB, and TRL's trainers and command line."""

import json
from typing import Any

import pytest

from curate.export.export import export_dataset
from tests.exporting import SFT, TOOLS, exported, of_kind, stored

pytestmark = pytest.mark.slow  # loads datasets, TRL and a tiny model

TRL = {"sft": "sft", "preference": "dpo", "unpaired": "kto", "prompt": "grpo"}
# The chat template of the tiny model knows no tools and no traces.
ROWS = {"sft": [{"prompt": "Name a river.", "completion": "The Po."}, {"prompt": "A hill?", "completion": "No."}]}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.parametrize("format", ("hub", "trl", "datasets"))
def test_datasets_gives_messages_and_tools_back_identical(tmp_path, format):
    import datasets

    folder = exported(tmp_path, "sft", format)
    loaded = datasets.load_from_disk(str(folder)) if format == "datasets" else datasets.load_dataset(str(folder))
    rows = list(loaded["train"])
    texts = (exported(tmp_path / "lines", "sft", "jsonl") / "data/train.jsonl").read_text().splitlines()
    expected = [json.loads(line) for line in texts]
    for name in ("prompt", "completion", "tools", "metadata", "row_id", "ground_truth"):
        assert [json.dumps(row[name]) for row in rows] == [json.dumps(row[name]) for row in expected], name
    assert rows[3]["tools"] == TOOLS and rows[0]["tools"] is None and len(rows) == len(SFT)
    assert rows[0]["prompt"] == [{"role": "user", "content": "Name a river."}]  # no key of another message


def test_datasets_loads_the_refused_rows(tmp_path):
    import datasets

    folder = exported(tmp_path, "sft", "hub", [*SFT, SFT[0]])
    assert list(datasets.load_dataset(str(folder), "refused")["train"])[0]["reason"]


@pytest.mark.parametrize("format", ("openai", "axolotl", "ms-swift", "llamafactory", "verl", "jsonl", "csv"))
def test_datasets_loads_each_folder_by_its_card(tmp_path, format):
    import datasets

    folder = exported(tmp_path, "sft", format)
    assert datasets.load_dataset(str(folder), split="train").num_rows == len(SFT)


def test_polars_and_duckdb_see_json(tmp_path):
    import duckdb
    import polars as pl

    shard = exported(tmp_path, "sft", "hub") / "data/train-00000-of-00001.parquet"
    assert pl.read_parquet(shard)["ground_truth"].to_list() == ["Po", None, None, None]
    query = f"SELECT typeof(completion), completion[1] ->> '$.content' FROM '{shard}' LIMIT 1"
    found = duckdb.connect().execute(query).fetchall()
    assert found == [("JSON[]", "The Po.")]


def test_pandas_sees_verl_s_messages_as_mappings(tmp_path):
    """As verl's SFT trainer reads them; this is what pandas does with the backend pyarrow."""
    import pyarrow.parquet as pq

    for rows, keys in ((ROWS["sft"], 2), (None, 6)):
        folder = exported(tmp_path / str(keys), "sft", "verl", rows)
        table = pq.read_table(folder / "data/train-00000-of-00001.parquet")
        turns = table["messages"].to_pylist()[0]
        assert turns[0]["content"] == "Name a river." and len(turns[0]) == keys and "tools" not in table.column_names


@pytest.mark.parametrize("kind", TRL)
def test_trl_reads_the_yaml_and_prepares_the_rows(tmp_path, tiny, monkeypatch, kind):
    pytest.importorskip("trl")
    from datasets import load_dataset
    from trl import DPOConfig, GRPOConfig, KTOConfig, ScriptArguments, SFTConfig, TrlParser

    folder = exported(tmp_path, kind, "trl", ROWS.get(kind))
    monkeypatch.chdir(tmp_path)
    config = {"sft": SFTConfig, "preference": DPOConfig, "unpaired": KTOConfig, "prompt": GRPOConfig}[kind]
    path = folder / f"{TRL[kind]}.yaml"
    settings = ["--config", str(path), "--use_cpu", "--bf16", "false", "--report_to", "none", "--output_dir", "t"]
    settings += ["--per_device_train_batch_size", "2", "--gradient_accumulation_steps", "1"]
    settings += ["--num_generations", "2"] if kind == "prompt" else []
    parser: Any = TrlParser((ScriptArguments, config))  # ty: ignore[invalid-argument-type]
    script, arguments, _ = parser.parse_args_and_config(settings, return_remaining_strings=True)
    rows = load_dataset(script.dataset_name, split=script.dataset_train_split)
    trainer = make_trainer(kind, str(tiny), arguments, rows)
    batch = next(iter(trainer.get_train_dataloader()))
    assert len(trainer.train_dataset) == 2 and batch


def make_trainer(kind, model, arguments, rows):
    import trl
    from trl.experimental import kto

    if kind == "prompt":
        return trl.GRPOTrainer(model, reward_funcs=[lambda completions, **_: [0.0] * len(completions)], args=arguments,
                               train_dataset=rows)  # fmt: skip
    trainer = {"sft": trl.SFTTrainer, "preference": trl.DPOTrainer}.get(kind) or kto.KTOTrainer
    return trainer(model, args=arguments, train_dataset=rows)


LINES = ("jsonl", "openai", "axolotl", "ms-swift")


@pytest.fixture(scope="module")
def late(tmp_path_factory):
    """A store with more than 10 MB of plain rows, and behind them one that has all other keys."""
    plain = [{"prompt": f"Name river {i}.", "completion": f"{i} " + "Po " * 4_000} for i in range(900)]
    return of_kind(tmp_path_factory.mktemp("late"), "sft", [*plain, *SFT[1:], {**SFT[0], "metadata": {"b": "c"}}])


@pytest.mark.parametrize("format", LINES)
def test_a_key_behind_the_first_10_mb_is_kept(tmp_path, late, format):
    import datasets

    done = export_dataset(late, "d", tmp_path / "out", format=format)
    file = tmp_path / "out/data/train.jsonl"
    assert file.stat().st_size > 10_600_000 and any("first, from further down" in note for note in done.about.notes)
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    for loaded in (
        datasets.load_dataset(str(tmp_path / "out"), split="train"),
        datasets.load_dataset("json", data_files=str(file), split="train"),  # as axolotl and ms-swift do
    ):
        assert loaded.num_rows == len(lines) == 904
        (row,) = (row for row in loaded if "Weather in Beijing?" in str(row))
        (line,) = (line for line in lines if "Weather in Beijing?" in str(line))
        assert without_nulls(row) == without_nulls(line)


def without_nulls(row):
    return {name: value for name, value in row.items() if value is not None}


@pytest.mark.parametrize("format", LINES)
def test_a_key_of_the_test_split_alone_is_kept(tmp_path, format):
    """``datasets`` takes the keys of all splits from the first, where the card names none."""
    import datasets

    rows: list[Any] = [
        {"prompt": f"River {i}?", "completion": "The Po.", "metadata": {"use": "train"}} for i in range(3)
    ]
    rows += [{**SFT[3], "metadata": {"use": "test", "more": 1}}]
    dataset = "{type: sft}\nsplit: {test: \"metadata ->> 'use' = 'test'\"}"
    export_dataset(stored(tmp_path / "s", rows, dataset), "d", tmp_path / "out", format=format)
    loaded = datasets.load_dataset(str(tmp_path / "out"))
    assert (loaded["train"].num_rows, loaded["test"].num_rows) == (3, 1) and "北京" in str(loaded["test"][0])
