"""``generate`` in ``completions:``, through a server: who is asked what, what is asked again, and what ends a run."""

import json
import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.api.run import plan, run
from curate.models.model_ref import ModelRef
from curate.pipeline.generate.sampling_settings import SamplingSettings
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.load_recipe import load_recipe
from schemas.requests import Sampling
from tests.command import call
from tests.jobs import last_run, query, tables
from tests.served import SAMPLE, SCORE, served, server, total
from tests.stub_server import Stub

pytestmark = pytest.mark.slow  # whole runs or many processes: seconds for the file

TOOLS = [
    {
        "type": "function",
        "function": {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}},
    }
]


@pytest.fixture(scope="module")
def stub():
    with Stub() as one:
        yield one


def sample(more, score=SCORE):
    return "\n  - generate: {use: sample, " + more + "}" + score


def two_models(url, more_a="", more_b=""):
    """Two models behind one server."""
    return (
        "".join(
            f"\n  {name}: {{{server(url, model)}{more and f', {more}'}}}"
            for name, model, more in (("a", "big", more_a), ("b", "small", more_b))
        )
        + "\n"
    )


def spent(store):
    """Requests answered and reused by the latest run."""
    assert last_run(store)["status"] == "finished"
    return last_run(store)["requests"], last_run(store)["requests_reused"]


def result(store, part="generate"):
    """The result line of the first stage with this in its name."""
    found = next(s for s in last_run(store)["stages"] if part in s["stage"])
    return store.stage(found["stage_id"]).manifest["result"]


# Who makes which sample, and how ------------------------------------------------------------------------------------


def settings_of(weights, n=4, temperatures=(0.5,), seed=0):
    refs = [ModelRef(name, f"{name}@1", name, "openai") for name in weights]
    models = tuple((ref, weights[ref.name] / sum(weights.values())) for ref in refs)
    return SamplingSettings(models, n, temperatures, Sampling(seed=seed), 0.0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 99))
def test_models_make_samples_in_proportion_to_their_weights(weights, seed):
    ask = settings_of({f"m{i}": w for i, w in enumerate(weights)}, seed=seed)
    drawn = [ask.model_index(f"row {i}", k) for i in range(500) for k in range(4)]
    for number, weight in enumerate(weights):
        share = weight / sum(weights)
        assert abs(drawn.count(number) / 2000 - share) < 5 * (share * (1 - share) / 2000) ** 0.5 + 1e-9
    assert drawn == [ask.model_index(f"row {i}", k) for i in range(500) for k in range(4)]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.5]), min_size=1, max_size=3))
def test_a_larger_n_keeps_the_requests_there_were(low, high, temperatures):
    low, high = sorted((low, high))
    rows = pl.DataFrame(
        {
            "row_id": ["x", "y"],
            "ask": [json.dumps([{"role": "user", "content": c}]) for c in "xy"],
            "tools": [None, None],
        },
        schema_overrides={"tools": pl.String},
    )
    made = {}
    for n in (low, high):
        found = [
            (p, ref.name, group)
            for p, ref, group in settings_of({"a": 2, "b": 1}, n, tuple(temperatures)).requests(rows)
        ]
        for _, _, group in found:
            assert len({(r.messages, r.sampling) for r in group}) == 1, "a group differs in its sample_index only"
        made[n] = {(p, r.sample_index): (name, r) for p, name, group in found for r in group}
        assert made[n].keys() == {(p, i) for p in (0, 1) for i in range(n)}
        assert all(r.sampling.temperature == temperatures[i % len(temperatures)] for (_, i), (_, r) in made[n].items())
    assert made[low].items() <= made[high].items()
    first = rows.with_columns(first=pl.lit(low), end=pl.lit(high))  # what is new alone
    ask = settings_of({"a": 2, "b": 1}, low, tuple(temperatures))
    more = {r.key for *_, group in ask.requests(first) for r in group}
    assert more == {r.key for place, (_, r) in made[high].items() if place not in made[low]}


