"""ms-swift: messages in OpenAI's form, tools as JSON text, the worse answer of a pair as ``rejected_response``."""

import shlex
from typing import Any

from curate.export.about import About
from curate.export.arrow_schema import FLAG, JSONS, TEXT
from curate.export.turns import SEVERAL, open_ai_turns, turns_of

KINDS = ("sft", "preference", "unpaired", "prompt")
SINK = "jsonl"
HOLDS = (
    "row_id", "prompt", "completion", "chosen", "rejected", "tools", "label", "ground_truth", "metadata",
)  # fmt: skip
MARK = ("loss", False)
CALLS = "a worse answer that calls tools"


def columns(kind: str, names: list[str], form: bool = False) -> dict[str, Any]:
    """Return the types of the columns, for the card."""
    more = {"preference": {"rejected_response": TEXT}, "unpaired": {"label": FLAG}, "prompt": {"solution": TEXT}}
    kept = {name: TEXT for name in ("tools", "ground_truth", "metadata") if name in names}
    return {"messages": JSONS, **kept, **more.get(kind, {}), "row_id": TEXT}


def row(kind: str, one: dict[str, Any], form: bool = False) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """Return ``messages``, ``tools``, and what the type adds; a trace stands in the text, in ``<think>`` marks."""
    answer = {"sft": "completion", "unpaired": "completion", "preference": "chosen"}.get(kind)
    turns = [*turns_of(one["prompt"]), *(turns_of(one[answer]) if answer else [])]
    messages, lost = open_ai_turns(turns, mark=MARK, trace="text")
    made: dict[str, Any] = {"messages": messages}
    if "tools" in one:
        made["tools"] = one["tools"]
    if kind == "preference":
        worse = turns_of(one["rejected"])
        if len(worse) > 1 or len(turns_of(one["chosen"])) > 1:
            return None, (SEVERAL,)
        if worse[0].get("tool_calls"):
            return None, (CALLS,)
        written, more = open_ai_turns(worse, mark=MARK, trace="text")
        made["rejected_response"], lost = written[0]["content"], (*lost, *more)
    if kind == "unpaired":
        made["label"] = one["label"]
    if kind == "prompt":
        made["solution"] = one.get("ground_truth")  # the name that its rewards read
    made |= {name: one[name] for name in ("ground_truth", "metadata") if name in one}
    return {**made, "row_id": one["row_id"]}, tuple(sorted(set(lost)))


def files(about: About) -> dict[str, str]:
    """Return no further files."""
    return {}


def train(about: About) -> str:
    """Return the line that trains, once a model is named."""
    path = shlex.quote(about.first_file)
    if about.kind == "sft":
        return f"swift sft --model MODEL --dataset {path}"
    kind = {"preference": "dpo", "unpaired": "kto", "prompt": "grpo"}[about.kind]
    return f"swift rlhf --rlhf_type {kind} --model MODEL --dataset {path}"
