"""Two workers of Ray that hold a model give the vectors, rewards and losses of one process."""

import os
import random
import signal
import subprocess
import time
from threading import Thread

import polars as pl
import pytest

from curate.models import windows
from curate.models.embeddings import embed
from curate.models.engine import engine_of
from curate.models.engine_settings import resolve_model
from curate.models.failures import Failures
from curate.models.gateway import Gateway
from curate.models.held_model import Said
from curate.models.model_ref import ModelRef
from curate.models.spread_engine import SpreadEngine
from curate.spread.ray_tasks import ray_tasks
from curate.spread.spread import run_by
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.progress import Progress
from schemas.recipe import Model
from tests.asking import Asked
from tests.models.clients.test_reward_engines import chat, classifier, request_for
from tests.optional import needs

pytestmark = [needs("ray", "torch", "transformers", "sentence_transformers"), pytest.mark.slow]
WORDS = ["cat", "dog", "red", "blue", "seven", "line", "é", "日本"]


@pytest.fixture(scope="module")
def runner():
    with ray_tasks("", 2, holders=2) as two:
        yield two


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Let windows have few requests."""
    monkeypatch.setattr(windows, "WINDOW", 40)


def holders():
    """Return Ray's workers that hold models."""
    shown = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in shown.splitlines() if line.split()[1].startswith("ray::Holder")]


def asks(count):
    chance = random.Random(3)
    return [{"messages": chat(f"q{n}", " ".join(chance.choices(WORDS, k=chance.randint(1, 60))))} for n in range(count)]


def test_vectors_are_those_of_one_process(runner, tmp_path):
    minilm = resolve_model("minilm", Model(model="minilm"))
    chance = random.Random(1)
    texts = pl.Series([" ".join(chance.choices(WORDS, k=chance.randint(1, 80))) for _ in range(300)] + ["a " * 9000])
    here = embed(texts, minilm, Store(tmp_path / "here"), Progress())
    shown = Said()
    with run_by(runner):
        there = embed(texts, minilm, Store(tmp_path / "there"), shown)
    assert (here.to_numpy() == there.to_numpy()).all()
    assert len(shown.lines) == 1 and "1 texts are longer than the model's limit" in shown.lines[0]


@pytest.mark.parametrize(("task", "kills"), [("reward", 0), ("loss", 1)])
def test_values_are_those_of_one_process(runner, tiny, tmp_path, task, kills):
    folder = classifier(tiny, tmp_path / "rm") if task == "reward" else tiny
    ref = ModelRef("rm", "rm@0", str(folder), settings=(("batch_tokens", 400),))
    given = asks(300) if task == "reward" else [{**one, "completion": "a cat"} for one in asks(300)]
    groups = [[request_for(one, task)] for one in given]
    here, there = Asked(groups), Asked(groups)
    engine = engine_of(ref).tasks[task](ref, Progress())
    engine.answer(here.take, here.give)
    workers = runner.models
    assert workers
    killers = [Thread(target=kill_one) for _ in range(kills)]
    for killer in killers:
        killer.start()
    SpreadEngine(ref, Progress(), workers).answer(there.take, there.give)
    for killer in killers:
        killer.join()
    assert there.replies == here.replies and len(here.replies) == 300 and not runner.failed
    assert [len(replies) for replies, _ in there.gifts] == [len(replies) for replies, _ in here.gifts]


def kill_one():
    """Kill a worker that holds a model, once there are two, at a random moment."""
    for _ in range(600):
        if len(found := holders()) == 2:
            time.sleep(random.uniform(0, 5))
            os.kill(found[0], signal.SIGKILL)
            return
        time.sleep(0.05)
    raise AssertionError("no two workers")


def test_a_gateway_asks_them_and_says_what_is_wrong(runner, tiny, tmp_path):
    ref = ModelRef("rm", "rm@0", str(classifier(tiny, tmp_path / "rm", labels=3)))
    with run_by(runner), Gateway(Store(tmp_path / "store"), Progress()) as gateway:
        with pytest.raises(UserError, match="the model has 3 labels"):
            gateway.answer_all(ref, [[request_for(one)] for one in asks(3)], Failures("x", 3))
        assert isinstance(gateway.engines["rm", "reward"], SpreadEngine)
    assert any("UserError: models.rm: the model has 3 labels" in reason for reason in runner.failed)
