"""Each trainer beside a plain TRL script on the same rows: time, peak memory, and whether the figures are equal.

Time is until the first step, and from there to the end. The two sides take turns, each in a fresh process:
``python -m benchmarks.trainers --side plain --trainer sft FOLDER``. A random Llama has the right shape and speed. Both
sides save the model at the end.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import ROOT, Row
from benchmarks.reward_clock import RewardClock

ROWS, TIMES = 256, 3
SIDES = ("ours", "plain")
COMMON = {"per_device_train_batch_size": 8, "learning_rate": 1e-5}
ANSWERS = {"num_generations": 4, "max_completion_length": 48, "reward_weights": [1.0, 0.5]}
# Trainer -> the type of its dataset, its options beside ``COMMON``.
TRAINERS: dict[str, tuple[str, dict[str, Any]]] = {
    "sft": ("sft", {"max_steps": 60}),
    "dpo": ("preference", {"max_steps": 30}),
    "kto": ("unpaired", {"max_steps": 30, "train_sampling_strategy": "sequential"}),
    "reward": ("preference", {"max_steps": 40}),
    "grpo": ("prompt", {"max_steps": 16, **ANSWERS}),
    "rloo": ("prompt", {"max_steps": 16, **ANSWERS}),
    "distill": ("prompt", {"max_steps": 16, "max_completion_length": 48}),
}
TIMED = ("step_time",)  # figures of the log that are times
REWARDED = ("grpo", "rloo")
STEMS = {"reward": "Reward", "distill": "Distillation"}
TABLES = {"sft": "sft", "preference": "preferences", "unpaired": "unpaired", "prompt": "rl_prompts"}
WORDS = [f"{a}{b}{c}" for a in ("ba", "do", "ki", "ru") for b in ("l", "n", "st") for c in ("a", "em", "or", "ux")]


def measure() -> Iterator[Row]:
    """Yield medians of 3, in turns, of the figures of each trainer, after one run that fills the caches."""
    for name in TRAINERS:
        yield from _rows(name, warm=name == next(iter(TRAINERS)))


def _rows(trainer: str, *, warm: bool = True) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _run("prepare", trainer, folder)
        for side in SIDES if warm else ():
            _run(side, trainer, folder)
        rounds = [[_run(side, trainer, folder) for side in SIDES] for _ in range(TIMES)]
    ours, plain = ({k: median(one[i].figures[k] for one in rounds) for k in rounds[0][i].figures} for i in (0, 1))
    steps = TRAINERS[trainer][1]["max_steps"]
    yield Row(f"{trainer}, {steps} steps to the end", ours["after"], "s", "x 1.02", "plain TRL", plain["after"])
    yield Row("  the same, processor time", ours["after_cpu"], "s", "x 1.02", "plain TRL", plain["after_cpu"])
    yield Row("  until the first step", ours["start"], "s", "+ 3 s", "plain TRL", plain["start"])
    yield Row("  the same, processor time", ours["start_cpu"], "s", "+ 3 s", "plain TRL", plain["start_cpu"])
    yield Row("  peak memory", ours["peak"], "MB", "x 1.05", "plain TRL", plain["peak"])
    unequal = [found for one in rounds if (found := _difference(one[0].history, one[1].history))]
    yield Row(f"  losses and all other figures of the log: {(unequal or ['equal'])[0]}", len(unequal), "unequal", "0")
    if "rewards" in ours:
        beyond = ours["rewards"] - ours["scorers"]
        yield Row(
            "  rewards in a step, beside the scorers alone", ours["rewards"], "ms", "", "scorers", ours["scorers"]
        )
        yield Row("  of a step, beyond the scorers", 100 * beyond / ours["step"], "%", "2 %")


@dataclass(frozen=True)
class Run:
    """The figures of one run, and the log of its steps."""

    figures: dict[str, float]
    history: list[dict[str, Any]]


def _run(side: str, trainer: str, folder: Path) -> Run:
    """Run one side in a fresh process.

    Its figures are seconds until its first step (``start``) and from there to its end (``after``), each by both clocks,
    the most memory that it held (``peak``, in MB), and those of ``RewardClock``.
    """
    command = [sys.executable, "-m", "benchmarks.trainers", "--side", side, "--trainer", trainer, str(folder)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    for file in ("began.json", "history.json", "rewards.json"):
        (folder / file).write_text("{}", encoding="utf-8")
    started = time.time()
    with (folder / "errors").open("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, used = os.wait4(process.pid, 0)
        ended, process.returncode = time.time(), os.waitstatus_to_exitcode(status)
        errors.seek(0)
        if process.returncode:
            raise RuntimeError(f"{side} {trainer} ended with {process.returncode}: {errors.read()[-800:]}")
    began, history, rewards = (_read(folder / f"{name}.json") for name in ("began", "history", "rewards"))
    if side == "prepare":
        return Run({}, [])
    figures = {
        "start": began["time"] - started,
        "after": ended - began["time"],
        "start_cpu": began["spent"],
        "after_cpu": used.ru_utime + used.ru_stime - began["spent"],
        "peak": used.ru_maxrss / 1024,
    }
    return Run(figures | rewards, history)


def _difference(ours: list[dict[str, Any]], plain: list[dict[str, Any]]) -> str:
    """Return the first figure of two logs that is not the same to the last digit, or an empty text."""
    for number, (one, other) in enumerate(zip(ours, plain, strict=False), 1):
        for name in sorted((set(one) | set(other)) - set(TIMED)):
            if _number(one.get(name)) != _number(other.get(name)):
                return f"step {number}, {name} {one.get(name)!r} for {other.get(name)!r}"
    return "" if len(ours) == len(plain) else f"{len(ours)} entries for {len(plain)}"


def _number(value: Any) -> Any:
    """Return a figure as the store keeps it: NaN and infinity as None."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def _write(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value), encoding="utf-8")


