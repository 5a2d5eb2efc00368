"""A source that is read in parts, also in several processes, has the rows that it has when it is read at once."""

import gzip
import json
import shutil

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.pipeline.source_parts import PartTask, make_parts, write_parts
from curate.sources import source_parts as reading
from curate.sources.convert_rows import Options
from curate.sources.files import compressed, json_files, spans
from curate.sources.files.raw_row import Reading
from curate.sources.files.source_files import find_files
from curate.sources.read_source import SourceOptions, read_source
from curate.sources.source_summary import source_summary
from curate.spread import worker_processes
from curate.spread.spread import spread
from curate.storage.store import Store
from schemas.errors import Failed, UserError
from schemas.progress import Progress

QUESTIONS, ANSWERS = st.sampled_from(["a?", "b?", "c?", "d?"]), st.sampled_from(["x", "y", "z"])
ROWS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"prompt": QUESTIONS, "completion": ANSWERS}, optional={"id": st.integers(0, 2)}),
        st.fixed_dictionaries({"prompt": QUESTIONS, "completions": st.lists(ANSWERS, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"problem": QUESTIONS, "answer": ANSWERS}),
        st.fixed_dictionaries({"messages": st.just([{"role": "user", "content": "{name}?"}] * 2)}),
        st.just({"nothing": 1}),
    ),
    min_size=2,
    max_size=14,
)


@pytest.fixture
def tiny(monkeypatch):
    """Let parts have two or three rows."""
    monkeypatch.setattr(spans, "BYTES", 60)
    monkeypatch.setattr(reading, "BYTES", 60)
    monkeypatch.setattr(spans, "ROWS", 2)
    monkeypatch.setattr(reading, "ROWS", 2)
    monkeypatch.setattr(spans, "SMALL", 10)


def in_parts(folder, path, **options):
    """Read a source in parts; return its tables and its line."""
    store = Store(folder / "store", durable=False)
    with store.new_stage("0123456789ab", "x") as writer:
        facts = write_parts(writer, SourceOptions(path, **options), "x", Progress())
    stage = writer.stage()
    store_tables = {name: stage.read(name) for name in ("prompts", "completions", "scores", "decisions")}
    return store_tables, source_summary(facts), len(stage.files("prompts"))


def at_once(path, **options):
    """Read a source at once, in the same form."""
    source = read_source(path, **options)
    return source.tables, source_summary(source.facts)


def assert_same(found, wanted):
    for name, table in wanted[0].items():
        held = found[0][name].select(table.columns)
        assert held.rows() == table.rows(), name
    assert found[1] == wanted[1]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
def test_parts_make_the_rows_of_the_whole(tiny, tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("parts")
    path = write(folder / "rows.jsonl", [{"prompt": "first"}, *rows])
    for options in ({"on_error": "drop"}, {"on_error": "drop", "unanswered": "cut"}):
        assert_same(in_parts(folder, path, **options), at_once(path, **options))


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".parquet", ".csv", ".json"])
def test_every_format_can_be_read_in_parts(tiny, tmp_path, ending):
    rows = [{"prompt": f"q{n % 8}", "completion": f"a{n % 3}", "note": f"{n}"} for n in range(12)]
    path = tmp_path / f"rows{ending}"
    if ending == ".parquet":
        pl.DataFrame(rows).write_parquet(path, row_group_size=5)
    elif ending == ".csv":
        pl.DataFrame(rows).write_csv(path)
    elif ending == ".json":
        path.write_text(json.dumps(rows))
    else:
        write(tmp_path / "rows.jsonl", rows)
        if ending == ".jsonl.gz":
            path.write_bytes(gzip.compress((tmp_path / "rows.jsonl").read_bytes()))
    found = in_parts(tmp_path, path)
    assert found[2] > 1
    assert_same(found, at_once(path))


