"""Long loops of dedup and select steps tell the display of a run how far they are."""

import json

import numpy as np
import polars as pl
import pytest

import curate
import curate.dedup.minhash as minhash
import curate.dedup.semantic as semantic
import curate.select.facility_location as facility_location
import curate.select.k_center as k_center
import curate.select.mmr as mmr
from curate.algorithms.how_far import each_told, how_far, shown_on
from schemas.progress import Progress

ROWS = 200
VECTORS = np.random.default_rng(0).normal(size=(ROWS, 8)).astype(np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)
EMBEDDING = pl.Series("embedding", VECTORS, dtype=pl.Array(pl.Float32, 8))
TEXT = pl.Series([f"the text of number {row} is like no other" for row in range(ROWS)])
NO_SCORE = pl.Series([None], dtype=pl.Float64).new_from_index(0, ROWS)
NOT_KNOWN = pl.Series([False]).new_from_index(0, ROWS)


class Seen(Progress):
    """Keeps what it is told: the label and the total of each part, and how much of it is done."""

    def __init__(self):
        self.parts, self.done = [], []

    def begin(self, label, total=None, unit="rows"):
        self.parts.append((label, total))
        self.done.append(0)

    def advance(self, done, note=""):
        self.done[-1] += done


@pytest.mark.parametrize(
    ("step", "total"),
    [
        (lambda: minhash.dedup(TEXT, NO_SCORE, NO_SCORE, NOT_KNOWN), ROWS),
        (lambda: semantic.dedup(TEXT, EMBEDDING, NO_SCORE, NOT_KNOWN), ROWS),
        (lambda: semantic.dedup(TEXT, EMBEDDING, NO_SCORE, NOT_KNOWN, exact_below=2), ROWS),
        (lambda: facility_location.subset(EMBEDDING, NO_SCORE, keep=20), ROWS),
        (lambda: k_center.subset(EMBEDDING, NO_SCORE, keep=20), 20),
        (lambda: mmr.subset(EMBEDDING, NO_SCORE, keep=20), 20),
    ],
)
def test_a_step_tells_how_far_it_is(step, total):
    seen = Seen()
    with shown_on(seen, "a step"):
        step()
    assert seen.parts[-1] == ("a step", total) and seen.done[-1] == total
    step()
    assert sum(seen.done) == total  # nobody listens any more


def test_each_loop_is_a_part_of_its_own():
    seen = Seen()
    with shown_on(seen, "a step"):
        assert each_told(lambda item: item * 2, range(20), 100) == [item * 2 for item in range(20)]
        how_far(0, 7)
        how_far(3, 7)
    assert seen.parts == [("a step", 100), ("a step", 7)] and seen.done == [100, 3]


def test_a_run_shows_its_steps_loops(tmp_path):
    rows = [{"prompt": text, "completion": "yes"} for text in TEXT]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "r.yaml").write_text("name: r\nprompts: [{source: rows.jsonl}, {dedup: minhash}]\ndatasets: {}\n")
    seen = Seen()
    curate.run(tmp_path / "r.yaml", tmp_path / "store", progress=seen)
    told = [done for part, done in zip(seen.parts, seen.done, strict=True) if part == ("prompts.dedup.minhash", ROWS)]
    assert told[-1] == ROWS
