"""The views of a store in SQL that answer what is often asked, on tiny stores whose answers are known."""

import json
import re
from pathlib import Path

import duckdb
import numpy as np
import pytest

from curate.algorithms.statistics.intervals import clustered_interval
from curate.storage.named_views import FOLDER, FROM_FILES, NAMED, with_needs
from curate.storage.sql_views import connect
from schemas.rows import MACROS, RUN_TABLES, VIEWS
from tests.storage.asked import ask, candidate, decision, prompt, record, score, write

ROOT = Path(__file__).parent.parent.parent


def test_every_view_and_macro_is_named_and_described():
    macros = {name.partition("(")[0] for name in MACROS}
    assert {*VIEWS, *macros, "drop_reason", "last_question"} == set(NAMED)
    assert {file.stem for file in FOLDER.iterdir()} == set(NAMED) - {"candidates", *FROM_FILES}
    told = (ROOT / "docs" / "queries.md").read_text(encoding="utf-8")
    assert [name for name in (*VIEWS, *MACROS) if f"`{name}`" not in told] == []


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_of_an_empty_store_has_columns_and_no_rows(store, view):
    with connect(store, None, f"FROM {view}") as con:
        found = con.execute(f"SELECT * FROM {view}")
        assert len(found.description) > 2 and found.fetchall() == []


def test_only_what_a_query_names_is_made(store):
    with connect(store, None, "SELECT * FROM pairs") as con:
        made = con.execute("SELECT table_name FROM information_schema.tables ORDER BY 1").fetchall()
    assert made == [("pairs",), ("preferences",), ("scores",)]  # ``scores`` is a column of theirs too
    assert with_needs({"duplicates"}) == ("prompts", "completions", "decisions", "drop_reason", "dropped", "duplicates")


def test_candidates_have_every_score_as_a_column(store):
    rows = [candidate("c_1"), candidate("c_2", index=1), candidate("c_3", "p_gone", index=2)]
    values = [score("c_1", 1.0), score("c_1", 0.5, 'it\'s "odd"'), score("c_2", 2.0, "X"), score("c_2", 3.0, "model")]
    values += [score("c_3", 4.0, ""), score("c_3", 5.0, "unnamed")]
    record(store, "1", write(store, "prompts.source.s", "a", prompts=[prompt("p_1")], completions=rows, scores=values))
    found = ask(store, 'SELECT completion_id, prompt, x_score, "it\'s ""odd""" FROM candidates ORDER BY 1')
    assert found == [("c_1", "How?", 1.0, 0.5), ("c_2", "How?", None, None), ("c_3", None, None, None)]
    assert ask(store, "SELECT model, x, model_score FROM candidates WHERE sample_index = 1") == [(None, 2.0, 3.0)]
    assert ask(store, "SELECT unnamed, unnamed_score FROM candidates WHERE sample_index = 2") == [(4.0, 5.0)]
    with connect(store, None, "FROM candidates") as con:
        names = [column[0] for column in con.execute("FROM candidates").description]
    assert len({name.lower() for name in names}) == len(names) and names[:4] == [
        "completion_id", "prompt_id", "prompt", "response",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("stage", "reason", "kind", "detail"),
    [
        ("prompts.dedup.exact", "duplicate (exact)", "exact duplicate", None),
        ("prompts.source.s", "same prompt as line 3; its metadata differ", "exact duplicate", ...),
        ("prompts.source.s", "line 4: no JSON", "unreadable row", "line 4: no JSON"),
        ("prompts.dedup.minhash", "near-duplicate (minhash)", "near-duplicate", "minhash"),
        ("datasets.d.decontaminate", "overlaps a benchmark (n-grams)", "overlaps a benchmark", "n-grams"),
        ("completions.filter", "too long", "filter: too long", None),
        ("datasets.d.where", "not: x = 1 AND y", "where", "x = 1 AND y"),
        ("datasets.d.diverse", "not chosen (k_center)", "not chosen", "k_center"),
        ("prompts.mix", "not drawn: 3 of 9 of s (rows: 3)", "not drawn", "3 of 9 of s (rows: 3)"),
        ("completions.select.weighted", "not drawn", "not drawn", None),
        ("datasets.d.select", "score below 1", "score too low", "below 1"),
        ("datasets.d.select", "lower score", "not the best", "lower score"),
        ("datasets.d.select", "passed, but its prompt has 2 better", "not the best", ...),
        ("datasets.d.select", "no pair: every score is 0.0", "no pair", "every score is 0.0"),
        ("datasets.d.select", "no score", "no score", None),
        ("datasets.d.label", "no label: x is null", "no label", "x is null"),
        ("datasets.d.label", "chosen in one pair and rejected in another", "contradicting labels", ...),
        ("prompts.generate.made", "seed (keep_seeds: false)", "seed", "keep_seeds: false"),
        ("completions.generate.sample", "error", "failed request", "HTTP 500"),
        ("completions.generate.sample", "broken tool call", "broken tool call", None),
    ],
)
def test_reasons_of_a_kind_have_the_same_words(store, stage, reason, kind, detail):
    record(store, "1", write(store, stage, "a", decisions=[decision("c_1", stage, reason, "HTTP 500")]))
    assert ask(store, "SELECT reason, detail FROM dropped") == [(kind, reason if detail is ... else detail)]


