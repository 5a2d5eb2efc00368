"""``accept: N``: asking goes on until N prompts have what they need, and not a request longer."""

import re

import pytest

from curate.api.run import plan, run
from curate.storage.store import Store
from schemas.errors import Stopped, UserError
from tests.jobs import last_run, query, tables
from tests.served import SCORE, served, total
from tests.stub_server import Stub

pytestmark = pytest.mark.slow  # whole runs or many processes: seconds for the file

STEP = "\n  - generate: {{use: sample, model: a, n: {n}, temperature: 0.9, max_tokens: 30, accept: {accept}{more}}}"
LONG = ', accepted: "chars > {least}"'


@pytest.fixture(scope="module")
def stub():
    with Stub() as one:
        yield one


def job(folder, stub, accept=5, n=2, least=40, more="", rows=20, **others):
    step = STEP.format(n=n, accept=accept, more=(LONG.format(least=least) if least else "") + more)
    return served(folder, stub.url, rows=rows, completions=step + SCORE, **others)


def result(store):
    """The result line of the step's stage, and of each prompt the numbers of its candidates and of those accepted."""
    found = next(s for s in last_run(store)["stages"] if "generate" in s["stage"])
    each = query(
        store,
        """SELECT p.line, count(*), count(*) FILTER (s.value > 40) FROM completions c
        JOIN prompts p USING (prompt_id) LEFT JOIN scores s ON row_id = completion_id GROUP BY 1 ORDER BY 1""",
    )
    return store.stage(found["stage_id"]).manifest["result"], each.rows()


def test_it_ends_with_the_wanted_prompts_and_says_how_it_went(stub, tmp_path):
    store = Store(tmp_path / "store")
    run(job(tmp_path, stub), store)
    said, each = result(store)
    assert sum(accepted > 0 for *_, accepted in each) == 5
    asked = sum(count for _, count, _ in each)
    assert said.startswith(f"5 of 5 prompts with an accepted candidate, from {asked} completions of {len(each)} ")
    assert last_run(store)["requests"] == asked < 40, "and no more was asked than that took"
    assert all(count in (2, 4, 6, 8) for _, count, _ in each)
    # New prompts come first, in order; a prompt that has what it needs gets no more than its wave brought.
    assert [line for line, *_ in each] == [*range(1, len(each) + 1)]
    last = max((count for _, count, accepted in each if accepted), default=0)
    assert all(count <= last for _, count, _ in each)


def by_hand(answers, wanted, n, need, most):
    """How many candidates each prompt gets, by a plain loop; ``answers[i]`` says which of its candidates are good."""
    asked = [0] * len(answers)
    while True:
        satisfied = [sum(a[:k]) >= need for a, k in zip(answers, asked, strict=True)]
        left = wanted - sum(satisfied)
        open_ = [i for i in range(len(answers)) if not satisfied[i] and asked[i] < most]
        chosen = sorted(open_, key=lambda i: asked[i])[: max(left, 0)]
        if not chosen:
            return asked, sum(satisfied)
        for i in chosen:
            asked[i] = min(asked[i] + n, most)


@pytest.mark.slow
@pytest.mark.parametrize(("accept", "n", "need", "most"), [(20, 1, 1, 3), (6, 2, 2, 5)])
def test_the_waves_are_those_that_a_plain_loop_comes_to(stub, tmp_path, accept, n, need, most):
    """Each sample is asked for by itself (``choices: 1``), so that all of them can be looked at beforehand."""
    everything = Store(tmp_path / "all")
    text = f"\n  - generate: {{use: sample, model: a, n: {most}, temperature: 0.9, max_tokens: 30}}"
    run(served(tmp_path / "a", stub.url, rows=12, completions=text + SCORE, more="choices: 1"), everything)
    good = query(
        everything,
        """SELECT list(s.value > 40 ORDER BY sample_index) AS good FROM completions c
        JOIN prompts p USING (prompt_id) JOIN scores s ON row_id = completion_id GROUP BY line ORDER BY line""",
    )
    counts, satisfied = by_hand(good["good"].to_list(), accept, n, need, most)
    store = Store(tmp_path / "store")
    recipe = job(
        tmp_path / "b",
        stub,
        accept,
        n,
        rows=12,
        more=f", need: {need}, max_candidates: {most}",
        **{"models": f'\n  a: {{engine: openai, base_url: "{stub.url}", model: big, identity: big, choices: 1}}\n'},
    )
    run(recipe, store)
    said, each = result(store)
    found = {line: count for line, count, _ in each}
    assert [found.get(i + 1, 0) for i in range(12)] == counts
    assert said.startswith(f"{satisfied} of {accept} prompts with an accepted candidate, from {sum(counts)} comp")
    assert last_run(store)["status"] == "finished"


@pytest.mark.slow
def test_more_wanted_pays_only_for_what_is_new(stub, tmp_path):
    store = Store(tmp_path / "store")
    run(job(tmp_path, stub, accept=4), store)
    first, before = last_run(store)["requests"], query(store, "SELECT completion_id FROM completions")
    run(job(tmp_path, stub, accept=8), store)
    record = last_run(store)
    assert record["requests_reused"] > 0 and total(store, "replies") == first + record["requests"]
    assert {*before["completion_id"]} & {*query(store, "SELECT completion_id FROM completions")["completion_id"]}


def test_the_plan_says_how_many_requests_it_takes_at_most(stub, tmp_path):
    recipe = job(tmp_path, stub, n=2, more=", max_candidates: 6")
    found = plan(recipe, None)
    assert found.requests == 20 * 6
    note = next(p.note for p in found.stages if "generate" in p.label)
    assert note == "at most 120 requests to a, each of at most 30 new tokens"


