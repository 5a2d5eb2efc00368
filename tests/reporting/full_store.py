"""A tiny store that has something for every section of a report, with texts that would be markup if they could."""

import json

from tests.storage.asked import record, write

HOSTILE = (
    "</script><script>window.ran=1</script><!--<svg onload=window.ran=2><img src=x onerror='window.ran=3'>"
    "&lt;b&gt;\u202ereversed\u2028{{7*7}} **bold** var(--ink) ]]>"
)
SCORER, OTHER = f"judge {HOSTILE}", "words"
MODEL = f"student {HOSTILE}"
PROMPTS, SAMPLES = 12, 4


def fill(store, text=HOSTILE):
    """Write two runs, a training on two seeds, an evaluation and a comparison; return the store."""
    stages = data_stages(store, text)
    record(store, "20260101-a", *stages[:-1])
    record(store, "20260102-a", *stages)
    record(store, "20260103-a", training(store, text), command="train")
    record(store, "20260104-a", evaluation(store, text), command="evaluate")
    record(store, "20260105-a", comparison(store), command="compare")
    return store


def data_stages(store, text):
    prompts = [
        {"prompt_id": f"p_{at}", "prompt": f"question {at} {text}", "source": "a.jsonl" if at % 2 else "b.jsonl",
         "messages": said("user", f"question {at} {text}"), "metadata": json.dumps({"kind": ["sums", text][at % 2]})}
        for at in range(PROMPTS)
    ]  # fmt: skip
    answers = [
        {"completion_id": f"c_{at}_{sample}", "prompt_id": f"p_{at}", "sample_index": sample, "model": MODEL,
         "response": "word " * (sample + 1) + text, "messages": said("assistant", "word " * (sample + 1) + text),
         "finish_reason": "stop"}
        for at in range(PROMPTS) for sample in range(SAMPLES)
    ]  # fmt: skip
    scores = [
        {"row_id": row["completion_id"], "scorer": scorer, "value": value(row)}
        for row in answers
        for scorer, value in (
            (SCORER, lambda row: float(row["sample_index"] > 1)),
            (OTHER, lambda row: float(len(row["response"]))),
        )
    ]  # fmt: skip
    scores[0] |= {"value": None, "error": text}
    kept = [{"row_id": row["completion_id"], "stage": "datasets.sft.select", "kept": row["sample_index"] == 3,
             "reason": None if row["sample_index"] == 3 else "score too low"} for row in answers]  # fmt: skip
    alike = [
        {
            "row_id": f"p_{at}",
            "stage": "prompts.dedup.minhash",
            "kept": at != 1,
            "reason": "near-duplicate" if at == 1 else None,
            "evidence": json.dumps({"of": "p_0", "similarity": 0.75}) if at == 1 else None,
        }
        for at in range(PROMPTS)
    ]
    best = [{"row_id": f"r_{at}", "prompt_id": f"p_{at}", "completion_id": f"c_{at}_3", "score": 1.0, "dataset": "sft",
             "prompt": prompts[at]["messages"], "completion": answers[4 * at + 3]["messages"], "split": "train"}
            for at in range(PROMPTS)]  # fmt: skip
    pairs = [{"row_id": f"r_{at}", "prompt_id": f"p_{at}", "chosen_id": f"c_{at}_3", "rejected_id": f"c_{at}_0",
              "prompt": prompts[at]["messages"], "chosen": answers[4 * at + 3]["messages"], "dataset": "dpo",
              "rejected": answers[4 * at]["messages"], "chosen_score": 1.0, "rejected_score": at / 20, "split": "train"}
             for at in range(PROMPTS)]  # fmt: skip
    varied = [
        {
            "stage": "datasets.sft.diverse",
            "set": name,
            "rows": 6,
            "covering_radius": 0.2,
            "mean_distance": 0.1,
            "vendi": vendi,
            "clusters": "[3, 2, 1]",
            "sampled": 12,
        }
        for name, vendi in (("kept", 5.5), ("random", 4.5))
    ]
    return [
        write(store, "prompts.source.a", "000000000001", prompts=prompts),
        write(store, "prompts.dedup.minhash", "000000000002", decisions=alike),
        write(store, "completions.generate.sample", "000000000003", completions=answers),
        write(store, "completions.score.judge", "000000000004", scores=scores),
        write(store, "datasets.sft", "000000000005", decisions=kept, sft=best, diversity=varied),
        write(store, "datasets.dpo", "000000000006", preferences=pairs),
    ]


def training(store, text):
    rows = [
        {"training_id": f"t{at}", "name": name, "trainer": "sft", "dataset": "sft", "model": MODEL, "base": "base",
         "rows": 12, "steps": 3, "seconds": 61.0, "versions": json.dumps({"trl": text}),
         "metrics": json.dumps({"history": [{"step": step, "loss": 3.0 - step + at} for step in (1, 2, 3)]})}
        for at, name in enumerate(("sft", "sft.seed8"))
    ]  # fmt: skip
    lost = [
        {"training_id": "t0", "step": step, "row_id": f"r_{at}", "phase": "train", "loss": at / step, "tokens": 9}
        for at in range(PROMPTS) for step in (1, 2)
    ]  # fmt: skip
    return write(store, "train-sft", "000000000007", trainings=rows, row_losses=lost)


def evaluation(store, text):
    rows = [
        {"evaluation_id": f"e{at}", "model": model, "training_id": training_id, "dataset": "sft", "split": "test",
         "row_id": f"h_{row}", "prompt_id": f"h_{row}", "family": f"h_{row}", "sample_index": 0,
         "prompt": f"held out {row} {text}", "response": f"{model} says {row} {text}", "scorer": SCORER,
         "value": float(row % 4 < 2 * at)}
        for at, (model, training_id) in enumerate(((MODEL, None), ("sft", "t0"))) for row in range(16)
    ]  # fmt: skip
    return write(store, "evaluate", "000000000008", evaluations=rows)


def comparison(store):
    common = {"comparison_id": "k", "recipe": "a", "dataset": "sft", "split": "test", "scorer": SCORER,
              "better": "higher", "arm": "sft", "versus": MODEL, "seeds": 2, "prompts": 16}  # fmt: skip
    whole = {**common, "mean": 0.5, "versus_mean": 0.1, "difference": 0.4, "low": 0.3, "high": 0.5, "p_holm": 0.0004,
             "verdict": "better", "families": 16}  # fmt: skip
    return write(store, "compare", "000000000009", comparisons=[
        whole, *({**common, "seed": seed, "difference": difference} for seed, difference in ((7, 0.35), (8, 0.45)))
    ])  # fmt: skip


def said(role, content):
    return json.dumps([{"role": role, "content": content}])
