"""The verb ``source`` in a run: each source is read once, also when it is hashed, planned and then made."""

import json

from curate.api.run import run
from curate.pipeline.source_reader import SourceReader
from curate.sources.read_source import read_source
from curate.storage.store import Store
from schemas.load_recipe import load_recipe
from tests.jobs import query


def test_a_source_is_opened_once_for_its_hash_and_for_its_rows(tmp_path, monkeypatch):
    rows = "".join(json.dumps({"prompt": f"question {i}", "completions": ["a", "b"]}) + "\n" for i in range(5))
    (tmp_path / "rows.jsonl").write_text(rows, encoding="utf-8")
    recipe = tmp_path / "r.yaml"
    recipe.write_text("name: r\nprompts:\n  - source: rows.jsonl\ndatasets: {sft: {type: sft}}\n", encoding="utf-8")
    opened = opens_of(tmp_path / "rows.jsonl")
    run(load_recipe(recipe), Store(tmp_path / "store"))
    assert len(opened) == 2
    run(load_recipe(recipe), Store(tmp_path / "store"))
    assert len(opened) <= 3, "a source whose stage is there is hashed at most, and not read"
    assert query(Store(tmp_path / "store"), "SELECT count(*) FROM sft").item() == 10


def opens_of(path):
    """A list that grows with each opening of a file in this process."""
    import sys

    opened, wanted = [], str(path)

    def note(event, arguments):
        if event == "open" and str(arguments[0]) == wanted:
            opened.append(arguments[1])

    sys.addaudithook(note)
    return opened


def test_rows_that_were_forgotten_are_read_again(tmp_path, monkeypatch):
    calls = []
    (tmp_path / "rows.jsonl").write_text('{"prompt": "a question"}\n', encoding="utf-8")

    def read(path, **settings):
        calls.append(path)
        return read_source(tmp_path / "rows.jsonl", **settings)

    monkeypatch.setattr("curate.pipeline.source_reader.read_source", read)
    reader = SourceReader()
    content = reader.content("org/data", {}, "r:1")
    reader.forget_rows()
    source = reader.read("org/data", {}, "r:1")
    assert source.prompts.height == 1 and calls == ["org/data"] * 2
    assert reader.content("org/data", {}, "r:1") == content and len(calls) == 2
