"""The tasks that a recipe's ``benchmark`` names, as lm-evaluation-harness describes them before they are run."""

import json
import os
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from schemas.recipe import Recipe
from train.benchmarks.environment import HINT, variables

DESCRIBE = Path(__file__).with_name("describe_tasks.py")
WRITTEN = "generate_until"  # the tasks whose answers are written; the others ask how likely given texts are
LONGEST = 600  # seconds that the harness may take to read its tasks


@dataclass(frozen=True)
class HarnessTask:
    """One task of the harness.

    Attributes:
        name: Its name.
        kind: What it asks a model for (``generate_until``, ``multiple_choice``, ``loglikelihood`` ...).
        version: Its version, as its file gives it.
        num_fewshot: The examples in each prompt by default, where its file says.
        data: The data set that it loads.
        missing: Local files of data that are not there.
        unsafe: Whether it runs the code that models write, without a sandbox.
        content: A hash of its settings, of the code beside its file, and of local data.
    """

    name: str
    kind: str
    version: str
    num_fewshot: int | None
    data: str
    missing: tuple[str, ...]
    unsafe: bool
    content: str

    @property
    def written(self) -> bool:
        """Whether models write the answers."""
        return self.kind == WRITTEN


@dataclass(frozen=True)
class NamedTasks:
    """The tasks that one name of ``benchmark`` stands for: one, or those of a group or tag.

    ``argument`` is what the harness is given: the name, or the file's path. ``harness`` is the harness's version.
    """

    name: str
    argument: str
    tasks: tuple[HarnessTask, ...]
    harness: str

    @property
    def written(self) -> bool:
        """Whether models write the answers."""
        return self.tasks[0].written

    @property
    def is_file(self) -> bool:
        """Whether it is a task file of the user's."""
        return self.argument.endswith(".yaml")


def named_tasks(recipe: Recipe, python: str) -> list[NamedTasks]:
    """Ask the harness what the names in a recipe's ``benchmark`` stand for.

    Args:
        recipe: The recipe.
        python: The Python that has the harness.

    Raises:
        UserError: A name is unknown, a file is not the user's own, or the Python has no harness.
    """
    where = recipe.where("evaluate", "benchmark")
    arguments = harness_arguments(recipe)
    only_files = all(argument.endswith(".yaml") for argument in arguments.values())
    described = _describe(python, ["0" if only_files else "1", *arguments.values()], where)
    found = []
    for name, argument in arguments.items():
        held = described["names"][argument]
        if "error" in held or not held["tasks"]:
            raise _wrong(name, held, where)
        tasks = tuple(_task(task) for task in held["tasks"])
        if len({task.written for task in tasks}) > 1:
            both = ", ".join(f"{task.name} ({task.kind})" for task in tasks[:6])
            raise UserError(
                f"{where}: benchmark {name!r} has tasks whose answers are written and tasks of likelihoods "
                f"({both} ...), which are asked in different ways; name its tasks apart"
            )
        found.append(NamedTasks(name, argument, tasks, described["version"]))
    return found


def harness_arguments(recipe: Recipe) -> dict[str, str]:
    """Return what the harness is given for each name in a recipe's ``benchmark``: the name, or the path of a task file.

    Raises:
        UserError: A file is missing, has a name that the harness does not read, or is not the user's own.
    """
    names = recipe.evaluate.benchmark.tasks if recipe.evaluate and recipe.evaluate.benchmark else []
    where = recipe.where("evaluate", "benchmark")
    return {name: _argument(recipe, name, where) for name in names}


def _task(held: dict[str, Any]) -> HarnessTask:
    """Return a task as ``describe_tasks.py`` describes it."""
    further = {name: value for name, value in held.items() if name != "missing"}
    return HarnessTask(**further, missing=tuple(held["missing"]))


def _wrong(name: str, held: dict[str, Any], where: str) -> UserError:
    """Return the error for a name that stands for no task."""
    if held.get("error") == "unknown":
        near = f"; did you mean {held['near'][0]!r}?" if held.get("near") else ""
        return UserError(
            f"{where}: lm-evaluation-harness has no task {name!r}{near} (a task of your own is named by its file, "
            f"such as ./mine.yaml)"
        )
    return UserError(f"{where}: benchmark {name!r}: {held.get('error') or 'the group has no tasks'}")


def _argument(recipe: Recipe, name: str, where: str) -> str:
    """Return the name of a task, or the path of a task file, whose code the harness runs: it must be the user's own."""
    if not name.endswith((".yaml", ".yml")) and "/" not in name:
        return name
    path = (recipe.path.parent / Path(name).expanduser()).absolute()
    if not path.is_file():
        raise UserError(f"{where}: benchmark: there is no task file {path}")
    if path.suffix != ".yaml" or set("*?[],") & set(str(path)):
        raise UserError(
            f"{where}: benchmark: {path}: lm-evaluation-harness reads files whose names end in .yaml, and no paths "
            f"with * ? [ ] or commas"
        )
    for one in (path, path.parent):
        found = one.stat()
        others = found.st_mode & stat.S_IWOTH and not (one.is_dir() and found.st_mode & stat.S_ISVTX)
        if others or found.st_uid not in (os.getuid(), 0):
            raise UserError(
                f"{where}: benchmark: {one} belongs to another user, or others may write it; a task file can run code, "
                f"so use one of your own"
            )
    return str(path)


def _describe(python: str, arguments: list[str], where: str) -> dict[str, Any]:
    """Run ``describe_tasks.py``; return what it prints."""
    with tempfile.TemporaryDirectory(prefix="gristmill-lm-eval-") as temporary:
        try:
            done = subprocess.run(  # noqa: S603 (a list, no shell)
                [python, "-I", str(DESCRIBE), *arguments],
                capture_output=True,
                text=True,
                timeout=LONGEST,
                check=False,
                env=variables("", Path(temporary)),
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UserError(f"{where}: {python} can't be run: {error}; {HINT}") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:300]
        raise UserError(f"{where}: {python} has no lm-evaluation-harness that we can use ({reason}); {HINT}")
    return json.loads(done.stdout[done.stdout.index("{") :])
