"""The configuration of ``accelerate`` that a training's processes start with: a recipe's ``launch``, checked.

accelerate and TRL are not imported: their files are read.
"""

import ast
import importlib.util
from pathlib import Path
from typing import Any

from schemas.errors import UserError, needs_extra, unknown
from schemas.recipe import Recipe, Training
from schemas.yaml_file import parse, plain_values

LARGEST = 1 << 20  # bytes of a configuration
MOST = 1024  # processes
PLAIN = {"distributed_type": "MULTI_GPU", "mixed_precision": "no"}  # processes that each hold the whole model
SHARED = ("FSDP", "DEEPSPEED")  # the types of training that may share out the weights
ONE_MODEL_EACH = ("NO", "MULTI_CPU", "MULTI_GPU", "MULTI_NPU", "MULTI_XPU", "MULTI_HPU", "MULTI_MLU", "MULTI_MUSA")
TYPES = (*ONE_MODEL_EACH, *SHARED)
OTHER_MACHINES = ("mpirun_config", "tpu_name", "tpu_vm", "commands", "command_file", "main_process_ip")
RENAMED = ("fp16", "dynamo_backend")  # keys of older versions, which accelerate still reads


def accelerate_config(recipe: Recipe, training: Training, where: str) -> dict[str, Any] | None:
    """Return the configuration that a training's processes start with, or None for one process, this one.

    Args:
        recipe: The recipe, to whose folder the path of a file is relative.
        training: The training.
        where: Its place in the recipe, for errors.

    Raises:
        UserError: The configuration cannot be read, or is not one for this machine.
    """
    launch = training.launch
    if launch is None:
        return None
    where = f"{where}: launch"
    if launch.processes is None and launch.config is None:
        raise UserError(f"{where}: expected processes or config, such as launch: {{processes: 2}}")
    if launch.config is None:
        found: dict[str, Any] = dict(PLAIN)
        if launch.processes == 1:
            return None
    else:
        found = _read(launch.config, recipe.path.parent, f"{where}: config")
    if training.trainer == "ppo":
        raise UserError(f"{where}: ppo trains its critic in one process; remove launch, or train with grpo or rloo")
    found |= {"num_processes": launch.processes or found.get("num_processes"), "num_machines": 1, "machine_rank": 0}
    count = found["num_processes"]
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST:
        raise UserError(f"{where}: expected processes: a number from 1 to {MOST:,}, found {count!r:.40}")
    return {"compute_environment": "LOCAL_MACHINE"} | found


def process_count(recipe: Recipe, training: Training, where: str) -> int:
    """Return the number of a training's processes."""
    config = accelerate_config(recipe, training, where)
    return config["num_processes"] if config else 1


def presets() -> dict[str, Path]:
    """Return TRL's own configurations by name."""
    folder = _package("trl", "accelerate_configs")
    return {file.stem: file for file in sorted(folder.glob("*.yaml"))}


def _read(named: str, folder: Path, where: str) -> dict[str, Any]:
    """Return a configuration by the name of a preset, or by the path of a file."""
    known = presets()
    file = known.get(named) or folder / Path(named).expanduser()
    if not file.is_file():
        raise unknown("file, or configuration of TRL, called", named, known, where)
    if file.stat().st_size > LARGEST:
        raise UserError(f"{where}: {named}: larger than {LARGEST:,} bytes, so it is no configuration of accelerate")
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{where}: {named}: cannot be read: {error}") from None
    try:
        found = plain_values(parse(text, Path(named)), (), {}, Path(named))
    except (UserError, RecursionError) as error:
        said = f"{named}: it is nested too deep" if isinstance(error, RecursionError) else error
        raise UserError(f"{where}: {said}") from None
    if not isinstance(found, dict):
        raise UserError(f"{where}: {named}: expected a configuration of accelerate, as 'accelerate config' writes it")
    _check(found, named, where)
    return found


def _check(found: dict[str, Any], named: str, where: str) -> None:
    """Check the keys of a configuration, and that it is one for this machine alone."""
    for key in found:
        if key not in (known := _keys()):
            raise unknown(f"key of accelerate in {named} called", key, known, where)
    if found.get("compute_environment", "LOCAL_MACHINE") != "LOCAL_MACHINE":
        raise UserError(f"{where}: {named}: expected compute_environment: LOCAL_MACHINE")
    machines = found.get("num_machines", 1)
    if machines != 1 or any(found.get(key) for key in OTHER_MACHINES):
        key = "num_machines" if machines != 1 else next(key for key in OTHER_MACHINES if found.get(key))
        raise UserError(
            f"{where}: {named}: {key}: a training has all its processes on this machine; 'gristmill export' writes the "
            f"rows for a script of your own on several"
        )
    kind = found.get("distributed_type")
    if kind not in TYPES:
        raise unknown(f"distributed_type in {named} called", str(kind), TYPES, where)
    if kind == "DEEPSPEED" and importlib.util.find_spec("deepspeed") is None:
        raise UserError(f"{where}: {named}: needs the package deepspeed; install it with: pip install deepspeed")


def _keys() -> list[str]:
    """Return the keys of a configuration of the installed accelerate: the fields of its class for a local machine."""
    file = _package("accelerate", "commands/config/config_args.py")
    classes = {node.name: node for node in ast.parse(file.read_text("utf-8")).body if isinstance(node, ast.ClassDef)}
    fields = [one for name in ("BaseConfig", "ClusterConfig") for one in classes[name].body]
    names = [one.target.id for one in fields if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)]
    return [*names, *RENAMED]


def _package(name: str, part: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise needs_extra("launch", "train")
    return Path(spec.submodule_search_locations[0]) / part
