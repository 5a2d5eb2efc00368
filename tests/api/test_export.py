"""curate.export_dataset: what the command does, from Python."""

import pytest

import curate
from curate.storage.store import Store
from schemas.errors import UserError
from tests.exporting import of_kind

pytestmark = pytest.mark.slow  # makes stores: seconds for the file


def test_a_dataset_is_exported_from_python(tmp_path):
    of_kind(tmp_path / "kept", "sft")
    done = curate.export_dataset("d", tmp_path / "out", store=tmp_path / "kept/store", format="openai")
    assert done.folder == tmp_path / "out" and done.about.splits == {"train": 4} and done.about.rows == 4
    assert done.about.lost["reasoning traces"] == 1 and (tmp_path / "out/data/train.jsonl").is_file()
    with pytest.raises(UserError, match="--force replaces it"):
        curate.export_dataset("d", str(tmp_path / "out"), store=Store(tmp_path / "kept/store"))
    assert curate.export_dataset("d", tmp_path / "out", store=tmp_path / "kept/store", force=True).about.format == "hub"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"push": "me"}, "--push 'me': expected owner/name"),
        ({"private": True}, "--private is of what --push"),
        ({"format": "jsonl", "refused": False}, "only the format hub has refused rows"),
        ({"license_check": True}, "no licence is known of the source 'rows.jsonl'"),
        ({"recipe": "q"}, "no recipe"),
    ],
)
def test_mistakes_are_said_before_anything_is_written(tmp_path, given, message):
    of_kind(tmp_path / "kept", "sft")
    with pytest.raises(UserError, match=message):
        curate.export_dataset("d", tmp_path / "out", store=tmp_path / "kept/store", **given)
    assert not (tmp_path / "out").exists()


def test_no_store_is_a_mistake(tmp_path):
    with pytest.raises(UserError, match="no store here"):
        curate.export_dataset("d", tmp_path / "out", store=tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
