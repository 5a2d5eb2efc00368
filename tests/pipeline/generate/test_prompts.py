"""``generate`` in ``prompts:`` and steps of several exchanges, through a server: parents, sides, and what is asked."""

import json
import re
import signal
import time

import pytest

from curate.api.run import plan, run
from curate.storage.store import Store
from schemas.errors import Stopped, UserError
from schemas.load_recipe import load_recipe
from tests.jobs import last_run, query, tables
from tests.killed import replies_kept, started
from tests.served import SCORE, served, server, total
from tests.stub_server import Stub

pytestmark = pytest.mark.slow  # whole runs or many processes: seconds for the file

NONE = "\n  - generate: {use: sample, model: a, n: 1, max_tokens: 30}" + SCORE
RL = "\n  rl: {type: prompt, by: chars}\n"


@pytest.fixture(scope="module")
def stub():
    with Stub() as one:
        yield one


def job(folder, stub, prompts, rows=10, completions=NONE, datasets=RL, **more):
    text = "".join(f"\n  - generate: {{{step}}}" for step in prompts)
    return served(folder, stub.url, rows=rows, prompts=text, completions=completions, datasets=datasets, **more)


def models(url, **more):
    """Models of these names behind one server, each with its further settings."""
    return "".join(f"\n  {k}: {{{server(url, f'is-{k}')}{v and f', {v}'}}}" for k, v in more.items()) + "\n"


def result(store, part):
    found = next(s for s in last_run(store)["stages"] if part in s["stage"])
    return store.stage(found["stage_id"]).manifest["result"]


def prompts_by_id(store):
    return {row["prompt_id"]: row for row in query(store, "SELECT * FROM prompts").rows(named=True)}


# New prompts ----------------------------------------------------------------------------------------------------------

STEPS = {
    "evolve": "how: [deepen, broaden], rounds: 2",
    "self_instruct": "per_request: 1, shots: 2",
    "persona": "personas: [a baker, a judge, a nurse]",
    "backtranslate": "",
    "continue": "turns: 2",
    "magpie": "temperature: 1.0",
}


QUICK = "backtranslate"  # make test-quick runs one


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n != QUICK)) for n in STEPS])
def test_every_step_makes_prompts_with_parents_and_asks_once(stub, tmp_path, name):
    store = Store(tmp_path / "store")
    more = STEPS[name] and f", {STEPS[name]}"
    text = [f"use: {name}, model: a, n: 1, max_tokens: 40{more}"]
    settings = models(stub.url, a="user_prefix: '<user>'")
    recipe = job(tmp_path, stub, text, rows=5, models=settings)
    exchange = plan(recipe, store)
    assert exchange.requests >= 5 and any("5 requests to a in exchange 1" in p.note for p in exchange.stages)
    run(recipe, store)
    made = prompts_by_id(store)
    new = [row for row in made.values() if row["parent_ids"]]
    assert len(new) >= 4 and len(made) == len(new) + 5
    for row in new:
        assert {*row["parent_ids"]} <= {*made} and row["prompt_id"] not in row["parent_ids"]
        assert row["source"] == f"generate.{name}" and json.loads(row["metadata"])["model"] == "is-a"
        assert row["family"] and row["prompt"] == json.loads(row["messages"])[-1]["content"] != ""
    assert query(store, "SELECT count(DISTINCT prompt_id) FROM completions").item() == len(made), (
        "they are asked as well"
    )
    requests = total(store, "requests")
    run(recipe, store)
    assert total(store, "requests") == requests and last_run(store)["requests"] == 0
    run(job(tmp_path, stub, [text[0].replace("n: 1", "n: 2")], rows=5, models=settings), store)
    assert last_run(store)["requests_reused"] >= 5 and {*made} <= {*prompts_by_id(store)}


def test_the_model_writes_the_users_turn_after_its_prefix(stub, tmp_path):
    store, only = Store(tmp_path / "store"), {"rows": 2, "completions": SCORE, "datasets": " {}\n"}
    run(
        job(
            tmp_path,
            stub,
            ["use: magpie, model: a, n: 3, temperature: 1.0"],
            models=models(stub.url, a="user_prefix: '<user>'"),
            **only,
        ),
        store,
    )
    assert stub.stats()["last"]["prompt"] == "<user>" and total(store, "replies") == 6
    new = [row["prompt"] for row in prompts_by_id(store).values() if row["parent_ids"]]
    assert len(new) == 6 == len({*new}), "each is a draw of its own, though all ask the same"
    with pytest.raises(UserError, match=r"models\.b\.user_prefix"):
        run(job(tmp_path, stub, ["use: magpie, model: b, n: 1"], models=models(stub.url, b=""), **only), store)