@pytest.mark.parametrize(
    ("evidence", "stage", "found"),
    [
        ({"of": "c_2", "similarity": 0.8}, "completions.dedup.minhash", {"of": "c_2", "similarity": 0.8}),
        ("c_2a", "datasets.d.select", {"instead": "c_2a"}),
        ("p_2a", "prompts.source.s", {"of": "p_2a"}),
        ('p_2a, metadata {"k": 1}', "prompts.source.s", {"of": "p_2a", "metadata": '{"k": 1}'}),
        ('{"prompt": "cut off', "prompts.source.s", {"text": '{"prompt": "cut off'}),
        ("plain", "completions.generate.sample", {"text": "plain"}),
    ],
)
def test_evidence_is_always_json(store, evidence, stage, found):
    record(store, "1", write(store, stage, "a", decisions=[decision("s:3", stage, "why", evidence)]))
    ((kind, text),) = ask(store, "SELECT kind, evidence FROM dropped")
    assert kind == "source row" and json.loads(text) == found
    assert ask(store, "SELECT typeof(evidence) FROM dropped") == ["JSON"]


def test_what_was_dropped_is_shown_with_its_texts(store):
    made = write(store, "completions.generate.sample", "a", completions=[candidate("c_1"), candidate("c_2")])
    told = [decision("c_1", "completions.filter", "short"), decision("c_2", "completions.filter")]
    run = [write(store, "prompts.source.s", "b", prompts=[prompt("p_1")]), made]
    record(store, "1", *run, write(store, "completions.filter", "c", decisions=told))
    query = "SELECT row_id, kind, reason, prompt, response, run_id FROM dropped"
    assert ask(store, query) == [("c_1", "candidate", "filter: short", "How?", "So.", "1")]


def funnel_store(store):
    """A recipe of a source of 4 lines, a step that generates, a dedup and a dataset, run twice."""
    label = "datasets.d"
    stages = [
        write(
            store, "prompts.source.s", "a", prompts=[prompt(f"p_{n}") for n in range(3)],
            decisions=[decision("s:4", "prompts.source.s", "no JSON")],
        ),
        write(
            store, "completions.generate.sample", "b", completions=[candidate(f"c_{n}", f"p_{n}") for n in range(3)],
            decisions=[decision("c_2", "completions.generate.sample", "error", "HTTP 500")],
        ),
        write(store, "completions.score.x", "c", scores=[score("c_0", 1.0), score("c_1", 0.0)]),
        write(
            store, label, "d", sft=[{"row_id": "r_1", "dataset": "d", "split": "train", "completion_id": "c_0"}],
            decisions=[
                decision("c_0", f"{label}.where"), decision("c_1", f"{label}.where", "not: x = 1"),
                decision("c_0", f"{label}.select"),
            ],
        ),
    ]  # fmt: skip
    counts = {"a": (4, 3), "b": (3, 3), "c": (2, 2), "d": (None, 1)}
    record(store, "1", *stages, counts=counts)
    record(store, "2", *stages, reused="abcd", counts=counts)


