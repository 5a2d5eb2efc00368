"""Benchmarks by a small program that stands for the harness, against a tiny model that gristmill serves."""

import json
import signal
import threading
import time
from dataclasses import replace

import polars as pl
import pytest

from schemas.errors import UserError
from tests.optional import needs
from train.benchmarks.benchmark import LABEL
from train.evaluating.benchmark_comparison import compare_benchmarks

pytestmark = [needs("torch", "transformers"), pytest.mark.slow]


def test_answers_are_written_by_the_served_model_and_imported(bench):
    (stage,), said, usage = bench.run("words")
    rows = stage.read("evaluations")
    assert rows["scorer"].unique().sort().to_list() == ["words.even", "words.parts"]
    assert rows["row_id"].unique().sort().to_list() == [f"words:{i}" for i in range(4)]
    assert (
        set(rows["split"]) == {"benchmark"} and set(rows["dataset"]) == {"words"} and set(rows["model"]) == {"student"}
    )
    first = rows.filter(scorer="words.even", row_id="words:0").row(0, named=True)
    assert json.loads(first["prompt"]) == [{"role": "user", "content": "the cat"}]
    assert first["value"] == float(len(first["response"]) % 2 == 0) and first["error"] is None
    assert json.loads(first["detail"])["version"] == "1.0" and usage.requests == 4
    parts = rows.filter(scorer="words.parts")["value"].to_list()
    assert set(parts) <= {1 / 3, 2 / 3}
    held = stage.manifest["benchmark"]
    figures = {one["metric"]: (one["value"], one["same"]) for one in held["figures"]}
    assert held["harness"] == "0.0-fake" and held["chat"] == {"student": True}
    assert figures["even"][1] is True and figures["parts"][1] is False and figures["pair"] == (0.5, None)
    assert len(said.warnings) == 1 and "sums up otherwise" in said.warnings[0]
    assert said.ended[0][0] == f"{LABEL} words" and said.ended[0][2] is False


def test_what_has_not_changed_is_reused_and_a_new_version_is_not(bench, monkeypatch):
    (stage,), _, _ = bench.run("words")
    (again,), said, usage = bench.run("words")
    assert again.stage_id == stage.stage_id and said.ended[0][2] is True and usage.requests == 0
    monkeypatch.setenv("FAKE_VERSION", "2.0")
    (newer,), _, usage = bench.run("words")
    assert newer.stage_id != stage.stage_id and usage.requests == 0, "the replies are in the log"
    assert json.loads(newer.read("evaluations")["detail"][0])["version"] == "2.0"
    (limited,), _, _ = bench.run("words", limit=2)
    assert limited.stage_id != newer.stage_id and limited.read("evaluations")["row_id"].n_unique() == 2


def test_given_answers_are_compared_by_the_served_model(bench, tiny):
    import torch
    import transformers

    (stage,), said, _ = bench.run("likely")
    rows = stage.read("evaluations")
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    for at, value, response in rows.sort("row_id").select(pl.int_range(pl.len()), "value", "response").rows():
        with torch.inference_mode():
            chances = model(torch.tensor([[5, 6 + at]])).logits[0, -1].log_softmax(-1)
        assert value == float(chances[7] > chances[9])
        assert response == (" a" if value else " b")
    assert said.warnings == [] and stage.manifest["benchmark"]["figures"][0]["same"] is True


def test_without_a_chat_template_a_text_goes_on(bench):
    (stage,), _, _ = bench.run("words", apply_chat_template="false")
    chat = bench.run("words")[0][0].read("evaluations")
    rows = stage.read("evaluations")
    assert rows["prompt"].unique().sort().to_list() == ["a dog sings", "red lines", "seven", "the cat"]
    assert stage.manifest["benchmark"]["chat"] == {"student": False}
    assert rows["response"].null_count() == 0 and rows["response"].to_list() != chat["response"].to_list()


def test_models_are_compared_and_the_harness_says_the_same(bench, lively):
    bench.refs["other"] = replace(bench.refs["student"], name="other", identity="lively@0>t1", location=str(lively))
    stages, _, _ = bench.run("words, likely")
    table = compare_benchmarks(stages)
    assert table["benchmark"].unique(maintain_order=True).to_list() == ["words", "likely"]
    even = table.filter(metric="even")
    assert even["model"].to_list() == ["student", "other"] and even["harness"].to_list() == even["mean"].to_list()
    assert even["difference"].to_list() == [None, even["mean"][1] - even["mean"][0]]
    assert table.filter(metric="pair")["mean"].null_count() == 2
    assert set(stages[0].read("evaluations").filter(model="other")["training_id"]) == {"t1"}


def test_a_prompt_that_does_not_fit_has_no_score(bench, monkeypatch):
    monkeypatch.setenv("FAKE_LONG", "1")
    (stage,), said, _ = bench.run("words")
    failed = stage.read("evaluations").filter(row_id="words:4")
    assert failed["value"].null_count() == 2 and failed["response"].null_count() == 2
    assert all("the model's context 256" in error for error in failed["error"])
    assert any("1 request failed" in warning for warning in said.warnings)
    even = next(one for one in stage.manifest["benchmark"]["figures"] if one["metric"] == "even")
    assert even["same"] is True, "what was read is what the harness logged"


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("offline", "its data can't be loaded here (hub/offline: ConnectionError: Couldn't reach"),
        ("broken", "lm-evaluation-harness ended with 1: ValueError: no such column"),
        ("unsafe", "runs the code that models write"),
    ],
)
def test_a_benchmark_that_cannot_be_run_is_a_warning(bench, task, message, temporary):
    stages, said, _ = bench.run(f"{task}, words")
    assert [stage.manifest["label"] for stage in stages] == [f"{LABEL} words"]
    assert said.warnings[0].startswith(f"{LABEL} {task}: was not run: ") and message in said.warnings[0]
    if task == "offline":
        assert "HF_HOME" in said.warnings[0] and "./mine.yaml" in said.warnings[0]
    kept = {file.name for file in temporary.rglob("*") if file.is_file()}
    assert kept == (set() if task == "unsafe" else {"lm_eval.log"})
    assert not [folder for folder in bench.store.path.glob("stages/*") if task in folder.name]


def test_ctrl_c_ends_the_harness_and_the_next_run_goes_on(bench, monkeypatch, tmp_path, temporary):
    asked = tmp_path / "asked"
    monkeypatch.setenv("FAKE_ASKED", str(asked))
    processes = []
    monkeypatch.setattr("train.benchmarks.harness_run.HarnessProcess", _noting(processes))

    def press():
        while not asked.exists():
            time.sleep(0.02)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=press)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a worker of pytest-xdist ignores it
    try:
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            bench.run("slow")
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert processes[0].guard.poll() is not None, "the guard ends when all of its processes have"
    assert list(temporary.iterdir()) == []
    _, _, usage = bench.run("words")
    assert (usage.requests, usage.reused) == (3, 1), "what the model answered before is not asked again"


def _noting(processes):
    from train.benchmarks.harness_process import HarnessProcess

    class Noted(HarnessProcess):
        def __init__(self, *given):
            super().__init__(*given)
            processes.append(self)

    return Noted


def test_a_name_that_a_model_cannot_answer_is_refused(bench):
    bench.refs["student"] = replace(bench.refs["student"], engine="openai")
    with pytest.raises(UserError, match="'likely' asks how likely given answers are, which the engine 'openai'"):
        bench.plan("likely")
    with pytest.raises(UserError, match="apply_chat_template: false needs the engine 'transformers'"):
        bench.plan("words", apply_chat_template="false")
