"""vLLM's server writes what transformers does: of exported weights, and of two adapters on one server of their base."""

import json
import secrets
import urllib.request
from pathlib import Path
from typing import Any

from curate.api.find_model import find_model
from curate.models.clients.vllm_server.launch import arguments, environment
from curate.models.clients.vllm_server.server import Server
from curate.models.model_ref import ModelRef
from schemas.progress import Progress
from tests.optional import needs
from tests.train.export.test_export_model import add_adapter
from tests.with_vllm import PYTHON, with_vllm
from train import export_model
from train.export.reference import Reference, reference_of
from train.same_answers.compare import compare

pytestmark = needs("torch", "transformers", "peft")

FIRST = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "down_proj"]}
SECOND = {"r": 2, "lora_alpha": 6, "target_modules": ["v_proj", "q_proj"]}


def served(folder: Path, models: dict[str, Reference], *args: str) -> None:
    """Serve a folder, and compare the greedy answers by the names of models with those of transformers."""
    ref = ModelRef("base", "base@0", str(folder), "vllm", settings=(("python", PYTHON), ("args", list(args))))
    key = secrets.token_urlsafe(8)
    command = [PYTHON, "-m", "vllm.entrypoints.openai.api_server", *arguments(ref, str(folder), True)]
    server = Server("base", command, environment(key, True))
    try:
        server.wait_until_ready(600, Progress())
        for name, expected in models.items():
            answers = [ask(server.url, key, name, prompt) for prompt in expected.prompts]
            found = compare(expected.answers, answers, "float32")
            assert found.difference is None, f"{name}: {found.line()}"
    finally:
        server.close()


def ask(url: str, key: str, name: str, prompt: list[int]) -> list[int]:
    body = {"model": name, "prompt": prompt, "max_tokens": 24, "temperature": 0, "return_token_ids": True}
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/completions", json.dumps(body).encode(), headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=300) as answer:
        choice: Any = json.loads(answer.read())["choices"][0]
    return choice["token_ids"]


@with_vllm
def test_vllm_serves_what_was_exported(tmp_path, wide):
    base = ModelRef("base", "base@0", str(wide))
    first = add_adapter(base, tmp_path / "first", FIRST, 1)
    add_adapter(first, tmp_path / "second", SECOND, 2)
    expected = {name: reference_of(find_model(str(tmp_path / name)), 6) for name in ("first", "second")}
    others = [one.tokens for one in expected["second"].answers]
    assert compare(expected["first"].answers, others, "float32").difference is not None, "the adapters matter"

    for name in expected:
        export_model(str(tmp_path / name), tmp_path / "out" / name, format="adapter", check=0)
    modules = [f"{name}={tmp_path / 'out' / name}" for name in expected]
    served(wide, expected, "--enable-lora", "--max-lora-rank", "8", "--max-loras", "2", "--lora-modules", *modules)

    merged = export_model(str(tmp_path / "second"), tmp_path / "merged", check=0).path
    served(merged, {"base": expected["second"]})
