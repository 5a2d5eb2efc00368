"""What a recipe's text stands for: a file beside the recipe, a data set on the hub, or neither."""

from pathlib import Path

import pytest

from curate.sources.open_source import content_of, label_name, source_path, stage_name
from curate.sources.read_source import read_source
from curate.sources.reference_data import read_reference_data
from curate.sources.remote.hub_names import HubSource
from schemas.errors import SettingError, UserError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A recipe's folder; the current folder is another, with folders that must not matter."""
    for name in ("here/openai/gsm8k", "here/org", "there/data", "there/both/set"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "there"


# (text, options of the hub, whether it is a data set on the hub)
NAMED = [
    ("openai/gsm8k", None, True),
    ("org/name@v1", None, True),
    ("data/set", {"split": "test"}, True),
    ("both/set", {"split": "test"}, False),
    ("both/set", None, False),
    ("new/rows.jsonl", None, False),
    ("data/*", {}, False),
    ("seeds", None, False),
]


@pytest.mark.parametrize(("named", "hub", "is_hub"), NAMED)
def test_only_the_folder_of_the_recipe_matters(folder, named, hub, is_hub):
    found = source_path(named, folder, hub)
    assert found == (named if is_hub else folder / named) and isinstance(found, HubSource) == is_hub
    if is_hub:
        assert content_of(found, hub=hub) is None


def test_a_missing_folder_names_the_data_set_on_the_hub(folder):
    (folder / "data/sets").mkdir()
    words = (
        "data/set: no such file in .*did you mean 'sets'.*; the data set on the hub is named hf://datasets/data/set$"
    )
    with pytest.raises(SettingError, match=words):
        source_path("data/set", folder)
    with pytest.raises(
        UserError, match="r.yaml:3: against: .*; the data set on the hub is named hf://datasets/data/set$"
    ):
        read_reference_data("data/set", "prompt", folder, folder / "store", "r.yaml:3")
    with pytest.raises(SettingError, match="hub.revision: .* is named hf://datasets/OWNER/NAME"):
        read_source(source_path("both/set", folder, {"revision": "v1"}), hub={"revision": "v1"})


def test_a_text_in_python_is_relative_to_the_current_folder(folder):
    Path("rows.jsonl").write_text('{"prompt": "a"}')
    Path("org/x").mkdir()
    Path("org/x/a.jsonl").write_text('{"prompt": "b"}')
    assert read_source("rows.jsonl").prompts["prompt"].to_list() == ["a"]
    assert read_source("org/x").prompts["prompt"].to_list() == ["b"]


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (["a.jsonl", "b.jsonl"], "path: expected text, found a list; write a source for each, or a pattern"),
        (5, "path: expected text, found a number"),
        ("", "found an empty text"),
        (" ", "found an empty text"),
        *[(f"{scheme}://bucket/a.jsonl", f"{scheme}:// is not read; expected a file, https://") for scheme in (
            "s3", "gs", "az", "abfs", "ftp", "hdfs", "ssh")],
        ("file://host/a.jsonl", "file:// is not read"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_said(folder, named, words):
    with pytest.raises(SettingError) as caught:
        source_path(named, folder)
    assert words in str(caught.value)


def test_a_file_url_is_a_path(folder):
    assert source_path("file:///a%20b/c.jsonl", folder) == source_path("FILE://localhost/a%20b/c.jsonl", folder)
    assert source_path("file:///a%20b/c.jsonl", folder) == Path("/a b/c.jsonl")


def test_names_in_labels(folder):
    for name in ("a.jsonl", "a.jsonl.gz", "a.JSON.zst", "a.csv.xz", "a.parquet"):
        assert stage_name(folder / name) == "a"
    assert stage_name(HubSource("org/name")) == "name"
    assert [label_name(name) for name in ("a/b c", "plain.v1", "../x", "ä-1", "//")] == [
        "a_b_c", "plain.v1", "x", "ä-1", "source",
    ]  # fmt: skip
