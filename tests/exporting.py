"""Stores with a dataset of each type, and what is the same of a dataset before an export and after it is read again."""

import json
from pathlib import Path

from curate.api.run import run
from curate.export.export import export_dataset
from curate.storage.sql_views import connect
from curate.storage.store import Store
from schemas.load_recipe import load_recipe

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "天气",
            "parameters": {"type": "object", "properties": {"city": {"type": "string", "enum": ["北京", "Rome"]}}},
        },
    }
]
CALL = {
    "id": "call00001",
    "type": "function",
    "function": {"name": "weather", "arguments": {"city": "北京", "n": 1.10}},
}
# Rows of every sort: plain, with a system text, Chinese, reasoning, several turns, tools that are called, a mark.
SFT = [
    {"prompt": "Name a river.", "completion": "The Po.", "ground_truth": "Po", "metadata": {"a": [1, None]}},
    {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "你好吗？"},
                  {"role": "assistant", "content": "我很好。", "reasoning_content": "先想一想\nthen say it"}]},
    {"messages": [{"role": "user", "content": "One."}, {"role": "assistant", "content": "1", "weight": 0},
                  {"role": "user", "content": "Two."}, {"role": "assistant", "content": "2"}]},
    {"prompt": [{"role": "user", "content": "Weather in Beijing?"}], "tools": TOOLS,
     "completion": [{"role": "assistant", "content": "", "tool_calls": [CALL]},
                    {"role": "tool", "content": '{"t": 21}', "tool_call_id": "call00001", "name": "weather"},
                    {"role": "assistant", "content": "21 degrees, “mild” 🌤\u2028\ttab"}]},
]  # fmt: skip
PAIRS = [
    {"prompt": "Name a river.", "chosen": "The Po.", "rejected": "Rome", "chosen_model": "b", "rejected_model": "s"},
    {"prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "河流？"}],
     "chosen": [{"role": "assistant", "content": "长江", "reasoning_content": "想"}],
     "rejected": [{"role": "assistant", "content": "一座山"}]},
]  # fmt: skip
UNPAIRED = [
    {"prompt": "Name a river.", "completion": "The Po.", "label": True},
    {"prompt": "Name a hill.", "completion": "The Po.", "label": False},
]
PROMPTS = [
    {"prompt": "2 + 2?", "ground_truth": "4"},
    {"prompt": "你好", "ground_truth": "", "metadata": {"a": {"b": None}}},
]
JSON_COLUMNS = ("messages", "tools", "metadata", "prompt", "completion", "chosen", "rejected")
KINDS = {
    "sft": (SFT, "{type: sft}"),
    "preference": (PAIRS, "{type: preference, select: recorded_pairs, by: preference}"),
    "unpaired": (UNPAIRED, "{type: unpaired, by: label}"),
    "prompt": (PROMPTS, "{type: prompt}"),
}


def stored(folder: Path, rows: list[dict], dataset: str, source: str = "{path: rows.jsonl}", name: str = "r") -> Store:
    """Return the store of a recipe whose source holds these rows and whose dataset ``d`` is of this kind."""
    folder.mkdir(parents=True, exist_ok=True)
    if rows:
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "r.yaml").write_text(
        f"name: {name}\nseed: 5\nprompts:\n  - source: {source}\ndatasets:\n  d: {dataset}\n", encoding="utf-8"
    )
    store = Store(folder / "store", durable=False)
    run(load_recipe(folder / "r.yaml"), store)
    return store


def of_kind(folder: Path, kind: str, rows: list[dict] | None = None) -> Store:
    """Return a store with the dataset ``d`` of this type."""
    default, dataset = KINDS[kind]
    return stored(folder, default if rows is None else rows, dataset)


def exported(folder: Path, kind: str, format: str, rows: list[dict] | None = None) -> Path:
    """Return the folder of an export of such a dataset."""
    target = folder / f"{kind}-{format}"
    export_dataset(of_kind(folder / kind, kind, rows), "d", target, format=format)
    return target


def again(folder: Path, kind: str, source: Path) -> Store:
    """Return the store of the same recipe with an exported folder as its source."""
    return stored(folder, [], KINDS[kind][1], f"{{path: '{source}'}}")


def content(store: Store, *, ids: bool = True, truths: bool = True) -> dict[str, list]:
    """Return what the tables hold, parsed: all that an export keeps, with the rows' ids or without, and in order."""
    found = {}
    queries = {
        "prompts": f"prompt_id, messages, tools{', ground_truth, metadata' * truths}",
        "completions": f"completion_id, prompt_id, messages{', model' * truths}",
        "sft": "row_id, completion_id, prompt, completion, tools",
        "preferences": "row_id, chosen_id, rejected_id, prompt, chosen, rejected, tools",
        "unpaired": "row_id, completion_id, prompt, completion, label, tools",
        "rl_prompts": f"row_id, prompt_id, prompt, tools{', ground_truth, metadata' * truths}",
    }
    with connect(store, None, f"FROM {', '.join(queries)}") as con:
        for table, columns in queries.items():
            rows = con.sql(f"SELECT {columns} FROM {table}").fetchall()
            names = [name for name in columns.split(", ") if ids or not name.endswith("_id")]
            places = [columns.split(", ").index(name) for name in names]
            found[table] = [
                tuple(_parsed(name, row[at]) for name, at in zip(names, places, strict=True)) for row in rows
            ]
    return found


def _parsed(name: str, value: object) -> object:
    """Return a column's JSON text as one text of its value, in which the order of keys and 1 and 1.0 differ."""
    return json.dumps(json.loads(value)) if isinstance(value, str) and name in JSON_COLUMNS else value
