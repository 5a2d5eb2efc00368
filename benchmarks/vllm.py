"""As ``benchmarks.generate``, with a real vLLM server: ``python -m benchmarks.vllm 600``. Needs ``make vllm``."""

import os
import sys
import tempfile
from pathlib import Path

from benchmarks.generate import beside_the_client
from benchmarks.measure import Row
from benchmarks.models import random_llama
from curate.models.clients.vllm_server.chat import VllmChatEngine
from curate.models.model_ref import ModelRef
from schemas.progress import Progress
from tests.with_vllm import PYTHON


def measure(count: int = 600) -> list[Row]:
    """Medians of 3, taking turns, of a random Llama (hidden 128, 2 layers) and 32 tokens a reply."""
    with tempfile.TemporaryDirectory() as folder:
        random_llama(Path(folder) / "model", [f"Question {i}: what is {i}" for i in range(300)], hidden=128, layers=2)
        ref = ModelRef("stub", "stub@0", f"{folder}/model", "vllm", settings=(("python", PYTHON),))
        engine = VllmChatEngine(ref, Progress())
        os.environ["BENCH_KEY"] = engine.server.key
        try:
            return [beside_the_client(f"generate, {count:,} prompts, real vLLM", engine.base_url, count)]
        finally:
            engine.close()


if __name__ == "__main__":
    print(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 600))