def test_every_candidate_names_its_model_which_alone_was_asked(stub, tmp_path):
    store = Store(tmp_path / "store")
    recipe = served(
        tmp_path,
        stub.url,
        rows=10,
        models=two_models(stub.url),
        completions=sample("model: {a: 0.7, b: 0.3}, n: 4, temperature: [0.5, 1.0]"),
    )
    wanted = {w.ref.name: w.requests for w in plan(recipe, store).model_requests}
    run(recipe, store)
    made = dict(query(store, "SELECT model, count(*) FROM completions GROUP BY 1").rows())
    assert made == {"big": wanted["a"], "small": wanted["b"]}
    assert sum(made.values()) == 40 and made["big"] > made["small"]
    assert {(r["model"], r["replies"]) for r in query(store, "FROM costs").rows(named=True)} == {
        ("a", wanted["a"]),
        ("b", wanted["b"]),
    }
    assert query(store, "SELECT count(DISTINCT (prompt_id, sample_index)) FROM completions").item() == 40


@pytest.mark.slow
def test_k_from_4_to_8_pays_only_for_the_new(stub, tmp_path):
    store = Store(tmp_path / "store")
    text = sample("model: [a, b], n: {}, temperature: [0.3, 0.9], max_tokens: 30")
    run(served(tmp_path, stub.url, models=two_models(stub.url), completions=text.replace("{}", "4")), store)
    before = {*tables(store)["completions"]}
    assert spent(store) == (32, 0) and len(before) == 32
    more = served(tmp_path, stub.url, models=two_models(stub.url), completions=text.replace("{}", "8"))
    assert plan(more, store).requests == 32
    run(more, store)
    assert spent(store) == (32, 32) and before < {*tables(store)["completions"]}
    assert total(store, "replies") == 64


# What is asked --------------------------------------------------------------------------------------------------------


def sent(stub):
    return stub.stats()["last"]


@pytest.mark.slow
def test_system_prompts_and_examples_are_sent(stub, tmp_path):
    (tmp_path / "shots.jsonl").write_text(
        '{"prompt": "2 + 2", "completion": "4"}\n{"prompt": "3 + 3", "completion": "6"}\n'
    )
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "1.csv").write_text("prompt,completion\n2 + 2,4\n")
    (tmp_path / "parts" / "2.csv").write_text("prompt,completion\n3 + 3,6\n")
    inline = '[{prompt: 2 + 2, completion: "4"}, {prompt: 3 + 3, completion: "6"}]'
    store = Store(tmp_path / "store")
    for shots in (inline, "parts", "parts/*.csv", "shots.jsonl"):
        run(
            served(tmp_path, stub.url, rows=1, completions=sample(f"model: a, system: be brief, examples: {shots}")),
            store,
        )
    assert [(t["role"], t["content"]) for t in sent(stub)["messages"]] == [
        ("system", "be brief"),
        ("user", "2 + 2"),
        ("assistant", "4"),
        ("user", "3 + 3"),
        ("assistant", "6"),
        ("user", "question 0"),
    ]
    assert total(store, "requests") == 1, "the file says the same: nothing is asked again"
    (tmp_path / "shots.jsonl").write_text('{"prompt": "2 + 2", "completion": "four"}\n')
    run(load_recipe(tmp_path / "job.yaml"), store)
    assert total(store, "requests") == 2 and sent(stub)["messages"][2]["content"] == "four"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"prompt": "no answer"}\n', r"shots\.jsonl:1: expected a prompt of one turn with its completion"),
        (
            '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, '
            '{"role": "user", "content": "c"}], "completion": "d"}\n',
            r"shots\.jsonl:1: expected a prompt of one turn",
        ),
        ("not json\n", r"shots\.jsonl:1"),
        (None, r"shots\.jsonl"),
    ],
)
def test_a_file_of_examples_that_is_none_is_one_line(tmp_path, text, said):
    if text:
        (tmp_path / "shots.jsonl").write_text(text)
    recipe = served(tmp_path, "http://127.0.0.1:9/v1", rows=1, completions=sample("model: a, examples: shots.jsonl"))
    with pytest.raises(UserError, match=said):
        plan(recipe, None)


