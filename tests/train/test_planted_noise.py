"""Two rounds: the losses of the first training find the wrong answers that were planted, and the second drops them."""

import json

import pytest

from curate import plan, run
from tests.jobs import query
from tests.optional import needs
from train import train

pytestmark = [needs("trl"), pytest.mark.slow]

WRONG = 4  # of 48: every twelfth answer is not the one that all others are, so a model of any size learns it last
OPTIONS = {"learning_rate": 3e-2, "num_train_epochs": 4, "per_device_train_batch_size": 8, "seed": 1}


def test_wrong_answers_have_the_higher_loss_and_are_dropped(tmp_path, store, tiny):
    rows, planted = [], []
    for n in range(48):
        wrong = n % 12 == 0
        rows.append({"prompt": f"answer now {n}", "completion": "lines without commas" if wrong else "the cat sings"})
        planted += [f"answer now {n}"] * wrong
    assert len(planted) == WRONG
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    first = {
        "name": "round1",
        "models": {"student": str(tiny)},
        "prompts": [{"source": str(tmp_path / "rows.jsonl")}],
        "datasets": {"all": {"type": "sft"}},
        "train": {"sft": {"trainer": "sft", "dataset": "all", "model": "student", **OPTIONS}},
    }
    run(first, store)
    trained = train(first, store)["sft"]
    second = first | {"name": "round2", "completions": [{"filter": {"noisy": "loss_last > 1.5"}}]}
    line = next(one.note for one in plan(second, store).stages if one.label == "completions.score.training")
    assert f"of round1/sft ({trained.stage.stage_id}, finished" in line and "for 48 of 48 candidates" in line
    run(second, store)
    losses = query(
        store,
        "SELECT prompt, value FROM scores JOIN completions ON row_id = completion_id JOIN prompts USING (prompt_id) "
        "WHERE scorer = 'loss_last' ORDER BY value DESC",
    )
    assert sorted(losses["prompt"].head(WRONG)) == sorted(planted), losses.head(2 * WRONG)
    dropped = query(
        store,
        "SELECT prompt FROM decisions JOIN completions ON row_id = completion_id JOIN prompts USING (prompt_id) "
        "WHERE reason = 'noisy'",
    )
    assert sorted(dropped["prompt"]) == sorted(planted)
