"""Parquet, Arrow, Feather and saved data sets, read with pyarrow alone."""

import datetime
import decimal
import json

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.sources.files import arrow_files
from curate.sources.read_source import read_source
from schemas.errors import UserError

ROWS = [{"prompt": f"question {i}", "meta": {"a": i, "b": None}} for i in range(5)]
FRAME = pl.DataFrame(ROWS)


def refusal(path):
    with pytest.raises(UserError) as caught:
        read_source(path)
    return str(caught.value).removeprefix(str(path))


def save(folder, table, shards=1, **state):
    """Write a table as ``datasets.save_to_disk`` does."""
    folder.mkdir(parents=True)
    names = [f"data-{i:05d}-of-{shards:05d}.arrow" for i in range(shards)]
    for i, name in enumerate(names):
        with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table.slice(i * table.num_rows // shards, table.num_rows // shards))
    state = {"_data_files": [{"filename": name} for name in names], "_split": None, **state}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text("{}")


@pytest.mark.parametrize("batch", [2, 4096])
def test_every_kind_reads_the_same_in_batches(tmp_path, monkeypatch, batch):
    monkeypatch.setattr(arrow_files, "BATCH", batch)
    FRAME.write_parquet(tmp_path / "a.parquet", row_group_size=3)
    FRAME.write_ipc(tmp_path / "a.arrow")
    FRAME.write_ipc(tmp_path / "a.feather", compression="zstd")
    FRAME.write_ipc_stream(tmp_path / "stream.arrow")
    for path in sorted(tmp_path.iterdir()):
        found = read_source(path).prompts
        assert found["prompt"].to_list() == [row["prompt"] for row in ROWS], path.name
        assert found["line"].to_list() == [1, 2, 3, 4, 5]
        assert found["metadata"].to_list() == [f'{{"meta":{{"a":{i}}}}}' for i in range(5)]


def test_a_saved_data_set_and_its_splits(tmp_path):
    table = FRAME.head(4).to_arrow()
    save(tmp_path / "one", table, shards=2)
    (tmp_path / "one/cache-1.arrow").write_bytes(b"no rows")
    assert read_source(tmp_path / "one").prompts["file"].to_list() == [
        *["data-00000-of-00002.arrow"] * 2,
        *["data-00001-of-00002.arrow"] * 2,
    ]
    for split, rows in (("train", 4), ("test", 1), ("train_x", 2)):
        save(tmp_path / "all" / split, table.slice(0, rows))
    (tmp_path / "all/dataset_dict.json").write_text('{"splits": ["train", "test", "train_x"]}')
    assert read_source(tmp_path / "all").prompts.height == 4
    assert "left out: test/data-00000-of-00001.arrow" in read_source(tmp_path / "all").facts.notes[0]
    assert read_source(tmp_path / "all", split="train_x").prompts.height == 2
    (tmp_path / "one/data-00001-of-00002.arrow").unlink()
    assert "/state.json: names 'data-00001-of-00002.arrow', which is missing" in refusal(tmp_path / "one")
    save(tmp_path / "chosen", table, _indices_data_files=[{"filename": "indices.arrow"}])
    assert "the rows are chosen by an index" in refusal(tmp_path / "chosen")
    (tmp_path / "one/state.json").write_text("{")
    assert "/state.json: cannot be read" in refusal(tmp_path / "one")


def test_values_of_every_type_become_values_of_json(tmp_path):
    table = pa.table(
        {
            "prompt": pa.array(["a", "b"], pa.string_view()),
            "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
            "maps": pa.array([[{"m": [("k", 1)]}], []], pa.list_(pa.struct([("m", pa.map_(pa.string(), pa.int64()))]))),
            "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"x": [1, null]}', "no JSON"])),
            "nanoseconds": pa.array([1, None], pa.timestamp("ns")),
            "duration": pa.array([5, None], pa.duration("ns")),
            "time": pa.array([1000, None], pa.time64("ns")),
            "far": pa.array([10**15, None], pa.timestamp("s")),
            "decimal": [decimal.Decimal("1.50"), None],
            "day": [datetime.date(2020, 1, 1), None],
            "word": pa.array(["w", None]).dictionary_encode(),
            "number": [float("nan"), 1.5],
            "null": pa.nulls(2),
        }
    )
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    first, second = (json.loads(text) for text in read_source(tmp_path / "a.arrow").prompts["metadata"])
    assert (first["map"], first["maps"], first["json"]) == ({"k": 1}, [{"m": {"k": 1}}], {"x": [1, None]})
    assert (first["day"], first["decimal"], first["word"]) == ("2020-01-01", "1.50", "w")
    assert {"nanoseconds", "duration", "time", "far"} <= first.keys() and "number" not in first
    assert second == {"maps": [], "json": "no JSON", "number": 1.5}


def test_nested_values_keep_their_gaps(tmp_path):
    nested = [
        [{"a": "x", "b": [1.5, float("nan"), None]}, None, {"a": None, "b": None}],
        None,
        [],
        [{"a": "y", "b": [], "c": {"d": None}}, {"a": "", "b": None, "c": {"d": "z"}}],
    ]
    table = pa.table({"prompt": list("pqrs"), "nested": nested, "empty": pa.array([{}] * 4, pa.struct([]))})
    pq.write_table(table.drop_columns("empty"), tmp_path / "a.parquet")
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    expected = [
        [{"a": "x", "b": [1.5, None, None]}, None, {}],
        None,
        [],
        [{"a": "y", "b": [], "c": {}}, {"a": "", "c": {"d": "z"}}],
    ]
    for name in ("a.parquet", "a.arrow"):
        found = [json.loads(text or "{}") for text in read_source(tmp_path / name).prompts["metadata"]]
        assert [row.get("nested") for row in found] == expected


def test_damaged_files_are_refused(tmp_path):
    FRAME.write_ipc(tmp_path / "a.arrow")
    FRAME.write_ipc_stream(tmp_path / "b.arrow")
    (tmp_path / "cut.arrow").write_bytes((tmp_path / "a.arrow").read_bytes()[:-60])
    (tmp_path / "short.arrow").write_bytes((tmp_path / "b.arrow").read_bytes()[:-300])
    (tmp_path / "text.arrow").write_bytes(b"no Arrow data at all")
    (tmp_path / "old.feather").write_bytes(b"FEA1 and more")
    assert ": not an Arrow file, or a damaged one" in refusal(tmp_path / "cut.arrow")
    assert ": a damaged Arrow file, or one that is cut off" in refusal(tmp_path / "short.arrow")
    assert ": not an Arrow file" in refusal(tmp_path / "text.arrow")
    assert "version 1 of Feather" in refusal(tmp_path / "old.feather")
    pq.write_table(FRAME.to_arrow(), tmp_path / "a.parquet", compression="none", use_dictionary=False)
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    content[4:30] = b"\xff" * 26
    (tmp_path / "hole.parquet").write_bytes(content)
    assert ": a damaged Parquet file" in refusal(tmp_path / "hole.parquet")
