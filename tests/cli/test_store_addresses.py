"""A store is a folder on a disk: an address such as s3:// is refused in one line that says why, and what to do."""

import pytest

import curate
from curate.storage.store import Store
from schemas.errors import UserError
from tests.command import call, mistake

RECIPE = {"name": "a", "prompts": [{"source": "rows.jsonl"}], "datasets": {"d": {"type": "prompt"}}}
WHY = "expected a folder on a disk as the store: renaming is what keeps it whole, and s3:// has no renames"


@pytest.mark.parametrize(
    "command",
    ["run r.yaml", "check r.yaml", "demo", "train r.yaml", "show", "export sft out", "doctor", "report", "view"],
)
def test_an_address_is_no_store(tmp_path, command):
    (tmp_path / "r.yaml").write_text("name: a\nprompts: [{source: rows.jsonl}]\ndatasets: {d: {type: prompt}}\n")
    line = mistake(call(tmp_path, *command.split(), "--store", "s3://bucket/store"))
    assert line.startswith(f"s3://bucket/store: {WHY}") and "gristmill export DATASET DIR --push" in line
    assert [one.name for one in tmp_path.iterdir()] == ["r.yaml"]


def test_a_worker_takes_no_address_and_counts_from_0(tmp_path):
    assert WHY in mistake(call(tmp_path, "worker", "s3://bucket/store", "--shard", "0/2"))
    for shard in ("2/2", "-1/2", "1", "0/0", "1/2/3", "1/10001"):
        line = mistake(call(tmp_path, "worker", "store", f"--shard={shard}"))
        assert "expected I/N with I from 0 to N-1, as $SLURM_PROCID/$SLURM_NTASKS is" in line and repr(shard) in line


@pytest.mark.parametrize("opened", [Store, curate.open_store, lambda path: curate.plan(RECIPE, path)])
@pytest.mark.parametrize("address", ["s3://bucket/store", "gs://b", "az://b/c", "hf://datasets/a/b", "https://a.b/c"])
def test_an_address_is_no_store_in_python(tmp_path, monkeypatch, opened, address):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="has no renames"):
        opened(address)
    assert list(tmp_path.iterdir()) == []


def test_a_file_address_is_told_the_path(tmp_path):
    assert "expected a folder's path as the store; leave out file://" in mistake(
        call(tmp_path, "show", "--store", "file:///tmp/store")
    )


def test_a_folder_with_a_colon_is_a_store(tmp_path):
    assert Store(tmp_path / "a:b").path == tmp_path / "a:b"
