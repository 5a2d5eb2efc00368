import stat
import sys
from pathlib import Path

import pytest

from curate.models.gateway import Gateway
from curate.models.model_ref import ModelRef
from schemas.progress import Progress
from tests.train.tables import recipe_with
from train.benchmarks.benchmark import plan_benchmarks, run_benchmarks


class Said(Progress):
    """A display that keeps its lines and warnings."""

    def __init__(self):
        self.warnings, self.ended = [], []

    def warn(self, warning):
        self.warnings.append(str(warning))

    def end(self, label, result, *, reused=False):
        self.ended.append((label, result, reused))


class Bench:
    """Runs benchmarks of a recipe against tiny models, by a small program in the place of lm-evaluation-harness."""

    def __init__(self, folder: Path, store, refs: dict[str, ModelRef]):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.store, self.refs = folder, store, refs
        self.python = folder / "fake-python"
        self.python.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).with_name("fake_harness.py")}" "$@"\n'
        )
        self.python.chmod(self.python.stat().st_mode | stat.S_IXUSR)

    def recipe(self, tasks: str, **settings):
        given = "".join(f", {name}: {value}" for name, value in settings.items())
        models = ", ".join(self.refs)
        section = (
            f"evaluate:\n  models: [{models}]\n  dataset: rl\n  by: [length]\n"
            f"  benchmark: {{tasks: [{tasks}], python: {self.python}{given}}}\n"
        )
        return recipe_with(self.folder, section, ", ".join(f"{name}: tiny" for name in self.refs if name != "student"))

    def plan(self, tasks: str, **settings):
        return plan_benchmarks(self.recipe(tasks, **settings), self.refs)

    def run(self, tasks: str, **settings):
        said, recipe = Said(), self.recipe(tasks, **settings)
        with self.store.lock(), Gateway(self.store, said) as gateway:
            stages = run_benchmarks(plan_benchmarks(recipe, self.refs), recipe, self.store, said, gateway)
        return stages, said, gateway.usage


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """The folder of temporary files, so that what is left there shows."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def bench(tmp_path, store, ref):
    return Bench(tmp_path / "recipe", store, {"student": ref})


@pytest.fixture
def made(tmp_path, store):
    """The same without a model's weights: for what is found out before a model is asked."""
    return Bench(tmp_path / "recipe", store, {"student": ModelRef("student", "tiny@0", str(tmp_path))})
