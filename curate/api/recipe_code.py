"""The code that a recipe has run beside gristmill's own, found by its names. Nothing is imported, started or fetched.

It is the user's steps and trainers, the programs that are started (the Python of vLLM and of lm-evaluation-harness),
the code that comes with a model (``trust_remote_code``), and task files of lm-evaluation-harness, which may name code.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curate.models.weight_files import hub_identity
from curate.steps.own_code import OwnCode, module_code
from curate.steps.own_files import content_digest, folder_files
from schemas.recipe import Model, Recipe

VLLM_PYTHON = Path(".venv-vllm/bin/python")  # what ``make vllm`` makes, as in curate.models.clients.vllm_server.launch
HARNESS_PYTHON = Path(".venv-lm-eval/bin/python")  # what ``make lm-eval`` makes, as in train.benchmarks.environment
LIBRARIES = ("trl", "transformers")  # trainers of these are no code of the recipe's
# Arguments of vLLM's server that load no code and no file. Others may: plugins, middleware, classes by their path.
PLAIN_ARGUMENTS = frozenset(
    f"--{name}"
    for name in (
        "async-scheduling block-size cpu-offload-gb data-parallel-size disable-log-stats distributed-executor-backend "
        "dtype enable-auto-tool-choice enable-chunked-prefill enable-expert-parallel enable-prefix-caching "
        "enforce-eager gpu-memory-utilization kv-cache-dtype max-logprobs max-model-len max-num-batched-tokens "
        "max-num-seqs no-enable-chunked-prefill no-enable-prefix-caching no-enforce-eager pipeline-parallel-size "
        "quantization reasoning-parser seed swap-space tensor-parallel-size tool-call-parser"
    ).split()
)


def code_of(recipe: Recipe) -> list[OwnCode]:
    """Return the code that a recipe has run, each once.

    Raises:
        UserError: A file of it can't be read.
    """
    found: dict[str, OwnCode] = {}
    for one in (*_modules(recipe), *_programs(recipe), *_of_models(recipe), *_task_files(recipe)):
        found.setdefault(one.digest, one)
    return list(found.values())


def step_names(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Yield the names of all steps and trainers that a recipe uses, each with its place."""
    for step in (*recipe.prompts, *recipe.completions):
        yield step.use or "", recipe.step_where(step)
    for name, dataset in recipe.datasets.items():
        for key in ("select", "dedup", "diverse"):
            given = getattr(dataset, key)
            used = given.get("use") if isinstance(given, dict) else given
            yield (used if isinstance(used, str) else ""), recipe.where("datasets", name, key)
    for name, training in recipe.train.items():
        yield training.trainer, recipe.where("train", name, "trainer")
        yield from ((one, recipe.where("train", name, "rewards")) for one in training.rewards)
    for one in recipe.evaluate.by if recipe.evaluate else ():
        yield one, recipe.where("evaluate", "by")


def _modules(recipe: Recipe) -> Iterator[OwnCode]:
    """Yield the user's own steps and trainers: files below the current folder."""
    seen: set[Path] = set()
    for name, where in step_names(recipe):
        parts = name.split(".")
        if len(parts) < 2 or parts[0] in LIBRARIES or not all(part.isidentifier() for part in parts):
            continue
        places = (Path(*parts), Path(*parts[:-1]))
        files = [file for one in places for file in (one.with_suffix(".py"), one / "__init__.py") if file.is_file()]
        if files and files[0] not in seen:
            seen.add(files[0])
            yield module_code(files[0], where)


def _programs(recipe: Recipe) -> Iterator[OwnCode]:
    """Yield the programs that are started, but for this Python."""
    for name, model in recipe.models.items():
        if model.engine == "vllm":
            given = model.settings.get("python")
            yield from _program(given, VLLM_PYTHON, recipe.where("models", name, "python"))
    benchmark = recipe.evaluate.benchmark if recipe.evaluate else None
    if benchmark is not None:
        yield from _program(benchmark.python, HARNESS_PYTHON, recipe.where("evaluate", "benchmark"))


def _program(given: Any, default: Path, where: str) -> Iterator[OwnCode]:
    """Yield a program by its path: the one given, else the default one in the current folder, where that is there."""
    path = Path(given).expanduser() if isinstance(given, str) else default
    found = shutil.which(path) if path.parts else None
    if found is None:
        return
    program = Path(os.path.abspath(found))
    if program == Path(os.path.abspath(sys.executable)):
        return
    around = [one for one in (program, program.parent.parent / "pyvenv.cfg") if one.is_file()]
    digest = content_digest(around, program.parent, "program", str(program))
    yield OwnCode(str(program), (program,), digest, where)


def _of_models(recipe: Recipe) -> Iterator[OwnCode]:
    """Yield the code that comes with models, where the recipe trusts it, and vLLM's arguments that may load some."""
    for name, model in recipe.models.items():
        where = recipe.where("models", name)
        if model.settings.get("trust_remote_code"):
            yield _model_code(model, recipe.path.parent, where)
        odd = _odd_arguments(model)
        if odd:
            shown = f"vLLM with the arguments {' '.join(odd)}"
            yield OwnCode(shown, (), hashlib.sha256(repr(odd).encode()).hexdigest(), where)
    for name, training in recipe.train.items():
        start = training.model
        while start in recipe.train and recipe.train[start].model != start:
            start = recipe.train[start].model
        if training.settings.get("trust_remote_code") and start in recipe.models:
            where = recipe.where("train", name, "trust_remote_code")
            yield _model_code(recipe.models[start], recipe.path.parent, where)


def _model_code(model: Model, folder: Path, where: str) -> OwnCode:
    """Return the code that comes with a model: files of its folder, or what the hub has under its name."""
    path = folder / Path(model.model).expanduser()
    if path.is_dir():
        files = [one for one in folder_files(path, (".py", ".json")) if one.suffix == ".py" or "config" in one.name]
        files += [one for one in folder_files(path, (".json",)) if one.name == "starts_from.json"]
        digest = content_digest(files, path, "model", str(path.resolve()))
        code = [one for one in files if one.suffix == ".py"]
        return OwnCode(f"the code in the model's folder {model.model}", tuple(code), digest, where)
    identity = hub_identity(model.model)
    digest = hashlib.sha256(repr(("model", identity)).encode()).hexdigest()
    return OwnCode(f"the code of the hub's model {identity}, whatever that is", (), digest, where)


def _odd_arguments(model: Model) -> list[str]:
    """Return the arguments of vLLM's server, where one of them may load code or a file; else none."""
    given = [str(one) for one in model.settings.get("args") or ()] if model.engine == "vllm" else []
    names = [one.split("=", 1)[0].replace("_", "-") for one in given if one.startswith("-")]
    return given if set(names) - PLAIN_ARGUMENTS else []


def _task_files(recipe: Recipe) -> Iterator[OwnCode]:
    """Yield the task files of lm-evaluation-harness that a recipe names by their path, with all code beside them."""
    benchmark = recipe.evaluate.benchmark if recipe.evaluate else None
    for name in benchmark.tasks if benchmark is not None else ():
        file = (recipe.path.parent / Path(name).expanduser()).absolute()
        if name.endswith((".yaml", ".yml")) and file.is_file():
            files = folder_files(file.parent, (".py", ".yaml", ".yml"))
            others = [one for one in files if one != file]
            where = recipe.where("evaluate", "benchmark")
            yield OwnCode(str(file), (file, *others), content_digest(files, file.parent, "tasks"), where)
