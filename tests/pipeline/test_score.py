"""Scorers that ask a model, and those that see a prompt's candidates together, as a run calls them."""

import os

import pytest

from curate.api.run import plan, run
from curate.storage.store import Store
from schemas.errors import Failed, Stopped, UserError
from schemas.progress import Progress
from tests.jobs import query, tables
from tests.served import SAMPLE, SCORE, served, server, total
from tests.stub_server import Stub

pytestmark = pytest.mark.slow  # whole runs or many processes: seconds for the file

OWN = '''"""Scorers of the tests' own."""

import json

import polars as pl

from curate.steps.model_calls import Embed, ModelCalls


def rated(response, *, model: str, task: str = "generate", times: int = 1):
    """A model's answer about each response, asked ``times`` times, one after the other."""
    total = pl.Series([0.0] * len(response), dtype=pl.Float64)
    for turn in range(times):
        words = [None if r is None else f"say exactly: {len(r) % 7} {turn}" for r in response]
        asks = [None if w is None else json.dumps([{"role": "user", "content": w}]) for w in words]
        said = yield ModelCalls(pl.Series(asks, dtype=pl.String), model, task, {"temperature": 0.0, "max_tokens": 8})
        total = total + said["response"].str.slice(0, 1).cast(pl.Float64, strict=False)
    return pl.DataFrame({"value": total, "error": said["error"], "detail": said["response"]})


def share(prompt_id, response):
    """How many candidates of its prompt a row was scored with."""
    rows = pl.DataFrame({"id": prompt_id})
    return pl.DataFrame({"value": rows.select(pl.len().over("id"))["len"], "note": "seen together"})


def above(score, *, at: float = 1.0):
    """Whether another score is high."""
    return (score >= at).cast(pl.Float64)


def broken(response, *, model: str):
    """Raises once it has its replies."""
    yield ModelCalls(response.clear(), model)
    raise ValueError("no good")


def mistaken(response, *, model: str, how: str):
    """Yields, or returns, what no scorer may."""
    asks = pl.Series(['[{"role": "user", "content": "hi"}]'] * len(response), dtype=pl.String)
    wrong = {
        "text": "hello", "list": ModelCalls([None] * len(response), model),
        "numbers": ModelCalls(asks.str.len_bytes(), model),
        "words": ModelCalls(asks.str.slice(2), model), "task": ModelCalls(asks, model, "rewrad"),
        "sampling": ModelCalls(asks, model, sampling={"temprature": 0}), "none": ModelCalls(asks, model),
        "server": Embed(asks, model), "late": ModelCalls(asks, model),
    }[how]
    answers = None
    if how != "late" or len(response):
        answers = yield wrong
    return None if how == "none" else pl.Series([1.0] * len(response), dtype=pl.Float64)
'''
JUDGED = SAMPLE + SCORE + "\n  - score: {use: own.rated, model: b, as: rating}\n"


@pytest.fixture(scope="module")
def stub():
    with Stub() as one:
        yield one


@pytest.fixture
def folder(tmp_path):
    """The current folder, with the scorers in it."""
    home = os.getcwd()
    (tmp_path / "own.py").write_text(OWN)
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(home)


def judged(folder, url, steps=JUDGED, more="", **how):
    models = f"\n  a: {{{server(url, 'big')}}}\n  b: {{{server(url, 'judge')}{more and f', {more}'}}}\n"
    datasets = "\n  sft: {type: sft, select: best_of_n, by: chars}\n"
    return served(folder, url, models=models, completions=steps, datasets=datasets, **how)


@pytest.mark.slow
def test_each_question_is_asked_once_and_its_cost_is_counted(stub, folder):
    store = Store(folder / "store")
    recipe = judged(folder, stub.url)
    run(recipe, store)
    found = query(store, "SELECT * FROM scores WHERE scorer = 'rating'")
    assert found.height == 32 and found["value"].null_count() == 0 and set(found["value"]) <= set(range(7))
    lengths = dict(query(store, "SELECT completion_id, length(response) FROM completions").rows())
    assert all(value == lengths[row] % 7 for row, value in found.select("row_id", "value").rows())
    spent = total(store, "requests")
    asked = query(store, "SELECT sum(requests) FROM costs WHERE model = 'b'").item()
    assert asked == len({n % 7 for n in lengths.values()})
    run(recipe, store)
    run(judged(folder, stub.url, JUDGED.replace("own.rated,", "own.rated, times: 1,")), store)
    assert total(store, "requests") == spent


