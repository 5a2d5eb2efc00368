"""Run by ``test_resume``: does trainings in forked processes, and kills each with SIGKILL at a given moment.

A moment is a step, or a file operation of Python: a regular expression that finds it in a text such as ``open PATH``.

Torch, transformers and TRL are imported once, before the first fork; nothing is computed in the process that forks, so
it has no threads that a child would miss.
"""

import importlib
import json
import os
import re
import signal
import sys
import traceback
from functools import partial
from pathlib import Path

from curate.models.model_ref import ModelRef
from curate.storage.store import Store
from schemas.progress import Progress
from tests.train.tables import recipe_with
from train.run import train_recipe


class Killer(Progress):
    """Kills its own process when a step is done: no handler runs, nothing is flushed."""

    def __init__(self, moment: str) -> None:
        self.left = int(moment) if moment.isdigit() else 1 << 30
        if not moment.isdigit():
            sys.addaudithook(partial(kill_at, re.compile(moment)))

    def advance(self, done: int, note: str = "") -> None:
        self.left -= done
        if self.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


def kill_at(moment: re.Pattern[str], event: str, arguments: tuple) -> None:
    """Kill this process just before a file operation that ``moment`` finds."""
    if event in ("open", "os.rename", "os.remove") and moment.search(f"{event} {arguments[0]}"):
        os.kill(os.getpid(), signal.SIGKILL)


def models_of(model: str) -> dict[str, ModelRef]:
    """Return the models of the recipe: the student in the folder ``model``, and its teacher beside it."""
    folder = Path(model)
    return {
        "student": ModelRef("student", "tiny@0", model),
        "big": ModelRef("big", "big@0", str(folder.parent / "big")),
    }


def train(folder: Path, model: str, dataset: str, moment: str, sections: str) -> None:
    """Train on the only stage of the store in ``folder``; the process ends at the moment."""
    import torch

    torch.set_num_threads(1)  # as in the process that resumes
    store = Store(folder / "store")
    stage = store.stage(next(iter(store.stages())))
    assert stage
    recipe = recipe_with(folder, sections, models="big: tiny")
    train_recipe(recipe, store, {dataset: stage}, models_of(model), None, Killer(moment))


def main(model: str, jobs: str) -> None:
    """Do the jobs, a JSON list of (folder, dataset, moment, sections); print the exit code of each process."""
    for name in ("SFT", "DPO", "GRPO", "KTO", "RLOO", "Reward", "Distillation"):
        getattr(importlib.import_module("trl"), f"{name}Trainer")  # imported for the children

    codes = []
    for folder, dataset, moment, sections in json.loads(jobs):
        child = os.fork()
        if not child:
            try:
                train(Path(folder), model, dataset, moment, sections)
            except BaseException:
                traceback.print_exc()
            os._exit(1)  # it was not killed
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    sys.stdout.write(json.dumps(codes))


if __name__ == "__main__":
    main(*sys.argv[1:])
