"""A tiny store whose texts have stored embeddings, for the tests of the map."""

import numpy as np
import polars as pl

from curate.storage.text_cache import cached_by_text
from schemas.progress import Progress
from tests.storage.asked import candidate, decision, prompt, record, score, write

WIDTH = 4


def vector(text):
    """A vector of its own for each text."""
    return np.random.default_rng(len(text) * 1000 + sum(map(ord, text))).standard_normal(WIDTH).astype(np.float32)


def embed(store, *texts, model="mini"):
    """Store an embedding of each text."""
    folder = store.cache_folder("embeddings", model, "00ff00ff")
    make = lambda part: np.array([vector(text) for text in part])  # noqa: E731
    cached_by_text(pl.Series(texts), folder, make, 100, Progress(), "embed")


def filled(store):
    """Two prompts and three candidates; c_1 is in the dataset d, c_2 was dropped, c_3 has no embedding of its own."""
    row = {"row_id": "r_1", "dataset": "d", "split": "train", "prompt_id": "p_1", "completion_id": "c_1"}
    stages = [
        write(store, "prompts.source.s", "a", prompts=[prompt("p_1"), prompt("p_2", "Why?", source="t")]),
        write(
            store, "completions.generate.m", "b",
            completions=[candidate("c_1"), candidate("c_2", response="Because."), candidate("c_3", "p_2", "Never.")],
        ),
        write(store, "completions.score.x", "c", scores=[score("c_1", 1.0), score("c_2", 0.25), score("c_3", None)]),
        write(
            store, "completions.filter", "d",
            decisions=[
                decision("c_1", "completions.filter"), decision("c_2", "completions.filter", "short"),
                decision("c_3", "completions.filter"),
            ],
        ),
        write(store, "datasets.d", "e", sft=[row]),
    ]  # fmt: skip
    record(store, "1", *stages)
    return store


def many(store, count):
    """As many prompts, each with an embedding; every third one was dropped."""
    ids = [f"p_{number:04d}" for number in range(count)]
    dropped = [decision(one, "prompts.filter", "short") for one in ids[::3]]
    prompts = [prompt(one, f"Text {one} <script>alert(1)</script>") for one in ids]
    record(store, "1", write(store, "prompts.source.s", "a", prompts=prompts),
           write(store, "prompts.filter", "b", decisions=dropped))  # fmt: skip
    embed(store, *(one["prompt"] for one in prompts))
    return store
