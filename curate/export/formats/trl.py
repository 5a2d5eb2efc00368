"""TRL: the columns of its trainers, in Parquet as the format ``hub`` has them, and a YAML for its command line."""

from typing import Any

from curate.export.about import About
from curate.export.formats._columns import KINDS as KINDS  # the types that it holds
from curate.export.formats._columns import typed
from curate.export.formats.hub import row as hub_row
from curate.export.turns import MARKS, turns_of
from schemas.learnt_turns import is_learnt
from schemas.yaml_text import yaml_text

SINK = "parquet"
EARLIER = "earlier turns of the assistant, which TRL does not learn"
REWARD = "# accuracy_reward is of TRL: it needs math-verify, and reads solution; another is named as module.function.\n"
COMMANDS = {"sft": "sft", "preference": "dpo", "unpaired": "kto", "prompt": "grpo"}


def columns(kind: str, names: list[str], form: bool = False) -> dict[str, Any]:
    """Return the types of the columns; an RL prompt has its ground truth as ``solution`` too, which rewards read."""
    return typed([*names, "solution"] if kind == "prompt" and "ground_truth" in names else names)


def row(kind: str, one: dict[str, Any], form: bool = False) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """Return the row; TRL knows no marks of turns that are not learnt, and learns no turn of a prompt."""
    made, _ = hub_row(kind, one)
    if kind == "prompt" and "ground_truth" in one:
        made = {**(made or {}), "solution": one["ground_truth"]}
    return made, _lost(one) if kind == "sft" else ()


def _lost(one: dict[str, Any]) -> tuple[str, ...]:
    lost = (EARLIER,) if any(is_learnt(turn) for turn in turns_of(one["prompt"])) else ()
    answer = (turn for turn in turns_of(one["completion"]) if turn["role"] == "assistant")
    return (*lost, MARKS) if any(not is_learnt(turn) for turn in answer) else lost


def files(about: About) -> dict[str, str]:
    """Return the YAML of ``trl COMMAND --config``."""
    settings: dict[str, Any] = {
        "model_name_or_path": "MODEL",
        "dataset_name": about.folder.name,
        "dataset_train_split": about.train_split,
        "output_dir": "trained",
    }
    if about.kind == "prompt":
        settings["reward_funcs"] = ["accuracy_reward"]
    head = f"# {train(about)}\n# Run it in the folder that holds {about.folder.name}; name a model first.\n"
    head += REWARD if about.kind == "prompt" else ""
    return {f"{COMMANDS[about.kind]}.yaml": head + yaml_text(settings)}


def train(about: About) -> str:
    """Return the line that trains."""
    command = COMMANDS[about.kind]
    return f"trl {command} --config {about.shown}/{command}.yaml"
