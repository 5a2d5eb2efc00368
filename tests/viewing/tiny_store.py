"""A tiny store for the viewer, with texts that would run, steer or hide where they were not escaped."""

import json

from tests.storage.asked import candidate, decision, prompt, record, score, write

HOSTILE = (
    '<script>window.ran = 1</script><svg onload="window.ran = 2"></svg> **bold** [x](javascript:alert(1)) '
    "\u202etxt.exe\u202c"
)
TURNS = '[{"role": "assistant", "content": "%s"}]'


def fill(store):
    """Write two prompts with three candidates each, of which one is dropped, an SFT row, a pair, evaluations."""
    prompts = [
        prompt("p_1", "Name a river of Europe.", ground_truth="Rhine", metadata='{"kind": "geography"}'),
        prompt("p_2", HOSTILE, source="other"),
    ]
    texts = {"p_1": ("The Rhine.", "The Danube, of course.", "I do not know."), "p_2": (HOSTILE, "No.", "")}
    candidates = [
        candidate(f"c_{place}{number}", f"p_{place}", text, number)
        | {"model": ("student", "teacher")[number % 2], "finish_reason": "stop", "completion_tokens": 3 + number}
        for place in (1, 2)
        for number, text in enumerate(texts[f"p_{place}"])
    ]
    values = [
        score(f"c_{place}{number}", (0.9, 0.5, 0.1)[number], "quality") for place in (1, 2) for number in range(3)
    ]
    values += [score("c_10", 1.0, 'it\'s "odd" <b>') | {"detail": '{"why": "<i>so</i>"}'}]
    decisions = [
        decision("c_10", "completions.filter"),
        decision("c_12", "completions.filter", "empty <b>", {"of": "c_10"}),
    ]
    sft = [
        {
            "row_id": "r_1", "prompt_id": "p_1", "completion_id": "c_10", "dataset": "sft", "split": "train",
            "score": 0.9,
            "prompt": '[{"role": "user", "content": "Name a river of Europe."}]', "completion": TURNS % "The Rhine.",
        }
    ]  # fmt: skip
    pairs = [
        {
            "row_id": "r_2", "prompt_id": "p_1", "chosen_id": "c_10", "rejected_id": "c_12", "dataset": "dpo",
            "prompt": '[{"role": "user", "content": "Name a river of Europe."}]', "chosen": TURNS % "The Rhine.",
            "rejected": TURNS % "I do not know.", "chosen_score": 0.9, "rejected_score": 0.1,
        }
    ]  # fmt: skip
    answers = [
        {
            "evaluation_id": f"e_{model}", "model": model, "training_id": training, "dataset": "held_out",
            "split": "test", "row_id": "r_9", "prompt_id": "p_1", "sample_index": 0,
            "prompt": "Name a river of Europe.",
            "response": response, "scorer": "quality", "value": value,
        }
        for model, training, response, value in (
            ("student", None, "I know none.", 0.0), ("sft", "t_1", "The Rhine.", 1.0),
        )
    ]  # fmt: skip
    stages = [
        write(store, "prompts.source.s", "a", prompts=prompts),
        write(store, "completions.generate.sample", "b", completions=candidates),
        write(store, "completions.score.quality", "c", scores=values),
        write(store, "completions.filter", "d", decisions=decisions),
        write(store, "datasets.sft", "e", sft=sft),
        write(store, "datasets.dpo", "f", preferences=pairs),
        write(store, "evaluate", "g", evaluations=answers),
    ]
    record(store, "20261130-000000-000-tiny", *stages)
    return stages


def running(store, run_id, *stages):
    """Write the record of a run that goes on."""
    record(store, run_id, *stages)
    file = store.path / "runs" / f"{run_id}.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"status": "running"}))