def test_the_funnel_tells_each_stage_in_order(store):
    funnel_store(store)
    query = "SELECT stage, reason, rows_in, kept, dropped FROM funnel WHERE run_id = '2'"
    assert ask(store, query) == [
        ("prompts.source.s", None, 4, 3, 0),
        ("prompts.source.s", "unreadable row", 4, 0, 1),
        ("completions.generate.sample", None, 3, 2, 0),
        ("completions.generate.sample", "failed request", 3, 0, 1),
        ("datasets.d.where", None, 2, 1, 0),
        ("datasets.d.where", "where", 2, 0, 1),
        ("datasets.d.select", None, 1, 1, 0),
        ("datasets.d", None, None, 1, 0),
    ]
    assert ask(store, "SELECT run_id, count(*) FROM funnel GROUP BY 1 ORDER BY 1") == [("1", 8), ("2", 8)]
    assert ask(store, "SELECT DISTINCT run_id FROM decisions") == ["1"], "the run that made them, not one that reused"


def test_a_chain_of_duplicates_is_one_cluster(store):
    exact, near = "completions.dedup.exact", "completions.dedup.minhash"
    told = [
        decision("c_1", exact, "duplicate (exact)", {"of": "c_2", "similarity": 1.0}),
        decision("c_2", near, "near-duplicate (minhash)", {"of": "c_3", "similarity": 0.8}),
        decision("c_4", near, "near-duplicate (minhash)", {"of": "d:1", "file": "d", "line": 1, "text": "Other."}),
        decision("c_5", near),
    ]
    rows = [candidate(f"c_{n}", response=f"So {n}.") for n in range(1, 6)]
    record(store, "1", write(store, "completions.generate.sample", "a", completions=rows, decisions=told))
    query = "SELECT cluster, size, row_id, repeats, similarity, text FROM duplicates"
    assert ask(store, query) == [
        ("c_3", 3, "c_3", None, None, "So 3."),
        ("c_3", 3, "c_1", "c_2", 1.0, "So 1."),
        ("c_3", 3, "c_2", "c_3", 0.8, "So 2."),
        ("d:1", 2, "d:1", None, None, "Other."),
        ("d:1", 2, "c_4", "d:1", None, "So 4."),
    ]


def test_a_repeat_in_a_source_has_the_prompt_that_it_repeats(store):
    told = [decision("s:2", "prompts.source.s", "exact copy of line 1", "p_a1")]
    record(store, "1", write(store, "prompts.source.s", "a", prompts=[prompt("p_a1", "Why?")], decisions=told))
    query = "SELECT cluster, row_id, repeats, text FROM duplicates"
    assert ask(store, query) == [("p_a1", "p_a1", None, "Why?"), ("p_a1", "s:2", "p_a1", "Why?")]


def test_pairs_are_plain_texts(store):
    turns = [
        {"role": "system", "content": "Be."},
        {"role": "user", "content": "How?"},
        {"role": "tool", "content": "1"},
    ]
    answer = {name: json.dumps([{"role": "assistant", "content": name.title()}]) for name in ("chosen", "rejected")}
    row = {"row_id": "r_1", "dataset": "d", "split": "train", "prompt": json.dumps(turns), **answer}
    scored = {**row, "chosen_score": 1.0, "rejected_score": 0.25, "scores": "{}"}
    record(store, "1", write(store, "datasets.d", "a", preferences=[scored]))
    assert ask(store, "SELECT prompt, chosen, rejected, margin FROM pairs") == [("How?", "Chosen", "Rejected", 0.75)]


def evaluated(model, training, values, scorer="x"):
    """Return rows of an evaluation, a value a prompt; three prompts are a family."""
    return [
        {
            "evaluation_id": f"{model} {training} {values[0]}",
            "model": model, "training_id": training, "dataset": "d", "split": "test",
            "row_id": f"r_{n}", "prompt_id": f"p_{n}", "sample_index": 0, "scorer": scorer, "value": value,
            "family": f"f_{n // 3}",
        }
        for n, value in enumerate(values)
    ]  # fmt: skip


