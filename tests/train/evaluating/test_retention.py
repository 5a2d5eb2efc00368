"""Losses and answers of general prompts and texts, by real engines with tiny models."""

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from curate.models.gateway import Gateway
from curate.models.model_ref import ModelRef
from curate.storage.store import Store
from schemas.progress import Progress
from tests.optional import needs
from tests.train.tables import recipe_with, rl_rows, write_stage
from train.evaluating.behaviour import GENERAL, behaviour
from train.evaluating.comparison import compare_models
from train.evaluating.evaluation import evaluate_recipe, plan_evaluation
from train.evaluating.own_rows import ANSWERS, RECORDED, START_ANSWERS, START_LOSS, TEXTS
from train.evaluating.retention_changes import retention_changes

pytestmark = [needs("torch"), needs("transformers"), pytest.mark.slow]

N = 9


@pytest.fixture
def refs(tiny: Path, lively: Path) -> dict[str, ModelRef]:
    return {"student": ModelRef("student", "lively@0", str(lively)), "s": ModelRef("s", "tiny@0", str(tiny))}


def recipe(
    folder: Path, retention: str = "{prompts: p.jsonl, texts: t.jsonl}", by: str = "length", models="student, s"
):
    folder.mkdir(exist_ok=True)
    for key in ("prompt", "text"):
        rows = [json.dumps({key: f"the cat {i} sings and reads blue lines {i}"}) for i in range(N)]
        (folder / f"{key[0]}.jsonl").write_text("\n".join(rows), encoding="utf-8")
    others = "s: tiny, remote: {model: gpt, engine: openai, base_url: 'http://localhost:1'}"
    sections = f"evaluate: {{models: [{models}], dataset: rl, by: [{by}], max_tokens: 6, retention: {retention}}}\n"
    return recipe_with(folder, sections, others)


def evaluated(made, store: Store, refs, gateway: Gateway | None = None):
    datasets = {"rl": store.stage("rl_000000006") or write_stage(store, "rl_prompts", rl_rows(6, held_out=3))}
    return evaluate_recipe(made, store, datasets, refs, Progress(), gateway=gateway)


def test_every_model_is_asked_and_read(tmp_path: Path, store: Store, refs):
    stage = evaluated(recipe(tmp_path), store, refs)
    found = stage.read("evaluations")
    counts = found.group_by("model", "scorer").len()
    wanted = {START_ANSWERS: N, TEXTS: N, ANSWERS: N, START_LOSS: 3, "length": 3}
    had = {model: dict(counts.filter(model=model).select("scorer", "len").rows()) for model in refs}
    assert had["student"] == wanted
    assert had["s"] == {name: count for name, count in wanted.items() if name != START_LOSS}, "its answers are empty"
    assert found.filter(pl.col("scorer") != "length")["error"].null_count() == found.height - 6
    assert found["evaluation_id"].n_unique() == 2 and found["tokens"].null_count() == 0
    answers = [found.filter(model=m, scorer=START_ANSWERS)["response"].to_list() for m in refs]
    assert answers[0] == answers[1] == found.filter(model="student", scorer=ANSWERS)["response"].to_list()
    own, other = (found.filter(model=m, scorer=START_ANSWERS)["value"] for m in refs)
    assert (own >= 0).all() and (own != other).any()
    assert compare_models(stage)["scorer"].unique().to_list() == ["length"]
    assert stage.manifest["damage"]["start"] == "student"
    changes = retention_changes(stage)
    assert changes.filter(model="student")["change"].null_count() == 2
    assert changes.filter(model="s")["change"].null_count() == 0 == changes["failed"].sum()
    assert behaviour(stage)["split"].unique(maintain_order=True).to_list() == ["test", GENERAL]


def test_recorded_answers_are_read_by_every_model(tmp_path: Path, store: Store, refs):
    made = recipe(tmp_path, "{prompts: p.jsonl, texts: t.jsonl, answers: a.jsonl}")
    rows = [json.dumps({"prompt": f"the cat {i}", "completion": f"sings {i}"}) for i in range(N)]
    (tmp_path / "a.jsonl").write_text("\n".join(rows), encoding="utf-8")
    stage = evaluated(made, store, refs)
    found = stage.read("evaluations").filter(scorer=RECORDED)
    assert found["response"].to_list() == 2 * [f"sings {i}" for i in range(N)] and (found["value"] > 0).all()
    changes = retention_changes(stage).filter(on="recorded answers")
    assert changes["n"].to_list() == [N, N] and changes["change"].null_count() == 1


def test_replies_are_reused_by_another_evaluation(tmp_path: Path, store: Store, refs):
    first = evaluated(recipe(tmp_path), store, refs)
    with Gateway(store, Progress()) as gateway:
        again = evaluated(recipe(tmp_path, by="words"), store, refs, gateway)
        assert gateway.usage.requests == 0 and not gateway.engines
    assert again.stage_id != first.stage_id and again.rows("evaluations") == first.rows("evaluations")


def test_the_id_depends_on_what_is_asked_and_of_whom(tmp_path: Path, store: Store, refs):
    datasets = {"rl": write_stage(store, "rl_prompts", rl_rows(6, held_out=3))}

    def id_of(made, models=refs):
        return plan_evaluation(made, store, datasets, models).stage_id

    first = id_of(recipe(tmp_path))
    assert id_of(recipe(tmp_path / "elsewhere")) == first, "the texts count, not their files' names"
    off = id_of(recipe(tmp_path, "false"))
    made = recipe(tmp_path)
    (tmp_path / "t.jsonl").write_text("\n".join(f'{{"text": "other {i}"}}' for i in range(N)))
    assert len({first, off, id_of(made), id_of(recipe(tmp_path / "b", "true"))}) == 4
    start = replace(refs["student"], identity="tiny@1")
    one, two = (
        plan_evaluation(recipe(tmp_path), store, datasets, refs | {"student": student}).ids
        for student in (refs["student"], start)
    )
    assert one["s"] != two["s"], "the losses of s are those of the start model's answers"


def test_switched_off_nothing_more_is_asked(tmp_path: Path, store: Store, refs):
    with Gateway(store, Progress()) as gateway:
        stage = evaluated(recipe(tmp_path, "false"), store, refs, gateway)
        assert gateway.usage.requests == 6
    assert stage.rows("evaluations") == 6 and retention_changes(stage).is_empty()
    assert behaviour(stage)["perplexity"].null_count() == 2


def test_a_model_that_gives_no_losses_is_named(tmp_path: Path, store: Store, refs):
    class Served(Gateway):
        """Answers for the remote model."""

        def ask(self, ref, messages, **others):
            if ref.name != "remote":
                return super().ask(ref, messages, **others)
            table = super().ask(refs["student"], messages, **others)
            return table.with_columns(response=pl.lit("the cat"), completion_tokens=pl.lit(2, pl.Int64))

    remote = ModelRef("remote", "openai:gpt", "gpt", engine="openai")
    with Served(store, Progress()) as gateway:
        made = recipe(tmp_path, models="remote, student, s")
        stage = evaluated(made, store, {"remote": remote} | refs, gateway)
    assert (
        stage.manifest["damage"]["without"] == {"remote": "openai"} and stage.manifest["damage"]["start"] == "student"
    )
    changes = retention_changes(stage)
    assert changes["model"].unique(maintain_order=True).to_list() == ["student", "s"]
    shown = behaviour(stage)
    assert shown.filter(split="test")["model"].to_list() == ["remote", "student", "s"]
    assert shown.filter(split="test", model="remote")["perplexity"][0] > 1
