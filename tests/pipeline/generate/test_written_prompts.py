"""Prompts that a step writes without a model: their parents, what is reused, and what a plan knows of them."""

import json

import pytest

from curate.api.run import plan, run
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.load_recipe import load_recipe
from tests.jobs import query

STEP = "use: constrain, constraints: [{kind: max_words, n: [5, 6]}, {kind: lowercase}]"


def job(folder, step=STEP, more=""):
    rows = [{"prompt": f"Tell me about item {n}.", "metadata": {"n": n}} for n in range(6)]
    (folder / "seeds.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    text = f"name: r\nprompts:\n  - source: seeds.jsonl\n  - generate: {{{step}}}\n{more}"
    text += "datasets:\n  rl: {type: prompt}\n"
    (folder / "r.yaml").write_text(text, encoding="utf-8")
    return load_recipe(folder / "r.yaml")


def test_each_new_prompt_has_its_seed_and_its_ground_truth(tmp_path):
    store = Store(tmp_path / "store")
    run(job(tmp_path, STEP + ", as: made, each: 2, where: \"metadata ->> 'n' < '3'\""), store)
    made = query(store, "SELECT * FROM prompts WHERE source = 'generate.made'")
    seeds = dict(query(store, "SELECT prompt_id, family FROM prompts WHERE source <> 'generate.made'").rows())
    assert 3 <= made.height <= 6 and len(seeds) == 6
    assert all(len(parents) == 1 and parents[0] in seeds for parents in made["parent_ids"])
    assert made["family"].n_unique() == 3 and made["ground_truth"].null_count() == 0
    assert {key for note in made["metadata"] for key in json.loads(note)} == {"n", "kinds"}


def test_without_seeds_the_new_prompts_remain_and_are_reused(tmp_path):
    store = Store(tmp_path / "store")
    recipe = job(tmp_path, STEP + ", keep_seeds: false")
    run(recipe, store)
    assert query(store, "SELECT DISTINCT source FROM rl_prompts JOIN prompts USING (prompt_id)").rows() == [
        ("generate.constrain",)
    ]
    reasons = query(store, "SELECT reason, count(*) FROM decisions WHERE NOT kept GROUP BY ALL").rows()
    assert reasons == [("seed (keep_seeds: false)", 6)]
    assert all(stage.cached for stage in plan(recipe, store).stages)


def test_a_plan_counts_the_requests_for_the_new_prompts(tmp_path):
    models = "models: {a: smollm2-135m}\ncompletions:\n  - generate: {use: sample, model: a, n: 2}\n"
    found = plan(job(tmp_path, STEP + ", keep_seeds: false, each: 1", models), None)
    assert found.requests == 12


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (STEP + ", n: 3", "asks no model, so it has no setting 'n'"),
        (STEP + ", model: a", "asks no model, so it has no setting 'model'"),
        (STEP + ", keep_seeds: 3", "keep_seeds: expected true or false"),
        (STEP + ", mosst: 2", "called 'mosst'; did you mean 'most'"),
        (STEP + ", where: nothing = 1", "nothing"),
        ("use: constrain, constraints: [{kind: max_word, n: 3}]", "no kind of constraint 'max_word'"),
        ("use: repair", "makes candidates; it belongs in the section 'completions'"),
    ],
)
def test_a_mistake_is_told_before_anything_is_made(tmp_path, step, words):
    with pytest.raises(UserError, match=words) as caught:
        plan(job(tmp_path, step), None)
    assert "r.yaml:4" in str(caught.value)


def test_it_belongs_among_the_prompts(tmp_path):
    with pytest.raises(UserError, match="makes prompts; it belongs in the section 'prompts'"):
        plan(job(tmp_path, STEP, f"completions:\n  - generate: {{{STEP}}}\n"), None)
