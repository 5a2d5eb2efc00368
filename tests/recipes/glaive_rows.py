"""Rows like those of the file that the recipe ``glaive`` reads, which its users bring."""

import json

GLAIVE = "glaive_toolcall_en_demo.json"


def glaive_rows() -> list[dict]:
    """Conversations in the layout of LLaMA-Factory's Glaive file; half of them call a tool, some after a question."""
    tools = json.dumps([{"name": "add", "description": "Adds.", "parameters": {"type": "object", "properties": {
        "a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}}])  # fmt: skip
    rows = []
    for n in range(30):
        call = {"from": "function_call", "value": json.dumps({"name": "add", "arguments": {"a": n, "b": 2}})}
        asked, more = {"from": "human", "value": f"What is {n} and two, item {n * 7}?"}, []
        if n % 3 == 0:
            more = [{"from": "gpt", "value": "Which two?"}, {"from": "human", "value": f"Number {n}."}]
        said = [call, {"from": "observation", "value": str(n + 2)}] if n % 2 else []
        rows.append(
            {"conversations": [asked, *more, *said, {"from": "gpt", "value": f"It is {n + 2}."}], "tools": tools}
        )
    return rows
