"""A table with every column that a step may read, the settings that steps need, and a driver that runs any step on it.

Only a step with a required setting needs a line in ``REQUIRED``.
"""

import json
import math
import typing
import zlib
from functools import cache
from typing import Any

import polars as pl
import pytest

from curate.steps.find_step import FUNCTIONS, find_step, step_names
from curate.steps.model_calls import Embed
from curate.steps.settings import check_settings
from schemas.messages import assistant_messages
from schemas.requests import Sampling, Task
from tests.generate.drive_step import drive
from tests.score.drive_scorer import scored

REQUIRED = {
    ("score", "regex"): {"pattern": "[a-z]+"},
    ("score", "combine"): {"sql": "2 * score - length"},
    ("score", "judge"): {"model": "m"},
    ("score", "judge_pairwise"): {"model": "m"},
    ("score", "reward_model"): {"model": "m"},
    ("score", "perplexity"): {"model": "m"},
    ("score", "ifd"): {"model": "m"},
    ("score", "toxicity"): {"model": "m"},
    **{
        ("select", name): {"keep": 3}
        for name in ("cluster", "dpp", "facility_location", "k_center", "mmr", "random", "repr_filter")
    },
    ("select", "rejection"): {"at": 0.5},
    ("select", "top_k_overall"): {"keep": 3},
    ("select", "own_vs_teacher"): {"teacher": "big", "student": "small"},
    ("generate", "replace"): {"find": "a", "put": "b"},
    ("generate", "constrain"): {"constraints": [{"kind": "lowercase"}, {"kind": "max_words", "n": [5, 9]}]},
    ("generate", "rewrite"): {"instruction": "Make it shorter."},
}
GIVEN = {**REQUIRED, ("select", "semdedup"): {"keep": 3}}  # which needs one of two settings
EVERY = [(kind, name) for kind in FUNCTIONS for name in step_names(kind)]

# Texts: plain, empty, blank, null, not ASCII, with control characters, long, and like markup.
TEXTS = [
    "The answer is 42.",
    "",
    "   \n\t",
    None,
    "日本語のテキスト、句読点。",
    "Grüße an Zoë 👩‍👩‍👧 é",
    "a\x00b\x1b[31mred\x07",
    "word " * 3000,
    '{"a": [1, {"b": null}]}',
    "#### 7",
    "\\boxed{\\frac{1}{2}}",
    "I'm sorry, but I cannot help.",
    "The answer is 42.",
    "🙂",
    "-" * 50,
    "'; DROP TABLE scores; --",
]
TRUTHS = [
    "42",
    "",
    None,
    '[{"kind": "lowercase"}]',
    '[{"kind": "no_such"}]',
    "[]",
    "{",
    "7",
    "日本",
    "null",
    '[{"kind": "max_words", "n": 5}, {"kind": "no_commas"}]',
    "[[]]",
    "42",
    "1/2",
    "-1e400",
    "[" * 50,
]
# Replies to a step that asks a model: good ones, and useless ones.
REPLIES = [
    "1. Write a poem about rain.\n2. What is 3 + 4?",
    "Here is the new version:\n\nWhy is the sky blue?",
    "",
    None,
    "<prompt>Name a river.</prompt><rewritten>A river.</rewritten><revised>A river.</revised>",
    "[DONE]",
    "日本語で。",
    "I'm sorry, but I can't help with that.",
    "<prompt>cut off in the mid",
    "\x00 </persona> <prompt> {} {0}",
]
NUMBERS = [0.5, None, 1.0, 0.0, -3.0, 0.5, 1e300, None, 0.25, 1.0, 0.0, 0.5, 0.75, None, 1.0, 0.1]


def table(rows=None):
    """A table with every column a step may read, in the types a run hands over."""
    rows = list(range(len(TEXTS)) if rows is None else rows)
    texts, truths = [TEXTS[r] for r in rows], [TRUTHS[r] for r in rows]
    turns = [None if t is None else json.dumps([{"role": "user", "content": t}]) for t in texts]
    vectors = [[math.cos(r), math.sin(r)] if TEXTS[r] else None for r in rows]
    text = {
        "prompt": texts,
        "response": texts,
        "raw_response": texts,
        "text": texts,
        "messages": turns,
        "ground_truth": truths,
        "metadata": [None if r % 3 else json.dumps({"n": r}) for r in rows],
        "tools": [None for _ in rows],
        "reasoning_content": [TEXTS[-1 - r] for r in rows],
        "finish_reason": [("stop", "length", None)[r % 3] for r in rows],
        "model": [("small", "big", "small", None)[r % 4] for r in rows],
        "prompt_id": [f"p{r // 4}" for r in rows],
        "completion_id": [f"c{r}" for r in rows],
        "parent_id": [f"c{r - 1}" if r % 4 == 1 else None for r in rows],
    }
    made: dict[str, Any] = {  # "scores" is a frame, the others are series
        name: pl.Series(name, values, dtype=pl.String) for name, values in text.items()
    }
    for name in ("prompt_tokens", "completion_tokens", "sample_index"):
        made[name] = pl.Series(name, [None if r % 5 == 0 else r for r in rows], dtype=pl.Int64)
    made["score"] = pl.Series("score", [NUMBERS[r] for r in rows], dtype=pl.Float64)
    made["completion"] = pl.Series("completion", [t and assistant_messages(t) for t in texts], dtype=pl.String)
    made["scores"] = pl.DataFrame({"score": made["score"], "length": made["completion_tokens"].cast(pl.Float64)})
    made["known"] = pl.Series("known", [r % 7 == 0 for r in rows], dtype=pl.Boolean)
    made["sketch"] = pl.Series("sketch", [None for _ in rows], dtype=pl.Null)
    made["embedding"] = pl.Series("embedding", vectors, dtype=pl.Array(pl.Float32, 2))
    return made