def test_a_small_file_of_many_rows_is_cut(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(spans, "SMALL", 10_000)
    monkeypatch.setattr(spans, "MOST_SMALL", 9)
    folder = tmp_path / "data"
    folder.mkdir()
    write(folder / "few.jsonl", [{"prompt": f"q{n}"} for n in range(9)])
    many = write(folder / "many.jsonl", [{"prompt": f"r{n}"} for n in range(10)])
    (folder / "packed.jsonl.gz").write_bytes(gzip.compress(many.read_bytes()))
    found = spans.spans_of(find_files(folder, Reading())) or []
    kinds = {(one.file, one.kind) for one in found}
    assert kinds == {("few.jsonl", "whole"), ("many.jsonl", "lines"), ("packed.jsonl.gz", "whole")} and len(found) > 3
    assert_same(in_parts(tmp_path, folder), at_once(folder))


def test_a_folder_of_files_is_read_in_parts(tiny, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(4):
        write(folder / f"{number}.jsonl", [{"prompt": f"q{n}", "completion": f"a{number}"} for n in range(number + 1)])
    (folder / "4.jsonl").write_text('{"prompt": "a"},\n{"prompt": "b", "prompt": "c"}\n')
    (folder / "5.jsonl").touch()
    assert_same(in_parts(tmp_path, folder), at_once(folder))


def test_rows_over_several_lines_are_no_parts(tiny, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"prompt": f"q{n}", "completion": "a"}, indent=1) for n in range(9)))
    assert_same(in_parts(tmp_path, path), at_once(path))


def test_a_line_that_is_too_long_is_so_in_parts(tiny, tmp_path, monkeypatch):
    for module in (spans, compressed, json_files):
        monkeypatch.setattr(module, "LONGEST_LINE", 200)
    rows = [*({"prompt": f"q{n}"} for n in range(5)), {"prompt": "x" * 190}, {"prompt": "last"}]
    path = write(tmp_path / "rows.jsonl", rows)
    assert_same(in_parts(tmp_path, path, on_error="drop"), at_once(path, on_error="drop"))


