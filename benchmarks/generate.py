"""Time and memory of a whole ``gristmill run`` that asks a server, beside the official client asking it straight.

``python -m benchmarks.generate 10000`` measures so many prompts. The run reads the prompts, plans, asks, stores every
reply, makes the tables and an SFT dataset; the official client only asks, with the same number in flight. Both are
fresh processes that take turns. ``python -m benchmarks.generate --memory 10000 1000000`` prints the peak memory of the
run at these numbers of prompts.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.client import CONCURRENCY, DELAY, _official
from benchmarks.measure import ROOT, Row, medians
from tests.stub_server import Stub

RECIPE = """
name: bench
models:
  teacher: {{engine: openai, base_url: "{url}", model: stub, concurrency: {concurrency}, api_key_env: BENCH_KEY}}
prompts:
  - source: prompts.jsonl
completions:
  - generate: {{use: sample, model: teacher, max_tokens: 32}}
"""
DATASETS = "datasets:\n  sft: {type: sft}\n"


def measure(count: int = 10_000) -> list[Row]:
    """Medians of 3, taking turns, with a stub server that answers in 5 ms."""
    with Stub(delay=DELAY) as stub:
        return [beside_the_client(f"generate, a whole run, {count:,} short prompts", stub.url, count)]


def beside_the_client(name: str, url: str, count: int) -> Row:
    """Seconds of a whole run that asks the server at ``url``, and of the official client asking it straight."""
    with tempfile.TemporaryDirectory() as folder:
        number = iter(range(1000))
        _write(Path(folder), url, count)
        ours, peer = medians(
            lambda: _fresh("run", Path(folder), f"store{next(number)}")[0],
            lambda: _fresh("official", Path(folder), url)[0],
            times=3,
            warm=False,
        )
    return Row(name, ours, "s", "1.02x", "official client", peer)


def memory(count: int) -> float:
    """The peak memory in MB of asking so many prompts that the store has read before; reading them is shown beside."""
    with Stub(delay=DELAY) as stub, tempfile.TemporaryDirectory() as name:
        _write(Path(name), stub.url, count)
        _, reading = _fresh("reads", Path(name), "store")
        seconds, peak = _fresh("asks", Path(name), "store")
    print(f"{count:,} prompts: {peak:,.0f} MB at peak, {seconds:,.0f} s; reading them {reading:,.0f} MB", flush=True)
    return peak


def _write(folder: Path, url: str, count: int) -> None:
    recipe = RECIPE.format(url=url, concurrency=CONCURRENCY)
    (folder / "r.yaml").write_text(recipe + DATASETS, encoding="utf-8")
    (folder / "asks.yaml").write_text(recipe, encoding="utf-8")
    (folder / "reads.yaml").write_text(recipe.split("completions:")[0], encoding="utf-8")
    with open(folder / "prompts.jsonl", "w", encoding="utf-8") as file:
        for i in range(count):
            file.write(json.dumps({"prompt": f"Question {i}: what is {i} times {i + 1}?"}) + "\n")


def _fresh(what: str, folder: Path, more: str) -> tuple[float, float]:
    """Seconds and peak MB of this file's ``what`` in a process of its own, imports left out of the time."""
    command = [sys.executable, "-m", "benchmarks.generate", what, str(folder), more]
    environment = {"BENCH_KEY": "none", **os.environ}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    seconds, peak = done.stdout.split()[-2:]
    return float(seconds), float(peak)


def _one(what: str, folder: Path, more: str) -> None:
    from curate.api.run import run
    from curate.storage.store import Store
    from schemas.load_recipe import load_recipe

    prompts = [json.loads(line)["prompt"] for line in open(folder / "prompts.jsonl")] if what == "official" else []
    started = time.perf_counter()
    if what == "official":
        _official(more, prompts)
    else:
        run(load_recipe(folder / f"{'r' if what == 'run' else what}.yaml"), Store(folder / more))
    print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    if sys.argv[1] in ("run", "asks", "reads", "official"):
        _one(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
    elif sys.argv[1] == "--memory":
        for number in sys.argv[2:]:
            memory(int(number))
    else:
        print(measure(int(sys.argv[1])))
