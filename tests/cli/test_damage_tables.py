import polars as pl

from cli.evaluating.behaviour_table import show_behaviour, show_warnings
from cli.evaluating.retention_table import show_retention
from train.evaluating import behaviour, retention_changes


def rows(schema, *given):
    return pl.DataFrame([dict.fromkeys(schema) | one for one in given], schema=schema)


def test_figures_and_changes_are_printed(capsys):
    figures = {"split": "test", "words": 1.04, "tokens": 2.5, "one_word": 0.96, "distinct": 1.0, "common": 0.05}
    show_behaviour(rows(behaviour.SCHEMA, figures | {"model": "grpo", "perplexity": 4321.0}))
    kept = {"on": "general texts", "n": 32, "failed": 0, "perplexity": 69.44}
    changed = kept | {"model": "grpo", "change": 0.1234, "low": 0.1, "high": 0.15, "failed": 2}
    unknown = kept | {"model": "other", "why": "another vocabulary"}
    shown = rows(retention_changes.SCHEMA, kept | {"model": "student"}, changed, unknown)
    show_retention(shown, {"start": "student", "without": {"big": "openai"}})
    lines = capsys.readouterr().out.splitlines()
    found = {line.split("│")[1].strip(): [cell.strip() for cell in line.split("│")] for line in lines if "│" in line}
    assert "cut off" not in "".join(lines), "no column without a value"
    assert found["grpo"][2:] == ["32", "69.44", "2 not read; +12.3% (+10.0% to +15.0%)"]
    assert found["student"][-1] == "" and found["other"][-1] == "another vocabulary"
    assert "test  │ grpo  │ 1.0   │ 2.5    │ 96%      │ 100%   │ 5%          │ 4,321" in "\n".join(lines)
    assert lines[-1] == (
        "Retention is not measured for big (engine openai): only models of the engine transformers give losses."
    )


def test_nothing_is_printed_where_nothing_is_known(capsys):
    show_behaviour(rows(behaviour.SCHEMA))
    show_retention(rows(retention_changes.SCHEMA), {})
    show_warnings(pl.DataFrame(schema={"model": pl.String, "split": pl.String, "warning": pl.String}))
    assert capsys.readouterr().out == ""


def test_warnings_are_lines_that_steer_no_terminal(capsys):
    found = [("grpo", "test", "its answers are '\x1b[2J'"), ("grpo", None, "it has lost some")]
    schema = {"model": pl.String, "split": pl.String, "warning": pl.String}
    show_warnings(pl.DataFrame(found, schema=schema, orient="row"))
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert out.splitlines() == ["warning: grpo, test: its answers are '[2J'", "warning: grpo: it has lost some"]
