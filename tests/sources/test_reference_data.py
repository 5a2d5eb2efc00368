"""What ``against`` may name: the same files, folders and patterns as a source, each row with its file."""

import gzip
import json

import pytest

from curate.sources.benchmarks import read_benchmarks
from curate.sources.reference_data import read_reference_data
from schemas.errors import UserError


@pytest.fixture
def folder(tmp_path):
    """A recipe's folder with a folder of evaluation data."""
    (tmp_path / "evals/more").mkdir(parents=True)
    (tmp_path / "evals/a.jsonl").write_text(json.dumps({"prompt": "one"}) + "\n")
    (tmp_path / "evals/b.jsonl.gz").write_bytes(gzip.compress(json.dumps({"prompt": "two"}).encode()))
    (tmp_path / "evals/more/c.tsv").write_text("prompt\tcompletion\nthree\tx\n")
    return tmp_path


CASES = [
    ("evals", [("one", "evals/a.jsonl"), ("two", "evals/b.jsonl.gz"), ("three", "evals/more/c.tsv")]),
    ("evals/", [("one", "evals/a.jsonl"), ("two", "evals/b.jsonl.gz"), ("three", "evals/more/c.tsv")]),
    ("evals/*", [("one", "evals/a.jsonl"), ("two", "evals/b.jsonl.gz")]),
    ("**/*.gz", [("two", "evals/b.jsonl.gz")]),
    ("evals/b.jsonl.gz", [("two", "evals/b.jsonl.gz")]),
    ({"path": "evals", "limit": 1}, [("one", "evals/a.jsonl")]),
]


@pytest.mark.parametrize(("against", "expected"), CASES, ids=[str(case[0]) for case in CASES])
def test_rows_name_their_files(folder, against, expected):
    for data in (
        read_reference_data(against, "prompt", folder, folder / "store", "r.yaml:3"),
        read_benchmarks(against, folder, folder / "store", "r.yaml:3"),
    ):
        assert data.rows.select("text", "file").rows() == expected and data.rows["line"].to_list() == [1] * len(
            expected
        )


def test_a_change_of_a_file_or_its_name_changes_the_content(folder):
    def content():
        return read_reference_data("evals", "prompt", folder, folder / "store", "r.yaml:3").content

    before = content()
    assert content() == before
    (folder / "evals/more/c.tsv").rename(folder / "evals/more/d.tsv")
    renamed = content()
    (folder / "evals/more/d.tsv").write_text("prompt\nfour\n")
    assert len({before, renamed, content()}) == 3


def test_what_is_not_there_is_said(folder):
    for against, words in {
        "evals/*.json": "r.yaml:3: against: .*no file has such a name; did you mean 'a.jsonl'",
        "evals/z.jsonl": "r.yaml:3: against: there is no file, store or hub data set 'evals/z.jsonl'",
        "http://example.com/a.jsonl": "r.yaml:3: against: http://example.com/a.jsonl: is not read: over http",
    }.items():
        with pytest.raises(UserError, match=words):
            read_reference_data(against, "prompt", folder, folder / "store", "r.yaml:3")
