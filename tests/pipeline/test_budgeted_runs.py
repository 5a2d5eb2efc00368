"""Budgets of whole runs, through a server: none is passed, and larger ones come to what an undisturbed run does."""

import re

import pytest

from curate.api.run import built, run
from curate.storage.store import Store
from schemas.errors import Stopped
from tests.command import call, mistake
from tests.jobs import last_run, query, tables
from tests.served import SCORE, served, server, total
from tests.stub_server import Stub

pytestmark = pytest.mark.slow  # seconds for the file


@pytest.fixture(scope="module")
def stub():
    with Stub() as one:
        yield one


def two_models(url, prices, of_a=""):
    """Two models behind one server, with prices."""
    more = {"a": of_a and f", {of_a}", "b": ""}
    made = (f"\n  {k}: {{{server(url, model)}, {prices}{more[k]}}}" for k, model in (("a", "big"), ("b", "small")))
    return "".join(made) + "\n"


MANY = (
    "\n  - generate: {use: sample, model: a, n: 3, max_tokens: 30}"
    "\n  - generate: {use: critique_revise, model: b, n: 1, max_tokens: 60, where: sample_index = 0}" + SCORE
)
PRICES = "prompt_price: 100.0, completion_price: 500.0"


@pytest.fixture(scope="module")
def undisturbed(stub, tmp_path_factory):
    """The tables of ``MANY``, and what it takes of both models and of one."""
    folder = tmp_path_factory.mktemp("undisturbed")
    store = Store(folder / "store")
    run(served(folder, stub.url, rows=10, models=two_models(stub.url, PRICES), completions=MANY), store)
    return tables(store), {"budget": used(store), "model": used(store, "WHERE model = 'a'")}


def used(store, who=""):
    """The sums spent, by the limits that count them."""
    return query(
        store,
        f"""SELECT sum(requests)::BIGINT AS max_requests, sum(cost) AS max_cost,
        sum(prompt_tokens + completion_tokens)::BIGINT AS max_tokens FROM costs {who}""",
    ).row(0, named=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("owner", "limit"),
    [("budget", "max_requests"), ("budget", "max_tokens"), ("budget", "max_cost"), ("model", "max_cost")],
)
def test_a_budget_is_kept_and_larger_ones_give_the_same_tables(stub, tmp_path, undisturbed, limit, owner):
    expected, needed = undisturbed
    store, before = Store(tmp_path / "store"), stub.stats()
    stops = 0
    for share in (0.15, 0.5, 20):
        most = needed[owner][limit] * share
        most = most if limit == "max_cost" else int(most)
        told = f"{limit}: {most}"
        recipe = served(
            tmp_path,
            stub.url,
            rows=10,
            completions=MANY,
            top=f"budget: {{{told}}}\n" if owner == "budget" else "",
            models=two_models(stub.url, PRICES, told if owner == "model" else ""),
        )
        try:
            run(recipe, store)
            assert share > 1 and last_run(store)["status"] == "finished"
        except Stopped as stop:
            stops += 1
            name = "budget" if owner == "budget" else "models.a"
            assert str(stop).startswith(f"{name}.{limit} is reached: ") and "the datasets are made" in str(stop).lower()
            assert last_run(store)["status"] == "stopped" and last_run(store)["error"] == str(stop)
            assert [*built(recipe, store, []).datasets] == ["sft", "rl"], "training finds what there is"
        assert (used(store, "" if owner == "budget" else "WHERE model = 'a'")[limit] or 0) <= most
    assert stops == 2 and tables(store) == expected
    after = stub.stats()
    assert after["requests"] - before["requests"] == total(store, "requests")
    assert total(store, "requests") == needed["budget"]["max_requests"]
    assert after["choices"] - before["choices"] == total(store, "replies")


