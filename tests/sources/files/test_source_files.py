"""Many files as one source: folders, patterns, splits, data set cards, and what is left out."""

import gzip
import json
import os

import polars as pl
import pytest

from curate.sources.files import folders, source_files
from curate.sources.files.file_names import natural
from curate.sources.read_source import read_source
from curate.storage.store import Store
from schemas.errors import UserError


def put(folder, files):
    """Write files, each a text, bytes or the texts of its prompts, below a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, list):
            content = "".join(json.dumps({"prompt": text}) + "\n" for text in content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def places(path, **options):
    return read_source(path, **options).prompts.select("file", "line", "prompt").rows()


def refusal(path, **options):
    with pytest.raises(UserError) as caught:
        read_source(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_shards_are_one_source_in_natural_order(tmp_path):
    put(tmp_path, {"d/part-10.jsonl": ["c"], "d/part-2.jsonl": ["a", "b"], "d/x/part-1.csv": "prompt\nd\n"})
    pl.DataFrame({"prompt": ["e"]}).write_parquet(tmp_path / "d/x/part-3.PARQUET")
    expected = [
        ("part-2.jsonl", 1, "a"),
        ("part-2.jsonl", 2, "b"),
        ("part-10.jsonl", 1, "c"),
        ("x/part-1.csv", 1, "d"),
        ("x/part-3.PARQUET", 1, "e"),
    ]
    assert places(tmp_path / "d") == places(str(tmp_path / "d")) == places(tmp_path / "d/") == expected
    assert places(tmp_path / "d/**/*") == expected
    assert places(tmp_path / "d/*.jsonl") == expected[:3]
    assert places(tmp_path / "d/part-?.jsonl") == expected[:2]
    assert places(tmp_path / "*/x/part-[!1]*") == [("d/x/part-3.PARQUET", 1, "e")]
    assert set(read_source(tmp_path / "d").prompts["source"]) == {"d"}
    assert set(read_source(tmp_path / "d/*.jsonl").prompts["source"]) == {"d"}
    assert set(read_source(tmp_path / "d/part-*.jsonl").prompts["source"]) == {"part-*.jsonl"}
    assert sorted(["b2", "b10", "a", "b"], key=natural) == ["a", "b", "b2", "b10"]


def test_one_file_is_named_too_and_signs_may_be_in_its_name(tmp_path):
    put(tmp_path, {"a[1].jsonl": ["a"]})
    assert places(tmp_path / "a[1].jsonl", name="mine") == [("a[1].jsonl", 1, "a")]


def test_rows_name_their_file_in_errors_and_decisions(tmp_path):
    put(tmp_path, {"d/a.jsonl": ["x", "y"], "d/b.jsonl": '{"prompt": "x"}\n{"promt": "z"}\n', "d/c.json": '[{"q": 1}]'})
    assert refusal(tmp_path / "d").startswith(f"{tmp_path}/d/b.jsonl:2: no prompt")
    found = read_source(tmp_path / "d", on_error="drop").decisions
    assert found["row_id"].to_list() == ["d/b.jsonl:1", "d/b.jsonl:2", "d/c.json:1"]
    assert found["reason"][0] == "exact copy of line 1 of a.jsonl"
    (tmp_path / "d/b.jsonl").unlink()
    assert f"{tmp_path}/d/c.json: row 1: no prompt" in refusal(tmp_path / "d")


def test_limit_is_of_the_whole_source(tmp_path):
    put(tmp_path, {"d/a.jsonl": ["x", "y"], "d/b.jsonl": ["z"], "d/c.jsonl": "not json"})
    assert [place[2] for place in places(tmp_path / "d", limit=3)] == ["x", "y", "z"]


def test_what_is_no_data_is_left_out_and_said(tmp_path):
    beside = ("README.md", "LICENSE", ".gitattributes", "dataset_info.json", "dataset_infos.json", "_SUCCESS")
    put(
        tmp_path, {f"d/{name}": "{}" for name in (*beside, ".a.jsonl", ".git/b.jsonl", "cache-1.arrow", "_tmp/c.jsonl")}
    )
    put(tmp_path, {"d/a.jsonl": ["x"], "d/empty.jsonl": "", "d/notes.txt": "x", "d/book.xlsx": "x"})
    Store(tmp_path / "d/store")
    assert read_source(tmp_path / "d").facts.notes == (
        "left out, being of no data format: book.xlsx, notes.txt",
        "left out, being stores of runs: store",
        "left out, being empty: empty.jsonl",
    )
    assert read_source(tmp_path / "d/*").facts.notes[1:] == ("left out, being empty: empty.jsonl",)
    assert "is the store of earlier runs" in refusal(tmp_path / "d/store")


def test_what_holds_no_data_is_refused_with_what_there_is(tmp_path):
    put(tmp_path, {"d/seeds.jsonl": ["x"], "e/notes.txt": "x", "f/g/a.jsonl": ["x"]})
    assert "the folder has no data file; it holds notes.txt; expected files such as train.jsonl" in refusal(
        tmp_path / "e"
    )
    assert "no file has such a name; did you mean 'seeds.jsonl'?" in refusal(tmp_path / "d/sead*.jsonl")
    assert "no source format '.txt'; make it .jsonl" in refusal(tmp_path / "e/*.txt")
    assert "names the folder 'g', and no file" in refusal(tmp_path / "f/*")
    assert f"there is no folder '{tmp_path}/no'" in refusal(tmp_path / "no/*.jsonl")
    assert "no such file" in refusal(tmp_path / "dd") and "did you mean 'd'" in refusal(tmp_path / "dd")


def test_links_loops_and_bounds(tmp_path, monkeypatch):
    put(tmp_path, {"d/a.jsonl": ["x"], "d/e/b.jsonl": ["y"]})
    os.symlink("..", tmp_path / "d/e/loop")
    os.symlink(tmp_path / "d/a.jsonl", tmp_path / "d/linked.jsonl")
    assert [place[0] for place in places(tmp_path / "d")] == ["a.jsonl", "e/b.jsonl"]
    assert read_source(tmp_path / "d").decisions["row_id"].to_list() == ["d/linked.jsonl:1"]
    os.symlink("nowhere", tmp_path / "d/gone.jsonl")
    assert "gone.jsonl: is a link to a file that does not exist" in refusal(tmp_path / "d")
    (tmp_path / "d/gone.jsonl").unlink()
    (tmp_path / "d/e/loop").unlink()
    os.mkfifo(tmp_path / "d/e/pipe.jsonl")
    assert read_source(tmp_path / "d/e").facts.notes == ("left out, being of no data format: pipe.jsonl",)
    monkeypatch.setattr(source_files, "MOST_FILES", 1)
    put(tmp_path, {"two/a.jsonl": ["x"], "two/b.jsonl": ["y"]})
    assert "has 2 data files; at most 1" in refusal(tmp_path / "two")
    put(tmp_path, {f"deep/{'x/' * 20}a.jsonl": ["x"]})
    assert "folders below" in refusal(tmp_path / "deep")
    monkeypatch.setattr(folders, "MOST_ENTRIES", 1)
    assert "more than 1 files below it" in refusal(tmp_path / "two")


SPLITS = {
    "data/train-00000-of-00002.jsonl": ["a"],
    "data/train-00001-of-00002.jsonl": ["b"],
    "data/test-00000-of-00001.jsonl": ["t"],
}


def test_held_out_files_are_not_read_by_default(tmp_path):
    put(tmp_path, SPLITS)
    assert [place[2] for place in places(tmp_path)] == ["a", "b"]
    assert read_source(tmp_path).facts.notes == ("read the split train; left out: data/test-00000-of-00001.jsonl",)
    assert [place[2] for place in places(tmp_path / "data/*.jsonl")] == ["a", "b"]
    for option in ({"split": "test"}, {"hub": {"split": "test"}}):
        assert [place[2] for place in places(tmp_path, **option)] == ["t"]
    assert [place[2] for place in places(tmp_path, split="all")] == ["t", "a", "b"]
    assert [place[2] for place in places(tmp_path / "data/test*")] == ["t"]
    assert "no split 'tset'; did you mean 'test'?" in refusal(tmp_path, split="tset")
    assert "hub.split: 'test' differ" in refusal(tmp_path, split="train", hub={"split": "test"})
    assert "'limit' reads the first rows" in refusal(tmp_path, split="train[:10]")
    assert "split: expected the name of a split" in refusal(tmp_path, split=3)


def test_a_split_that_nothing_names_is_refused(tmp_path):
    put(tmp_path, {"d/a.jsonl": ["x"], "d/b.json": '[{"prompt": "y"}]', "e/test.jsonl": ["t"], "e/train.jsonl": ["x"]})
    for path in ("d", "d/*", "d/a.jsonl", "d/b.json"):
        assert "no split 'test': neither the names of files nor" in refusal(tmp_path / path, split="test")
        assert places(tmp_path / path, split="train") == places(tmp_path / path)
    assert "no split 'dev' (there are: test, train)" in refusal(tmp_path / "e", split="dev")
    assert "hub.revision: is for data sets on the hub" in refusal(tmp_path / "d", hub={"revision": "main"})
    assert "hub.name: is for the configurations" in refusal(tmp_path / "d/a.jsonl", hub={"name": "main"})


# (files, the prompts that are read by default or the words of the refusal)
NAMES = [
    (["train.jsonl", "test.jsonl", "solutions.jsonl"], ["train"]),
    (["a.jsonl", "test.jsonl", "dev.jsonl"], ["a"]),
    (["a.jsonl", "train.jsonl"], ["a", "train"]),
    (["test.jsonl"], ["test"]),
    (["train/x.jsonl", "validation/x.jsonl"], ["train/x"]),
    (["my_train_v2.jsonl", "my_eval_v2.jsonl"], ["my_train_v2"]),
    (["attest.jsonl", "training_notes.jsonl", "latest.jsonl"], ["attest", "latest", "training_notes"]),
    (["train_sft-00000-of-00001.jsonl", "test_sft-00000-of-00001.jsonl"], "choose one with split: train_sft"),
    (["test.jsonl", "val.jsonl"], "holds the splits test, validation"),
    (["part-00000-of-00001.jsonl", "test.jsonl"], ["part-00000-of-00001"]),
    (["de-00000-of-00001.jsonl", "en-00000-of-00001.jsonl"], ["de-00000-of-00001", "en-00000-of-00001"]),
    (["a.jsonl", "tests/x.jsonl", "devs/y.jsonl", "heldout/z.jsonl"], ["a"]),
    (["a.jsonl", "tests.jsonl", "held-out.jsonl", "Hold_Out.jsonl", "testset.jsonl", "eval_data.jsonl"], ["a"]),
    (["gsm8kTrain.jsonl", "gsm8kTest.jsonl", "QATest.jsonl", "TestSet/x.jsonl"], ["gsm8kTrain"]),
    (["a.jsonl", "test/train.jsonl", "train/test/x.jsonl"], ["a"]),
    (["trains.jsonl", "latestNews.jsonl", "contest.jsonl", "unittest.jsonl"], None),
    (["split=train/x.jsonl", "split=test/x.jsonl"], ["split=train/x"]),
    (["org-set-train-00000-of-00001.jsonl", "org-set-test-00000-of-00001.jsonl"], ["org-set-train-00000-of-00001"]),
]


@pytest.mark.parametrize(("names", "expected"), NAMES, ids=[case[0][0] for case in NAMES])
def test_names_say_the_split(tmp_path, names, expected):
    put(tmp_path, {name: [name.removesuffix(".jsonl")] for name in names})
    if expected is None:
        assert len(places(tmp_path)) == len(names) and not read_source(tmp_path).facts.notes
    elif isinstance(expected, str):
        assert expected in refusal(tmp_path)
        assert places(tmp_path, split="train_sft" if "sft" in names[0] else "val")
    else:
        assert [place[2] for place in places(tmp_path)] == expected


def test_a_shard_may_have_a_split_of_any_name(tmp_path):
    put(tmp_path, {f"data/{name}-00000-of-00001.jsonl": [name] for name in ("de", "en")})
    assert [place[2] for place in places(tmp_path, split="en")] == ["en"]
    assert read_source(tmp_path, split="en").facts.notes == (
        "read the split en; left out: data/de-00000-of-00001.jsonl",
    )
    assert "no split 'fr'" in refusal(tmp_path, split="fr")


CARD = """---
license: mit
configs:
- config_name: main
  data_files:
  - {split: train, path: main/part-*}
  - {split: test, path: [main/held.jsonl]}
