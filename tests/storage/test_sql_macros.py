"""The macros of a store in SQL: k_curve(scorer), why(id) and nearest(id, k)."""

from itertools import combinations

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.storage.named_views import create_named
from curate.storage.text_cache import cached_by_text
from schemas.progress import Progress
from tests.storage.asked import ask, candidate, decision, prompt, record, score, write

VECTORS = {"How?": [1.0, 0.0], "Why?": [0.8, 0.6], "So.": [0.0, 1.0], "": [1.0, 0.0]}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.one_of(st.none(), st.integers(-3, 3)), max_size=7), min_size=1, max_size=5))
def test_k_curve_is_the_mean_best_of_all_draws(prompts):
    rows = [(f"p_{p}", f"c_{p}_{i}", v) for p, values in enumerate(prompts) for i, v in enumerate(values)]
    known = [[v for v in values if v is not None] for values in prompts]
    known = [values for values in known if values]
    with duckdb.connect() as con:
        table = pl.DataFrame(
            rows, {"prompt_id": pl.String, "completion_id": pl.String, "value": pl.Float64}, orient="row"
        )
        con.register("rows", table.to_arrow())
        con.execute("CREATE TABLE completions AS SELECT prompt_id, completion_id FROM rows")
        con.execute("CREATE TABLE scores AS SELECT completion_id AS row_id, 'x' AS scorer, value FROM rows")
        con.execute("INSERT INTO scores SELECT completion_id, 'y', 9 FROM rows")
        create_named(con, "k_curve")
        if not known:
            with pytest.raises(duckdb.Error, match="no candidate has a score by x"):
                con.execute("FROM k_curve('x')").fetchall()
            return
        found = con.execute("FROM k_curve('x')").fetchall()
    expected = []
    for k in range(1, max(map(len, known)) + 1):
        long = [values for values in known if len(values) >= k]
        best = np.mean([np.mean([max(draw) for draw in combinations(values, k)]) for values in long])
        expected.append((k, pytest.approx(best, abs=1e-9), len(long)))
    assert found == expected


def test_k_curve_says_that_a_scorer_is_unknown(store):
    record(
        store, "1", write(store, "completions.score.x", "a", completions=[candidate("c_1")], scores=[score("c_1", 1)])
    )
    assert ask(store, "FROM k_curve('x')") == [(1, 1.0, 1)]
    with pytest.raises(duckdb.Error, match=r"k_curve: no candidate has a score by X; SELECT DISTINCT scorer"):
        ask(store, "FROM k_curve('X')")


@pytest.fixture
def history(store):
    """A store with one prompt, made from another, two candidates, a dataset row, its training and an evaluation."""
    row = {"row_id": "r_1", "dataset": "d", "split": "train", "prompt_id": "p_1", "completion_id": "c_1"}
    losses = [{"training_id": "t1", "step": n, "row_id": "r_1", "phase": "train", "loss": 2.0 - n} for n in (0, 1)]
    answer = {"evaluation_id": "e", "model": "m", "prompt_id": "p_1", "scorer": "x", "value": 1.0, "split": "test"}
    stages = [
        write(store, "prompts.source.s", "a", prompts=[prompt("p_1", parent_ids=["p_20"]), prompt("p_20", "Why?")]),
        write(store, "completions.generate.m", "b", completions=[candidate("c_1"), candidate("c_2", index=1)]),
        write(store, "completions.score.x", "c", scores=[score("c_1", 1.0), score("c_2", None)]),
        write(
            store, "completions.filter", "d",
            decisions=[decision("c_1", "completions.filter"), decision("c_2", "completions.filter", "short")],
        ),
        write(store, "datasets.d", "e", sft=[row]),
        write(
            store, "train-d", "f", row_losses=losses,
            trainings=[{"training_id": "t1", "name": "d", "trainer": "sft"}],
            training_rows=[{"training_id": "t1", "row_id": "r_1", "fate": "trained"}],
        ),
        write(store, "evaluate", "g", evaluations=[answer | {"row_id": "r_9", "sample_index": 0, "response": "So."}]),
    ]  # fmt: skip
    record(store, "1", *stages)
    return store


def test_why_tells_the_steps_of_a_row(history):
    of_row = ask(history, "FROM why('r_1')")
    assert of_row == [
        ("prompt", "p_1", "How? (s)"),
        ("made from", "p_20", "Why?"),
        ("candidate", "c_1", "So."),
        ("score", "x", "c_1  1.0"),
        ("kept", "completions.filter", "c_1"),
        ("dataset", "d", "r_1  train"),
        ("training", "d (sft, t1)", "r_1  trained  loss 2.0 -> 1.0"),
        ("evaluation", "m by x", "test  1.0  So."),
    ]
    of_prompt = ask(history, "FROM why('p_1')")
    assert set(of_row) < set(of_prompt) and ("dropped", "completions.filter", "c_2  short") in of_prompt
    assert ask(history, "SELECT detail FROM why('c_2') WHERE step = 'score'") == ["c_2  null"]


def test_why_takes_the_start_of_an_id(history):
    assert ask(history, "FROM why('p_2')") == [("prompt", "p_20", "Why? (s)")]
    with pytest.raises(duckdb.Error, match="why: c_ is the start of 2 ids; give more of it"):
        ask(history, "FROM why('c_')")
    with pytest.raises(duckdb.Error, match="why: no row c_3 in this store"):
        ask(history, "FROM why('c_3')")


def embed(store, *texts, model="mini"):
    folder = store.cache_folder("embeddings", model, "00ff00ff")
    make = lambda part: np.array([VECTORS[text] for text in part], np.float32)  # noqa: E731
    cached_by_text(pl.Series(texts), folder, make, 2, Progress(), "embed")


def test_nearest_compares_stored_embeddings(history):
    embed(history, "How?", "Why?", "So.")
    embed(history, "How?", "So.", model="other")
    close = pytest.approx(0.8, abs=1e-6)
    assert ask(history, "SELECT row_id, similarity FROM nearest('p_1', 1) WHERE model = 'mini'") == [("p_20", close)]
    found = ask(history, "SELECT model, row_id, kind, text FROM nearest('p_1', k := 9)")
    both = [("c_1", "candidate", "So."), ("c_2", "candidate", "So.")]
    assert found == [
        ("mini", "p_20", "prompt", "Why?"),
        *(("mini", *one) for one in both),
        *(("other", *one) for one in both),
    ]


def test_nearest_says_what_is_missing(history):
    with pytest.raises(duckdb.Error, match="nearest: this store has no embeddings; a step that compares"):
        ask(history, "FROM nearest('p_1', 2)")
    embed(history, "How?")
    with pytest.raises(duckdb.Error, match="nearest: p_20 is no prompt and no candidate whose text has a stored"):
        ask(history, "FROM nearest('p_20', 2)")
    assert ask(history, "FROM nearest('p_1', 2)") == []
