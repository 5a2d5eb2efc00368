"""Steps called from Python, on lists and frames: the results are those of a run, and mistakes are said in one line."""

import importlib
import inspect
import re
from typing import Any

import numpy as np
import polars as pl
import pytest

from curate import call_step
from curate.steps.find_step import find_step, step_names
from schemas.errors import UserError
from schemas.progress import Progress
from tests.steps.contract_table import GIVEN, outcome, table
from tests.stub_server import Stub


def steps(kind: str, *names: str) -> list[Any]:
    """Steps as ``from curate.score import length`` gives them, without types: many calls here are wrong on purpose."""
    return [importlib.import_module(f"curate.{kind}.{name}") for name in names]


exact, minhash, semantic = steps("dedup", "exact", "minhash", "semantic")
constraints, judge, length, math, pass_rate, similarity = steps(
    "score", "constraints", "judge", "length", "math", "pass_rate", "similarity"
)
best_of_n, best_vs_worst, k_center, own_vs_teacher = steps(
    "select", "best_of_n", "best_vs_worst", "k_center", "own_vs_teacher"
)
ALL = [(kind, name) for kind in ("score", "dedup", "select") for name in step_names(kind)]


@pytest.mark.slow
def test_every_step_gives_what_its_function_gives():
    wrong = []
    for kind, name in ALL:
        step, columns = find_step(kind, name), table()
        if inspect.isgeneratorfunction(step.function):
            continue
        given = {read: columns[read] for read in step.columns if read not in ("scores", "sketch")}
        if "scores" in step.reads:
            given |= {column.name: column for column in columns["scores"]}
        if kind == "dedup":
            del given["score"], given["known"]
            columns["known"] = columns["known"] & False
        (called,) = steps(kind, name)
        found = called(given, **GIVEN.get((kind, name), {}))
        expected = outcome(kind, name, columns)
        shared = [column for column in expected.columns if column in found.columns and column != "error"]
        if "seed" not in step.defaults and not found.select(shared).equals(expected.select(shared), null_equal=True):
            wrong.append((kind, name))
        assert found.height == expected.height and (kind != "dedup" or "kept" in found.columns), (kind, name)
    assert wrong == []


def test_lists_and_mappings_become_json_text():
    wanted = [[{"kind": "lowercase"}], [{"kind": "max_words", "n": 1}]]
    assert constraints(["low", "Two words"], wanted)["value"].to_list() == [1.0, 0.0]
    assert math(["\\boxed{4}"], [4])["value"].to_list() == [1.0]


def test_columns_come_as_lists_series_arrays_and_frames():
    frame = pl.DataFrame({"response": ["one two", None]})
    for given in (["one two", None], frame["response"], frame, frame.lazy(), {"response": ["one two", None]}):
        assert length(given)["value"].to_list() == [2.0, None], given
    vectors = np.eye(3)
    for given in (vectors, vectors.tolist(), pl.Series(vectors)):
        assert k_center(embedding=given, keep=2)["kept"].sum() == 2
    assert semantic(embedding=[[1, 0], [1, 0.001], [0, 1]])["duplicate_of"].to_list() == [None, 0, None]


def test_structs_of_a_frame_lose_the_fields_that_polars_adds():
    rows = [
        {"response": "low", "ground_truth": [{"kind": "lowercase"}]},
        {"response": "two words", "ground_truth": [{"kind": "max_words", "n": 1}]},
    ]
    assert constraints(pl.DataFrame(rows, infer_schema_length=None))["value"].to_list() == [1.0, 0.0]


def test_nan_is_no_text_and_numpy_numbers_are_numbers():
    assert length(np.array(["a b", float("nan")], dtype=object))["value"].to_list() == [2.0, None]
    assert math(["\\boxed{4}"], np.array([4]))["value"].to_list() == [1.0]


def test_on_and_by_name_other_columns():
    rows = pl.DataFrame({"question": ["An ox", "an Ox", "c"], "quality": [1, 2, 3]})
    assert exact(rows, on="question", keep="best", by="quality")["kept"].to_list() == [False, True, True]
    assert best_of_n(["p", "p"], by="q", q=[1, 2])["kept"].to_list() == [False, True]
    assert pass_rate(["p", "p"], by="q", q=[0, 1])["value"].to_list() == [0.5, 0.5]


def test_pairs_are_of_ids_or_of_row_numbers():
    assert best_vs_worst(["p", "p"], score=[0, 1]).select("chosen_id", "rejected_id").rows() == [("1", "0")]
    pairs = own_vs_teacher(["p", "p"], ["a", "b"], ["big", "small"], teacher="big", student="small")
    assert pairs.rows() == [("a", "b")]


def test_data_to_compare_with_has_row_numbers_of_its_own(tmp_path):
    (tmp_path / "known.jsonl").write_text('{"prompt": "x"}\n{"prompt": "known one"}\n', encoding="utf-8")
    found = exact(["new", "Known one", "new"], against=str(tmp_path / "known.jsonl"))
    assert found["kept"].to_list() == [True, False, False]
    assert found["duplicate_of"].to_list() == [None, None, 0] and found["duplicate_of_known"].to_list() == [
        None,
        1,
        None,
    ]