def test_tools_traces_and_logprobs_have_their_places(stub, tmp_path):
    rows = [{"prompt": "add one", "tools": TOOLS}, *({"prompt": p} for p in ("think hard", "think aloud", "say"))]
    store = Store(tmp_path / "store")
    run(
        served(
            tmp_path,
            stub.url,
            rows=rows,
            completions=sample("model: a, n: 2, logprobs: true"),
            datasets="\n  sft: {type: sft, by: chars}\n",
        ),
        store,
    )
    made = query(
        store,
        """SELECT prompt, c.* FROM completions c JOIN prompts USING (prompt_id)
                         ORDER BY line, sample_index""",
    )
    called, hard, aloud, plain = (made.filter(prompt=row["prompt"]).rows(named=True) for row in rows)
    for row in called:
        (turn,) = json.loads(row["messages"])
        assert turn["tool_calls"][0]["function"]["name"] == "add" and row["finish_reason"] == "tool_calls"
        assert row["response"] == ""
    for row in (*hard, *aloud):
        assert row["reasoning_content"].startswith("so ") and "so " not in row["response"]
        assert "<think>" not in row["response"]
        assert json.loads(row["messages"]) == [
            {"role": "assistant", "content": row["response"], "reasoning_content": row["reasoning_content"]}
        ]
    for row in plain:
        assert row["reasoning_content"] is None
        assert len(row["logprobs"]) == row["completion_tokens"] and all(p < 0 for p in row["logprobs"])
    assert sent(stub)["logprobs"] is True


def test_a_reply_that_follows_a_schema(stub, tmp_path):
    schema = {"type": "object", "properties": {"stars": {"type": "integer", "minimum": 1, "maximum": 5}}}
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    store = Store(tmp_path / "store")
    run(served(tmp_path, stub.url, completions=sample("model: a, n: 2, response_format: schema.json")), store)
    found = query(store, "SELECT response FROM completions")["response"]
    assert all(json.loads(text)["stars"] in range(1, 6) for text in found) and len(found) == 16
    run(served(tmp_path, stub.url, completions=sample(f"model: a, n: 2, response_format: {json.dumps(schema)}")), store)
    assert spent(store) == (0, 0), "written out it is the same schema"


def test_a_step_that_works_on_nothing_asks_nothing(stub, tmp_path):
    store = Store(tmp_path / "store")
    steps = (
        sample("model: a, where: \"prompt = 'none is this'\"", "")
        + "\n  - generate: {use: rewrite, model: a, instruction: shorter}"
        + '\n  - generate: {use: critique_revise, model: a, where: "response is null"}'
        + SCORE
    )
    run(served(tmp_path, stub.url, completions=steps), store)
    assert spent(store) == (0, 0) and query(store, "SELECT count(*) FROM completions").item() == 0


# What fails -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_fails_for_good_is_a_row_with_its_error_in_a_line(tmp_path):
    with Stub(faults={"context": {"match": "question 3"}}) as stub:
        recipe = served(tmp_path, stub.url, completions=sample("model: a, n: 4, max_failed: 0.2, max_tokens: 30"))
        done = call(tmp_path, "run", recipe.path)
        assert done.code == 0, done.err
        store = Store(tmp_path / "store")
        told = result(store)
        assert told.startswith("28 completions, ") and "; 4 requests failed: 4 x big at " in told
        assert "maximum context length is N tokens" in told and told in " ".join(done.err.split())
        failed = query(store, "SELECT * FROM completions WHERE error IS NOT NULL").rows(named=True)
        assert [row["sample_index"] for row in failed] == [0, 1, 2, 3]
        assert all(row["response"] is None and row["model"] == "big" for row in failed)
        said = query(store, "SELECT * FROM decisions WHERE stage = 'completions.generate.sample'").rows(named=True)
        assert {row["row_id"] for row in said} == {row["completion_id"] for row in failed}
        assert {(row["kept"], row["reason"]) for row in said} == {(False, "error")}
        assert all("context length" in row["evidence"] for row in said)
        assert query(store, "SELECT sum(failed) FROM costs").item() == 4
        assert query(store, "SELECT count(*) FROM scores").item() == 28, "nobody scores what is not there"
        requests = stub.stats()["requests"]
        assert call(tmp_path, "run", recipe.path).code == 0 and stub.stats()["requests"] == requests


