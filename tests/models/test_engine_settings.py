"""Models, budgets and requests in a recipe: every mistake is one line, and a key never gets anywhere."""

import os
import re
import sqlite3

import pytest

from curate.api.run import plan, run
from curate.models.engine import Task
from curate.models.engine_settings import check_task, resolve_model
from curate.models.model_ref import ModelRef
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.load_recipe import load_recipe
from schemas.recipe import Model
from tests.command import call, mistake, process
from tests.jobs import last_run
from tests.served import SCORE, served, total
from tests.stub_server import Stub

NOWHERE = "http://127.0.0.1:9/v1"
KEY = "sk-very/secret+key-0123456789"


def test_what_changes_a_servers_answers_changes_the_identity():
    def identity(**settings):
        return resolve_model(
            "a", Model.model_validate({"engine": "openai", "model": "m", "base_url": NOWHERE} | settings)
        ).identity

    plain = identity()
    assert plain == identity(leave_out=["seed"], max_tokens_name="max_completion_tokens", send_reasoning=False)
    assert identity(send_reasoning=True) == f"{plain}+reasoning"
    assert len({plain, identity(extra_body={"a": 1}), identity(extra_body={"a": 1}, send_reasoning=True)}) == 3


def test_the_identity_is_all_servers_in_whatever_order():
    def identity(base_url):
        return resolve_model(
            "a", Model.model_validate({"engine": "openai", "model": "m", "base_url": base_url})
        ).identity

    assert identity("http://h:1/v1") == identity(["http://h:1"]) == "m@h:1"
    several = identity(["http://h:1/v1", "https://g/x/v1/"])
    assert several == identity(["https://g/x", "http://h:1"]) and several.startswith("m@servers:")
    assert (
        len({several, identity(["http://h:1", "http://g/y"]), identity(["http://h:1", "http://g/x", "http://f"])}) == 3
    )