def test_a_dropped_prompt_does_not_come_back_as_a_models(stub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "import json\nimport polars as pl\n"
        "def prompts(messages):\n"
        "    said = [{'role': 'user', 'content': 'say exactly: question 3'}]\n"
        "    replies = yield pl.Series([json.dumps(said)] * len(messages))\n"
        "    new = [json.dumps([{'role': 'user', 'content': text}], separators=(',', ':')) for text in replies]\n"
        "    return pl.DataFrame({'row': list(range(len(new))), 'messages': new})\n"
    )
    store = Store(tmp_path / "store")
    rows = [{"prompt": f"question {i}"} for i in range(5)]
    made = job(tmp_path, stub, ["use: mine.prompts, model: a"], rows=rows)
    text = made.path.read_text().replace(
        "\n  - generate: {use: mine", "\n  - filter: {odd: \"prompt = 'question 3'\"}\n  - generate: {use: mine"
    )
    made.path.write_text(text)
    run(load_recipe(made.path), store)
    dropped = query(store, "SELECT prompt_id FROM prompts WHERE prompt = 'question 3'")
    assert dropped.height == 1 and "0 new prompts" in result(store, "prompts.generate")
    assert query(store, "SELECT prompt_id FROM completions").join(dropped, on="prompt_id").is_empty()


def test_a_conversation_made_from_one_other_keeps_its_tools(stub, tmp_path):
    tools = [{"type": "function", "function": {"name": "sky", "parameters": {"type": "object", "properties": {}}}}]
    turns = [{"role": role, "content": role} for role in ("user", "assistant", "user")]
    store = Store(tmp_path / "store")
    rows = [{"messages": turns, "tools": tools}]
    run(job(tmp_path, stub, ["use: regenerate, model: a"], rows=rows, completions=SCORE, datasets=" {}\n"), store)
    found = query(store, "SELECT tools, parent_ids FROM prompts")
    assert found["tools"].n_unique() == 1 and found["tools"].null_count() == 0 and found["parent_ids"].null_count() == 1


@pytest.mark.slow
def test_offspring_are_never_on_another_side_than_their_seeds(stub, tmp_path):
    """Also the offspring of offspring, and where the seeds are left out, and where a where names the split."""
    steps = [
        "use: evolve, model: a, n: 2, rounds: 2, max_tokens: 40",
        "use: persona, model: a, personas: [a baker, a judge], keep_seeds: false, where: \"prompt like '%e%'\"",
        "use: continue, model: a, turns: 1, where: \"split = 'train'\"",
    ]
    store = Store(tmp_path / "store")
    run(job(tmp_path, stub, steps, rows=8, split="split: {test: 0.4, other: 0.2}\n"), store)
    made = prompts_by_id(store)
    sides = dict(query(store, "SELECT prompt_id, split FROM rl_prompts").rows())
    assert {*sides.values()} == {"train", "test", "other"}
    # Whoever is out of the datasets counts too: sides are those of the families.
    of_family = {}
    for prompt_id, side in sides.items():
        of_family.setdefault(made[prompt_id]["family"] or made[prompt_id]["prompt_id"], {side}).add(side)
    assert all(len(found) == 1 for found in of_family.values()), of_family
    pairs = [(child, parent) for child, row in made.items() for parent in row["parent_ids"] or []]
    assert len(pairs) > 30
    for child, parent in pairs:
        if child in sides and parent in sides:
            assert sides[child] == sides[parent]
        if made[parent]["parent_ids"]:
            assert made[child]["family"] == made[parent]["family"]
    assert any(made[parent]["parent_ids"] for _, parent in pairs), "some are of the third generation"
    grown = [child for child, row in made.items() if row["source"] == "generate.continue"]
    assert grown and all(sides[child] == "train" for child in grown)