@pytest.mark.slow
def test_stopped_by_budgets_it_comes_to_the_same_end(stub, tmp_path):
    """Also where two budgets end with as many accepted prompts: what the second one paid for is in the tables."""
    whole, store = Store(tmp_path / "whole"), Store(tmp_path / "store")
    run(job(tmp_path, stub, accept=8, least=52), whole)
    needed, seen = total(whole, "requests"), []
    for limit in (2, 5, 9, 1000):
        recipe = job(tmp_path, stub, accept=8, least=52, top=f"budget: {{max_requests: {limit}}}\n")
        try:
            run(recipe, store)
            assert limit == 1000
        except Stopped as stop:
            assert "budget.max_requests is reached" in str(stop) and "datasets are made of what there is" in str(stop)
            assert "requests were not made: a budget is used up" in result(store)[0]
        assert total(store, "requests") <= limit
        seen.append(query(store, "SELECT count(*) FROM completions").item())
        assert seen[-1] == total(store, "replies"), "what was paid for is there"
    assert seen == sorted({*seen}) and needed > 9
    assert tables(store) == tables(whole) and total(store, "requests") == needed


@pytest.mark.slow
def test_what_failed_for_now_is_asked_again_to_the_same_end(stub, tmp_path):
    whole, store = Store(tmp_path / "whole"), Store(tmp_path / "store")
    run(job(tmp_path, stub, accept=6), whole)
    failing = {"500": {"match": "question 2", "times": 0}}
    with Stub(faults=failing) as broken:
        more = ", max_failed: 0.5"
        run(
            job(
                tmp_path,
                broken,
                accept=6,
                more=more,
                models=(
                    f'\n  a: {{engine: openai, base_url: "{broken.url}", model: big, identity: big, retries: 0}}\n'
                ),
            ),
            store,
        )
        said, _ = result(store)
        assert "failed requests may succeed when run again" in said and re.search(r"failed: \d+ x big at", said)
        assert query(store, "SELECT count(*) FROM completions WHERE error IS NOT NULL").item() > 0
    run(job(tmp_path, stub, accept=6), store)
    assert last_run(store)["status"] == "finished" and tables(store) == tables(whole)
    stages = store.stages()
    run(job(tmp_path, stub, accept=6), store)
    assert store.stages() == stages and last_run(store)["requests"] == 0


@pytest.mark.slow
def test_two_models_take_turns_and_the_condition_may_name_them(stub, tmp_path):
    store = Store(tmp_path / "store")
    models = (
        "".join(
            f'\n  {k}: {{engine: openai, base_url: "{stub.url}", model: {m}, identity: {m}}}'
            for k, m in (("a", "big"), ("b", "small"))
        )
        + "\n"
    )
    step = STEP.format(n=2, accept=6, more=", accepted: \"model = 'small' and chars > 20\"")
    recipe = served(
        tmp_path,
        stub.url,
        rows=20,
        models=models,
        completions=step.replace("model: a", "model: {a: 0.6, b: 0.4}") + SCORE,
    )
    run(recipe, store)
    assert result(store)[0].startswith("6 of 6")
    good = query(
        store,
        """SELECT count(DISTINCT prompt_id) FROM completions JOIN scores ON row_id = completion_id
                         WHERE model = 'small' AND value > 20""",
    )
    assert good.item() == 6


def test_a_condition_over_the_reply_alone_needs_no_score(stub, tmp_path):
    store = Store(tmp_path / "store")
    more = ", accepted: \"finish_reason = 'stop' and prompt like '%1%'\""
    recipe = job(tmp_path, stub, accept=3, least=None, more=more)
    run(recipe, store)
    good = query(
        store,
        "SELECT count(DISTINCT prompt_id) FROM completions JOIN prompts USING (prompt_id) WHERE prompt LIKE '%1%'",
    )
    assert good.item() >= 3 and result(store)[0].startswith("3 of 3")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (", accept: 0", r"accept: 0 is out of range, it is at least 1"),
        (", accept: many", r"accept: expected a whole number, found 'many'"),
        (", accept: 3", r"accept needs 'accepted', the condition \(SQL\)"),
        (", accept: 3, accepted: 5", r"accept needs 'accepted', the condition \(SQL\)"),
        (', accept: 3, accepted: "charz > 3"', r"accepted: .*charz.*the condition is: charz > 3"),
        (', accept: 3, accepted: "chars >"', r"accepted: .*the condition is: chars >"),
        (', accept: 3, accepted: "chars > 3", need: 0', r"need: 0 is out of range"),
        (
            ', accept: 3, accepted: "chars > 3", max_candidates: 1.5',
            r"max_candidates: expected a whole number, found 1.5",
        ),
        (', accepted: "chars > 3"', r"accepted: needs 'accept'"),
        (", max_candidates: 3", r"max_candidates: needs 'accept'"),
        (', accept: 3, acepted: "chars > 3"', r"called 'acepted'; did you mean 'accepted'\?"),
    ],
)
def test_a_mistake_is_one_line_that_says_where(tmp_path, more, said):
    step = "\n  - generate: {use: sample, model: a, n: 2" + more + "}"
    with pytest.raises(UserError, match=r"job\.yaml:8: .*" + said) as error:
        plan(served(tmp_path, "http://127.0.0.1:9/v1", completions=step + SCORE), None)
    assert "\n" not in str(error.value)


def test_nothing_is_wanted_of_no_prompts(stub, tmp_path):
    store = Store(tmp_path / "store")
    recipe = job(tmp_path, stub, more=", where: \"prompt like 'nothing is like this'\"")
    run(recipe, store)
    assert result(store) == ("0 of 5 prompts with an accepted candidate, from 0 completions of 0 prompts, 0 tokens", [])
