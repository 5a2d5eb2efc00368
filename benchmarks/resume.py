"""Kills trainings with SIGKILL at random moments, resumes them, and compares them with an undisturbed one.

    python -m benchmarks.resume sft dpo --moments 20 --seed 0

A moment is a file operation of Python, a step, or an evaluated batch, drawn from all that the undisturbed training has;
or a time. So a kill comes while the training starts up, between two steps, while it evaluates, while a checkpoint is
written or removed, or while the model is saved; a third of the trainings are killed a second time. Each must end with
the same rows in its tables, the same log and the same weights, to the last bit.
"""

import argparse
import hashlib
import json
import math
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from curate.models.model_ref import ModelRef
from curate.storage.store import Store
from schemas.progress import Progress
from tests.tiny_model import make_tiny
from tests.train import tables
from train.finding.find_trainer import find_trainer
from train.run import train_recipe

LONGEST = 300.0  # seconds of a training of eight steps, before it is taken to hang
TIMED = ("eval_runtime", "eval_samples_per_second", "eval_steps_per_second", "step_time")  # figures that are durations
EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "shutil.rmtree")
OPTIONS = (
    "lora: {r: 4}, per_device_train_batch_size: 2, per_device_eval_batch_size: 2, max_steps: 8, learning_rate: 0.2, "
    "early_stopping: {patience: 2}, eval_steps: 2, save_strategy: steps, save_steps: 2, save_total_limit: 1"
)
ONLINE = "num_generations: 2, max_completion_length: 6, rewards: [length]"
# By trainer: the dataset's table, its name in the recipe, the rows, further options.
KINDS: dict[str, tuple[str, str, Callable[[], pl.DataFrame], str]] = {
    "sft": ("sft", "sft", lambda: tables.sft_rows(12, 2), ""),
    "dpo": ("preferences", "dpo", lambda: tables.preference_rows(12, 2), ""),
    "reward": ("preferences", "dpo", lambda: tables.preference_rows(12, 2), ""),
    "kto": ("unpaired", "kto", lambda: tables.unpaired_rows(12, 2), ""),
    "grpo": ("rl_prompts", "rl", lambda: tables.rl_rows(12, 2), ONLINE),
    "rloo": ("rl_prompts", "rl", lambda: tables.rl_rows(12, 2), ONLINE),
    "ppo": ("rl_prompts", "rl", lambda: tables.rl_rows(12, 2), ONLINE),
    "distill": ("rl_prompts", "rl", lambda: tables.rl_rows(12, 2), "teacher: student, max_completion_length: 6"),
}


class Moments(Progress):
    """Counts a training's moments, and kills its process at one of them.

    Args:
        after: The moment to die at; 0 for none.
    """

    def __init__(self, after: int) -> None:
        self.after, self.count = after, 0
        sys.addaudithook(lambda event, _: self.pass_one() if event in EVENTS else None)

    def pass_one(self) -> None:
        """Count a moment."""
        self.count += 1
        if self.count == self.after:
            os.kill(os.getpid(), signal.SIGKILL)

    def advance(self, done: int, note: str = "") -> None:
        """Count a step as a moment."""
        self.pass_one()