@pytest.mark.slow
def test_a_seed_shown_as_one_for_training_is_never_held_out(stub, tmp_path):
    """The shares are of the seeds: with so many prompts more, shares of all would reach the seeds that were shown."""
    steps = ["use: self_instruct, model: a, n: 3, per_request: 1, shots: 2, max_tokens: 40, where: \"split = 'train'\""]
    store = Store(tmp_path / "store")
    run(job(tmp_path, stub, steps, rows=10, split="split: {test: 0.4}\n"), store)
    sides = dict(query(store, "SELECT prompt_id, split FROM rl_prompts").rows())
    made = prompts_by_id(store)
    seeds = [sides[prompt_id] for prompt_id, row in made.items() if not row["parent_ids"]]
    shown = {parent for row in made.values() for parent in row["parent_ids"] or []}
    assert (seeds.count("test"), seeds.count("train")) == (4, 6) and len(made) > 20
    assert {sides[parent] for parent in shown} == {"train"}
    assert {sides[prompt_id] for prompt_id, row in made.items() if row["parent_ids"]} == {"train"}


@pytest.mark.slow
def test_seeds_that_are_not_kept_and_no_others_are_left_out(stub, tmp_path):
    store = Store(tmp_path / "store")
    step = "use: evolve, model: a, max_tokens: 40, keep_seeds: false, where: \"prompt like '%please%'\""
    run(job(tmp_path, stub, [step], rows=8), store)
    rows = prompts_by_id(store)
    seeds = {i for i, row in rows.items() if not row["parent_ids"] and "please" in row["prompt"]}
    said = query(store, "SELECT * FROM decisions WHERE stage = 'prompts.generate.evolve'").rows(named=True)
    assert {row["row_id"] for row in said} == seeds and len(said) == len(seeds) == 6
    assert {(row["kept"], row["reason"]) for row in said} == {(False, "seed (keep_seeds: false)")}
    left = {*query(store, "SELECT prompt_id FROM rl_prompts")["prompt_id"]}
    assert left == {*rows} - seeds and len(left) == 2 + 6, "two were no seeds"
    run(job(tmp_path, stub, [step], rows=8), store)  # from the stages that are there
    assert {*query(store, "SELECT prompt_id FROM rl_prompts")["prompt_id"]} == left


def test_prompts_that_say_the_same_are_one(stub, tmp_path):
    rows = [{"prompt": f"{i} say exactly: <prompt>Name a fish.</prompt>"} for i in range(3)]
    rows += [{"prompt": "say exactly: <prompt>Name a bird.</prompt>"}, {"prompt": "Name a bird."}]
    store = Store(tmp_path / "store")
    run(job(tmp_path, stub, ["use: evolve, model: a, how: deepen, max_tokens: 40"], rows=rows), store)
    made = [row for row in prompts_by_id(store).values() if row["parent_ids"]]
    fish = [row for row in made if row["prompt"] == "Name a fish."]
    assert len(fish) == 1 and len(made) == 2, "the bird is a seed already"
    assert result(store, "generate") == "2 new prompts from 5, 3 repeats joined"


def test_a_step_in_the_wrong_section_is_refused(tmp_path, stub):
    with pytest.raises(UserError, match=r"job\.yaml:8: generate 'evolve' makes prompts; it belongs in"):
        plan(job(tmp_path, stub, [], completions="\n  - generate: {use: evolve, model: a}" + SCORE), None)
    for name, more in (("sample", ""), ("rewrite", ", instruction: shorter"), ("replace", ", find: a, put: b")):
        with pytest.raises(UserError, match=rf"job\.yaml:7: generate '{name}' makes candidates; it belongs in"):
            plan(job(tmp_path, stub, [f"use: {name}, model: a{more}"]), None)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("use: evolve, model: a, keep_seeds: maybe", r"keep_seeds: expected true or false, found 'maybe'"),
        ("use: evolve, model: a, round: 2", r"called 'round'; did you mean 'rounds'\?"),
        ("use: evolve, model: a, how: deeper", r"no evolution 'deeper'; did you mean 'deepen'\?"),
        ("use: evolve, model: c", r"no model 'c'"),
        ("use: evolve", r"needs 'model', one of: a"),
        ("use: evolve, model: a, accept: 3", r"called 'accept'"),
        ("use: continue, model: a, user_model: b", r"no model 'b'"),
        ("use: evolve, model: a, where: \"promt = 'x'\"", r"where: .*promt"),
        ("use: evol, model: a", r"no generate step 'evol'; did you mean 'evolve'\?"),
    ],
)
def test_a_mistake_is_one_line_that_says_where(tmp_path, stub, step, said):
    with pytest.raises(UserError, match=said) as error:
        plan(job(tmp_path, stub, [step]), None)
    assert "job.yaml:7: " in str(error.value) or "evolution" in str(error.value)


