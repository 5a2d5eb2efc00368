"""``store.dataset`` gives datasets that TRL's own trainers train on as they are."""

import json
from pathlib import Path

import pytest

from curate import open_store, run
from curate.api.open_store import OpenStore
from schemas.errors import UserError
from tests.optional import needs

pytestmark = [pytest.mark.slow, needs("trl")]

TOOLS = [{"type": "function", "function": {"name": "add", "description": "Add.", "parameters": {"type": "object"}}}]
CALL = {"id": "1", "type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": 2}}}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> OpenStore:
    """A store with a dataset of each type; one row of four has tools, a tool call and its result."""
    folder = tmp_path_factory.mktemp("datasets")
    rows: list[dict] = [
        {"prompt": f"answer {n}", "ground_truth": str(n), "completions": ["the cat sings", f"the answer is {n} {n}"]}
        for n in range(1, 4)
    ]
    messages = [
        {"role": "user", "content": "add one and two"},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "1", "content": "3"},
        {"role": "assistant", "content": "three"},
    ]
    rows.append({"messages": messages, "tools": TOOLS})
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    run(
        {
            "name": "for_trl",
            "prompts": [{"source": folder / "rows.jsonl"}],
            "completions": [{"score": "length"}],
            "datasets": {
                "sft": {"type": "sft", "select": "best_of_n", "by": "length"},
                "pairs": {"type": "preference", "select": "best_vs_worst", "by": "length"},
                "thumbs": {"type": "unpaired", "by": "length", "threshold": 1},
                "questions": {"type": "prompt"},
            },
        },
        folder / "store",
    )
    return open_store(folder / "store", create=False)


def test_messages_and_tools_are_lists(store):
    rows = store.dataset("sft", split="train")
    (with_tools,) = [row for row in rows if row["tools"]]
    assert with_tools["tools"] == TOOLS and [m["role"] for m in with_tools["prompt"]] == ["user", "assistant", "tool"]
    assert with_tools["prompt"][1]["tool_calls"] == [CALL]
    (plain,) = [row for row in rows if row["prompt"][0]["content"] == "answer 1"]
    assert plain["prompt"] == [{"role": "user", "content": "answer 1"}], "no keys of other rows' messages"
    assert "split" not in rows.column_names and set(store.dataset("sft")["split"]) == {"train"}


def test_a_wrong_name_names_the_nearest(store):
    with pytest.raises(UserError, match="no dataset 'sfd'; did you mean 'sft'"):
        store.dataset("sfd")
    with pytest.raises(UserError, match="no rows of the dataset 'sft' in the split 'trian'; did you mean 'train'"):
        store.dataset("sft", split="trian")
    with pytest.raises(UserError, match="no recipe .* called 'other'"):
        store.dataset("sft", recipe="other")


def test_two_recipes_with_one_name_for_a_dataset(store, tmp_path):
    both = open_store(tmp_path / "store")
    (tmp_path / "rows.jsonl").write_text('{"prompt": "a", "completion": "b"}\n', encoding="utf-8")
    for name in ("one", "two"):
        datasets = {"sft": {"type": "sft", "select": "all"}}
        run({"name": name, "prompts": [{"source": tmp_path / "rows.jsonl"}], "datasets": datasets}, both)
    with pytest.raises(UserError, match="the recipes two, one each have one"):
        both.dataset("sft")
    assert both.dataset("sft", recipe="one").num_rows == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trainer", "dataset"),
    [
        ("SFTTrainer", "sft"),
        ("DPOTrainer", "pairs"),
        ("RewardTrainer", "pairs"),
        ("KTOTrainer", "thumbs"),
        ("GRPOTrainer", "questions"),
    ],
)
def test_trl_trains_on_it_as_it_is(store: OpenStore, tiny: Path, tmp_path: Path, trainer: str, dataset: str):
    import trl

    rows = store.dataset(dataset, split="train")
    seen: list[str] = []

    def reward(completions, ground_truth, **_):
        seen.extend(str(truth) for truth in ground_truth)
        return [float(len(completion[0]["content"])) for completion in completions]

    config = getattr(trl, trainer.replace("Trainer", "Config"))
    limits = {"max_completion_length": 4, "num_generations": 2} if trainer == "GRPOTrainer" else {}
    args = config(
        output_dir=str(tmp_path / "out"), max_steps=1, per_device_train_batch_size=2, report_to=[], use_cpu=True,
        bf16=False, **limits,
    )  # fmt: skip
    rewards = {"reward_funcs": reward} if trainer == "GRPOTrainer" else {}
    done = getattr(trl, trainer)(str(tiny), args=args, train_dataset=rows, **rewards).train()
    assert done.global_step == 1
    assert trainer != "GRPOTrainer" or set(seen) <= {"1", "2", "3", "None"} and seen