def test_a_broken_file_is_named_below_its_source(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(spans, "SMALL", 1000)
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.json").write_text('[{"prompt": "a"}, {"prompt": "b"}, {"pro')
    assert_same(in_parts(tmp_path, folder, on_error="drop", name="mine"), at_once(folder, on_error="drop", name="mine"))


def test_small_row_groups_and_files_are_one_part(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(spans, "SMALL", 100)
    folder = tmp_path / "data"
    folder.mkdir()
    for number, sizes in enumerate([1, 7, 3, 1]):
        rows = pl.DataFrame({"prompt": [f"q{number} {n}" for n in range(12)]})
        rows.write_parquet(folder / f"{number}.parquet", row_group_size=sizes)
    (folder / "4.json").write_text('[{"prompt": "a"}]')
    for most, size, parts in ((5, 10**6, 12), (20, 10**6, 3), (100, 10**6, 1), (100, 1, 49)):
        for module in (spans, reading):
            monkeypatch.setattr(module, "ROWS", most)
            monkeypatch.setattr(module, "BYTES", size)
        found = in_parts(tmp_path, folder)
        assert_same(found, at_once(folder))
        assert found[2] == parts
        shutil.rmtree(tmp_path / "store")


def test_rows_that_are_large_are_small_parts(tiny, tmp_path, monkeypatch):
    for module in (spans, reading):
        monkeypatch.setattr(module, "ROWS", 100)
    rows = [{"prompt": f"q{n}", "completion": "a" * 50} for n in range(12)]
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    pl.DataFrame(rows).write_parquet(tmp_path / "rows.parquet")
    for path, parts in ((tmp_path / "rows.jsonl.gz", 6), (tmp_path / "rows.parquet", 4)):
        found = in_parts(tmp_path, path)
        assert_same(found, at_once(path))
        assert found[2] >= parts
        shutil.rmtree(tmp_path / "store")


def test_short_lines_are_smaller_parts(tiny, tmp_path, monkeypatch):
    for name, value in (("BYTES", 400), ("BLOCK", 20), ("MOST_LINES", 4)):
        monkeypatch.setattr(spans, name, value)
    path = write(tmp_path / "rows.jsonl", [{"prompt": f"q{n}"} for n in range(20)])
    found = in_parts(tmp_path, path)
    assert_same(found, at_once(path))
    assert found[2] > 3


def test_csv_in_parts_has_its_notes_and_lines(tiny, tmp_path):
    path = tmp_path / "rows.csv"
    records = [f'"q{n}\n""{n}""";a{n}\n' for n in range(30)]
    path.write_text("".join(["prompt;completion\n", *records[:20], "wrong\n", ";\n", *records[20:]]))
    found = in_parts(tmp_path, path, on_error="drop")
    assert_same(found, at_once(path, on_error="drop"))
    assert found[2] > 3
    assert found[0]["decisions"]["reason"].to_list() == ["expected 2 fields as in the header, found 1 (line 42)"]
    assert "fields separated by ';'" in found[1]


@pytest.mark.slow
def test_worker_processes_make_the_same_rows(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(worker_processes, "processes_here", lambda: 2)
    (tmp_path / "curate").mkdir()
    (tmp_path / "curate" / "__init__.py").write_text("raise SystemExit")  # a stranger's
    monkeypatch.chdir(tmp_path)
    rows = [{"prompt": f"q{n % 9}", "completion": f"a{n}"} for n in range(20)]
    path = write(tmp_path / "rows.jsonl", [*rows, {"nothing": 1}])
    assert_same(in_parts(tmp_path, path, on_error="drop"), at_once(path, on_error="drop"))
    with pytest.raises(UserError) as one:
        in_parts(tmp_path, path)
    with pytest.raises(UserError) as other:
        at_once(path)
    assert str(one.value) == str(other.value)


def test_line_numbers_go_on_over_parts(tiny, tmp_path):
    path = write(tmp_path / "rows.jsonl", [{"prompt": f"q{n}"} for n in range(9)])
    path.write_text(path.read_text().replace('{"prompt": "q7"}', "\n{broken"))
    with pytest.raises(UserError, match=r"rows\.jsonl:9:2: not JSON"):
        in_parts(tmp_path, path)


@pytest.mark.slow
def test_a_killed_worker_is_one_line(monkeypatch):
    starts = worker_processes.start_worker

    def killed():
        worker = starts()
        worker.process.kill()
        return worker

    monkeypatch.setattr(worker_processes, "start_worker", killed)
    part = reading.PartSpans([], "", "", None, Options("x", None, False))
    with pytest.raises(Failed, match="a worker process was killed"):
        list(spread(make_parts, [PartTask([part], 0, "", "")] * 5, runner=worker_processes.WorkerProcesses(2)))


@pytest.mark.slow
def test_what_a_worker_cannot_do_is_done_here(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(worker_processes, "processes_here", lambda: 2)
    path = write(tmp_path / "rows.jsonl", [{"prompt": f"q{n}", "completion": "a", "\ud83d": 1} for n in range(9)])
    fields = {"prompt": "prompt", "completion": "completion"}
    assert_same(in_parts(tmp_path, path, fields=fields), at_once(path, fields=fields))
    gone = spans.Span(str(tmp_path / "gone.jsonl"), "", spans.LINES_OF, 0, 9, 0, 1, 9)
    task = PartTask([reading.PartSpans([gone], "", "", None, Options("x", None, False))], 0, "", "")
    with pytest.raises(FileNotFoundError, match=r"gone\.jsonl"):
        list(spread(make_parts, [task] * 5, runner=worker_processes.WorkerProcesses(2)))


@pytest.mark.parametrize(("groups", "tasks"), [(7, [4, 1] * 7), (8, [5] * 8)])
def test_a_process_reads_a_whole_row_group_where_there_are_many(groups, tasks):
    parts = []
    for n in range(groups * 5):
        span = spans.Span("s", "", spans.ROWS_OF, n * 20_000, (n + 1) * 20_000, 0, 20_000, 1, n // 5)
        parts.append(reading.PartSpans([span], "s", "s", None, Options("s", None, False)))
    assert [len(together) for together in reading.read_together(parts)] == tasks
