"""The verb ``source`` in a run: each source is read once, also when it is hashed, planned and then made."""

import gzip
import json

import pytest

from curate.api.run import run
from curate.pipeline.source_reader import SourceReader
from curate.sources.read_source import read_source
from curate.storage.store import Store
from schemas.errors import UserError
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


def made(folder, source):
    """Run a recipe of one source, and return its store."""
    recipe = {"name": "r", "prompts": [{"source": source}], "datasets": {"sft": {"type": "sft"}}}
    (folder / "r.yaml").write_text(json.dumps(recipe), encoding="utf-8")
    store = Store(folder / "store")
    run(load_recipe(folder / "r.yaml"), store)
    return store


def lines(*prompts):
    return "".join(json.dumps({"prompt": prompt, "completion": "a"}) + "\n" for prompt in prompts)


def last_stage(store):
    return query(store, "SELECT stage, reused FROM stages WHERE stage LIKE 'prompts%' ORDER BY run_id").rows()[-1]


def test_the_files_of_a_folder_are_in_the_key(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.jsonl").write_text(lines("x"))
    (folder / "b.jsonl").write_text(lines("y"))
    for source in ("data", "data/*.jsonl"):
        store = made(tmp_path, source)
        assert query(store, "SELECT source, file, line FROM prompts ORDER BY 2").rows() == [
            ("data", "a.jsonl", 1),
            ("data", "b.jsonl", 1),
        ]
    assert last_stage(store) == ("prompts.source.data", True), "the same files by another name"
    (folder / "README.md").write_text("not a row")
    assert last_stage(made(tmp_path, "data"))[1]
    (folder / "b.jsonl").rename(folder / "c.jsonl")
    assert not last_stage(made(tmp_path, "data"))[1]
    (folder / "c.jsonl").write_text(lines("z"))
    assert not last_stage(made(tmp_path, "data"))[1]
    assert query(made(tmp_path, "data"), "SELECT prompt FROM sft").height == 2


def test_what_was_left_out_is_in_the_result_line(tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("train", "test"):
        (tmp_path / "data" / f"{name}.csv").write_text(f"prompt;completion\n{name};a\n")
    store = made(tmp_path, "data")
    results = [json.loads((stage / "stage.json").read_text())["result"] for stage in store.stages().values()]
    assert any("; read the split train; left out: test.csv; fields separated by ';'" in result for result in results)
    store = made(tmp_path, {"path": "data", "split": "test"})
    assert query(store, "SELECT DISTINCT prompt FROM prompts").rows() == [("test",)]


def test_a_query_is_a_source_beside_the_recipe(tmp_path):
    (tmp_path / "a.csv").write_text("q,a,n\nx,one,1.5\ny,two,2.5\n")
    sql = "SELECT q AS prompt, a AS completion, n FROM 'a.csv'"
    store = made(tmp_path, {"sql": sql, "name": "asked"})
    assert query(store, "SELECT source, file, line, metadata FROM prompts ORDER BY line").rows() == [
        ("asked", None, 1, '{"n":1.5}'),
        ("asked", None, 2, '{"n":2.5}'),
    ]
    assert last_stage(made(tmp_path, {"sql": sql, "name": "asked"})) == ("prompts.source.asked", True)
    (tmp_path / "a.csv").write_text("q,a,n\nx,one,1.5\ny,two,3.5\n")
    assert not last_stage(made(tmp_path, {"sql": sql, "name": "asked"}))[1], "the metadata is another"
    assert last_stage(made(tmp_path, {"sql": sql}))[0] == "prompts.source.sql"
    refused = [
        ({"sql": sql, "path": "a.csv"}, r"r.yaml:1: source: 'path' and 'sql' are both given"),
        ({"limit": 3}, r"r.yaml:1: source: expected a name, or a mapping with 'path' or 'sql'"),
        ({"sql": "SELECT * FROM 'b.csv'"}, r"r.yaml:1: source: sql: IO Error: No files found"),
        ({"sql": 5}, r"r.yaml:1: source: sql: expected a query"),
    ]
    for source, words in refused:
        with pytest.raises(UserError, match=words):
            made(tmp_path, source)


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


@pytest.mark.parametrize(
    "settings",
    [
        {"hub": {"splt": "x"}},
        {"hub": "test"},
        {"fields": {"promt": "q"}},
        {"fields": {"prompt": "no_such_key"}},
        {"split": "tset"},
        {"split": 3},
        {"limit": 0},
        {"name": 5},
        {"on_error": "drp"},
        {"path": ["a.jsonl", "b.jsonl"]},
        {"path": ""},
        {"path": "s3://bucket/a.jsonl"},
    ],
)
def test_an_error_in_a_setting_names_its_line(tmp_path, settings):
    (tmp_path / "a.jsonl").write_text(lines("one"), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        made(tmp_path, {"path": "a.jsonl", **settings})
    assert str(caught.value).startswith(f"{tmp_path}/r.yaml:1: source: ")


def test_a_name_may_have_any_sign(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines("one").encode()))
    store = made(tmp_path, {"path": "a.jsonl.gz", "name": "my set/v 1"})
    assert last_stage(store)[0] == "prompts.source.my_set_v_1"
    assert query(store, "SELECT source FROM prompts").item() == "my set/v 1"
    assert last_stage(made(tmp_path, "a.jsonl.gz"))[0] == "prompts.source.a"
