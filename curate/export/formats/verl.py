"""verl: Parquet of RL prompts with ``data_source``, ``prompt``, ``ability``, ``reward_model``, ``extra_info``.

SFT rows go to its SFT trainer as ``messages``, which it reads with pandas: mappings with the same keys in all rows, so
that what differs from row to row, as schemas of tools do, has no place. Of pairs it knows nothing.
"""

import json
import shlex
from typing import Any

from curate.export.about import About
from curate.export.arrow_schema import INTEGER, TEXT
from curate.export.turns import FURTHER, IDS, MARKS, TOOLS, TRACES, Turn, has_further, open_ai_turns, turns_of
from schemas.learnt_turns import is_learnt

KINDS = ("sft", "prompt")
SINK = "parquet"
HOLDS = ("row_id", "prompt_id", "prompt", "completion", "tools", "ground_truth", "metadata", "source")
PLACES = True  # its rows say their split and their place in it
CALLS, NO_TRUTH = "a tool call, which verl's plain messages have no place for", "no ground truth"
ARGUMENTS = "arguments of tool calls as mappings: they are JSON text"
PLAIN = [{"role": TEXT, "content": TEXT}]
CALL = {"id": TEXT, "type": TEXT, "function": {"name": TEXT, "arguments": TEXT}}
TURN = {"role": TEXT, "content": TEXT, "reasoning_content": TEXT, "name": TEXT, "tool_call_id": TEXT}


def simpler(kind: str, one: dict[str, Any]) -> bool:
    """Return whether a row's turns have a role and a text alone; with others, keys that a turn has not are nulls."""
    turns = [*turns_of(one["prompt"]), *(turns_of(one["completion"]) if kind == "sft" else [])]
    made, _ = open_ai_turns(turns, mark=None, trace="key")
    return all(turn.keys() == {"role", "content"} for turn in made)


def columns(kind: str, names: list[str], form: bool = False) -> dict[str, Any]:
    """Return the types of verl's columns."""
    if kind == "sft":
        return {"messages": PLAIN if form else [{**TURN, "tool_calls": [CALL]}], "row_id": TEXT}
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
    """Its SFT trainer gives messages one by one to the chat template."""
    turns = [*turns_of(one["prompt"]), *turns_of(one["completion"])]
    messages, lost = open_ai_turns(turns, mark=None, trace="key")
    calls = [call for turn in messages for call in turn.get("tool_calls", ())]
    more = [ARGUMENTS] if calls else []
    more += [TOOLS] if one.get("tools") else []
    more += [FURTHER] if any(call.keys() - CALL or call["function"].keys() - CALL["function"] for call in calls) else []
    return {"messages": messages, "row_id": one["row_id"]}, tuple(sorted({*lost, *more}))


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
    paths = [f"{about.folder.name}/{name}" for name in about.written[about.train_split]]
    files = shlex.quote(json.dumps(paths, ensure_ascii=False))
    if about.kind == "sft":
        return f"torchrun -m verl.trainer.sft_trainer data.train_files={files} data.messages_key=messages"
    return f"python -m verl.trainer.main_ppo data.train_files={files} data.prompt_key=prompt"
