"""One recipe gives the same tables with every engine."""

import json

import pytest

from curate.api.run import plan, run
from curate.storage.store import Store
from schemas.load_recipe import load_recipe
from tests.jobs import last_run, query
from tests.stub_server import Stub
from tests.with_vllm import PYTHON, with_vllm

RECIPE = """
name: same
seed: 5
models:
  teacher: {model: MODEL}
budget: {max_requests: 500}
prompts:
  - source: seeds.jsonl
completions:
  - generate: {use: sample, model: teacher, n: 3, temperature: 0.9, max_tokens: 12, logprobs: true, system: Be brief.}
  - generate: {use: rewrite, model: teacher, instruction: shorter, max_tokens: 12, where: sample_index = 0}
  - generate: {use: sample, as: more, model: teacher, max_tokens: 6, accept: 3, accepted: chars >= 1, max_candidates: 4}
  - score: {use: length, unit: characters, as: chars}
datasets:
  sft: {type: sft, select: best_of_n, by: chars}
  dpo: {type: preference, select: best_vs_worst, by: chars}
"""


def run_same_recipe(folder, store, *overrides):
    """Run the recipe, check what must hold for any engine, and run it again: then no request is made."""
    (folder / "seeds.jsonl").write_text("".join(json.dumps({"prompt": f"the cat sings {i}"}) + "\n" for i in range(5)))
    (folder / "same.yaml").write_text(RECIPE)
    recipe = load_recipe(folder / "same.yaml", list(overrides))
    assert plan(recipe, store).requests >= 15
    run(recipe, store)
    sampled = query(store, "SELECT * FROM completions WHERE logprobs IS NOT NULL")
    assert sampled.height == 15 and sampled["sample_index"].to_list().count(2) == 5
    assert sampled["response"].n_unique() > 5 and (sampled["completion_tokens"] <= 12).all()
    assert all(value <= 0 for values in sampled["logprobs"] for value in values)
    assert set(sampled["finish_reason"]) <= {"stop", "length"} and sampled["error"].null_count() == 15
    spent = query(store, "SELECT sum(replies) AS replies, sum(failed) AS failed, sum(cost) AS cost FROM costs").row(0)
    assert spent[0] == last_run(store)["requests"] and spent[1:] == (0, 0.0)
    assert query(store, "SELECT count(*) FROM sft").item() == 5
    run(recipe, store)
    assert last_run(store)["requests"] == 0 and all(stage["reused"] for stage in last_run(store)["stages"])
    return sampled


@pytest.mark.slow
def test_transformers(tiny, tmp_path, store):
    pytest.importorskip("transformers")
    run_same_recipe(tmp_path, store, f"models.teacher={{model: '{tiny}', batch_tokens: 400}}")


@pytest.mark.slow
def test_a_server_with_faults(tmp_path, store):
    served = "models.teacher={{engine: openai, base_url: '{}', model: stub, timeout: 5}}"
    faults = {kind: {"every": every} for kind, every in (("429", 5), ("500", 7), ("half_json", 6), ("close", 8))}
    with Stub() as good, Stub(faults=faults) as bad:
        calm = run_same_recipe(tmp_path, store, served.format(good.url), "models.teacher.identity=stub")
        other = Store(tmp_path / "other")
        stormy = run_same_recipe(tmp_path, other, served.format(bad.url), "models.teacher.identity=stub")
        assert sum(bad.stats()["faults"].values()) > 3
    assert stormy.sort("completion_id").equals(calm.sort("completion_id"))


@with_vllm
def test_vllm(wide, tmp_path, store):
    run_same_recipe(tmp_path, store, f"models.teacher={{engine: vllm, model: '{wide}', python: '{PYTHON}'}}")
