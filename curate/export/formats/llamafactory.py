"""LLaMA-Factory: alpaca where every row is one question and one text, else sharegpt; and its dataset_info.json."""

import json
import shlex
from typing import Any

from curate.export.about import About
from curate.export.turns import (
    FURTHER,
    IDS,
    MARKS,
    SEVERAL,
    Turn,
    call_text,
    has_further,
    is_blank,
    is_plain,
    is_text,
    turns_of,
    with_trace,
)
from schemas.learnt_turns import is_learnt

KINDS = ("sft", "preference", "unpaired")
SINK = "jsonl"
HOLDS = ("row_id", "prompt", "completion", "chosen", "rejected", "tools", "label")
ODD, EVEN = ("human", "observation"), ("gpt", "function_call")  # what LLaMA-Factory takes at odd and even places
NOT_IN_TURN = "turns that do not alternate, which LLaMA-Factory skips"
BESIDE = "texts beside tool calls"
DEVELOPER = "the name of the developer's turn, which becomes the system's"
SIDES = ("chosen", "rejected")
ANSWERS = {"sft": ("completion",), "unpaired": ("completion",), "preference": SIDES}


def simpler(kind: str, one: dict[str, Any]) -> bool:
    """Return whether a row can be in the form alpaca: one question, without tools, and one text as the answer."""
    answers = all(is_text(turns_of(one[name])) for name in ANSWERS[kind])
    return answers and not one.get("tools") and is_plain(turns_of(one["prompt"]))


def row(kind: str, one: dict[str, Any], form: bool = False) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """Return the row in the form alpaca (``form``) or sharegpt; a trace stands in the text, in ``<think>`` marks."""
    return (_alpaca(kind, one), ()) if form else _sharegpt(kind, one)


def _alpaca(kind: str, one: dict[str, Any]) -> dict[str, Any]:
    prompt = turns_of(one["prompt"])
    made: dict[str, Any] = {"instruction": prompt[-1]["content"], "input": ""}
    names = {"completion": "output"} if kind != "preference" else {side: side for side in SIDES}
    made |= {theirs: with_trace(turns_of(one[ours])[0]) for ours, theirs in names.items()}
    made["system"] = prompt[0]["content"] if len(prompt) > 1 else ""
    return made | ({"kto_tag": one["label"]} if kind == "unpaired" else {}) | {"row_id": one["row_id"]}


def _sharegpt(kind: str, one: dict[str, Any]) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    turns, lost, system = turns_of(one["prompt"]), set(), ""
    if turns and turns[0]["role"] in ("system", "developer"):
        lost |= {DEVELOPER} if turns[0]["role"] == "developer" else set()
        system, turns = turns[0]["content"], turns[1:]
    answers = {name: turns_of(one[name]) for name in ANSWERS[kind]}
    if kind == "preference" and any(len(answer) > 1 for answer in answers.values()):
        return None, (SEVERAL,)
    talk = [*turns, *answers["completion"]] if kind != "preference" else turns
    made = [_turn(turn, lost) for turn in talk]
    sides = {name: _turn(answers[name][0], lost) for name in SIDES if name in answers}
    alternate = all(one["from"] in (EVEN if place % 2 else ODD) for place, one in enumerate(made))
    if (
        not alternate
        or len(made) % 2 != (kind == "preference")
        or any(one["from"] not in EVEN for one in sides.values())
    ):
        return None, (NOT_IN_TURN,)
    whole: dict[str, Any] = {"conversations": made, **sides, "system": system, "tools": one.get("tools") or ""}
    whole |= {"kto_tag": one["label"]} if kind == "unpaired" else {}
    return {**whole, "row_id": one["row_id"]}, tuple(sorted(lost))


def _turn(turn: Turn, lost: set[str]) -> dict[str, str]:
    """Return a turn as ``from`` and ``value``, and add what it loses."""
    calls = turn.get("tool_calls")
    lost |= {FURTHER} if has_further(turn) or (turn["role"] == "tool" and "name" in turn) else set()
    lost |= {IDS} if "tool_call_id" in turn or any("id" in call for call in calls or ()) else set()
    lost |= {MARKS} if turn["role"] == "assistant" and not is_learnt(turn) else set()
    if calls:
        lost |= set() if is_blank(turn) else {BESIDE}
        texts = [call_text(call) for call in calls]
        value = texts[0] if len(texts) == 1 else f"[{','.join(texts)}]"
        return {"from": "function_call", "value": with_trace({**turn, "content": value})}
    names = {"user": "human", "assistant": "gpt", "tool": "observation"}
    return {"from": names.get(turn["role"], "system"), "value": with_trace(turn)}


def files(about: About) -> dict[str, str]:
    """Return ``dataset_info.json``, with the dataset's name for each split, the first under its own."""
    named = {
        about.name if split == about.train_split else f"{about.name}_{split}": _entry(about, about.written[split][0])
        for split in about.splits
    }
    return {"dataset_info.json": json.dumps(named, indent=2, ensure_ascii=False)}


def _entry(about: About, path: str) -> dict[str, Any]:
    columns = {"system": "system"}
    if about.form:
        columns |= {"prompt": "instruction", "query": "input"}
        columns |= {} if about.kind == "preference" else {"response": "output"}
    else:
        columns |= {"messages": "conversations", "tools": "tools"}
    columns |= {side: side for side in SIDES} if about.kind == "preference" else {}
    columns |= {"kto_tag": "kto_tag"} if about.kind == "unpaired" else {}
    entry: dict[str, Any] = {
        "file_name": path,
        "formatting": "alpaca" if about.form else "sharegpt",
        "columns": columns,
    }
    entry |= {"ranking": True} if about.kind == "preference" else {}
    if not about.form:
        entry["tags"] = {
            "role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt",
            "observation_tag": "observation", "function_tag": "function_call", "system_tag": "system",
        }  # fmt: skip
    return entry


def train(about: About) -> str:
    """Return the settings that train on the folder."""
    stage = {"sft": "sft", "preference": "dpo", "unpaired": "kto"}[about.kind]
    return f"llamafactory-cli train YOUR.yaml dataset_dir={about.shown} dataset={shlex.quote(about.name)} stage={stage}"
