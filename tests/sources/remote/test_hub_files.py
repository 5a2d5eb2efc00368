"""The hub without the datasets library: a small hub on this machine, and none at all."""

import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest

from curate.sources.remote.hub_names import HubName, hub_name, is_hub_name, is_hub_url
from schemas.errors import UserError
from tests.optional import needs
from tests.sources.remote.fake_hub import FakeHub

pytestmark = pytest.mark.slow  # whole runs

ROOT = Path(__file__).parents[3]
CARD = b"""---
configs:
- config_name: main
  data_files: [{split: train, path: main/train-*}, {split: test, path: main/test-*}]
- config_name: extra
  data_files: extra/*.jsonl
---
"""
# Reads each source of the argument in a process without the datasets library; prints what each gives.
READ = """
import json, sys, warnings
sys.modules["datasets"] = None
if "alone" in sys.argv[2:]:
    sys.modules["huggingface_hub"] = None
from curate.sources.read_source import read_source
for path, options in json.loads(sys.argv[1]):
    try:
        found = read_source(path, **options)
        print(json.dumps([found.prompts.select("file", "prompt").rows(), list(found.facts.notes)]))
    except Exception as error:
        print(json.dumps(f"{type(error).__name__}: {error}"))
assert "torch" not in sys.modules
"""


def parquet(text):
    file = BytesIO()
    pl.DataFrame({"prompt": [text]}).write_parquet(file)
    return file.getvalue()


def row(text):
    return json.dumps({"prompt": text}).encode()


REPOS = {
    "org/plain": {"README.md": b"# hi", "train.jsonl": row("a"), "test.jsonl": row("t"), ".gitattributes": b""},
    "org/configs": {
        "README.md": CARD,
        "main/train-00000-of-00001.parquet": parquet("m"),
        "main/test-00000-of-00001.parquet": parquet("mt"),
        "extra/a.jsonl": row("e"),
    },
    "org/program": {"program.py": b"x"},
    "org/bad": {"a.jsonl": b"{bad"},
    "org/gated": 403,
}


def read(folder, sources, *words, **environment):
    """Read sources in a process of its own, whose cache is in the folder; return what each gives."""
    command = [sys.executable, "-c", READ, json.dumps(sources), *words]
    env = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    env |= {"HF_HOME": str(folder / "cache"), "PYTHONPATH": str(ROOT), "no_proxy": "*", **environment}
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


@needs("huggingface_hub")
def test_files_are_chosen_as_in_a_folder(tmp_path):
    main, test, extra = "main/train-00000-of-00001.parquet", "main/test-00000-of-00001.parquet", "extra/a.jsonl"
    expected = [
        (["org/plain", {}], [[["train.jsonl", "a"]], ["read the split train; left out: test.jsonl"]]),
        (["org/plain", {"split": "test"}], [[["test.jsonl", "t"]], ["read the split test; left out: train.jsonl"]]),
        (["org/configs", {"hub": {"name": "main"}}], [[[main, "m"]], [f"read the split train; left out: {test}"]]),
        (["org/configs", {"hub": {"name": "extra"}}], [[[extra, "e"]], []]),
        (["hf://datasets/org/configs/extra/a.jsonl", {}], [[[extra, "e"]], []]),
        (
            ["hf://datasets/org/configs@main/main/*.parquet", {"split": "test"}],
            [[[test, "mt"]], [f"read the split test; left out: {main}"]],
        ),
        (["hf://datasets/org/configs/main", {}], [[[main, "m"]], [f"read the split train; left out: {test}"]]),
        (["https://huggingface.co/datasets/org/plain/blob/main/test.jsonl", {}], [[["test.jsonl", "t"]], []]),
    ]
    with FakeHub(REPOS) as hub:
        found = read(tmp_path, [source for source, _ in expected], HF_ENDPOINT=hub.url)
    assert found == [result for _, result in expected]
    offline = read(tmp_path, [["org/plain", {}]], HF_ENDPOINT=hub.url)  # the hub is gone, the cache is there
    assert offline == [expected[0][1]] == read(tmp_path, [["org/plain", {}]], HF_HUB_OFFLINE="1")