def test_a_plan_knows_how_many_questions_are_left(stub, folder):
    store = Store(folder / "store")
    run(judged(folder, stub.url, SAMPLE + SCORE), store)
    found = plan(judged(folder, stub.url), store)
    (wanted,) = found.model_requests
    lengths = query(store, "SELECT DISTINCT length(response) % 7 FROM completions").height
    assert (wanted.ref.name, wanted.requests, wanted.max_tokens) == ("b", lengths, 8)
    note = next(stage.note for stage in found.stages if stage.label == "completions.score.rating")
    assert f"{lengths} requests to b" in note
    run(judged(folder, stub.url), store)
    assert plan(judged(folder, stub.url), store).model_requests == []
    assert "known once" in plan(judged(folder, stub.url), None).stages[-2].note


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("{use: own.rated, model: c}", ["no model 'c'", "a, b"]),
        ("{use: own.rated, model: b, task: loss}", ["engine 'openai'", "'b'", "loss", "transformers"]),
        ("{use: own.above}", ["reads another score", "by"]),
        ("{use: own.above, by: chras}", ["chras", "did you mean 'chars'"]),
        ("{use: own.above, by: response}", ["response"]),
        ("{use: own.rated, model: b, by: chars}", ["no setting", "by"]),
        ("{use: own.rated, model: b, max_failed: 2}", ["max_failed", "0 to 1"]),
        ("{use: own.mistaken, model: b, how: text}", ["own.mistaken", "yields 'hello'", "ModelCalls"]),
        ("{use: own.mistaken, model: b, how: list}", ["asks a list", "Series"]),
        ("{use: own.mistaken, model: b, how: numbers}", ["asks a UInt32", "Series of texts"]),
        ("{use: own.mistaken, model: b, how: task}", ["rewrad", "did you mean 'reward'"]),
        ("{use: own.mistaken, model: b, how: sampling}", ["temprature", "did you mean 'temperature'"]),
        ("{use: own.mistaken, model: b, how: none}", ["returns nothing"]),
        ("{use: own.mistaken, model: b, how: server}", ["engine 'openai'", "embeddings", "'transformers'"]),
        ("{use: length, as: __place}", ["'__place'", "'as'"]),
        ("{use: combine, sql: response}", ["gives each row a number"]),
        ("{use: combine, sql: sum(chars)}", ["aggregate"]),
        ("{use: combine, sql: chars, zscore: [chras]}", ["chras", "chars"]),
        ("{use: combine, sql: chars, debias: nope}", ["nope", "debias"]),
    ],
)
def test_mistakes_are_found_before_anything_is_asked(stub, folder, step, words):
    recipe = judged(folder, stub.url, SAMPLE + SCORE + f"\n  - score: {step}\n")
    before = stub.stats()["requests"]
    with pytest.raises(UserError) as caught:
        run(recipe, Store(folder / "store"))
    assert "job.yaml:" in str(caught.value) and all(word in str(caught.value) for word in words), caught.value
    assert stub.stats()["requests"] == before


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("words", ["expected a list of messages as JSON text"]),
        ("late", ["asks the model 'b'", "on no rows"]),
    ],
)
def test_mistakes_of_asks_are_found_before_they_are_asked(stub, folder, how, words):
    recipe = judged(folder, stub.url, SAMPLE + SCORE + f"\n  - score: {{use: own.mistaken, model: b, how: {how}}}\n")
    store = Store(folder / "store")
    with pytest.raises(UserError) as caught:
        run(recipe, store)
    assert "job.yaml:" in str(caught.value) and all(word in str(caught.value) for word in words), caught.value
    assert query(store, "SELECT count(*) FROM costs WHERE model = 'b'").item() == 0


@pytest.mark.slow
def test_a_plan_counts_every_judge_of_a_panel(stub, folder):
    store = Store(folder / "store")
    panel = SAMPLE + SCORE + "\n  - score: {use: judge, model: [a, b], as: rating, explain: false}\n"
    run(judged(folder, stub.url, SAMPLE + SCORE), store)
    planned = {
        wanted.ref.name: wanted.requests for wanted in plan(judged(folder, stub.url, panel), store).model_requests
    }
    asked = "SELECT model, sum(requests)::INT FROM costs WHERE model IN ('a', 'b') GROUP BY model"
    before = dict(query(store, asked).rows())
    run(judged(folder, stub.url, panel), store)
    after = dict(query(store, asked).rows())
    assert planned == {name: after[name] - before.get(name, 0) for name in "ab"} and min(planned.values()) > 0


