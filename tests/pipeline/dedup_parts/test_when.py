"""When ``dedup: minhash`` is made in parts, what it takes, and what a recipe may say of it."""

import json

import pytest

from curate.api.run import plan, run
from curate.pipeline.dedup_parts.plan import parts_plan
from curate.pipeline.dedup_parts.sizes import sizes_for
from curate.pipeline.dedup_parts.when import FROM, FROM_ELSEWHERE, is_in_parts
from curate.spread.spread import run_by
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.load_recipe import load_recipe
from tests.jobs import query
from tests.pipeline.dedup_parts.making import rule_of
from tests.pipeline.dedup_parts.test_in_parts import Counting, near_texts


@pytest.fixture
def folder(tmp_path):
    lines = [json.dumps({"prompt": text}) for text in near_texts(2, 300) if text]
    (tmp_path / "new.jsonl").write_text("\n".join(lines))
    return tmp_path


def recipe(folder, step: str):
    (folder / "r.yaml").write_text(
        f"name: r\nprompts:\n  - source: new.jsonl\n  - dedup: {step}\ndatasets:\n  rl: {{type: prompt}}\n"
    )
    return load_recipe(folder / "r.yaml")


def test_other_runners_and_many_rows_are_made_in_parts():
    rule = rule_of()
    assert not is_in_parts(None, rule, "prompts", FROM - 1) and is_in_parts(None, rule, "prompts", FROM)
    assert not is_in_parts(False, rule, "prompts", FROM) and is_in_parts(True, rule, "prompts", 1)
    with run_by(Counting()):
        many = FROM_ELSEWHERE
        assert is_in_parts(None, rule, "prompts", many) and not is_in_parts(False, rule, "prompts", many)
        assert not is_in_parts(None, rule, "prompts", many - 1), "a second's work is not worth some thirty tasks"
        assert not is_in_parts(None, rule, "completions", many), "prompts' texts are not in the candidates' files"


@pytest.mark.slow
def test_a_recipe_in_parts_makes_the_same_stage(folder):
    made = {}
    for name, step in (("one", "minhash"), ("parts", "{use: minhash, in_parts: true}")):
        store = Store(folder / name, durable=False)
        run(recipe(folder, step), store)
        stage = next(one for one in store.whole_stages() if one.manifest["label"] == "prompts.dedup.minhash")
        made[name] = stage.stage_id, stage.content("decisions"), stage.manifest["result"]
        assert query(store, "SELECT count(*) FROM decisions WHERE NOT kept").item() > 50
    assert made["one"] == made["parts"]


@pytest.mark.slow
def test_conversations_are_compared_alike_in_parts(tmp_path):
    """Those of prompts and of candidates with all their turns, and the messages themselves."""
    texts = [text for text in near_texts(4, 240) if text]
    turns = [texts[n : n + 3] + texts[n // 7 : n // 7 + 1] for n in range(150)]
    roles = ("user", "assistant", "user", "assistant")
    rows = [{"messages": [{"role": r, "content": c} for r, c in zip(roles, one, strict=True)]} for one in turns]
    (tmp_path / "new.jsonl").write_text("\n".join(map(json.dumps, [*rows, *rows[:9], rows[0] | {"id": 1}])))
    made = {}
    for name in ("false", "true"):
        step = f"threshold: 0.3, in_parts: {name}"
        (tmp_path / "r.yaml").write_text(
            f"name: r\nprompts:\n  - source: new.jsonl\n  - dedup: {{use: minhash, {step}}}\n"
            f"  - dedup: {{use: minhash, as: whole, on: messages, {step}}}\n"
            f"completions:\n  - dedup: {{use: minhash, {step}}}\n"
            f'  - dedup: {{use: minhash, as: turns, on: completion, where: "length(response) > 30", {step}}}\n'
            "datasets:\n  sft: {type: sft}\n"
        )
        store = Store(tmp_path / name, durable=False)
        run(load_recipe(tmp_path / "r.yaml"), store)
        stages = [one for one in store.whole_stages() if ".dedup." in one.manifest["label"]]
        made[name] = {one.manifest["label"]: (one.content("decisions"), one.manifest["result"]) for one in stages}
    assert made["true"] == made["false"] and len(made["true"]) == 4
    assert query(store, "SELECT count(DISTINCT stage) FROM decisions WHERE NOT kept").item() > 1


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("{use: minhash, in_parts: 3}", r"r.yaml:4: dedup: in_parts: expected true or false, found 3"),
        ("{use: exact, in_parts: true}", r"r.yaml:4: dedup 'exact' on 'prompt' cannot be made in parts; expected sem"),
    ],
)
def test_what_cannot_be_in_parts_is_refused(folder, step, said):
    with pytest.raises(UserError, match=said):
        plan(recipe(folder, step), None)


@pytest.mark.slow
def test_a_plan_says_what_parts_take(folder):
    notes = {stage.label: stage.note for stage in plan(recipe(folder, "{use: minhash, in_parts: true}"), None).stages}
    assert notes["prompts.dedup.minhash"].startswith("in parts: 26 tasks for at most ")
    notes = {stage.label: stage.note for stage in plan(recipe(folder, "minhash"), None).stages}
    assert notes["prompts.dedup.minhash"] == ""


def test_a_plan_grows_with_rows_and_characters():
    small, large = (parts_plan(rows, 1000, 18, sizes_for(rows)) for rows in (10**8, 10**9))
    assert 9 < large.seconds / small.seconds < 11 and 9 < large.disk / small.disk < 11
    assert large.tasks > small.tasks and large.task_memory < 4e9
    assert parts_plan(10**8, 2000, 18, sizes_for(10**8)).seconds > small.seconds
    assert parts_plan(10**8, 1000, 18, sizes_for(10**8), "best").memory > 10 * small.memory, "texts break ties"
