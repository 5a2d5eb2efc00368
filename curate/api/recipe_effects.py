"""Lists what a recipe runs, reads, fetches and sends, and to whom, from the recipe alone.

Nothing is run, opened or connected to: only whether files are there is looked at.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from curate.api.recipe_code import step_names
from curate.models.clients.http.settings import base_urls
from curate.models.engine import find_engine
from curate.models.key_hosts import is_this_machine, key_refusal, shown_host
from curate.models.weight_files import BUILT_IN
from curate.sources.benchmarks import SHIPPED
from curate.sources.open_source import is_remote
from curate.sources.remote.urls import is_url, shown_url
from schemas.recipe import Recipe, Training

RUNS, READS, FETCHES, SENDS = "runs", "reads", "fetches", "sends"
JINJA = ("{{", "{%", "{#")  # a chat template that stands in the recipe itself
RUN_IN_SANDBOX = ("code",)  # scorers that run what models write
# Options of a training that send something off this machine -> what they send.
SENDING = {
    "report_to": "the figures of train.{name} to {value}",
    "push_to_hub": "the model of train.{name} to the hub (refused)",
    "log_completions_hub_repo": "the answers of train.{name} to the hub, as {value} (refused)",
    "trackio_space_id": "the figures of train.{name} to the hub's space {value}, if it reports to trackio",
    "vllm_server_base_url": "the prompts and the weights of train.{name} to {value}",
    "vllm_server_host": "the prompts and the weights of train.{name} to {value}, if it uses a vLLM server",
}
NOWHERE = (None, False, [], "none", ["none"])  # values of these that send nothing


class Effect(NamedTuple):
    """One thing that a recipe does: ``runs``, ``reads``, ``fetches`` or ``sends``, and what, in words."""

    kind: str
    what: str


def effects_of(recipe: Recipe) -> list[Effect]:
    """Return what a recipe reads, fetches and sends, and what it runs but for code of its own, each once.

    Code of its own is what ``curate.api.recipe_code.code_of`` finds.

    Raises:
        UserError: The hosts that the user named for keys can't be read.
    """
    found = [*_runs(recipe), *_reads(recipe), *_of_models(recipe), *_of_trainings(recipe), *_of_evaluation(recipe)]
    kinds = (RUNS, READS, FETCHES, SENDS)
    return sorted(dict.fromkeys(found), key=lambda one: kinds.index(one.kind))


def _runs(recipe: Recipe) -> Iterator[Effect]:
    """Yield what is started: servers, sandboxes, further processes."""
    for name, model in recipe.models.items():
        if model.engine == "vllm":
            count = model.settings.get("servers", 1)
            servers = "a vLLM server" if count == 1 else f"{count} vLLM servers"
            yield Effect(RUNS, f"{servers} on this machine, for models.{name}")
    used = {name for name, _ in step_names(recipe)}
    for name in RUN_IN_SANDBOX:
        if name in used:
            yield Effect(RUNS, f"programs that models write, in the sandbox (score: {name})")
    for name, training in recipe.train.items():
        if training.launch is not None:
            yield Effect(RUNS, f"train.{name} in several processes (accelerate)")


def _reads(recipe: Recipe) -> Iterator[Effect]:
    """Yield the sources and the data that rows are compared with."""
    folder = recipe.path.parent
    against: list[Any] = []
    for step in (*recipe.prompts, *recipe.completions):
        if step.verb == "source" and "sql" in step.settings:
            query = " ".join(str(step.settings["sql"]).split())
            yield Effect(READS, f"what this query reads, any file or address: {query[:200]}")
        elif step.verb == "source":
            yield _read(step.settings.get("path"), folder)
        against.append(step.settings.get("against") if step.verb != "source" else None)
    if isinstance(recipe.by_hand, str):
        yield _read(recipe.by_hand, folder)
    for dataset in recipe.datasets.values():
        settings = (dataset.decontaminate, dataset.dedup)
        against += [one.get("against") for one in settings if isinstance(one, dict)]
    for given in against:
        for entry in given if isinstance(given, list) else [given]:
            path = entry.get("path") if isinstance(entry, dict) else entry
            if path in SHIPPED:
                yield Effect(FETCHES, f"the data set {SHIPPED[path].path} of the hub ({path})")
            elif path is not None:
                yield _read(path, folder)


def _of_models(recipe: Recipe) -> Iterator[Effect]:
    """Yield where the recipe's models are, and what is sent to those behind a server."""
    for name, model in recipe.models.items():
        folder, template = recipe.path.parent, model.settings.get("chat_template")
        if isinstance(template, str) and not any(mark in template for mark in JINJA):
            yield _file(template, folder)
        if find_engine(model.engine, recipe.where("models", name)).remote:
            for url in base_urls(model.settings) or [""]:
                yield Effect(SENDS, _sent(name, url, model.settings.get("api_key_env")))
        elif (folder / Path(model.model).expanduser()).is_dir():
            yield _file(model.model, folder)
        elif model.model not in BUILT_IN:
            yield Effect(FETCHES, f"the model {model.model} of the hub, where it is not here yet")


