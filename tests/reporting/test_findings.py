"""What a section's title and notes say where the plain figure would mislead."""

import json

import pytest

from curate.storage.sql_views import connect
from tests.optional import Lazy, needs
from tests.storage.asked import candidate, prompt, record, score, write

pytestmark = needs("altair", "jinja2")
sections = Lazy("cli.reporting.sections.lengths"), Lazy("cli.reporting.sections.scores")
curves = Lazy("cli.reporting.sections.training_curves")
losses = Lazy("cli.reporting.sections.losses")
conversations = Lazy("cli.reporting.sections.conversations")


def test_labels_by_hand_are_told_last_and_not_by_length(store):
    rows = [candidate(f"c_{at}", response="word " * at, index=at) for at in range(12)]
    values = [score(f"c_{at}", at / 12, name) for at in range(12) for name in ("by_hand", "quality")]
    record(store, "1", write(store, "completions.x", "a", prompts=[prompt("p_1")], completions=rows, scores=values))
    with connect(store) as con:
        lengths, scores = sections[0].lengths(con), sections[1].scores(con)
    assert "by_hand" not in lengths.title and [one.title for one in lengths.values["drawings"]] == ["quality"]
    assert [card["scorer"] for card in scores.values["cards"]] == ["quality", "by_hand"]
    assert scores.title.startswith("quality gives")


@pytest.mark.parametrize(("logged", "said"), [({}, "loss 0.50 → 0.10"), ({"reward": 0.25}, "reward 0.25 → 0.75")])
def test_a_training_with_rewards_is_told_by_them(store, logged, said):
    steps = [{"step": 1, "loss": 0.5} | logged, {"step": 2, "loss": 0.1} | {key: 0.75 for key in logged}]
    row = {"training_id": "t_1", "name": "arm", "trainer": "grpo", "dataset": "rl", "steps": 2,
           "metrics": json.dumps({"history": steps})}  # fmt: skip
    record(store, "1", write(store, "train.arm", "a", trainings=[row]))
    with connect(store) as con:
        assert said in curves.training_curves(con).title


def test_a_sampled_row_has_its_ground_truth_and_no_answer(store):
    turns = '[{"role": "user", "content": "1 + 1?"}]'
    rl = {"row_id": "r_1", "prompt_id": "p_1", "prompt": turns, "ground_truth": "2", "dataset": "rl", "split": "train"}
    loss = {"training_id": "t_1", "row_id": "r_1", "step": 1, "phase": "train", "loss": 3.0}
    training = {"training_id": "t_1", "name": "arm", "trainer": "distill", "dataset": "rl"}
    record(
        store,
        "1",
        write(store, "datasets.rl", "a", rl_prompts=[rl]),
        write(store, "train.arm", "b", trainings=[training], row_losses=[loss]),
    )
    with connect(store) as con:
        (row,) = losses.losses(con).values["trainings"][0]["rows"]
    assert (row["completion"], row["truth"]) == ("[]", "2")


@pytest.mark.parametrize(
    ("tools", "names"),
    [
        (None, []),
        ("no JSON", []),
        ('{"name": "x"}', []),
        ('[{"type": "function", "function": {"name": "a"}}, {"name": "b"}, 3, {}]', ["a", "b", "?"]),
        (json.dumps([{"name": "f"}] * 23), ["f"] * 20 + ["3 more"]),
    ],
)
def test_tools_of_a_conversation_are_named(tools, names):
    assert conversations.tool_names(tools) == names
