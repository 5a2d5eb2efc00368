"""A source file of any content is read, or refused in one line that names it."""

import bz2
import gzip
import io
import json
import lzma
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cli.shipped_recipes import RECIPES
from curate.sources.read_source import read_source
from tests.fuzz.fuzzing import fuzz, works_or_says_why
from tests.fuzz.mutations import blobs, texts, values

pytestmark = pytest.mark.slow


CALL = {"id": "c", "type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
TURNS = [{"role": "system", "content": "s"}, {"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
ROWS: list[Any] = [
    {"prompt": "2+2?", "ground_truth": "4", "completions": ["4", "5"], "metadata": {"side": "test"}},
    {"messages": TURNS, "tools": [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]},
    {
        "messages": [
            *TURNS[:2],
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "content": "3"},
        ]
    },
    {"prompt": "a", "chosen": "b", "rejected": "c", "score_chosen": 1, "score_rejected": 0},
    {"chosen": TURNS, "rejected": TURNS},
    {"instruction": "do", "input": "x", "output": "y"},
    {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "yes"}], "system": "s"},
    {"question": "q", "answer": "a #### 3", "options": ["1", "2"], "cop": 1},
    {"text": "### Human: hi ### Assistant: yes"},
    {"prompt": [{"role": "user", "content": [{"type": "text", "text": "x"}]}], "completion": TURNS[2:], "label": True},
    {"message_id": "1", "parent_id": None, "role": "prompter", "text": "t", "message_tree_id": "1", "rank": 0},
    {"chat": 'SYSTEM: s\nUSER: hi <|endoftext|>\nASSISTANT: <functioncall> {"name": "f", "arguments": \'{}\'}'},
    {
        "prompt": "p",
        "responses": [{"response": "a", "overall_score": 3}],
        "answers": {"text": ["x"], "answer_start": [1]},
    },
]
LINES = [json.dumps(row) + "\n" for row in ROWS]
SHIPPED = [
    (RECIPES / name).read_text(encoding="utf-8")[:3000]
    for name in ("tools.jsonl", "preferences.yaml", "reasoning.jsonl")
]
CSV = ['prompt,answer\n"a, b",1\n"c\nd",2\n', "prompt\tanswer\nx\ty\n", "instruction;output\r\na;b\r\n"]
FIELDS = ({"prompt": "question"}, {"prompt": "a.b", "ground_truth": "answer"}, {"completions": ["x", "answer"]})


def _parquet() -> bytes:
    file = io.BytesIO()
    pl.DataFrame(
        [{"prompt": "a", "n": 1, "messages": TURNS}, {"prompt": "b", "n": 2, "messages": TURNS}]
    ).write_parquet(file)
    return file.getvalue()


def _arrow() -> bytes:
    file = io.BytesIO()
    table = pa.table({"prompt": ["alpha", "bravo"], "answer": ["1", None]})
    with pa.ipc.new_stream(file, table.schema) as out:
        out.write_table(table)
    return file.getvalue()


TEXT = "".join(LINES[:3]).encode()
FILES = {
    "a.parquet": _parquet(),
    "a.arrow": _arrow(),
    "a.jsonl.gz": gzip.compress(TEXT, mtime=0),
    "a.jsonl.bz2": bz2.compress(TEXT),
    "a.json.xz": lzma.compress(json.dumps(ROWS[:2]).encode()),
    "a.jsonl.zst": pa.compress(TEXT, "zstd", asbytes=True),
    "a.jsonl": TEXT,
    "a.csv": CSV[0].encode(),
    "a.json": json.dumps({"data": ROWS[:2], "version": 1}).encode(),
}
NAMES = ("a.jsonl", "a.json", "a.csv", "a.tsv", "a.txt", "a.ndjson", "README.md", "a")


def read(name: str, data: bytes, **how: Any) -> None:
    """Read a file as a source."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(data)
        with works_or_says_why("sources"):
            source = read_source(file, **how)
            assert source.prompts.height or how.get("on_error") == "drop" or source.decisions.height


how = st.fixed_dictionaries(
    {"on_error": st.sampled_from(["refuse", "drop"]), "unanswered": st.sampled_from(["keep", "cut"])},
    optional={"limit": st.integers(1, 3), "fields": st.sampled_from(FIELDS), "split": st.sampled_from(["train", "x"])},
)


@fuzz(100)
@given(st.lists(values(ROWS), min_size=1, max_size=3), how)
def test_rows_of_any_values_are_read_or_refused(rows, how):
    read("a.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode(), **how)


@fuzz(60)
@given(st.sampled_from(NAMES), texts([*LINES, "".join(LINES), *SHIPPED, *CSV, json.dumps(ROWS, indent=1)]), how)
def test_a_changed_text_is_read_or_refused(name, text, how):
    read(name, text.encode("utf-8", "surrogatepass"), **how)


@fuzz(60)
@given(st.sampled_from(sorted(FILES)).flatmap(lambda name: st.tuples(st.just(name), blobs([FILES[name]]))), how)
@example(("a.arrow", FILES["a.arrow"].replace(b"alphabravo", b"\xff" * 10)), {"on_error": "drop"})  # no UTF-8
@example(("a.arrow", FILES["a.arrow"].replace(b"\x05\0\0\0\x0a\0\0\0", b"\xff" * 8)), {"on_error": "drop"})  # leads out
def test_a_damaged_file_is_read_or_refused(file, how):
    read(*file, **how)