def _began(folder: Path) -> None:
    _write(folder / "began.json", {"time": time.time(), "spent": time.process_time()})


def prepare(trainer: str, folder: Path) -> None:
    """Write the model; in a process of its own, so that what it takes is none of a side's peak."""
    from benchmarks.models import random_llama

    random_llama(folder / "model", [_text(i, 40) for i in range(200)], hidden=192, layers=4)


def _text(i: int, words: int) -> str:
    return " ".join(WORDS[(i * 7 + j * (i % 5 + 1)) % len(WORDS)] for j in range(words))


def _columns(kind: str) -> list[dict[str, Any]]:
    """The rows of a type of dataset, with messages."""

    def answer(text: str) -> list[dict[str, str]]:
        return [{"role": "assistant", "content": text}]

    rows = []
    for i in range(ROWS):
        prompt = [{"role": "user", "content": _text(i, 5 + i % 40)}]
        good, bad = answer(_text(i + 1, 20 + i % 60)), answer(_text(i + 2, 10 + i % 50))
        columns = {
            "sft": {"completion": good},
            "preference": {"chosen": good, "rejected": bad},
            "unpaired": {"completion": good if i % 2 else bad, "label": bool(i % 2)},
            "prompt": {},
        }
        rows.append({"prompt": prompt, **columns[kind]})
    return rows


def ours(trainer: str, folder: Path) -> None:
    """Train as ``gristmill train`` does, with all that it records."""
    import polars as pl

    from curate.models.model_ref import ModelRef
    from curate.storage.store import Store
    from schemas.load_recipe import load_recipe
    from schemas.progress import Progress
    from train.run import train_recipe

    rewards = RewardClock()

    class Clock(Progress):
        def begin(self, label: str, total: int | None = None, unit: str = "rows") -> None:
            rewards.begin()
            _began(folder)

        def advance(self, done: int = 1, note: str = "") -> None:
            if done:
                rewards.end_step()

    kind, options = TRAINERS[trainer]
    shown = ", ".join(f"{key}: {json.dumps(value)}" for key, value in (COMMON | options).items())
    needs = ", teacher: teacher" if trainer == "distill" else ", rewards: [length, repetition]"
    needs = needs if kind == "prompt" else ""
    (folder / "recipe.yaml").write_text(
        f"name: bench\nseed: 3\nmodels: {{student: tiny, teacher: tiny}}\nprompts:\n  - source: seeds.jsonl\n"
        f"datasets:\n  d: {{type: {kind}}}\n"
        f"train:\n  t: {{trainer: {trainer}, dataset: d, model: student, lora: true, {shown}{needs}}}\n",
        encoding="utf-8",
    )
    rows = [
        {key: json.dumps(value) if isinstance(value, list) else value for key, value in row.items()}
        | {"row_id": f"r_{i}", "prompt_id": f"p_{i}", "dataset": "d", "split": "train"}
        for i, row in enumerate(_columns(kind))
    ]
    with tempfile.TemporaryDirectory(dir=folder) as place:
        store = Store(Path(place) / "store")
        with store.new_stage("d00000000000", "datasets-d") as writer:
            writer.write(TABLES[kind], pl.DataFrame(rows))
        stage = store.stage("d00000000000")
        assert stage is not None
        refs = {name: ModelRef(name, "tiny@0", str(folder / "model")) for name in ("student", "teacher")}
        with rewards.watching() if trainer in REWARDED else nullcontext():
            (trained,) = train_recipe(load_recipe(folder / "recipe.yaml"), store, {"d": stage}, refs, None, Clock())
        _write(folder / "history.json", json.loads(trained.read("trainings")["metrics"][0])["history"])
        _write(folder / "rewards.json", rewards.figures() if trainer in REWARDED else {})