def test_the_leaderboard_has_the_change_from_the_start(store):
    rng = np.random.default_rng(0)
    base, tuned = rng.random(36), rng.random(36) + 0.3
    again = evaluated("tuned", "t2", tuned + 1)
    trainings = [
        {"training_id": "t1", "name": "tuned", "model": "base", "base": "base@1"},
        {"training_id": "t2", "name": "tuned", "model": "tuned", "base": "base@1>t1"},
    ]
    stages = [
        write(store, "train-tuned", "a", trainings=trainings),
        write(store, "evaluate", "b", evaluations=evaluated("base", None, base)),
        write(store, "evaluate", "c", evaluations=[*evaluated("tuned", "t1", [*tuned[:-1], None]), *again]),
    ]
    record(store, "1", *stages, command="evaluate")
    found = ask(store, "SELECT training_id, mean, answers, nulls, start, change, low, high, prompts FROM leaderboard")
    assert [row[0] for row in found] == ["t2", "t1", None], "the best first"
    known = clustered_interval((tuned - base)[:-1], np.arange(35) // 3)
    assert found[1][1:5] == (pytest.approx(tuned[:-1].mean()), 35, 1, "base")
    assert found[1][5:] == (*(pytest.approx(end, abs=1e-4) for end in known[:3]), 35)
    assert found[0][4:6] == ("tuned", pytest.approx(1.0)), "t2 began with t1"
    assert found[2][4:] == (None, None, None, None, None)


def test_the_latest_evaluation_of_a_model_counts(store):
    first, last = (write(store, "evaluate", i, evaluations=evaluated("m", None, [v])) for i, v in (("a", 0), ("b", 1)))
    record(store, "1", first, command="evaluate")
    record(store, "2", last, command="evaluate")
    assert ask(store, "SELECT mean, run_id FROM leaderboard") == [(1.0, "2")]


def test_few_prompts_have_a_change_but_no_interval(store):
    started = {"training_id": "t1", "name": "m", "model": "base", "base": "base@1"}
    rows = [row for scorer in ("behaviour/loss", "x") for row in evaluated("m", "t1", [0.5] * 6, scorer)]
    base = [row for scorer in ("behaviour/loss", "x") for row in evaluated("base", None, [0.25] * 6, scorer)]
    record(store, "1", write(store, "evaluate", "a", trainings=[started], evaluations=rows + base), command="evaluate")
    found = ask(store, "SELECT scorer, model, change, low, high FROM leaderboard")
    assert [row[0] for row in found] == ["x", "x", "behaviour/loss", "behaviour/loss"], "gristmill's own come last"
    assert found[0] == ("x", "m", 0.25, None, None)


def test_tables_of_history_have_the_run_that_made_a_row(store):
    stages = [
        write(store, "evaluate", "a", evaluations=evaluated("m", None, [1.0]), trainings=[{"training_id": "t1"}]),
        write(store, "compare", "b", comparisons=[{"comparison_id": "k"}], training_rows=[{"training_id": "t1"}]),
    ]
    record(store, "1", stages[0], command="evaluate")
    record(store, "2", *stages, reused="a", command="compare")
    runs = {table: ask(store, f"SELECT run_id FROM {table}") for table in RUN_TABLES}
    assert {table: run for table, run in runs.items() if run} == {
        "evaluations": ["1"], "trainings": ["1"], "comparisons": ["2"], "training_rows": ["2"],
    }  # fmt: skip


def test_a_damaged_table_breaks_only_the_views_that_read_it(store):
    funnel_store(store)
    next((store.path / "stages").glob("completions.score*/scores*.parquet")).write_bytes(b"")
    works = [view for view in VIEWS if view != "candidates"]
    assert [view for view in works if not isinstance(ask(store, f"SELECT count(*) FROM {view}"), list)] == []
    for query in ("SELECT * FROM candidates", "SELECT * FROM k_curve('x')", "SELECT * FROM why('c_0')"):
        with pytest.raises(duckdb.Error, match=re.compile("scores-0000.parquet: damaged: is empty")):
            ask(store, query)