def _sent(name: str, url: str, variable: str | None) -> str:
    """Return what is sent to a model behind a server, and to whom."""
    try:
        here = ", which is this machine" if is_this_machine(url) else ""
        to, refused = f"{shown_host(url)}{here}", key_refusal(variable, url) if variable else ""
    except ValueError:  # no address, which the engine's own check says
        return f"the prompts of models.{name} to {url}"
    plain = "" if here or url.startswith("https://") else " over plain http"
    key = f", with the key in {variable}" if variable else ""
    return f"the prompts of models.{name} to {to}{plain}{key}" + (f"; not yet: {refused}" if refused else "")


def _of_trainings(recipe: Recipe) -> Iterator[Effect]:
    for name, training in recipe.train.items():
        yield from (Effect(SENDS, text) for text in _sending(name, training))
        if training.launch is not None and training.launch.config and _is_path(training.launch.config):
            yield _file(training.launch.config, recipe.path.parent)
        if training.launch is not None and (training.launch.machines or 1) > 1:
            others = "another machine" if training.launch.machines == 2 else "other machines"
            yield Effect(SENDS, f"the answers and gradients of train.{name} to {others} that you start, not encrypted")


def _sending(name: str, training: Training) -> Iterator[str]:
    """Yield what options of a training send."""
    for key, text in SENDING.items():
        value = training.settings.get(key)
        if value not in NOWHERE:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield text.format(name=name, value=shown)


def _of_evaluation(recipe: Recipe) -> Iterator[Effect]:
    if recipe.evaluate is None:
        return
    retention, benchmark = recipe.evaluate.retention, recipe.evaluate.benchmark
    for key in ("prompts", "texts", "answers"):
        given = getattr(retention, key) if retention is not None else None
        if given is not None:
            yield _read(given, recipe.path.parent)
    for task in benchmark.tasks if benchmark is not None else ():
        if not _is_path(task):
            yield Effect(FETCHES, f"the data of the benchmark {task}, from where lm-evaluation-harness has it")


def _read(named: Any, folder: Path) -> Effect:
    """Return that a source is read, or fetched where it is not on this machine."""
    if isinstance(named, str) and is_remote(named, folder):
        shown = shown_url(named) if is_url(named) else f"the data set {named} of the hub"
        return Effect(FETCHES, shown)
    return _file(str(named).removeprefix("file://"), folder)


def _file(named: str, folder: Path) -> Effect:
    """Return that a file or a folder is read, by its whole path; it is said where that is not below the recipe's."""
    path = Path(os.path.realpath(folder / Path(named).expanduser()))
    inside = path.is_relative_to(os.path.realpath(folder))
    return Effect(READS, f"{path}" + ("" if inside else ", outside of the recipe's folder"))


def _is_path(named: str) -> bool:
    return "/" in named or named.endswith((".yaml", ".yml"))
