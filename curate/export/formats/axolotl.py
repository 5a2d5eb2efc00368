"""axolotl: ``type: chat_template`` for SFT, ``chat_template.default`` for DPO, plain texts for KTO; and the YAML."""

from typing import Any

from curate.export.about import About
from curate.export.arrow_schema import FLAG, JSON, JSONS, TEXT
from curate.export.turns import (
    FURTHER,
    SEVERAL,
    TOOLS,
    TRACES,
    Turn,
    has_further,
    is_plain,
    is_text,
    open_ai_turns,
    turns_of,
)
from schemas.yaml_text import yaml_text

KINDS = ("sft", "preference", "unpaired")
SINK = "jsonl"
HOLDS = ("row_id", "prompt", "completion", "chosen", "rejected", "tools", "label")
MARK = ("train", False)
CALLS, NOT_PLAIN = "a tool call, of which axolotl's DPO keeps the text only", "not one question and one text"


def columns(kind: str, names: list[str], form: bool = False) -> dict[str, Any]:
    """Return the types of the columns, for the card."""
    if kind == "unpaired":
        return {"system": TEXT, "prompt": TEXT, "completion": TEXT, "label": FLAG, "row_id": TEXT}
    more = {"tools": TEXT} if "tools" in names else {}
    return {"messages": JSONS, **({"chosen": JSON, "rejected": JSON} if kind == "preference" else more), "row_id": TEXT}


def row(kind: str, one: dict[str, Any], form: bool = False) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """Return ``messages`` (with ``chosen`` and ``rejected``), or ``prompt``, ``completion`` and ``label``."""
    if kind == "sft":
        return _sft(one)
    return _pair(one) if kind == "preference" else _unpaired(one)


def _sft(one: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    messages, lost = open_ai_turns([*turns_of(one["prompt"]), *turns_of(one["completion"])], mark=MARK, trace="key")
    tools = {"tools": one["tools"]} if "tools" in one else {}  # as text, which it reads, and Arrow leaves as it is
    return {"messages": messages, **tools, "row_id": one["row_id"]}, lost


def _pair(one: dict[str, Any]) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """It reads role and content alone, and one turn of each side."""
    prompt, sides = turns_of(one["prompt"]), [turns_of(one[side]) for side in ("chosen", "rejected")]
    every = [*prompt, *sides[0], *sides[1]]
    if any(len(side) > 1 for side in sides):
        return None, (SEVERAL,)
    if any("tool_calls" in turn or turn["role"] not in ("system", "user", "assistant") for turn in every):
        return None, (CALLS,)
    lost = [TOOLS] if one.get("tools") else []
    lost += [TRACES] if any(turn.get("reasoning_content") for turn in every) else []
    lost += [FURTHER] if any(has_further(turn) for turn in every) else []
    chosen, rejected = (_plain(side[0]) for side in sides)
    made = {"messages": [_plain(turn) for turn in prompt], "chosen": chosen, "rejected": rejected}
    return {**made, "row_id": one["row_id"]}, tuple(lost)


def _unpaired(one: dict[str, Any]) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """Its KTO takes texts, and formats them as the YAML says."""
    prompt, answer = turns_of(one["prompt"]), turns_of(one["completion"])
    if not (is_plain(prompt) and is_text(answer)):
        return None, (NOT_PLAIN,)
    lost = [TOOLS] if one.get("tools") else []
    lost += [TRACES] if answer[0].get("reasoning_content") else []
    system = {"system": prompt[0]["content"] if len(prompt) > 1 else ""}
    texts = {"prompt": prompt[-1]["content"], "completion": answer[0]["content"]}
    return {**system, **texts, "label": one["label"], "row_id": one["row_id"]}, tuple(lost)


def _plain(turn: Turn) -> Turn:
    return {"role": turn["role"], "content": turn["content"]}


def files(about: About) -> dict[str, str]:
    """Return the lines for axolotl's YAML."""
    kto = "# chatml.ultra writes ChatML; llama3.ultra is for models of Llama 3.\n" if about.kind == "unpaired" else ""
    return {"axolotl.yaml": f"# Paste into axolotl's YAML.\n{kto}{yaml_text(_settings(about))}"}


def _settings(about: About) -> dict[str, Any]:
    data = {"path": about.first_file, "ds_type": "json", "split": "train"}
    if about.kind == "sft":
        marks = {"field_messages": "messages", "message_field_training": "train", "roles_to_train": ["assistant"]}
        return {"chat_template": "tokenizer_default", "datasets": [{**data, "type": "chat_template", **marks}]}
    if about.kind == "preference":
        fields = {"field_messages": "messages", "field_chosen": "chosen", "field_rejected": "rejected"}
        pairs = {**data, "type": "chat_template.default", **fields}
        return {"rl": "dpo", "chat_template": "tokenizer_default", "datasets": [pairs]}
    return {"rl": "kto", "datasets": [{**data, "type": "chatml.ultra"}], "remove_unused_columns": False}


def train(about: About) -> str:
    """Return the line that trains, once a model is named."""
    return "axolotl train YOUR.yaml  # with the lines of axolotl.yaml, and base_model"