@pytest.mark.slow
def test_stopped_by_budgets_the_prompts_come_to_the_same_end(stub, tmp_path):
    steps = ["use: evolve, model: a, n: 2, rounds: 2, max_tokens: 40", "use: continue, model: a, max_tokens: 40"]
    whole, store = Store(tmp_path / "whole"), Store(tmp_path / "store")
    run(job(tmp_path, stub, steps, rows=6), whole)
    needed, counts = total(whole, "requests"), []
    for limit in (10, 18, 40, 1000):  # in the first exchange, the second, the second step
        try:
            run(job(tmp_path, stub, steps, rows=6, top=f"budget: {{max_requests: {limit}}}\n"), store)
            assert limit == 1000
        except Stopped:
            assert total(store, "requests") <= limit
        counts.append(query(store, "SELECT count(*) FROM prompts").item())
    assert tables(store) == tables(whole) and total(store, "requests") == needed > 60
    assert counts == sorted({*counts}), "each has what it paid for"


# New candidates -------------------------------------------------------------------------------------------------------

REWRITE = (
    "\n  - generate: {use: rewrite, model: b, instruction: shorter, n: 2, max_tokens: 40, where: sample_index = 0}"
)
REVISE = (
    "\n  - generate: {use: critique_revise, model: b, critic_model: c, rounds: 2, max_tokens: 60, "
    "where: parent_id is null}"
)


@pytest.mark.slow
def test_rewritten_and_revised_candidates_name_parent_and_model(stub, tmp_path):
    steps = "\n  - generate: {use: sample, model: a, n: 2, max_tokens: 30}" + REWRITE + REVISE + SCORE
    store = Store(tmp_path / "store")
    run(job(tmp_path, stub, [], rows=6, completions=steps, models=models(stub.url, a="", b="", c="")), store)
    made = {row["completion_id"]: row for row in query(store, "SELECT * FROM completions").rows(named=True)}
    first = [row for row in made.values() if row["parent_id"] is None]
    later = [row for row in made.values() if row["parent_id"]]
    assert len(first) == 12 and {row["model"] for row in first} == {"is-a"}
    assert len(later) == 12 + 12 and {row["model"] for row in later} == {"is-b"}, "not the critic"
    for row in later:
        parent = made[row["parent_id"]]
        assert parent["prompt_id"] == row["prompt_id"] and parent["response"] != row["response"]
        assert row["messages"] and json.loads(row["messages"])[0]["content"] == row["response"]
    costs = dict(query(store, "SELECT model, sum(replies)::BIGINT FROM costs GROUP BY 1").rows())
    assert costs == {"a": 12, "b": 12 + 24, "c": 24}
    assert re.match("12 made from 6, ", result(store, "rewrite"))
    assert re.match("12 made from 12, ", result(store, "revise"))


@pytest.mark.slow
def test_a_round_in_which_nobody_is_asked_does_not_end_it(stub, tmp_path):
    """The critic finds nothing in the first round; the second has another principle."""
    rows = [{"prompt": f"{i} say exactly: NONE"} for i in range(3)]
    steps = "\n  - generate: {use: sample, model: a, n: 1, max_tokens: 30}" + REVISE + SCORE
    store = Store(tmp_path / "store")
    recipe = job(tmp_path, stub, [], rows=rows, completions=steps, models=models(stub.url, a="", b="", c=""))
    run(recipe, store)
    costs = dict(query(store, "SELECT model, replies FROM costs").rows())
    assert costs == {"a": 3, "c": 6} and result(store, "revise").startswith("0 made from 3")
    assert plan(recipe, store).requests == 0


@pytest.mark.slow
def test_killed_in_the_second_exchange_it_asks_nothing_twice(tmp_path):
    with Stub(delay=0.03) as slow:
        steps = ["use: evolve, model: a, rounds: 2, max_tokens: 40"]
        text = dict(rows=24, more="concurrency: 3", completions=SCORE, datasets=" {}\n")
        whole, store = Store(tmp_path / "whole"), Store(tmp_path / "store")
        recipe = job(tmp_path, slow, steps, **text)
        child = started(recipe, store)
        while replies_kept(store) < 32:  # 24 are the first exchange's
            assert child.poll() is None, child.communicate()[1]
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        had = replies_kept(store)
        assert 32 <= had < 48
        run(recipe, store)
        assert (last_run(store)["requests"], last_run(store)["requests_reused"]) == (48 - had, had)
        assert slow.stats()["requests"] <= 48 + 3, "but for what was in flight"
        run(recipe, whole)
        assert tables(store) == tables(whole)