def main() -> None:
    """Read the command line, and print a line a trainer."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("trainers", nargs="+", choices=sorted(KINDS))
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    import trl

    for name in given.trainers:  # imported once, for the children
        getattr(trl, trl_trainer(name))
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "tiny"
        if in_child(lambda: make_tiny(model)) != 0:
            raise SystemExit("the model could not be made")
        failed = [name for name in given.trainers if not soak(name, model, Path(folder), given.moments, given.seed)]
    raise SystemExit(f"not the same after a kill: {', '.join(failed)}" if failed else 0)


def trl_trainer(trainer: str) -> str:
    """Return the name of TRL's trainer class; ppo is a subclass of GRPO's."""
    config = find_trainer("grpo" if trainer == "ppo" else trainer).CONFIG
    return config.replace("Config", "Trainer")


def soak(trainer: str, model: Path, folder: Path, moments: int, seed: int) -> bool:
    """Kill and resume a trainer at random moments; return whether each ended as the undisturbed one."""
    draw, home = random.Random(f"{seed} {trainer}"), folder / trainer
    started = time.monotonic()
    in_child(lambda: train(trainer, model, home / "whole", 0))
    seconds, whole = time.monotonic() - started, json.loads((home / "whole" / "result.json").read_text())
    count = whole.pop("moments")
    killed = failed = 0
    for number in range(moments):
        place, deaths = home / str(number), []
        for _ in range(draw.choice((1, 1, 2))):
            if draw.random() < 0.5:
                after = draw.randint(1, count)
                code, moment = in_child(lambda: train(trainer, model, place, after)), f"moment {after} of {count}"  # noqa: B023
            else:
                limit = draw.uniform(0, seconds)
                code, moment = in_child(lambda: train(trainer, model, place, 0), limit), f"{limit:.2f} s"  # noqa: B023
            if code == -signal.SIGKILL:
                deaths.append(moment)
        killed += len(deaths)
        code = in_child(lambda: train(trainer, model, place, 0))  # noqa: B023
        wrong = [f"exit {code}"] if code else differences(whole, json.loads((place / "result.json").read_text()))
        failed += bool(wrong)
        print(
            f"  {trainer} {number}: killed at {', '.join(deaths) or 'no moment'}: {'; '.join(wrong) or 'the same'}",
            flush=True,
        )
    print(
        f"{trainer}: {moments - failed} of {moments} trainings the same after {killed} kills ({count} moments)",
        flush=True,
    )
    return not failed


def train(trainer: str, model: Path, place: Path, after: int) -> None:
    """Train, resuming what is there, and write how many moments it had; die at the moment ``after``."""
    import torch

    torch.set_num_threads(1)
    table, dataset, rows, further = KINDS[trainer]
    store = Store(place / "store")
    with store.lock():  # clears away the stage that was being written
        stage = store.stage(stage_id(table)) or tables.write_stage(store, table, rows())
        options = f"{OPTIONS}, {further}" if further else OPTIONS
        sections = f"train:\n  t: {{trainer: {trainer}, dataset: {dataset}, model: student, {options}}}\n"
        recipe = tables.recipe_with(place, sections)
        moments = Moments(after)
        train_recipe(
            recipe, store, {dataset: stage}, {"student": ModelRef("student", "tiny@0", str(model))}, None, moments
        )
        ended = {"moments": moments.count} | result(store)
    (place / "result.json").write_text(json.dumps(ended))


def stage_id(table: str) -> str:
    """Return the id of the dataset's stage, as ``tables.write_stage`` makes it."""
    return f"{table[:3]}{12:09d}"


def result(store: Store) -> dict[str, Any]:
    """Return what the only training of a store ended with: its tables, its log, its best model, its weights' hashes."""
    from safetensors.numpy import load_file

    (stage,) = [s for one in store.stages() if (s := store.stage(one)) and "adapter" in s.manifest]
    metrics = json.loads(stage.read("trainings")["metrics"][0])
    weights = load_file(stage.path / "model" / "adapter_model.safetensors")
    found = {name: stage.read(name) for name in ("training_rows", "row_losses", "rollouts")}
    return {
        **{f"table {name}": table.write_json() for name, table in found.items()},
        "log": [{k: v for k, v in entry.items() if k not in TIMED} for entry in metrics["history"]],
        "best": metrics.get("best"),
        **{f"weights {k}": hashlib.sha256(v.tobytes()).hexdigest() for k, v in weights.items()},
    }


def differences(whole: dict[str, Any], resumed: dict[str, Any]) -> list[str]:
    """Return in what two trainings differ: the names of tables and weights, and the figures of the log."""
    found = [name for name in whole if whole[name] != resumed.get(name) and name != "log"]
    for one, other in zip(whole["log"], resumed["log"], strict=False):
        figures = [f"{key} {one.get(key)} {other.get(key)}" for key in one | other if one.get(key) != other.get(key)]
        found += [f"log of step {one['step']}: {', '.join(figures)[:200]}"] if figures else []
    return found if len(whole["log"]) == len(resumed["log"]) else [*found, "entries of the log"]


def in_child(do: Callable[[], object], limit: float = LONGEST) -> int:
    """Do something in a forked process, killed after ``limit`` seconds if it takes that long; return its exit code.

    The process that forks computes nothing, so it has no threads that a child would miss.
    """
    child = os.fork()
    if not child:
        try:
            do()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    ends = time.monotonic() + limit
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > ends:
            os.kill(child, signal.SIGKILL)
            ends = math.inf
        time.sleep(0.01)


if __name__ == "__main__":
    main()