def refused(recipe_or_text, tmp_path):
    """The one line that a recipe's mistake gets."""
    with pytest.raises(UserError) as error:
        if isinstance(recipe_or_text, str):
            (tmp_path / "job.yaml").write_text(recipe_or_text)
            recipe_or_text = load_recipe(tmp_path / "job.yaml")
        plan(recipe_or_text, None)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("concurency: 3", r"no setting of the engine 'openai' called 'concurency'; did you mean 'concurrency'?"),
        ("batch_tokens: 3", "no setting of the engine 'openai' called 'batch_tokens'"),
        ("concurrency: many", "a.concurrency: expected a whole number, found 'many'"),
        ("concurrency: 1.5", "a.concurrency: expected a whole number, found 1.5"),
        ("concurrency: true", "a.concurrency: expected a whole number, found True"),
        ("concurrency: null", "a.concurrency: expected a whole number, found None"),
        ("concurrency: -1", "a.concurrency: -1 is out of range, it is at least 0"),
        ("concurrency: 0", "a.concurrency: 0 is out of range, it is above 0"),
        ("concurrency: 1e10", "a.concurrency: expected a whole number, found 10000000000.0"),
        ("concurrency: 10000000000", "a.concurrency: 10000000000 is out of range, it is at most 10,000"),
        ("choices: 0", "a.choices: 0 is out of range"),
        ("timeout: 0", "a.timeout: 0 is out of range"),
        ("timeout: .nan", "a.timeout: nan is out of range"),
        ("timeout: .inf", "a.timeout: inf is out of range"),
        ("retries: -1", "a.retries: -1 is out of range"),
        ("requests_per_minute: 0", "a.requests_per_minute: 0 is out"),
        ("max_cost: 3", "a: max_cost needs the prices: prompt_price and completion_price"),
        ("max_cost: .nan, prompt_price: 1", "a.max_cost: nan is out of range"),
        ("prompt_price: free", "a.prompt_price: expected a number, found 'free'"),
        ("max_tokens: 1.5", "a.max_tokens: expected a whole number, found 1.5"),
        ("max_requests: -3", "a.max_requests: -3 is out of range"),
        ("extra_body: [1]", "a.extra_body: expected a mapping, found [1]"),
        ("leave_out: seed", "a.leave_out: expected a list, found 'seed'"),
        ("leave_out: [3]", "a.leave_out: expected a list of texts, found 3 in it"),
        ("leave_out: [sed]", "a.leave_out: no parameter that can be left out called 'sed'; did you mean 'seed'?"),
        ("leave_out: [tools]", "a.leave_out: no parameter that can be left out called 'tools'"),
        (
            "leave_out: [seed], extra_body: {seed: 4}",
            "a.leave_out: 'seed' is in extra_body, which is sent; take it out",
        ),
        ("max_tokens_name: max_new_tokens", "no max_tokens_name 'max_new_tokens'"),
        ("send_reasoning: 1", "a.send_reasoning: expected a true or false, found 1"),
        ("user_prefix: 3", "a.user_prefix: expected a text, found 3"),
        ("max_cost: 3, prompt_price: 1", "a: max_cost needs the prices: prompt_price and completion_price"),
        ("user_prefix: ''", "a.user_prefix: is empty"),
        ("extra_body: {n: 3}", "a.extra_body: 'n' is set by gristmill itself"),
    ],
)
def test_a_wrong_setting_of_a_model_is_one_line_with_its_place(tmp_path, setting, said):
    line = refused(served(tmp_path, NOWHERE, more=setting), tmp_path)
    assert line.startswith(f"{tmp_path / 'job.yaml'}:4: ") and said in line


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("{engine: opnai, model: big}", "no engine 'opnai'; did you mean 'openai'?"),
        ("{engine: openai, model: big}", "a: the engine 'openai' needs base_url"),
        ("{engine: openai, base_url: localhost, model: big}", "a.base_url: expected an address such as"),
        ("{engine: openai, base_url: 'ftp://x/v1', model: big}", "a.base_url: expected an address such as"),
        ("{engine: openai, base_url: 5, model: big}", "a.base_url: expected a text or list, found 5"),
        ("{engine: openai, base_url: [], model: big}", "a.base_url: expected 1 to 256 addresses, found 0"),
        ("{engine: openai, base_url: ['http://h/v1', 5], model: big}", "a.base_url: expected a list of texts, found 5"),
        ("{engine: openai, base_url: ['http://h/v1', ''], model: big}", "a.base_url: expected an address such as"),
        ("{engine: openai, base_url: ['http://h/v1', 'http://H'], model: big}", "names the server http://h/v1 twice"),
        ("{engine: openai, base_url: ['http://h/v1', 'http://a:b@g'], model: big}", "holds a name, a password"),
        (
            f"{{engine: openai, base_url: {[f'http://h:{port}' for port in range(1, 258)]}, model: big}}",
            "a.base_url: expected 1 to 256 addresses, found 257",
        ),
        ("{engine: vllm, model: smollm2-135m, servers: 0}", "a.servers: 0 is out of range"),
        ("{engine: vllm, model: smollm2-135m, servers: 65}", "a.servers: 65 is out of range, it is at most 64"),
        ("{engine: openai, base_url: 'http://h:abc/v1', model: big}", "a.base_url: expected an address such as"),
        ("{engine: openai, base_url: 'http://h:99999/v1', model: big}", "a.base_url: expected an address such as"),
        ("{engine: openai, base_url: 'http://[::1/v1', model: big}", "a.base_url: expected an address such as"),
        ("{engine: openai, base_url: 'http://h/v1', model: ''}", "a.model: is empty"),
        ("{engine: vllm, model: smollm2-135m, python: /nope}", "a.python: /nope does not exist; 'make vllm' makes"),
        ("{engine: vllm, model: smollm2-135m, args: [1]}", "a.args: expected a list of texts, found 1 in it"),
        ("{engine: vllm, model: smollm2-135m, args: [--port=1]}", "a.args: --port is set by gristmill itself"),
        ("{engine: vllm, model: smollm2-135m, args: [--api-key, x]}", "a.args: --api-key is set by gristmill itself"),
        ("{engine: vllm, model: smollm2-135m, args: [--runner, x]}", "a.args: --runner is set by gristmill itself"),
        ("{engine: openai, base_url: 'http://h/v1', model: m, labels: [a, 1]}", "a.labels: expected a list of texts"),
        ("{engine: openai, base_url: 'http://127.0.0.1:9/v1'}", "models.a.model is missing"),
        ("{model: smollm2-135m, base_url: 'http://x/v1'}", "no setting of the engine 'transformers' called 'base_url'"),
        ("{model: smollm2-135m, batch_tokens: 0}", "a.batch_tokens: 0 is out of range"),
        ("{model: smollm-135m}", "did you mean 'smollm2-135m'?"),
    ],
)
def test_a_model_that_is_none_is_one_line(tmp_path, model, said):
    text = served(tmp_path, NOWHERE).path.read_text()
    lines = [f"  a: {model}" if line.startswith("  a: ") else line for line in text.splitlines()]
    assert said in refused("\n".join(lines), tmp_path)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("model: a, temprature: 1", "no setting of generate 'sample' called 'temprature'; did you mean 'temperature'?"),
        ("model: a, temperature: hot", "temperature: expected a number, found 'hot'"),
        ("model: a, temperature: -1", "temperature: -1 is out of range, it is at least 0"),
        ("model: a, temperature: .nan", "temperature: nan is out of range"),
        ("model: a, temperature: .inf", "temperature: inf is out of range"),
        ("model: a, temperature: []", "temperature: expected a number, found []"),
        ("model: a, temperature: [0.5, x]", "temperature: expected a number, found 'x'"),
        ("model: a, top_p: 0", "top_p: 0 is out of range, it is above 0 and at most 1"),
        ("model: a, top_p: 1.1", "top_p: 1.1 is out of range"),
        ("model: a, top_k: 1.5", "top_k: expected a whole number, found 1.5"),
        ("model: a, max_tokens: 0", "max_tokens: 0 is out of range, it is at least 1"),
        ("model: a, n: 0", "n: 0 is out of range"),
        ("model: a, n: 1e11", "n: expected a whole number, found 100000000000.0"),
        ("model: a, n: 100000000000", "n: 100,000,000,000 is out of range, it is at most 100,000"),
        ("model: a, n: true", "n: expected a whole number, found True"),
        ("model: a, stop: 5", "stop: expected a text or a list of texts, found 5"),
        ("model: a, stop: ['']", "stop: expected a text or a list of texts, found ['']"),
        ("model: a, logprobs: yes please", "logprobs: expected true or false, found 'yes please'"),
        ("model: a, max_failed: 5", "max_failed: 5 is out of range, it is a share from 0 to 1"),
        ("model: a, max_failed: -0.1", "max_failed: -0.1 is out of range"),
        (
            "model: a, response_format: 5",
            "response_format: expected a JSON schema (a mapping, or a file of it), found 5",
        ),
        ("model: a, response_format: none.json", "response_format: "),
        ("model: a, where: 5", "where: expected an SQL condition"),
        ("model: a, where: false", "where: expected an SQL condition"),
        ("model: c", "no model 'c'"),
        ("n: 3", "generate 'sample' needs 'model', one of: a"),
        ("model: 5", "model: expected a name, a list of names, or names with weights"),
        ("model: []", "model: expected a name, a list of names"),
        ("model: [[a]]", "model: expected a name, a list of names"),
        ("model: {a: 0}", "model: a weight is a number above 0, found 0"),
        ("model: {a: .nan}", "model: a weight is a number above 0, found nan"),
        ("model: {a: .inf}", "model: a weight is a number above 0, found inf"),
        ("model: {a: x}", "model: a weight is a number above 0, found 'x'"),
        ("model: a, examples: [{prompt: x}]", "examples[0] has 'prompt'; expected 'prompt' and 'completion'"),
        ("model: a, examples: 5", "examples"),
        ("model: a, system: 5", "system: expected"),
    ],
)
def test_a_wrong_way_to_ask_is_one_line_with_its_place(tmp_path, step, said):
    steps = "\n  - generate: {use: sample, " + step + "}" + SCORE
    line = refused(served(tmp_path, NOWHERE, completions=steps), tmp_path)
    assert said in line
    assert line.startswith(f"{tmp_path / 'job.yaml'}:8: ") or "examples[0]" in line


