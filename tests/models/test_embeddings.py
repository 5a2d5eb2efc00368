"""Embeddings of the built-in model: made once, a folder a model and backend, long texts by their head."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from curate.models.embeddings import SHARD, embed
from curate.models.engine_settings import resolve_model
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.progress import Progress
from schemas.recipe import Model

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
MINILM = resolve_model("minilm", Model(model="minilm"))


class Lines(Progress):
    def __init__(self):
        self.totals, self.lines = [], []

    def begin(self, label, total=None, unit="rows"):
        self.totals.append(total)

    def say(self, message):
        self.lines.append(message)


@pytest.fixture(autouse=True)
def installed():
    pytest.importorskip("sentence_transformers")


def test_equal_texts_have_equal_unit_vectors_and_are_made_once(tmp_path):
    store, progress = Store(tmp_path / "s"), Lines()
    texts = pl.Series(["A cat sat.", None, "A cat sat.", "", "Rain fell on Rome."])
    first = embed(texts, MINILM, store, progress)
    again = embed(texts.reverse(), MINILM, store, progress)
    assert progress.totals == [3, 0] and progress.lines == []
    vectors = first.to_numpy()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert (vectors[0] == vectors[2]).all() and (vectors[1] == vectors[3]).all()
    assert (again.to_numpy()[::-1] == vectors).all()


def test_another_model_is_never_mixed_in(tmp_path):
    store, progress = Store(tmp_path / "s"), Lines()
    texts = pl.Series(["A cat sat."])
    embed(texts, MINILM, store, progress)
    embed(texts, replace(MINILM, identity="minilm@newer"), store, progress)
    assert progress.totals == [1, 1], "the newer model's vectors were taken from the older one's"
    assert len(list((store.path / "embeddings").iterdir())) == 2


def test_a_text_that_is_too_long_is_cut_and_a_line_says_so(tmp_path):
    progress, head = Lines(), "the cat sat on the mat " * 60
    vectors = embed(
        pl.Series([head, head + "and then a war broke out " * 400]), MINILM, Store(tmp_path / "s"), progress
    )
    assert progress.lines == [
        "embed (minilm): 2 texts are longer than the model's limit of 256 tokens; only their beginning is embedded"
    ]
    assert float(vectors.to_numpy()[0] @ vectors.to_numpy()[1]) > 0.999


@pytest.mark.skipif(importlib.util.find_spec("optimum") is not None, reason="the ONNX backend is installed here")
def test_a_missing_backend_is_an_error_with_the_pip_command(tmp_path):
    ref = resolve_model("minilm", Model(model="minilm", backend="onnx"))
    with pytest.raises(UserError, match=r"model 'minilm': cannot load it: the backend 'onnx' is not installed: .*pip "):
        embed(pl.Series(["a"]), ref, Store(tmp_path / "s"), Progress())


KILLED = """
import sys
import polars as pl
from curate.models.embeddings import embed
from curate.models.engine_settings import resolve_model
from schemas.progress import Progress
from curate.storage.store import Store
from schemas.recipe import Model
texts = pl.Series([f"text {i}" for i in range(int(sys.argv[2]))])
embed(texts, resolve_model("minilm", Model(model="minilm")), Store(sys.argv[1]), Progress())
"""


def test_kill_9_in_the_middle_of_embedding_loses_a_shard_at_most(tmp_path):
    count, folder = 4 * SHARD, tmp_path / "s"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, folder, str(count)], env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    deadline = time.monotonic() + 120
    while not list(folder.glob("embeddings/*/[!.]*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = sum(pl.read_parquet(file).height for file in folder.glob("embeddings/*/[!.]*.parquet"))
    assert SHARD <= there < count
    progress, texts = Lines(), pl.Series([f"text {i}" for i in range(there + 1)])
    vectors = embed(texts, MINILM, Store(folder), progress).to_numpy()
    assert progress.totals[0] < there + 1, "what was made before the kill was made again"
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