def test_more_failures_than_allowed_end_the_run_with_code_1(tmp_path):
    faults = {"context": {"match": "question 3"}, "422": {"match": "question 5", "message": "odd", "times": 0}}
    with Stub(faults=faults) as stub:
        text = "model: a, n: 4, max_tokens: 30, max_failed: 0"
        recipe = served(tmp_path, stub.url, rows=12, more="concurrency: 2", completions=sample(text))
        done = call(tmp_path, "run", recipe.path)
        assert done.code == 1
        (line,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
        assert re.match(
            r"error: completions\.generate\.sample: 4 requests failed: 4 x .*; more than max_failed allows "
            r"\(0\); the first asked 'question 3 .*'\. The replies so far are kept",
            line,
        )
        store = Store(tmp_path / "store")
        assert last_run(store)["status"] == "failed" and not [p for p in (store.path / "stages").glob("*generate*")]
        kept, asked = total(store, "replies"), stub.stats()["choices"]
        assert 0 < kept <= asked <= kept + 8, "all but what was in flight"
        done = call(tmp_path, "run", recipe.path, "--set", "completions.0.generate.max_failed=0.2")
        assert done.code == 0 and total(store, "replies") == 40
        assert stub.stats()["choices"] == 40 + asked - kept
        assert "8 requests failed: 4 x" in result(store)


@pytest.mark.slow
def test_the_next_run_asks_again_what_failed_for_now(stub, tmp_path):
    whole, store = Store(tmp_path / "whole"), Store(tmp_path / "store")
    steps = sample("model: a, n: 2, max_tokens: 30, max_failed: 0.5", "") + (
        "\n  - generate: {use: rewrite, model: a, instruction: shorter, max_failed: 1}" + SCORE
    )
    run(served(tmp_path, stub.url, completions=steps), whole)
    with Stub(faults={"500": {"match": "question 2", "times": 0}}) as broken:
        recipe = served(tmp_path, broken.url, more="retries: 0", completions=steps)
        run(recipe, store)
        first = query(store, "SELECT count(*) FROM completions WHERE error IS NOT NULL").item()
        assert first == 2 and "2 failed requests may succeed when run again" in result(store)
        assert [p.cached for p in plan(recipe, store).stages] == [True] * 6
        assert plan(recipe, store).requests == 2, "what the next run would ask"
        stages = store.stages()
        run(recipe, store)  # and it fails again
        assert store.stages() == stages and last_run(store)["requests"] == 2
    run(served(tmp_path, stub.url, completions=steps), store)
    assert spent(store)[0] == 4 and tables(store) == tables(whole)


@pytest.mark.slow
def test_a_server_without_the_model_is_one_line_and_all_is_kept(tmp_path):
    store = Store(tmp_path / "store")
    with Stub() as stub:
        run(served(tmp_path, stub.url, rows=4), store)
        stub.kill()
        assert call(tmp_path, "run", tmp_path / "job.yaml").code == 0, "all is answered: nobody is asked"
    with Stub(model="another") as other:
        recipe = served(tmp_path, other.url, rows=4, completions=SAMPLE.replace("n: 4", "n: 5") + SCORE)
        done = call(tmp_path, "run", recipe.path)
        assert done.code == 2 and done.err.count("error:") == 1
        assert re.match(r"error: models\.a: big at http://.*The model `big` does not exist", done.err.splitlines()[-1])
    assert total(store, "replies") == 16 and last_run(store)["status"] == "failed"