def test_a_score_by_another(stub, folder):
    store = Store(folder / "store")
    steps = SAMPLE + SCORE + "\n  - score: {use: own.above, by: chars, at: 20, as: long}\n"
    run(judged(folder, stub.url, steps), store)
    rows = query(
        store,
        """SELECT max(value) FILTER (scorer = 'chars'), max(value) FILTER (scorer = 'long')
                         FROM scores GROUP BY row_id""",
    ).rows()
    assert len(rows) == 32 and all(long == (chars >= 20) for chars, long in rows)


class Ends(Progress):
    """Keeps the result lines of stages."""

    def __init__(self):
        self.ended = {}

    def end(self, label, result, *, reused=False):
        self.ended[label] = result


@pytest.mark.slow
def test_a_question_that_fails_leaves_a_null_with_its_reason(folder):
    with Stub(faults={"context": {"match": "say exactly: 3"}}) as stub:
        store, said = Store(folder / "store"), Ends()
        run(judged(folder, stub.url, JUDGED.replace("as: rating", "as: rating, max_failed: 1")), store, progress=said)
        rows = query(store, "SELECT value, error FROM scores WHERE scorer = 'rating'").rows()
        failed = [error for value, error in rows if value is None]
        assert 0 < len(failed) < len(rows) and all("context" in error for error in failed)
        assert all(error is None for value, error in rows if value is not None)
        (line,) = [end for label, end in said.ended.items() if label.endswith("rating")]
        assert f"{len(failed)} null (judge at {stub.url}" in line and "HTTP 400: This model's maximum context" in line
        with pytest.raises(Failed, match="rating.*more than max_failed allows"):
            strict = JUDGED.replace("as: rating", "as: rating, max_failed: 0")
            run(judged(folder, stub.url, strict), Store(folder / "s"))


@pytest.mark.slow
def test_a_used_up_budget_leaves_scores_out_and_more_adds_them(stub, folder):
    undisturbed = Store(folder / "whole")
    run(judged(folder, stub.url), undisturbed)
    store = Store(folder / "store")
    with pytest.raises(Stopped, match="models.b.max_requests"):
        run(judged(folder, stub.url, more="max_requests: 2"), store)
    rows = query(store, "SELECT value, error FROM scores WHERE scorer = 'rating'").rows()
    assert len(rows) == 32 and {error for value, error in rows if value is None} == {"not asked: a budget is used up"}
    assert any(value is not None for value, _ in rows)
    run(judged(folder, stub.url, more="max_requests: 20"), store)
    assert tables(store) == tables(undisturbed)


def test_a_scorer_that_asks_again_is_sent_what_it_asked(stub, folder):
    store = Store(folder / "store")
    run(judged(folder, stub.url, JUDGED.replace("model: b,", "model: b, times: 3,")), store)
    rows = query(
        store,
        """SELECT value, length(response) % 7 FROM scores JOIN completions ON completion_id = row_id
                         WHERE scorer = 'rating'""",
    ).rows()
    assert rows and all(value == 3 * once for value, once in rows)


def test_a_scorer_that_raises_is_told_with_its_line(stub, folder):
    with pytest.raises(UserError, match=r"job.yaml:\d+: score 'own.broken' failed: ValueError: no good"):
        steps = SAMPLE + SCORE + "\n  - score: {use: own.broken, model: b}\n"
        run(judged(folder, stub.url, steps), Store(folder / "s"))


def test_a_prompts_candidates_are_scored_together(stub, folder):
    twice = SAMPLE + SAMPLE.replace("n: 4", "n: 2").replace("model: a", "model: b") + SCORE
    store = Store(folder / "store")
    run(judged(folder, stub.url, twice + "\n  - score: {use: own.share, as: k}\n"), store)
    assert query(store, "SELECT DISTINCT value FROM scores WHERE scorer = 'k'").rows() == [(6.0,)]
    assert query(store, "SELECT count(*) FROM scores WHERE scorer = 'k'").item() == 48
    manifest = next(p for p in (folder / "store" / "stages").glob("completions.score.k-*"))
    assert "seen together" in (manifest / "stage.json").read_text()


@pytest.mark.slow
def test_accepting_by_a_score_that_asks(stub, folder):
    steps = (
        SAMPLE.replace("n: 4,", 'n: 2, accept: 4, accepted: "rating >= 3", max_candidates: 12,')
        + SCORE
        + "\n  - score: {use: own.rated, model: b, as: rating}\n"
    )
    store = Store(folder / "store")
    run(judged(folder, stub.url, steps), store)
    assert (
        query(
            store,
            """SELECT count(DISTINCT prompt_id) FROM completions JOIN scores ON row_id = completion_id
                         WHERE scorer = 'rating' AND value >= 3""",
        ).item()
        == 4
    )
