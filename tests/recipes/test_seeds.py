"""The prompts of the recipe constraints: rows parse, the verifier knows their kinds, held-out kinds are held out."""

import json
from collections import Counter
from pathlib import Path

import polars as pl

from curate.score.constraints import score
from curate.verifiers.constraints.if_multi import MULTI_INSTRUCTIONS
from curate.verifiers.constraints.ifeval import INSTRUCTIONS
from curate.verifiers.constraints.kinds import KINDS
from curate.verifiers.constraints.rlvr import FUNCTIONS

SEEDS = Path(__file__).parents[2] / "cli" / "recipes" / "seeds.jsonl"
ROWS = [json.loads(line) for line in SEEDS.read_text(encoding="utf-8").splitlines()]


def kinds(row: dict) -> list[str]:
    return [constraint["kind"] for constraint in row["ground_truth"]]


def test_there_are_enough_prompts():
    assert len(ROWS) >= 330
    assert len({row["prompt"] for row in ROWS}) == len(ROWS)


def test_rows_have_the_same_shape():
    for row in ROWS:
        assert set(row) == {"prompt", "ground_truth", "metadata"}
        assert row["prompt"] == row["prompt"].strip() != ""
        assert 1 <= len(row["ground_truth"]) <= 3
        assert row["metadata"]["kinds"] == kinds(row)


def test_the_verifier_accepts_every_row():
    truths = [json.dumps(row["ground_truth"]) for row in ROWS]
    scored = score(pl.Series(["A reply."] * len(ROWS)), pl.Series(truths))
    assert scored["error"].drop_nulls().to_list() == []
    assert scored["value"].null_count() == 0


def test_held_out_kinds_are_in_no_training_row():
    training = {kind for row in ROWS if not row["metadata"]["held_out"] for kind in kinds(row)}
    held_out_rows = [row for row in ROWS if row["metadata"]["held_out"]]
    assert all(set(kinds(row)) - training for row in held_out_rows)
    assert len({kind for row in held_out_rows for kind in kinds(row)} - training) >= 5
    assert len(held_out_rows) >= 40


def test_the_first_hundred_rows_cover_most_kinds():
    used = {kind for row in ROWS for kind in kinds(row)}
    assert len({kind for row in ROWS[:100] for kind in kinds(row)}) >= 0.9 * len(used)
    assert 8 <= sum(row["metadata"]["held_out"] for row in ROWS[:100]) <= 20
    others = INSTRUCTIONS.keys() | MULTI_INSTRUCTIONS.keys() | FUNCTIONS.keys()  # of public sets
    assert len(used) >= 0.9 * len(KINDS.keys() - others)


def test_no_kind_crowds_out_the_others():
    count = Counter(kind for row in ROWS for kind in kinds(row))
    assert count.most_common(1)[0][1] <= 0.2 * len(ROWS)


def test_prompts_name_the_words_they_ask_for():
    for row in ROWS:
        prompt = row["prompt"].casefold()
        for constraint in row["ground_truth"]:
            texts = [constraint.get(name) for name in ("phrase", "word", "letter", "marker")]
            texts += [t for name in ("words", "keys", "options") for t in constraint.get(name, [])]
            assert [t for t in texts if t and t.casefold() not in prompt] == [], row["prompt"]


def test_near_duplicates_are_the_planted_ones():
    words = [set(row["prompt"].casefold().split()) for row in ROWS]
    pairs = ((i, j) for i in range(len(ROWS)) for j in range(i))
    close = [(i, j) for i, j in pairs if len(words[i] & words[j]) > 0.5 * len(words[i] | words[j])]
    planted = {i for i, row in enumerate(ROWS) if row["metadata"].get("planted_duplicate")}
    assert {i for i, _ in close} == planted
    assert all(ROWS[i]["ground_truth"] == ROWS[j]["ground_truth"] for i, j in close)
    assert len(planted) == 8
