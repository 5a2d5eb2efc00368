"""The configuration of ``accelerate`` that a training's processes start with: a recipe's ``launch``, checked.

accelerate and TRL are not imported: their files are read.
"""

import ast
import importlib.util
from pathlib import Path
from typing import Any

from schemas.errors import UserError, kind_of, needs_extra, unknown
from schemas.recipe import Recipe, Training
from schemas.yaml_file import parse, plain_values
from train.launch.machines import with_machines

LARGEST = 1 << 20  # bytes of a configuration
MOST = 1024  # processes
PLAIN = {"distributed_type": "MULTI_GPU", "mixed_precision": "no"}  # processes that each hold the whole model
SHARED = ("FSDP", "DEEPSPEED")  # the types of training that may share out the weights
ONE_MODEL_EACH = ("NO", "MULTI_CPU", "MULTI_GPU", "MULTI_NPU", "MULTI_XPU", "MULTI_HPU", "MULTI_MLU", "MULTI_MUSA")
TYPES = (*ONE_MODEL_EACH, *SHARED)
ELSEWHERE = ("mpirun_config", "tpu_name", "tpu_vm", "commands", "command_file", "megatron_lm_config")
RENAMED = ("fp16", "dynamo_backend")  # keys of older versions, which accelerate still reads
# How the keys of a part may begin: accelerate takes any others for options of its launcher.
PARTS = {
    "fsdp_config": ("",),  # accelerate gives all of these three their prefix
    "fp8_config": ("",),
    "dynamo_config": ("",),
    "deepspeed_config": ("deepspeed_", "zero_", "zero3_", "offload_", "gradient_"),
    "parallelism_config": ("parallelism_config_",),
}
OF_A_LAUNCHER = ("deepspeed_hostfile", "deepspeed_inclusion_filter", "deepspeed_exclusion_filter")


def accelerate_config(recipe: Recipe, training: Training, where: str) -> dict[str, Any] | None:
    """Return the configuration that a training's processes start with, or None for one process, this one.

    Args:
        recipe: The recipe, to whose folder the path of a file is relative.
        training: The training.
        where: Its place in the recipe, for errors.

    Raises:
        UserError: The configuration cannot be read, or is not one that gristmill starts.
    """
    launch = training.launch
    if launch is None:
        return None
    where = f"{where}: launch"
    if launch.processes is None and launch.config is None:
        raise UserError(f"{where}: expected processes or config, such as launch: {{processes: 2}}")
    found: dict[str, Any] = dict(PLAIN)
    if launch.config is not None:
        found = _read(launch.config, recipe.path.parent, f"{where}: config")
    count = launch.processes or found.get("num_processes")
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST:
        raise UserError(f"{where}: expected processes: a number from 1 to {MOST:,}, found {count!r:.40}")
    found |= {"num_processes": count}
    found = with_machines(
        found, launch, is_file=launch.config is not None and launch.config not in presets(), where=where
    )
    if launch.config is None and count == 1:
        return None
    if training.trainer == "ppo":
        raise UserError(f"{where}: ppo trains its critic in one process; remove launch, or train with grpo or rloo")
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
    check_config(found, named, where)
    return found


def check_config(found: dict[str, Any], named: str, where: str) -> None:
    """Check the keys of a configuration, and that it starts nothing by other means than torch's.

    Args:
        found: The configuration.
        named: What the user calls it.
        where: The place that names it.

    Raises:
        UserError: It has a key that accelerate does not have, or one that gristmill does not pass on.
    """
    known = _keys()
    for key, value in found.items():
        if key not in known:
            raise unknown(f"key of accelerate in {named} called", key, known, where)
        if isinstance(value, dict) and key not in (*PARTS, *ELSEWHERE):
            raise UserError(f"{where}: {named}: {key}: expected text or a number, found a mapping")
    if found.get("compute_environment", "LOCAL_MACHINE") != "LOCAL_MACHINE":
        raise UserError(f"{where}: {named}: expected compute_environment: LOCAL_MACHINE")
    elsewhere = next((key for key in ELSEWHERE if found.get(key)), None)
    if elsewhere is not None:
        raise UserError(
            f"{where}: {named}: {elsewhere}: gristmill starts the processes itself, on each machine by accelerate's "
            f"launcher for GPUs; remove the key"
        )
    for part, beginnings in PARTS.items():
        _check_part(found.get(part), part, beginnings, f"{where}: {named}")
    kind = found.get("distributed_type")
    if kind not in TYPES:
        raise unknown(f"distributed_type in {named} called", str(kind), TYPES, where)
    if kind == "DEEPSPEED" and importlib.util.find_spec("deepspeed") is None:
        raise UserError(f"{where}: {named}: needs the package deepspeed; install it with: pip install deepspeed")


def _check_part(held: Any, part: str, beginnings: tuple[str, ...], where: str) -> None:
    """Check that a part of a configuration has keys of this part only."""
    if held is None:
        return
    if not isinstance(held, dict):
        raise UserError(f"{where}: {part}: expected a mapping, found {kind_of(held)}")
    for key in held:
        if not isinstance(key, str) or not key.startswith(beginnings) or key in OF_A_LAUNCHER:
            raise UserError(f"{where}: {part}: {key!r:.60} is no option of it that gristmill passes on")


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