def test_a_note_on_all_rows_goes_to_the_display():
    class Notes(Progress):
        def __init__(self):
            self.lines = []

        def say(self, message):
            self.lines.append(message)

    notes = Notes()
    call_step("select", "mmr", embedding=np.eye(4), keep=2, progress=notes)
    assert all(line.startswith("select.mmr: ") for line in notes.lines) and notes.lines


def test_a_user_step_is_called_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("def shout(response):\n    return response.str.len_chars() * 2.0\n")
    monkeypatch.chdir(tmp_path)
    assert call_step("score", "mine.shout", ["ab"])["value"].to_list() == [4.0]


def test_a_judge_is_asked_through_its_engine():
    with Stub() as stub:
        models = {"teacher": {"engine": "openai", "model": "stub-1", "base_url": stub.url}}
        messages = [[{"role": "user", "content": "hello"}]] * 2
        found = judge(["one", "two"], messages, model="teacher", models=models)
        assert stub.stats()["requests"] == 2
    assert found.height == 2 and found.columns == ["value", "error", "detail"]
    assert (found["value"].is_null() == found["error"].is_not_null()).all()


@pytest.mark.slow
def test_texts_are_embedded_by_the_built_in_model():
    pytest.importorskip("sentence_transformers")
    assert similarity(["a cat"], ["a kitten"])["value"][0] > 0.5
    assert semantic(["a cat sat", "a cat sat down", "quantum physics"], threshold=0.7)["kept"].sum() == 2


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: length("one text"),
            "score.length: response: expected a list, a Polars Series or an array, found 'one text'",
        ),
        (lambda: length(["a"], uint="words"), "score.length: no column or setting 'uint'; did you mean 'unit'?"),
        (lambda: length(["a"], unit=3), "unit: expected one of 'characters', 'words', 'tokens'"),
        (lambda: length(["a"], ["b"], ["c"]), "score.length: takes at most 2 columns (response, completion_tokens)"),
        (lambda: length(pl.DataFrame({"text": ["a"]})), "score.length: needs the column 'response'; found text"),
        (lambda: length(["a"], response=["b"]), "score.length: the column 'response' is given twice"),
        (lambda: constraints(), "score.constraints: needs the column 'response'; found none"),
        (lambda: pass_rate(["p"]), "score.pass_rate: needs the column 'score'; found prompt_id"),
        (lambda: best_of_n(["p"]), "select.best_of_n: needs the column 'score'; found prompt_id"),
        (lambda: k_center(keep=2), "select.k_center: needs the column 'embedding'; found none"),
        (
            lambda: k_center(embedding=[1, 2], keep=1),
            "embedding: expected a vector of numbers for each row, found",
        ),
        (
            lambda: k_center(embedding=[[1], [1, 2]], keep=1),
            "expected vectors of one length, found lengths [1, 2]",
        ),
        (lambda: k_center(["a"], keep=1, model="no_such"), "no model 'no_such'"),
        (lambda: exact(["a"], score=[1, 2]), "dedup.exact: expected columns of one length, found text 1, score 2"),
        (lambda: exact(["a"], keep="best"), "keep: best needs a score; name it with 'by'"),
        (lambda: minhash(["a"], on="txt", txt=["b"], keep="bst"), "keep: expected one of 'first'"),
        (lambda: semantic(embedding=[[1.0]], against="x.jsonl"), "against: "),
        (lambda: exact({"text": ["a"], "q": ["b"]}, on="Q"), "dedup.exact: needs the column 'Q'; found text, q"),
        (lambda: exact(["a"], on=5), "dedup.exact: on: expected the name of a column, found 5"),
        (lambda: exact(["a"], known=[True]), "dedup.exact: known: name the other data with against="),
        (lambda: exact({"text": ["a"], "q": ["x"]}, keep="best", by="q"), "dedup.exact: "),
        (lambda: best_of_n(["p"], score=[10**400]), "select.best_of_n: score: "),
        (lambda: length(["a"], seed=-3), "recipe: seed: "),
        (lambda: length(["a"], models={"x": 3}), "recipe: models.x: "),
        (lambda: length(["a"], models="x"), "models: expected a mapping of names to models, found 'x'"),
        (lambda: judge(["a"], model="teacher"), "no model 'teacher'"),
        (lambda: call_step("scores", "length", ["a"]), "no kind of step to call 'scores'; did you mean 'score'?"),
        (lambda: call_step("score", "lenght", ["a"]), "no score step 'lenght'; did you mean 'length'?"),
    ],
)
def test_a_mistake_is_said_in_one_line(call, said):
    with pytest.raises(UserError, match=re.escape(said)) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    exact(["a"])
    assert list(tmp_path.iterdir()) == []
