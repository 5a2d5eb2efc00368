"""The views that show what datasets, trainings and leaks say: ``examples``, ``trained_on``, ``leaks``."""

import json

from tests.storage.asked import ask, decision, prompt, record, write

TURNS = [
    {"role": "system", "content": "Be."}, {"role": "user", "content": "First?"},
    {"role": "assistant", "content": "Yes."}, {"role": "user", "content": "How?"},
]  # fmt: skip


def said(text):
    return json.dumps([{"role": "assistant", "content": "I look."}, {"role": "assistant", "content": text}])


def row(row_id, dataset, **texts):
    return {"row_id": row_id, "dataset": dataset, "split": "train", "prompt": json.dumps(TURNS), **texts}


def datasets(store):
    """Write a row of each type of dataset, and one row that two datasets have."""
    return [
        write(store, "datasets.a", "a", sft=[row("r_1", "a", completion=said("So."), score=0.5)]),
        write(store, "datasets.b", "b", preferences=[row("r_2", "b", chosen=said("Good."), rejected=said("Bad."))]),
        write(store, "datasets.c", "c", unpaired=[row("r_3", "c", completion=said("Bad."), label=False)]),
        write(store, "datasets.d", "d", rl_prompts=[row("r_4", "d", pass_rate=0.25)]),
        write(store, "datasets.e", "e", sft=[row("r_1", "e", completion=said("So."), score=0.5)]),
    ]


def test_examples_are_rows_of_any_dataset_as_texts(store):
    record(store, "1", *datasets(store))
    found = ask(store, "SELECT dataset, type, prompt, completion, rejected, label, score FROM examples ORDER BY 1")
    assert found == [
        ("a", "sft", "How?", "So.", None, None, 0.5),
        ("b", "preference", "How?", "Good.", "Bad.", None, None),
        ("c", "unpaired", "How?", "Bad.", None, False, None),
        ("d", "prompt", "How?", None, None, None, 0.25),
        ("e", "sft", "How?", "So.", None, None, 0.5),
    ]


def test_what_a_model_was_trained_on_has_texts_and_losses(store):
    losses = [("r_1", 2, "train", 1.5), ("r_1", 1, "train", 2.5), ("r_1", 2, "eval", 9.0)]
    trained = write(
        store, "train-m", "t", trainings=[{"training_id": "t1", "name": "m", "dataset": "a"}],
        training_rows=[
            {"training_id": "t1", "row_id": name, "fate": fate, "cut_tokens": 0}
            for name, fate in (("r_1", "trained"), ("r_gone", "too long"))
        ],
        row_losses=[
            {"training_id": "t1", "row_id": name, "step": step, "phase": phase, "loss": loss}
            for name, step, phase, loss in losses
        ],
    )  # fmt: skip
    record(store, "1", *datasets(store))
    record(store, "2", trained, command="train")
    query = (
        "SELECT training, dataset, row_id, fate, first_loss, last_loss, prompt, completion FROM trained_on ORDER BY 3"
    )
    assert ask(store, query) == [
        ("m", "a", "r_1", "trained", 2.5, 1.5, "How?", "So."),
        ("m", "a", "r_gone", "too long", None, None, None, None),
    ]


def test_a_leak_stands_beside_the_text_that_it_repeats(store):
    words = {"how": "n-grams", "file": "t.jsonl", "line": 7, "overlap": 0.9, "text": "How many sheep?", "shared": "How"}
    vector = {"how": "semantic", "file": "t.jsonl", "line": 8, "similarity": 0.95, "text": "Why?"}
    told = [
        decision(name, "prompts.decontaminate", f"overlaps a benchmark ({found['how']})", found)
        for name, found in (("p_1", words), ("p_2", vector))
    ] + [decision("p_3", "prompts.dedup.exact", "duplicate (exact)", {"of": "p_1"})]
    prompts = [prompt("p_1", "How many goats?"), prompt("p_2", "Whence?"), prompt("p_3")]
    record(store, "1", write(store, "prompts.decontaminate", "a", prompts=prompts, decisions=told))
    query = "SELECT row_id, how, overlap, benchmark, line, prompt, benchmark_text, shared FROM leaks"
    assert ask(store, query) == [
        ("p_2", "semantic", 0.95, "t.jsonl", 8, "Whence?", "Why?", None),
        ("p_1", "n-grams", 0.9, "t.jsonl", 7, "How many goats?", "How many sheep?", "How"),
    ]
