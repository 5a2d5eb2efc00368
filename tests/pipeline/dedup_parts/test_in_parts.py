"""``dedup: minhash`` in parts decides as on one machine, row for row, wherever parts and ranges are cut."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.pipeline.dedup_parts.sizes import Sizes
from curate.spread.worker_processes import ROOT, WorkerProcesses
from curate.storage.stage import PART
from curate.storage.store import Store
from tests.pipeline.dedup_parts.making import decided, parts_left, rows_in, rule_of

pytestmark = pytest.mark.slow  # whole stages: seconds for the file

WORDS = [f"w{n}" for n in range(40)]


@st.composite
def near_texts(draw, most=40):
    """Texts of which many are near-duplicates: each is new, or an earlier one with some words changed."""
    random, texts = draw(st.randoms(use_true_random=False)), []
    for _ in range(draw(st.integers(1, most))):
        words = [random.choice(WORDS) for _ in range(random.randrange(1, 40))]
        if texts and random.random() < 0.7:
            words = (random.choice(texts) or "").split()
            for _ in range(random.choice([0, 0, 1, 2])):
                words[random.randrange(len(words)) :][:1] = [random.choice(WORDS)] if words else []
            if words and random.random() < 0.3:
                words = [random.choice([str.upper, str.title, str.lower])(words[0]), *words[1:]]
            at = random.randrange(len(words)) if words else 0
            words[at : at + random.choice([0, 0, 1])] = random.choices(WORDS, k=random.choice([0, 1]))
        texts.append(random.choice([" ".join(words)] * 12 + [None, "", "..."]))
    return texts


SIZES = st.builds(
    Sizes,
    part=st.integers(1, 50),
    ranges=st.integers(1, 3),
    content_ranges=st.integers(1, 3),
    pairs=st.integers(1, 30),
)
RULES = st.fixed_dictionaries(
    {
        "threshold": st.sampled_from([0.3, 0.5, 0.8]),
        "ngram": st.sampled_from([1, 3]),
        "keep": st.sampled_from(["first", "longest", "best"]),
        "cluster": st.sampled_from(["keep_first", "connected"]),
        "permutations": st.just(32),
    }
)


@given(
    texts=near_texts(),
    rule=RULES,
    sizes=SIZES,
    file=st.integers(1, 40),
    known=st.none() | near_texts(8),
    condition=st.sampled_from([None, "prompt like '%w1%'", "length(prompt) < 0"]),
    scores=st.lists(st.sampled_from([None, 0.0, 1.0]), min_size=40, max_size=40),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_cut_gives_what_one_machine_decides(texts, rule, sizes, file, known, condition, scores):
    if known is not None:  # other data has no nulls, and rows of it are near to some of ours
        known = [text or "" for text in known] + [text for text in texts[::5] if text]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "s", durable=False)
        rows, rule = rows_in(store, texts, file, scores[: len(texts)]), rule_of(known, **rule)
        one, said = decided(store, rows, rule, None, condition)
        parts, also_said = decided(store, rows, rule, sizes, condition)
        assert parts.read("decisions").equals(one.read("decisions")) and also_said == said
        assert parts_left(store) == []
