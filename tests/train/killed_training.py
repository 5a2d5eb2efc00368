"""Run by ``test_resume``: does a training in a process of its own, and kills it with SIGKILL after a given step."""

import os
import signal
import sys
from pathlib import Path

from curate.models.model_ref import ModelRef
from curate.storage.store import Store
from schemas.progress import Progress
from tests.train.tables import recipe_with
from train.run import train_recipe


class Killer(Progress):
    """Kills its own process when a step is done: no handler runs, nothing is flushed."""

    def __init__(self, after: int) -> None:
        self.left = after

    def advance(self, done: int, note: str = "") -> None:
        self.left -= done
        if self.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder: str, model: str, name: str, after: str, sections: str) -> None:
    store = Store(Path(folder) / "store")
    datasets = {"dpo" if name == "reward" else name: store.stage(next(iter(store.stages())))}
    recipe = recipe_with(Path(folder), sections)
    train_recipe(recipe, store, datasets, {"student": ModelRef("student", "tiny@0", model)}, None, Killer(int(after)))


if __name__ == "__main__":
    main(*sys.argv[1:])
