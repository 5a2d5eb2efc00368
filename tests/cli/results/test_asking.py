"""``gristmill sql`` and ``show``: what is asked, in which format it is answered, and the shell."""

import csv
import io
import json
import subprocess
import sys
from typing import Any

import polars as pl
import pytest

from curate.storage.store import Store
from tests.command import ROOT, call, mistake
from tests.pseudo_terminal import Terminal

IDS = [f"p_{number:020x}" for number in range(60)]
LONG = "why is the sky blue and the sea green, and what has the moon to do with it " * 4
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
TURN = '[{"role": "user", "content": "hi\\u001b[2J \\"q\\" é"}]'


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A folder with a store of 60 prompts."""
    folder = tmp_path_factory.mktemp("asked")
    store = Store(folder / "store")
    rows = pl.DataFrame({"prompt_id": IDS, "messages": TURN, "prompt": LONG, "line": range(60), "metadata": '{"n": 1}'})
    with store.new_stage("1a", "prompts.source.s", what={"use": "s"}, result="") as writer:
        writer.write("prompts", rows)
    used = [
        {"path": one.path.name, "stage_id": one.stage_id, "stage": "s", "position": 0} for one in store.whole_stages()
    ]
    run: Any = {"run_id": "r1", "recipe": "a", "command": "run", "status": "finished", "stages": used, "number": 1}
    run["resolved"] = {"seed": 7}
    store.save_run(run)
    return folder


def sql(asked, *arguments, stdin=""):
    command = [sys.executable, "-m", "cli.main", "sql", *arguments]
    return subprocess.run(
        command, cwd=asked, env=ENVIRONMENT, input=stdin, capture_output=True, text=True, timeout=60, check=False
    )


def test_columns_of_json_are_json_so_that_a_dump_trains_as_it_is(asked):
    query = "SELECT messages, metadata, prompt_id FROM prompts LIMIT 2"
    lines = call(asked, "sql", query, "--format", "jsonl").out.splitlines()
    rows = [json.loads(line) for line in lines]
    assert rows[0] == {"messages": json.loads(TURN), "metadata": {"n": 1}, "prompt_id": IDS[0]}
    assert "\x1b" not in lines[0] and "\\u001b" in lines[0]
    assert json.loads(call(asked, "sql", query, "--format", "json").out) == rows
    assert json.loads(call(asked, "sql", "SELECT 1 WHERE false", "--format", "json").out) == []
    assert call(asked, "sql", "SELECT 1 WHERE false", "--format", "jsonl").out == ""
    resolved = call(asked, "sql", "SELECT resolved, resolved -> 'seed' AS seed FROM runs", "--format", "jsonl").out
    assert json.loads(resolved) == {"resolved": {"seed": 7}, "seed": 7}


NESTED = r"""SELECT list(metadata) AS j, MAP {1: time '10:00'} AS m, MAP {[1]: 2} AS k, '\xAB"a'::BLOB AS b,
    {'d': date '2020-01-01', 'n': [1.5::DOUBLE, 'nan'], 'm': any_value(metadata)} AS s, '-inf'::FLOAT AS f,
    row(1, 'x') AS r, union_value(u := ['\x00'::BLOB]) AS u, ('{"v": NaN,' || chr(10) || '"t": "nan"}')::JSON AS n
    FROM prompts WHERE line < 2"""
AS_JSON = {
    "j": [{"n": 1}, {"n": 1}],
    "s": {"d": "2020-01-01", "n": [1.5, None], "m": {"n": 1}},
    "m": {"1": "10:00:00"},
    "k": {"[1]": 2},
    "b": "\\xAB\\x22a",
    "f": None,
    "r": [1, "x"],
    "u": ["\\x00"],
    "n": {"v": None, "t": "nan"},
}


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_nested_values_are_json_and_nan_is_null(asked, format):
    found = call(asked, "sql", NESTED, "--format", format)
    (row,) = [json.loads(found.out)] if format == "jsonl" else json.loads(found.out)
    assert row == AS_JSON
    assert found.err == "warning: 3 numbers are NaN or infinite, which JSON has not; null is written instead\n"


def test_a_name_that_comes_twice_loses_no_value(asked, tmp_path):
    query = 'SELECT 1 AS a, 2 AS a_1, 3 AS "A", 4 AS a'
    row = json.loads(call(asked, "sql", query, "--format", "jsonl").out)
    assert row == {"a": 1, "a_1": 2, "A_2": 3, "a_3": 4}
    call(asked, "sql", query, "-o", tmp_path / "x.parquet")
    assert pl.read_parquet(tmp_path / "x.parquet").row(0, named=True) == row


def test_csv_and_tables_have_json_and_hex(asked):
    found = call(asked, "sql", NESTED, "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(found.out))
    assert {key: json.loads(row[key]) for key in "jsmkru"} == {key: AS_JSON[key] for key in "jsmkru"}
    assert (row["b"], row["f"]) == (AS_JSON["b"], "-inf") and "1 number is NaN" in found.err
    found = call(asked, "sql", NESTED.replace("FROM prompts", ", b AS b2 FROM prompts"), "--format", "markdown")
    assert found.err == "" and "b'" not in found.out and found.out.count(r"\\xAB\\x22a") == 2
    assert "[1.5, nan\\]".replace("[", "\\[") in found.out and "datetime" not in found.out


def test_parquet_has_json_as_text(asked, tmp_path):
    call(asked, "sql", "SELECT messages FROM prompts", "--format", "parquet", "-o", tmp_path / "x.parquet")
    assert pl.read_parquet(tmp_path / "x.parquet")["messages"].to_list() == [TURN] * 60


@pytest.mark.parametrize("columns", ["80", "100"])
def test_ids_and_numbers_are_whole_in_every_width(asked, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    shown = call(asked, "sql", "SELECT * FROM prompts LIMIT 3").out
    assert all(len(line) <= int(columns) for line in shown.splitlines()) and all(one in shown for one in IDS[:3])
    shown = call(asked, "show", "prompts").out
    assert all(len(line) <= int(columns) for line in shown.splitlines()) and all(one in shown for one in IDS[:10])


@pytest.mark.parametrize(
    ("columns", "lacks"), [(100, ""), (60, "seconds, new tokens, requests, reused)"), (45, "command")]
)
def test_the_overview_fits_and_says_what_it_lacks(asked, tmp_path, monkeypatch, columns, lacks):
    store = Store(tmp_path / "store")
    (run,) = Store(asked / "store").runs()
    run["run_id"] = run_id = "20261130-072829-394-constraints"
    run["stages"] = []
    store.save_run(run)
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = call(tmp_path, "show").out
    lines = [line for line in shown.splitlines() if not line.startswith(("store ", "/"))]
    assert max(map(len, lines)) <= columns and run_id in shown and "decision_history" in shown
    assert lacks in " ".join(shown.split()) and ("--columns all" in " ".join(shown.split())) == bool(lacks)


def test_there_may_be_several_statements_and_records(asked):
    out = call(asked, "sql", r"SELECT 1 AS one; SELECT prompt FROM prompts LIMIT 1\G").out
    assert out.startswith("one\n━━━\n  1\n\n─ row 1 ") and LONG.split()[-1] in out and "…" not in out
    assert [
        json.loads(line)
        for line in call(asked, "sql", "SELECT 1 AS a; SELECT 2 AS b;", "--format", "jsonl").out.split("\n")[:2]
    ]
    assert "found 2" in mistake(call(asked, "sql", "SELECT 1; SELECT 2", "--format", "json"))
    assert "found 2" in mistake(call(asked, "sql", "SELECT 1; SELECT 2", "-o", "x.jsonl"))


@pytest.mark.slow
def test_statements_come_from_a_file_or_from_stdin(asked, tmp_path):
    (tmp_path / "q.sql").write_text("-- two\nSELECT 1 AS a;\nSELECT count(*) AS n FROM prompts;\n")
    assert sql(asked, "-f", str(tmp_path / "q.sql"), "--format", "jsonl").stdout == '{"a": 1}\n{"n": 60}\n'
    assert sql(asked, "--format", "csv", stdin="SELECT 'x,y' AS a").stdout == 'a\n"x,y"\n'
    assert sql(asked, "-", "--format", "csv", stdin="SELECT 2 AS a").stdout == "a\n2\n"


def test_mistakes_are_one_line(asked, tmp_path):
    assert "the format is chosen by --format json" in mistake(call(asked, "sql", "-f", "json"))
    assert "expected a query or --file" in mistake(call(asked, "sql", "SELECT 1", "-f", tmp_path / "q.sql"))
    assert "did you mean 'jsonl'?" in mistake(call(asked, "sql", "SELECT 1", "--format", "jsonll"))
    assert "the query is empty" in mistake(call(asked, "sql", " ; "))
    assert "did you mean 'prompt'?" in mistake(call(asked, "show", "prompts", "--columns", "promt"))
    assert "no column of prompts called 'PROMT'; did you mean 'prompt'?" in mistake(
        call(asked, "show", "prompts", "--columns", "PROMT")
    )
    assert mistake(call(asked, "show", "--columns", "a", "--format", "csv")).startswith("show: --columns, --format: ")
    assert "expected a table" in mistake(call(asked, "show", "-n", "3"))
    (tmp_path / "a b.sql").write_text("SELECT 1")
    assert mistake(call(tmp_path, "sql", "a b.sql")).endswith("-f 'a b.sql' answers its statements")
    assert "File name too long" not in call(asked, "sql", f"SELECT 1 -- {'x' * 5000}").err
    (tmp_path / "latin.sql").write_bytes(b"SELECT '\xe9'")
    assert "not UTF-8 (byte 8)" in mistake(call(asked, "sql", "-f", tmp_path / "latin.sql"))


def test_columns_and_formats_of_show(asked):
    out = call(asked, "show", "prompts", "--columns", "LINE, Prompt_Id", "-n", "2", "--format", "csv").out
    assert out == f"line,prompt_id\n0,{IDS[0]}\n1,{IDS[1]}\n"
    assert "family" in call(asked, "show", "prompts", "--columns", "All", "-n", "1").out
    assert "| 0 |" in call(asked, "show", "prompts", "--columns", "line", "-n", "1", "--format", "markdown").out


@pytest.mark.slow
def test_the_shell_answers_one_statement_after_another(asked, tmp_path):
    shell = Terminal(asked, "sql", XDG_STATE_HOME=str(tmp_path), PAGER="cat")
    shell.until("gristmill> ")
    shell.type("SELECT count(*) AS n\n")
    shell.until("...> ")
    shell.type("FROM prompts;\n")
    assert "60" in shell.until("gristmill> ")
    shell.type("SELECT ';' AS semi\n")
    shell.until("...> ")
    shell.interrupt("gristmill> ")
    shell.type("SELECT 1; SELECT count(*) FROM range(100000000000) WHERE hash(range) = 3;\n")
    shell.until("━")  # the first is answered, so the second is asked
    shell.interrupt("(stopped)")
    shell.until("gristmill> ")
    shell.type("SELEC 1;\n")
    assert "error: SQL: Parser Error" in shell.until("gristmill> ")
    shell.type(".formt csv\n")
    assert "did you mean '.format'?" in shell.until("gristmill> ")
    shell.type(".for\t cs\t\n")
    shell.until("gristmill> ")
    shell.type("SELECT prompt_id, line FROM prompts LIMIT 1;\n")
    assert f"{IDS[0]},0" in shell.until("gristmill> ")
    shell.type("SELECT prompt_i\t\n")
    assert "prompt_id" in shell.until("...> ")
    shell.type("FROM prompts LIMIT 1;\n")
    assert IDS[0] in shell.until("gristmill> ")
    shell.type("SELECT 1 AS\nexit\n;\n")  # within a statement it is a name
    shell.until("exit")
    shell.until("gristmill> ")
    shell.type("Quit;\n")
    assert shell.end() == 0
    history = tmp_path / "gristmill" / "sql_history"
    assert "FROM prompts;" in history.read_text() and history.stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_a_long_answer_is_shown_in_the_pager(asked, tmp_path):
    (tmp_path / "pager").write_text(
        f"#!{sys.executable}\nimport sys\nprint('paged', len(sys.stdin.read().splitlines()))\n"
    )
    (tmp_path / "pager").chmod(0o755)
    terminal = Terminal(asked, "sql", "SELECT line FROM prompts", "--limit", "50", PAGER=str(tmp_path / "pager"))
    terminal.until("paged 54")
    assert terminal.end() == 0
    terminal = Terminal(asked, "sql", "SELECT 42 AS n", PAGER=str(tmp_path / "pager"))
    assert "paged" not in terminal.until("42") and terminal.end() == 0


@pytest.mark.slow
def test_a_pipe_that_closes_is_no_error(asked):
    for arguments, first in (("sql 'SELECT * FROM range(1000000)' --format csv", "range"), ("show", "store ")):
        command = f"{sys.executable} -m cli.main {arguments} | head -1; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(
            ["bash", "-c", command], cwd=asked, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stdout.startswith(first) and done.stdout.endswith("\n0\n") and done.stderr == ""


def test_what_a_file_is_called_says_its_format(asked, tmp_path):
    query = "SELECT 1.50::DECIMAL(5, 2) AS d, (9007199254740993)::HUGEINT AS h"
    for name, holds in (
        ("x.json", '[\n{"d": 1.50, "h": 9007199254740993}'),
        ("x.csv", "d,h\n1.50,"),
        ("x.txt", "   d"),
    ):
        assert call(asked, "sql", query, "-o", tmp_path / name).code == 0
        assert (tmp_path / name).read_text().lstrip("\n").startswith(holds), name
    call(asked, "sql", query, "-o", tmp_path / "x.parquet")
    assert int(pl.read_parquet(tmp_path / "x.parquet")["h"][0]) == 9007199254740993


def test_records_have_whole_texts_and_plans_are_drawn(asked):
    long = call(asked, "sql", r"SELECT repeat('abc ', 1000) || chr(10) || 'end' AS t\G; SELECT 2").out
    assert long.count("abc") == 1000 and "⏎" not in long and "end" in long
    assert "⏎" not in call(asked, "sql", "EXPLAIN SELECT 1").out
    assert call(asked, "sql", "SELECT 1 AS a WHERE false").out.endswith("no rows\n")
    assert (
        call(asked, "sql", "CREATE TABLE t AS SELECT 1; INSERT INTO t VALUES (2)").out == "done: 1 row\n\ndone: 1 row\n"
    )
