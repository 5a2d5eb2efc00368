"""Fixtures for all tests: a tiny language model, made on the spot, and an empty store.

Imports nothing heavy: ``tests/test_collection.py`` checks that collecting the tests does not.
"""

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from curate.models.model_ref import ModelRef
    from curate.storage.store import Store

# A worker of pytest-xdist has a core of its own: one thread each for what would start one a core. Set before any of
# these libraries is imported, and for the processes that tests start.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"):
        os.environ.setdefault(name, "1")

settings.register_profile("here", deadline=None)  # timings never decide a test
settings.load_profile("here")

for name in ("COLUMNS", "LINES"):  # GNU readline, which pytest imports, sets them to 80 and 24 for xdist's workers
    os.environ.pop(name, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files with slow tests first, the trainings before all: quick ones even out the workers' ends."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: (item.path not in slow, "train" not in item.path.parts))


MANY_MODULES = 200
frozen_at = 0  # the number of modules that were imported when the collector was last told to skip what there is


def pytest_runtest_setup() -> None:
    """Let the collector of garbage skip what collecting the tests and importing libraries made, which stays.

    A training collects twice: with TRL imported, that takes longer than the training of a tiny model.
    """
    global frozen_at
    if len(sys.modules) >= frozen_at + MANY_MODULES:
        gc.collect()
        gc.freeze()
        frozen_at = len(sys.modules)


@pytest.fixture(autouse=True, scope="session")
def own_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's own settings, and the code in tests is allowed; ``asked`` undoes that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        patch.setenv("GRISTMILL_ALLOW_CODE", "1")
        patch.delenv("GRISTMILL_KEY_HOSTS", raising=False)
        yield


@pytest.fixture(autouse=True)
def environment_put_back() -> Iterator[None]:
    """What ``main`` sets in the environment, for the processes that it starts, ends with the test."""
    before = dict(os.environ)
    yield
    if dict(os.environ) != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of settings of a user who has allowed nothing yet."""
    monkeypatch.delenv("GRISTMILL_ALLOW_CODE", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "gristmill"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random Llama (hidden 32, 2 layers, 256 positions) with a byte-level BPE tokenizer."""
    pytest.importorskip("torch")

    from tests.tiny_model import make_tiny

    return make_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def wide(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with heads of 32, the smallest that vLLM runs on a CPU, and weights that vary its answers."""
    heads = {"hidden_size": 64, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 32}
    return livelier(tiny, tmp_path_factory.mktemp("wide"), **heads)


@pytest.fixture(scope="session")
def lively(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with larger weights, so that its answers depend on the whole prompt."""
    return livelier(tiny, tmp_path_factory.mktemp("lively"))


def livelier(tiny: Path, folder: Path, **changes: int) -> Path:
    """Write the tiny model into ``folder`` with larger weights, so that its answers depend on the whole prompt."""
    import torch
    import transformers

    transformers.PreTrainedTokenizerFast.from_pretrained(tiny).save_pretrained(folder)
    config = transformers.AutoConfig.from_pretrained(tiny)
    config.initializer_range, config.tie_word_embeddings = 0.3, False
    for name, value in changes.items():
        setattr(config, name, value)
    torch.manual_seed(1)
    model = transformers.LlamaForCausalLM(config)
    with torch.no_grad():
        model.model.embed_tokens.weight *= 0.05
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def ref(tiny: Path) -> "ModelRef":
    """The tiny model, as a recipe names it."""
    from curate.models.model_ref import ModelRef

    return ModelRef("student", "tiny@0", str(tiny))


@pytest.fixture
def store(tmp_path: Path) -> "Store":
    """An empty store."""
    from curate.storage.store import Store

    return Store(tmp_path / "store")