def chats():
    """The table with conversations as prompts, some with system turns, each with three samples."""
    columns = table([row for row in range(len(TEXTS)) for _ in range(3)])
    turns = [t and json.loads(t) for t in columns["messages"]]
    before = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
    ]
    longer = [t and json.dumps(before[: (n // 3) % 4] * bool(n // 3 % 4 != 2) + t) for n, t in enumerate(turns)]
    return columns | {
        "messages": pl.Series("messages", longer, dtype=pl.String),
        "sample_index": pl.Series("sample_index", [n % 3 for n in range(len(turns))]),
    }


def ready(kind, name):
    """A step and its settings."""
    step = find_step(kind, name)
    return step, check_settings(step, GIVEN.get((kind, name), {}), "r.yaml:1", seed=3)


def whole(name):
    """Whether a scorer reads other rows too: a prompt's candidates, or the whole table."""
    return {"prompt_id", "scores"} & set(find_step("score", name).reads)


def reply_to(_row, messages, _model):
    """A reply that depends on the messages alone, as a cached reply does."""
    return REPLIES[zlib.crc32(json.dumps(messages).encode()) % len(REPLIES)]


@cache
def outcome_of_rows(kind, name, rows=None):
    """A step's result for these rows (a tuple; None: all) of the table, made once: for tests that only look at it."""
    return outcome(kind, name, table(rows))


def outcome(kind, name, columns, reply=reply_to):
    """A step's result for a table, as a frame; a Series is its column ``value``. Its requests get ``reply``."""
    step, settings = ready(kind, name)
    result = step.call(columns, settings)
    if step.makes in ("candidates", "prompts"):
        result, asks = drive(result, reply)
        for asked in asks:
            check_asked(step, asked, len(columns["response"]))
    if step.makes == "score":
        result, all_calls = scored(result)
        for calls in all_calls:
            check_calls(calls, len(columns["response"]))
    if isinstance(result, tuple):
        result, note = result
        assert isinstance(note, str) and "\n" not in note
    return result if isinstance(result, pl.DataFrame) else pl.DataFrame({"value": result})


def check_asked(step, asked, height):
    """A step's requests: messages or null for each row, to a model that one of its settings names."""
    assert asked.model in ("model", *step.defaults)
    assert asked.messages.dtype == pl.String and len(asked.messages) == height
    for turns in map(json.loads, asked.messages.drop_nulls()):
        assert turns and all(turn["role"] in ("system", "user", "assistant") for turn in turns)
        assert turns[-1]["role"] == "user" and turns[-1]["content"] != ""


def check_calls(calls, height):
    """A scorer's calls: texts to embed, or requests as JSON text (null for none) of a known task."""
    if isinstance(calls, Embed):
        assert len(calls.texts) == height
        return
    assert calls.task in typing.get_args(Task) and calls.requests.dtype == pl.String
    Sampling(**calls.sampling)
    for asked in map(json.loads, calls.requests.drop_nulls()):
        assert asked[-1]["role"] == "user" if calls.task == "generate" else isinstance(asked, dict)


def check_prompts(result, height):
    """The table of new prompts: existing rows, each with turns that end with the user's, and a note."""
    assert result["row"].is_between(0, height - 1).all() and result.null_count().row(0)[:3] == (0, 0, 0)
    for messages, note in result.select("messages", "note").iter_rows():
        turns = json.loads(messages)
        assert turns[-1]["role"] == "user" and turns[-1]["content"].strip() and isinstance(json.loads(note), dict)
    assert all(0 <= row < height for row in result["parents"].drop_nulls().explode(empty_as_null=False))


def check_shape(kind, name, result, columns):
    """The columns, types and length of the result of a step of this kind."""
    makes = find_step(kind, name).makes
    height = len(columns["response"])
    wanted = {
        "score": {"value": pl.Float64},
        "dedup": {"duplicate_of": pl.Int64, "similarity": pl.Float64},
        "select": {"kept": pl.Boolean, "reason": pl.String, "evidence": pl.String},
        "subset": {"kept": pl.Boolean, "nearest": pl.Int64, "similarity": pl.Float64},
        "pair": {"chosen_id": pl.String, "rejected_id": pl.String},
        "ask": {"value": pl.String},
        "write": {"value": pl.String},
        "candidates": {"value": pl.String},
        **dict.fromkeys(
            ("prompts", "write_prompts"),
            {
                "row": pl.Int64,
                "messages": pl.String,
                "note": pl.String,
                "parents": pl.List(pl.Int64),
                "ground_truth": pl.String,
            },
        ),
    }[makes]
    texts = ("detail", "error", "note") if makes == "score" else ()
    numbers = {"pair": ("slot",), "dedup": ("via",), "subset": ("cluster",)}.get(makes, ())
    further = dict.fromkeys(texts, pl.String) | dict.fromkeys(numbers, pl.Int64)
    assert wanted.items() <= dict(result.schema).items(), result.schema
    assert dict(result.schema).items() <= {**wanted, **further}.items(), result.schema
    assert makes in ("pair", "prompts", "write_prompts") or result.height == height
    if makes in ("prompts", "write_prompts"):
        check_prompts(result, height)
    for column in result.select(pl.selectors.float()):
        assert column.drop_nulls().is_finite().all(), f"{column.name}: a NaN or an infinity"


def failing(check, cases):
    """Every case, such as a step's kind and name, for which ``check`` fails, with the reason."""
    found = {}
    for case in cases:
        try:
            check(*case)
        except (Exception, pytest.fail.Exception) as error:  # a step may raise anything
            found[case] = f"{type(error).__name__}: {error}"
    return found