- config_name: socratic
  data_files: socratic/*.jsonl
- config_name: gone
  data_files: gone/*.jsonl
---
# A data set
"""


def test_a_card_says_configurations_and_splits(tmp_path):
    files = {"main/part-0.jsonl": ["a"], "main/held.jsonl": ["t"], "socratic/x.jsonl": ["s"]}
    put(tmp_path, {**files, "README.md": CARD})
    assert "has the configurations main, socratic; choose one with hub: {name: main}" in refusal(tmp_path)
    assert [place[2] for place in places(tmp_path, hub={"name": "main"})] == ["a"]
    assert [place[2] for place in places(tmp_path, hub={"name": "main"}, split="test")] == ["t"]
    assert [place[2] for place in places(tmp_path, hub={"name": "socratic"})] == ["s"]
    assert "no configuration 'mian'; did you mean 'main'?" in refusal(tmp_path, hub={"name": "mian"})
    put(tmp_path, {"README.md": CARD.replace("name: socratic", "name: socratic\n  default: true")})
    assert [place[2] for place in places(tmp_path)] == ["s"]
    put(tmp_path, {"README.md": "---\nconfigs: [\n---\n"})  # a card that cannot be read says nothing
    assert [place[2] for place in places(tmp_path, hub={"name": "main"}, split="all")] == ["t", "a"]


def test_shards_without_a_row_are_left_out_alike(tmp_path):
    blank = {
        "a.jsonl": b"",
        "b.jsonl": b" \n\n",
        "c.jsonl": b"\xef\xbb\xbf",
        "d.jsonl.gz": gzip.compress(b""),
        "e.csv": b"prompt,id\n",
        "f.csv": b"\n\n",
        "g.json": b" \n",
        "h.json": b"[]",
        "i.json.gz": gzip.compress(b""),
    }
    for name, content in blank.items():
        put(
            tmp_path, {f"{name}.d/{name}": content, f"{name}.d/z.jsonl": ["z"], f"{name}.d/y.json": '[{"prompt": "y"}]'}
        )
        found = read_source(tmp_path / f"{name}.d")
        assert found.prompts["prompt"].to_list() == ["y", "z"], name
        assert found.facts.notes == (f"left out, being empty: {name}",)
        assert "the file is empty" in refusal(tmp_path / f"{name}.d/{name}") or "has no rows" in refusal(
            tmp_path / f"{name}.d/{name}"
        )
    put(tmp_path, {f"all/{name}": content for name, content in blank.items()})
    assert "all: has no rows" in refusal(tmp_path / "all")


def test_files_without_a_word_beside_train_files_are_named(tmp_path):
    put(tmp_path, {"train.jsonl": ["a"], "extra.jsonl": ["b"], "dev.jsonl": ["t"]})
    found = read_source(tmp_path)
    assert found.prompts["prompt"].to_list() == ["a"] and "left out: dev.jsonl, extra.jsonl" in found.facts.notes[0]
    (tmp_path / "dev.jsonl").unlink()
    found = read_source(tmp_path)
    assert found.prompts.height == 2
    assert found.facts.notes == ("read too, beside the files of train, naming no split: extra.jsonl",)


def test_links_in_a_circle_are_no_data(tmp_path):
    put(tmp_path, {"a.jsonl": ["a"]})
    (tmp_path / "loop").symlink_to("loop")
    assert places(tmp_path) == [("a.jsonl", 1, "a")]
    (tmp_path / "loop.jsonl").symlink_to("loop.jsonl")
    assert "loop.jsonl" in refusal(tmp_path)
