"""One run of lm-evaluation-harness: a model is served, the harness asks it, and its results are in a folder."""

import json
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.models.chat.chat import template_for
from curate.models.engine import engine_of
from curate.models.gateway import Gateway
from curate.models.model_ref import ModelRef
from curate.models.weight_files import given_template
from curate.models.weights import weights_folder
from schemas.benchmark import Benchmark
from schemas.errors import UserError
from schemas.requests import Reply
from train.benchmarks.environment import variables
from train.benchmarks.harness_process import HarnessProcess, failure
from train.benchmarks.harness_tasks import NamedTasks

CONCURRENT = 256  # requests that the harness sends at once: engines make batches of them
DAY = 86_400  # seconds that a request may take: its batch may wait for a whole model
CUT = "Left truncating context"  # what the harness says where a text does not fit the model


class NotRun(Exception):
    """A benchmark that could not be run: its message says why, and what to do."""


@dataclass(frozen=True)
class HarnessRun:
    """A finished run.

    Attributes:
        folder: The folder of its results.
        failed: The messages (JSON text) and the reply of each request that failed.
        cut: Texts that were too long for the model, and whose beginning the harness cut off.
    """

    folder: Path
    failed: list[tuple[str, Reply]]
    cut: int


def is_chat(ref: ModelRef, named: NamedTasks, benchmark: Benchmark) -> bool:
    """Return whether a model gets the prompts of a benchmark as turns of a chat."""
    if benchmark.apply_chat_template is not None:
        return benchmark.apply_chat_template
    return named.written and (engine_of(ref).remote or template_for(ref) is not None)


@contextmanager
def run_harness(
    python: str, named: NamedTasks, ref: ModelRef, benchmark: Benchmark, seed: int, gateway: Gateway, label: str
) -> Generator[HarnessRun]:
    """Run a benchmark on a model, and end the harness and the server, however it ends.

    Args:
        python: The Python that has the harness.
        named: The tasks.
        ref: The model.
        benchmark: The settings.
        seed: The seed of sampling, and of the examples that the harness draws.
        gateway: Answers the requests.
        label: The stage's name, for progress.

    Yields:
        The run, whose folder is removed afterwards.

    Raises:
        NotRun: The harness failed.
        Stopped: A budget is used up.
    """
    from curate.models.serving.answer_requests import answer_requests
    from curate.models.serving.server import ModelServer, Served

    chat = is_chat(ref, named, benchmark)
    folder = Path(tempfile.mkdtemp(prefix="gristmill-lm-eval-"))
    keep = False  # the log, where the harness failed
    try:
        context = None if named.written else _tokenizer(ref, folder / "tokenizer")
        served = Served(ref.name, ref.identity, frozenset(engine_of(ref).tasks), context)
        (folder / "tmp").mkdir()
        with ModelServer(served) as server:
            config = _config(named, ref.name, benchmark, seed, server.url, folder, chat=chat, context=context)
            (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
            command = [python, "-m", "lm_eval", "run", "--config", str(folder / "config.yaml")]
            where = Path(named.argument).parent if named.is_file else folder
            process = HarnessProcess(command, variables(server.key, folder / "tmp"), where, folder / "lm_eval.log")
            try:
                gateway.progress.begin(label, None, "requests")
                failed = answer_requests(server, gateway, ref, process.running, label)
            finally:
                status = process.close()
        lines = process.lines()
        if status or not (folder / "out").exists():
            keep = True
            raise NotRun(_why(named, status, lines, process.log))
        yield HarnessRun(folder / "out", failed, sum(CUT in line for line in lines))
    finally:
        if keep:
            (folder / "config.yaml").unlink(missing_ok=True)
        for one in ("tmp", "out", "tokenizer") if keep else (".",):
            shutil.rmtree(folder / one, ignore_errors=True)


def _config(
    named: NamedTasks,
    model: str,
    benchmark: Benchmark,
    seed: int,
    url: str,
    folder: Path,
    *,
    chat: bool,
    context: int | None,
) -> dict[str, Any]:
    """Return the harness's configuration file."""
    arguments: dict[str, Any] = {
        "model": model,
        "base_url": f"{url}/{'chat/completions' if chat and named.written else 'completions'}",
        "num_concurrent": CONCURRENT,
        "max_retries": 1,
        "timeout": DAY,
        "seed": seed,
        "tokenizer_backend": "none",
    }
    if context is not None:
        # The harness keeps one token of the length for a generated one, which our server does not need.
        arguments |= {"tokenizer_backend": "huggingface", "tokenizer": str(folder / "tokenizer")}
        arguments["max_length"] = context + 1
    config: dict[str, Any] = {
        "model": "local-chat-completions" if chat and named.written else "local-completions",
        "model_args": arguments,
        "tasks": [named.argument],
        "apply_chat_template": chat,
        "output_path": str(folder / "out"),
        "log_samples": True,
        "seed": [seed, seed, seed, seed],
        "device": "cpu",
    }
    settings = ("limit", "num_fewshot", "fewshot_as_multiturn", "system_instruction", "gen_kwargs")
    given = {name: getattr(benchmark, name) for name in settings}
    return config | {name: value for name, value in given.items() if value is not None and value != {}}


def _tokenizer(ref: ModelRef, folder: Path) -> int:
    """Write a model's tokenizer, with its chat template, into a folder; return the most tokens that the model takes."""
    from transformers import AutoConfig, AutoTokenizer

    location = weights_folder(ref)
    trusted = bool(ref.setting("trust_remote_code", False))
    tokenizer: Any = AutoTokenizer.from_pretrained(location, trust_remote_code=trusted)
    template = given_template(ref)
    if template is not None:
        tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    config = AutoConfig.from_pretrained(location, trust_remote_code=trusted).get_text_config()
    return getattr(config, "max_position_embeddings", None) or 1 << 20


def _why(named: NamedTasks, status: int, lines: list[str], log: Path) -> str:
    """Return why a benchmark was not run, in one line."""
    reason, no_data = failure(lines)
    if no_data:
        data = ", ".join(sorted({task.data for task in named.tasks if task.data})) or "its data"
        return (
            f"its data can't be loaded here ({data}: {reason}). Load them where there is a network and copy that "
            f"machine's HF_HOME (HF_DATASETS_OFFLINE=1 then asks no hub; NLTK_DATA for ifeval), or name a task of your "
            f"own, such as ./mine.yaml; its log: {log}"
        )
    return f"lm-evaluation-harness ended with {status}: {reason}; its log: {log}"


def check_engine(ref: ModelRef, named: NamedTasks, benchmark: Benchmark, where: str) -> None:
    """Raise ``UserError`` where a model's engine can't answer what a benchmark asks."""
    tasks = engine_of(ref).tasks
    if not named.written and "tokens" not in tasks:
        raise UserError(
            f"{where}: benchmark {named.name!r} asks how likely given answers are, which the engine {ref.engine!r} of "
            f"the model {ref.name!r} does not say; evaluate it with the engine 'transformers', or take a task whose "
            f"answers are written"
        )
    if named.written and ref.engine != "transformers" and not is_chat(ref, named, benchmark):
        raise UserError(
            f"{where}: benchmark {named.name!r}: apply_chat_template: false needs the engine 'transformers'; the model "
            f"{ref.name!r} has the engine {ref.engine!r}, which takes turns of a chat"
        )