def test_a_setting_that_an_engine_does_not_have_is_refused(tmp_path):
    text = served(tmp_path, NOWHERE).path.read_text()
    lines = ["  a: smollm2-135m" if line.startswith("  a: ") else line for line in text.splitlines()]
    text = "\n".join(lines).replace("n: 4,", "n: 4, response_format: {type: object},")
    assert "response_format: the engine 'transformers' of the model 'a' does not support it" in refused(text, tmp_path)


# Keys -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setting",
    [
        "api_key: sk-1234secret",
        "key: sk-1234secret",
        "token: sk-1234secret",
        "api_key_env: sk-1234secret",
        "api_key_env: 'A KEY sk-1234secret'",
        "api_key_env: gsk_1234secret",
        "api_key_env: sk_live_1234secret",
    ],
)
def test_a_key_in_a_recipe_is_refused_and_not_repeated(tmp_path, setting):
    recipe = served(tmp_path, NOWHERE, more=setting)
    line = mistake(call(tmp_path, "run", recipe.path))
    assert "a recipe never holds a key" in line and "environment variable" in line and "sk-1234secret" not in line
    assert not found_in(tmp_path / "store", b"1234secret")


@pytest.mark.parametrize("url", ["http://me:sk-1234secret@127.0.0.1:9/v1", "http://127.0.0.1:9/v1?key=sk-1234secret"])
def test_a_key_in_an_address_is_refused_and_not_repeated(tmp_path, url):
    line = mistake(call(tmp_path, "run", served(tmp_path, url).path))
    assert "a.base_url: holds a name, a password or a query" in line and "sk-1234secret" not in line


