"""Folders and formats that no export is made of: one line says which, and what is right."""

import pytest

from curate.export.export import export_dataset
from schemas.errors import UserError
from tests.exporting import of_kind

pytestmark = pytest.mark.slow  # makes stores


def test_an_export_is_not_made_in_another(tmp_path):
    store = of_kind(tmp_path / "s", "prompt")
    export_dataset(store, "d", tmp_path / "out", format="jsonl")
    (tmp_path / "link").symlink_to("out")
    for target in ("out/more", "out/data/deep/more", "link/more"):
        with pytest.raises(UserError, match="is in .*out, which is an export already"):
            export_dataset(store, "d", tmp_path / target, format="jsonl")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [".gristmill.json", "README.md", "data"]


def test_a_link_to_nothing_is_no_target(tmp_path):
    (tmp_path / "ahead").symlink_to("made")
    with pytest.raises(UserError, match="ahead: is a link to 'made', which is not there"):
        export_dataset(of_kind(tmp_path / "s", "prompt"), "d", tmp_path / "ahead", format="jsonl")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["HUB", "Ms-Swift"])
def test_the_case_of_a_format_is_a_near_miss(tmp_path, name):
    with pytest.raises(UserError, match=f"no export format '{name}'; did you mean '{name.lower()}'?"):
        export_dataset(of_kind(tmp_path / "s", "prompt"), "d", tmp_path / "out", format=name)
