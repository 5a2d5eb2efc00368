"""verl: Parquet of RL prompts with ``data_source``, ``prompt``, ``ability``, ``reward_model``, ``extra_info``.

SFT rows go to its SFT trainer as ``messages``; of pairs it knows nothing.
"""

import json
import shlex
from typing import Any

from curate.export.about import About
from curate.export.arrow_schema import INTEGER, JSONS, TEXT
from curate.export.formats.hub import items
from curate.export.turns import FURTHER, IDS, MARKS, TOOLS, TRACES, Turn, has_further, turns_of
from schemas.learnt_turns import is_learnt

KINDS = ("sft", "prompt")
SINK = "parquet"
HOLDS = ("row_id", "prompt_id", "prompt", "completion", "tools", "ground_truth", "metadata", "source")
PLACES = True  # its rows say their split and their place in it
CALLS, NO_TRUTH = "a tool call, which verl's plain messages have no place for", "no ground truth"
PLAIN = [{"role": TEXT, "content": TEXT}]


def columns(kind: str, names: list[str]) -> dict[str, Any]:
    """Return the types of verl's columns."""
    if kind == "sft":
        tools = {"tools": JSONS} if "tools" in names else {}
        return {"messages": JSONS, **tools, "row_id": TEXT}
    about_row = {"split": TEXT, "index": INTEGER, "row_id": TEXT, "prompt_id": TEXT, "metadata": TEXT}
    truth = {"style": TEXT, "ground_truth": TEXT}
    return {"data_source": TEXT, "prompt": PLAIN, "ability": TEXT, "reward_model": truth, "extra_info": about_row}


def row(kind: str, one: dict[str, Any], form: bool = False) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """Return verl's row; the split and the place in it are ``extra_info``'s."""
    if kind == "sft":
        return _sft(one)
    turns = turns_of(one["prompt"])
    if any("tool_calls" in turn for turn in turns):
        return None, (CALLS,)
    if one.get("ground_truth") is None:
        return None, (NO_TRUTH,)
    lost = _lost(turns) | ({TOOLS} if one.get("tools") else set())
    extra = {name: one.get(name) for name in ("split", "index", "row_id", "prompt_id", "metadata")}
    made = {
        "data_source": one.get("source") or "gristmill",
        "prompt": [{"role": turn["role"], "content": turn["content"]} for turn in turns],
        "ability": "",
        "reward_model": {"style": "rule", "ground_truth": one["ground_truth"]},
        "extra_info": extra,
    }
    return made, tuple(sorted(lost))


def _sft(one: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Its SFT trainer gives whole messages to the chat template, so nothing of them is lost but marks."""
    turns = [*turns_of(one["prompt"]), *turns_of(one["completion"])]
    texts = [*(items(one["prompt"]) or []), *(items(one["completion"]) or [])]
    tools = {"tools": items(one["tools"])} if "tools" in one else {}
    lost = (MARKS,) if any(turn["role"] == "assistant" and not is_learnt(turn) for turn in turns) else ()
    return {"messages": texts, **tools, "row_id": one["row_id"]}, lost


def _lost(turns: list[Turn]) -> set[str]:
    lost = {TRACES} if any(turn.get("reasoning_content") for turn in turns) else set()
    lost |= {IDS} if any("tool_call_id" in turn for turn in turns) else set()
    lost |= {MARKS} if any(turn["role"] == "assistant" and not is_learnt(turn) for turn in turns) else set()
    return lost | ({FURTHER} if any(has_further(turn) or "name" in turn for turn in turns) else set())


def files(about: About) -> dict[str, str]:
    """Return no further files."""
    return {}


def train(about: About) -> str:
    """Return the settings that train on the folder."""
    paths = shlex.quote(json.dumps([f"{about.folder.name}/{name}" for name in about.written[about.train_split]]))
    if about.kind == "sft":
        return f"torchrun -m verl.trainer.sft_trainer data.train_files={paths} data.messages_key=messages"
    return f"python -m verl.trainer.main_ppo data.train_files={paths} data.prompt_key=prompt"