def plain(trainer: str, folder: Path) -> None:
    """Train as a script with TRL alone does, with the same defaults and two rewards of the same work."""
    import polars as pl
    import trl
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import (
        AutoModelForCausalLM,
        AutoModelForSequenceClassification,
        AutoTokenizer,
        TrainerCallback,
        set_seed,
    )

    from curate.score.length import score as length
    from curate.score.repetition import score as repetition

    class Clock(TrainerCallback):
        def on_train_begin(self, *given: Any, **others: Any) -> None:
            _began(folder)

    def texts(completions: list) -> pl.Series:
        return pl.Series("response", [one[-1]["content"] for one in completions], pl.String)

    def long(completions: list, **others: Any) -> list[float | None]:
        tokens = pl.Series("completion_tokens", [None] * len(completions), pl.Int64)
        return length(texts(completions), tokens)["value"].cast(pl.Float64).to_list()

    def repeats(completions: list, **others: Any) -> list[float | None]:
        return repetition(texts(completions)).to_list()

    kind, options = TRAINERS[trainer]
    stem = STEMS.get(trainer, trainer.upper())
    long.__name__, repeats.__name__ = "length", "repetition"  # the log has their names
    needs: dict[str, Any] = {"reward_funcs": [long, repeats]} if trainer in REWARDED else {}
    if trainer == "distill":
        needs["teacher_model"] = AutoModelForCausalLM.from_pretrained(folder / "model")
    set_seed(3)  # the weights of a reward model's head are drawn by it
    task = AutoModelForSequenceClassification if trainer == "reward" else AutoModelForCausalLM
    with tempfile.TemporaryDirectory(dir=folder) as place:
        args = getattr(trl, f"{stem}Config")(
            output_dir=place, seed=3, use_cpu=True, bf16=False, gradient_checkpointing=False, logging_steps=1,
            dataloader_pin_memory=False, save_strategy="no", report_to="none", disable_tqdm=True, **COMMON, **options,
        )  # fmt: skip
        done = getattr(trl, f"{stem}Trainer")(
            model=task.from_pretrained(folder / "model", **({"num_labels": 1} if trainer == "reward" else {})),
            args=args,
            processing_class=AutoTokenizer.from_pretrained(folder / "model"),
            train_dataset=Dataset.from_list(_columns(kind)),
            peft_config=LoraConfig(
                r=16, lora_alpha=32, lora_dropout=0.05, target_modules="all-linear",
                task_type="SEQ_CLS" if trainer == "reward" else "CAUSAL_LM",
            ),
            callbacks=[Clock()],
            **needs,
        )  # fmt: skip
        done.train()
        done.save_model(str(Path(place) / "model"))
        _write(folder / "history.json", [entry for entry in done.state.log_history if "train_runtime" not in entry])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", choices=("prepare", *SIDES))
    parser.add_argument("--trainer", choices=list(TRAINERS))
    parser.add_argument("folder", type=Path, nargs="?")
    given = parser.parse_args()
    if given.side:
        {"prepare": prepare, "ours": ours, "plain": plain}[given.side](given.trainer, given.folder)
    else:
        for found in _rows(given.trainer) if given.trainer else measure():
            sys.stdout.write(f"{found}\n")