@pytest.mark.slow
def test_seconds_are_a_budget_too(tmp_path):
    with Stub(delay=0.1) as slow:
        steps = "\n  - generate: {use: sample, model: a, n: 2, max_tokens: 30, temperature: 0.8}" + SCORE
        store, whole = Store(tmp_path / "store"), Store(tmp_path / "whole")

        def job(top=""):
            return served(tmp_path, slow.url, rows=24, more="concurrency: 2", completions=steps, top=top)

        with pytest.raises(Stopped, match=r"budget\.max_seconds is reached: 0\.\d+ of 0\.5 spent"):
            run(job("budget: {max_seconds: 0.5}\n"), store)
        asked = total(store, "requests")
        assert 2 <= asked <= 12 and 0.3 <= total(store, "seconds") <= 2
        run(job("budget: {max_seconds: 600}\n"), store)
        assert total(store, "requests") == 24 == slow.stats()["requests"]
        run(job(), whole)
        assert tables(store) == tables(whole)
        assert 0.9 <= total(whole, "seconds") <= 10, "12 rounds of 0.1 s"


def test_a_budget_ends_with_code_3_and_says_how_to_go_on(stub, tmp_path):
    recipe = served(tmp_path, stub.url, top="budget: {max_requests: 3}\n")
    done = call(tmp_path, "run", recipe.path)
    assert done.code == 3
    (line,) = [line for line in done.err.splitlines() if line.startswith("stopped: ")]
    assert re.findall(r"run again with (--set \S+)\.", line) == ["--set budget.max_requests=6"]
    assert "The datasets are made of what there is" in line
    store = Store(tmp_path / "store")
    assert total(store, "requests") <= 3 and last_run(store)["status"] == "stopped"
    assert call(tmp_path, "run", recipe.path, "--set", "budget.max_requests=600").code == 0
    assert total(store, "replies") == 32


def test_a_recipe_with_another_name_has_a_budget_of_its_own(stub, tmp_path):
    store = Store(tmp_path / "store")
    for name, rows in (("one", 2), ("two", 4)):
        top = "budget: {max_requests: 9}\n"
        run(served(tmp_path, stub.url, rows=rows, name=name, more="choices: 1", top=top), store)
    assert [(r["recipe"], r["requests"]) for r in query(store, "FROM costs ORDER BY run_id").rows(named=True)] == [
        ("one", 8),
        ("two", 8),
    ]


@pytest.mark.parametrize(
    ("top", "said"),
    [
        ("budget: {max_cost: 3}\n", r"job\.yaml:5: budget\.max_cost needs the prices of 'a'"),
        (
            "budget: {max_request: 3}\n",
            r"job\.yaml:3: no key in budget called 'max_request'; did you mean 'max_requests'",
        ),
        ("budget: {max_tokens: 1.5}\n", r"job\.yaml:3: budget\.max_tokens: expected a whole number, found 1\.5"),
        ("budget: {max_requests: -1}\n", r"job\.yaml:3: budget\.max_requests: expected a number from 0, found -1"),
    ],
)
def test_a_wrong_budget_is_one_line_and_code_2(tmp_path, top, said):
    path = served(tmp_path, "http://127.0.0.1:9/v1").path
    path.write_text(path.read_text().replace("models:", f"{top}models:"))
    assert re.search(said, mistake(call(tmp_path, "run", path)))


@pytest.mark.slow
def test_no_budget_is_passed_by_attempts_that_fail(stub, tmp_path):
    """Half of all requests lose their connection in mid-body, twice: that may be billed, and so counts."""
    store, whole = Store(tmp_path / "store"), Store(tmp_path / "whole")
    steps = "\n  - generate: {use: sample, model: a, n: 2, max_tokens: 30}" + SCORE
    run(served(tmp_path, stub.url, rows=16, completions=steps), whole)
    with Stub(faults={"close": {"every": 2, "times": 2}}) as lossy:
        for limit in (9, 20, 400):
            top = f"budget: {{max_requests: {limit}}}\n"
            try:
                run(served(tmp_path, lossy.url, rows=16, completions=steps, top=top), store)
                assert limit == 400
            except Stopped as stop:
                assert str(stop).startswith("budget.max_requests is reached: ") and limit < 400
                assert query(store, "SELECT count(*) FROM completions WHERE error IS NOT NULL").item() == 0
            assert limit >= total(store, "requests") == lossy.stats()["requests"]
            assert last_run(store)["status"] == ("finished" if limit == 400 else "stopped")
        assert lossy.stats()["faults"]["close"] > 8 and total(store, "failed") == 0
    assert tables(store) == tables(whole)
