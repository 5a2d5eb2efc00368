"""``decontaminate`` of a dataset: its rows that a benchmark holds too are left out, and no other dataset's."""

import json

import pytest

from schemas.errors import UserError
from tests.choosing import built, pairs, picks, recipe, recorded
from tests.jobs import query

LEAK = "How many legs does a common garden spider have in all?"
ROWS = [
    recorded(f"Please tell me. {LEAK}", ("Eight legs.", 0.9), ("Six.", 0.1)),
    recorded("What is the name of the river that runs through Paris?", ("The Seine.", 0.8), ("The Po.", 0.2)),
    recorded("Say it.", (f"You asked: {LEAK}", 0.7), ("No.", 0.3)),
]


def benchmark(folder, *rows):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "eval.jsonl").write_text("".join(json.dumps({"prompt": row}) + "\n" for row in rows), encoding="utf-8")
    return folder


def test_rows_of_a_benchmark_are_left_out_of_one_dataset(tmp_path):
    store, said = built(
        benchmark(tmp_path, LEAK),
        ROWS,
        """
        raw: {type: sft, select: best_of_n, by: quality}
        clean: {type: sft, select: best_of_n, by: quality, decontaminate: {against: eval.jsonl}}
        answers: {type: sft, select: best_of_n, by: quality, decontaminate: {against: eval.jsonl, on: response}}
        dpo: {type: preference, select: best_vs_worst, by: quality, decontaminate: {against: eval.jsonl, match: 1.0}}
        rl: {type: prompt, decontaminate: {against: eval.jsonl}}""",
    )
    assert len(picks(store, "raw")) == 3
    assert [answer for _, answer in picks(store, "clean")] == [f"You asked: {LEAK}", "The Seine."]
    assert [answer for _, answer in picks(store, "answers")] == ["Eight legs.", "The Seine."]
    assert [chosen for _, chosen, _ in pairs(store, "dpo")] == [f"You asked: {LEAK}", "The Seine."]
    assert said["clean"] == "2 rows (2 train); 1 left out by decontaminate"
    assert said["rl"].startswith("2 prompts") and "1 left out by decontaminate" in said["rl"]
    left = query(
        store, "SELECT reason, evidence FROM decisions WHERE stage = 'datasets.clean.decontaminate' AND NOT kept"
    )
    ((reason, evidence),) = left.rows()
    assert reason == "overlaps a benchmark (n-grams)" and json.loads(evidence)["text"] == LEAK


def test_each_turn_of_a_conversation_is_compared(tmp_path):
    turns = [{"role": "user", "content": LEAK}, {"role": "assistant", "content": "Eight."}]
    row = {"messages": [*turns, {"role": "user", "content": "Thanks."}, {"role": "assistant", "content": "Welcome."}]}
    store, _ = built(
        benchmark(tmp_path, LEAK), [row], "clean: {type: sft, learn: last, decontaminate: {against: eval.jsonl}}"
    )
    assert picks(store, "clean") == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("{}", "needs 'against'"),
        ("{against: no.jsonl}", "no.jsonl"),
        ("{against: eval.jsonl, matches: 1}", "no setting of decontaminate called 'matches'; did you mean 'match'"),
        ("{against: eval.jsonl, on: row}", "no column to decontaminate 'row' .there are: prompt, response"),
        ("{against: eval.jsonl, match: 2}", "match"),
    ],
)
def test_a_wrong_setting_is_named_with_its_line(tmp_path, settings, words):
    with pytest.raises(UserError, match=words) as caught:
        built(benchmark(tmp_path, LEAK), ROWS, f"clean: {{type: sft, by: quality, decontaminate: {settings}}}")
    assert "r.yaml:6" in str(caught.value)


def test_another_benchmark_remakes_the_dataset(tmp_path):
    entry = "clean: {type: sft, select: best_of_n, by: quality, decontaminate: {against: eval.jsonl}}"
    store, _ = built(benchmark(tmp_path, LEAK), ROWS, entry)
    assert len(picks(store, "clean")) == 2
    store, _ = built(benchmark(tmp_path, LEAK, "What is the name of the river that runs through Paris?"), ROWS, entry)
    assert len(picks(store, "clean")) == 1
    assert recipe(tmp_path, ROWS, entry).datasets["clean"].decontaminate == {"against": "eval.jsonl"}
