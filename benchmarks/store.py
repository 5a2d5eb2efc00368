"""The cost of the store in a run that generates: the share of ``curate.run`` that is not the model's own time."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.check import write_rows
from benchmarks.measure import Row
from benchmarks.models import random_llama
from curate.api.run import run
from curate.models.clients.local import generate
from curate.models.model_ref import ModelRef
from curate.storage.store import Store
from schemas.load_recipe import load_recipe
from schemas.progress import Progress
from schemas.requests import Give, Take

PROMPTS, SAMPLES, TOKENS, TIMES = 128, 4, 64, 3
RECIPE = f"""
name: small
models: {{student: model}}
prompts:
  - source: {{path: rows.jsonl, limit: {PROMPTS}}}
  - dedup: {{use: minhash, threshold: 0.8}}
completions:
  - generate: {{use: sample, model: student, n: {SAMPLES}, max_tokens: {TOKENS}}}
  - score: {{use: length, unit: words}}
  - filter: {{empty: length = 0}}
datasets:
  sft: {{type: sft, select: best_of_n, by: length}}
  dpo: {{type: preference, select: best_vs_worst, by: length}}
split: {{test: 0.1}}
"""


class Timed(generate.GenerateEngine):
    """The engine, which measures how long it loads and answers."""

    loading = 0.0
    generating = 0.0

    def __init__(self, ref: ModelRef, progress: Progress) -> None:
        """Load the model."""
        started = time.perf_counter()
        super().__init__(ref, progress)
        Timed.loading += time.perf_counter() - started

    def answer(self, take: Take, give: Give) -> None:
        """Answer requests; the time in ``take`` and ``give``, which is the store's, is not counted."""
        in_store = 0.0

        def timed(call: Callable[..., Any], *given: Any) -> Any:
            nonlocal in_store
            started = time.perf_counter()
            try:
                return call(*given)
            finally:
                in_store += time.perf_counter() - started

        started = time.perf_counter()
        super().answer(lambda: timed(take), lambda *reply: timed(give, *reply))
        Timed.generating += time.perf_counter() - started - in_store


def measure() -> list[Row]:
    """Return the medians of 3 runs, each in a store of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prompts = write_rows(folder / "rows.jsonl")
        random_llama(folder / "model", prompts[:500], hidden=256, layers=4)
        (folder / "small.yaml").write_text(RECIPE)
        figures = [_run(folder, number) for number in range(TIMES)]
    total, generating, rest = (statistics.median(column) for column in zip(*figures, strict=True))
    work = f"{PROMPTS} x {SAMPLES} x {TOKENS} tokens"
    return [
        Row(f"a run without loading the model, {work}", total, "s", "", "the engine", generating),
        Row("of that, not the engine's", 100 * rest, "%", "5 %"),
    ]


def _run(folder: Path, number: int) -> tuple[float, float, float]:
    """Do one run; return the seconds without loading, the seconds in the engine, and the share of the rest."""
    Timed.loading = Timed.generating = 0.0
    with patch.object(generate, "GenerateEngine", Timed):
        started = time.perf_counter()
        run(load_recipe(folder / "small.yaml"), Store(folder / f"store{number}"))
        total = time.perf_counter() - started - Timed.loading
    return total, Timed.generating, 1 - Timed.generating / total