def test_a_variable_that_is_not_set_is_named(tmp_path):
    with Stub(key=KEY) as stub:
        recipe = served(tmp_path, stub.url, more="api_key_env: NO_SUCH_KEY_HERE")
        done = call(tmp_path, "run", recipe.path)
        said = "models.a: the environment variable NO_SUCH_KEY_HERE, which api_key_env names, is not set"
        said += "; set it in this shell: export NO_SUCH_KEY_HERE=..."
        assert done.code == 2 and done.err.splitlines()[-1] == f"error: {said}"
        assert stub.stats()["requests"] == 0


def found_in(folder, secret):
    """The files below a folder that hold these bytes, however SQLite, Parquet or DuckDB may keep them."""
    held = [path for path in folder.rglob("*") if path.is_file() and secret in path.read_bytes()]
    for path in folder.rglob("*.sqlite"):
        with sqlite3.connect(path) as db:
            held += [path] if secret.decode() in "\n".join(db.iterdump()) else []
    return held


@pytest.mark.slow
def test_a_key_reaches_the_server_and_nothing_else(tmp_path, monkeypatch):
    """Also where the server gives away the request's headers in its errors, and where a reply repeats the key."""
    monkeypatch.setenv("TEACHER_KEY", KEY)
    rows = [{"prompt": f"question {i}"} for i in range(4)] + [{"prompt": "recite"}]
    faults = {"422": {"match": "question 3", "echo": True, "times": 0}, "500": {"match": "question 2", "echo": True}}
    with Stub(key=KEY, faults=faults) as stub:
        text = "\n  - generate: {use: sample, model: a, n: 2, max_failed: 0.5}" + SCORE
        recipe = served(tmp_path, stub.url, rows=rows, more="api_key_env: TEACHER_KEY", completions=text)
        done = call(tmp_path, "run", recipe.path)
        assert done.code == 0, done.err
        store = Store(tmp_path / "store")
        assert total(store, "replies") == 8 and total(store, "failed") == 2
        stats = stub.stats()
        assert stats["authorized"] == stats["requests"] > 5 and stats["unauthorized"] == 0
        for part in (KEY, KEY[3:]):
            assert part not in done.out + done.err and found_in(tmp_path / "store", part.encode()) == []
        shown = call(tmp_path, "sql", r"SELECT error FROM completions WHERE error IS NOT NULL\G")
        assert "[key]" in re.sub(r"\s+", "", shown.out) and KEY[:9] not in shown.out
    monkeypatch.setenv("TEACHER_KEY", "sk-another-secret-of-mine")
    with Stub(key=KEY, faults={"401": {"echo": True, "times": 0}}) as stub:
        recipe = served(tmp_path, stub.url, rows=9, more="api_key_env: TEACHER_KEY")
        done = call(tmp_path, "run", recipe.path, "--set", "models.a.identity=other")
        assert done.code == 2 and done.err.count("error:") == 1 and "HTTP 401" in done.err
        assert "sk-another-secret" not in done.out + done.err + str(last_run(Store(tmp_path / "store")))
        assert found_in(tmp_path / "store", b"sk-another-secret") == []


@pytest.mark.slow
def test_a_key_is_in_no_traceback_of_a_debug_run(tmp_path):
    with Stub(key=KEY, faults={"401": {"echo": True, "times": 0}}) as stub:
        recipe = served(tmp_path, stub.url, rows=2, more="api_key_env: TEACHER_KEY")
        code = (
            f"import os, sys; os.environ['TEACHER_KEY'] = {KEY!r}; from cli.main import main; "
            f"sys.argv = ['gristmill', 'run', {str(recipe.path)!r}, '--debug']; main()"
        )
        done = process(tmp_path, code=code)
    assert done.code != 0 and "Traceback" in done.err and "HTTP 401" in done.err
    assert KEY not in (done.out + done.err).replace(repr(KEY) + "; from", "") and "TEACHER_KEY" not in os.environ


def test_models_that_ask_nobody_need_no_key(tmp_path):
    recipe = served(tmp_path, NOWHERE, more="api_key_env: NO_SUCH_KEY_HERE")
    assert plan(recipe, None).requests == 32
    store = Store(tmp_path / "store")
    run(served(tmp_path, NOWHERE, more="api_key_env: NO_SUCH_KEY_HERE", completions=SCORE), store)
    assert last_run(store)["status"] == "finished"


def test_an_unsupported_task_names_the_engines_that_have_it():
    server, here = ModelRef("t", "t@0", "big", "openai"), ModelRef("s", "s@0", "/m")
    known: list[tuple[ModelRef, Task]] = [(server, "reward"), (here, "reward"), (here, "loss"), (here, "generate")]
    for ref, task in known:
        check_task(ref, task, "r.yaml:3")
    said = r"^r.yaml:3: the engine 'openai' of the model 't' can't do this \(task 'loss'\); these can: transformers$"
    with pytest.raises(UserError, match=said):
        check_task(server, "loss", "r.yaml:3")