@needs("huggingface_hub")
def test_what_the_hub_does_not_have(tmp_path):
    expected = [
        (["org/none", {}], "there is no data set 'org/none' on the hub, or it is private (set HF_TOKEN)"),
        (["org/gated", {}], "it is gated: ask for access on http://127.0.0.1"),
        (["org/plain", {"hub": {"revision": "nope"}}], "it has no such revision"),
        (["org/plain", {"split": "tset"}], "no split 'tset'; did you mean 'test'? (there are: test, train)"),
        (["org/configs", {}], "has the configurations main, extra; choose one with hub: {name: main}"),
        (["org/configs", {"hub": {"name": "mian"}}], "no configuration 'mian'; did you mean 'main'?"),
        (["hf://datasets/org/configs/extra/b.jsonl", {}], "did you mean 'extra/a.jsonl'?"),
        (["org/program", {}], "has no data file that is read (it holds program.py); its rows are made by a program"),
        (["org/bad", {}], "UserError: org/bad/a.jsonl:1:2: not JSON"),
        (["hf://datasets/org/bad/a.jsonl", {}], "UserError: hf://datasets/org/bad/a.jsonl:1:2: not JSON"),
    ]
    with FakeHub(REPOS) as hub:
        found = read(tmp_path, [source for source, _ in expected], HF_ENDPOINT=hub.url)
    assert [one for one, (_, words) in zip(found, expected, strict=True) if words not in one] == []
    assert all(one.startswith(("UserError: ", "SettingError: ")) for one in found)


@needs("huggingface_hub")
def test_without_a_network_one_line_says_so(tmp_path):
    sources = [["org/plain", {}], ["hf://datasets/org/plain/a.jsonl", {}]]
    for environment in ({"HF_ENDPOINT": "http://127.0.0.1:9"}, {"HF_HUB_OFFLINE": "1"}):
        for found, (path, _) in zip(read(tmp_path, sources, **environment), sources, strict=True):
            assert found.startswith(
                f"UserError: source '{path}': no such file, and no network to read it from the hub ("
            )
            assert "nor is it in the local cache; download it where there is a network ('hf download" in found


def test_without_a_library_the_small_extra_is_named(tmp_path):
    (found,) = read(tmp_path, [["org/plain", {}]], "alone")
    assert "source 'org/plain' needs the extra 'hub'; install it with: pip install 'gristmill[hub]'" in found


def test_names_of_data_sets():
    named = {
        "org/name": HubName("org/name", None, ""),
        "org/name@v1.0": HubName("org/name", "v1.0", ""),
        "hf://datasets/org/name": HubName("org/name", None, ""),
        "hf://datasets/org/name@refs/convert/parquet/main/train/0000.parquet": HubName(
            "org/name", "refs/convert/parquet", "main/train/0000.parquet"
        ),
        "hf://datasets/org/name/data/*.parquet": HubName("org/name", None, "data/*.parquet"),
        "https://huggingface.co/datasets/org/name": HubName("org/name", None, ""),
        "https://huggingface.co/datasets/org/name/resolve/main/a%20b.csv?download=true": HubName(
            "org/name", "main", "a b.csv"
        ),
    }
    assert {text: hub_name(text) for text in named} == named
    assert is_hub_name("org/name@v1") and is_hub_url("hf://datasets/org/name")
    assert not any(map(is_hub_name, ("org/*", "a/b.jsonl", "a/b.jsonl.gz", "a/b/c", "https://a/b", "name")))
    for wrong in ("hf://org/name", "hf://datasets", "https://huggingface.co/datasets/org"):
        with pytest.raises(UserError, match="expected owner/name, or hf://datasets/owner/name"):
            hub_name(wrong)
