"""Run by ``test_resume``: does trainings in forked processes, and kills each with SIGKILL after a given step.

Torch, transformers and TRL are imported once, before the first fork; nothing is computed in the process that forks, so
it has no threads that a child would miss.
"""

import importlib
import json
import os
import signal
import sys
import traceback
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


def models_of(model: str) -> dict[str, ModelRef]:
    """Return the models of the recipe: the student in the folder ``model``, and its teacher beside it."""
    folder = Path(model)
    return {
        "student": ModelRef("student", "tiny@0", model),
        "big": ModelRef("big", "big@0", str(folder.parent / "big")),
    }


def train(folder: Path, model: str, dataset: str, after: int, sections: str) -> None:
    """Train on the only stage of the store in ``folder``; the process ends after step ``after``."""
    import torch

    torch.set_num_threads(1)  # as in the process that resumes
    store = Store(folder / "store")
    stage = store.stage(next(iter(store.stages())))
    assert stage
    recipe = recipe_with(folder, sections, models="big: tiny")
    train_recipe(recipe, store, {dataset: stage}, models_of(model), None, Killer(after))


def main(model: str, after: str, jobs: str) -> None:
    """Do the jobs, a JSON list of (folder, dataset, sections); print the exit code of each process."""
    for name in ("SFT", "DPO", "GRPO", "KTO", "RLOO", "Reward", "Distillation"):
        getattr(importlib.import_module("trl"), f"{name}Trainer")  # imported for the children

    codes = []
    for folder, dataset, sections in json.loads(jobs):
        child = os.fork()
        if not child:
            try:
                train(Path(folder), model, dataset, int(after), sections)
            except BaseException:
                traceback.print_exc()
            os._exit(1)  # it was not killed
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    sys.stdout.write(json.dumps(codes))


if __name__ == "__main__":
    main(*sys.argv[1:])
