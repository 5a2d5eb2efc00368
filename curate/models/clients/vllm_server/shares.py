"""Splits the GPUs, or the cores of a CPU, among several vLLM servers on this machine."""

import os
import re
import subprocess
from collections.abc import Mapping

from schemas.errors import UserError

# Arguments of vLLM that say how many GPUs one server takes, multiplied.
PARALLEL = ("--tensor-parallel-size", "-tp", "--pipeline-parallel-size", "-pp", "--data-parallel-size", "-dp")
MEMORY = ("--gpu-memory-utilization",)


def shares(name: str, count: int, args: list[str], *, on_cpu: bool) -> list[dict[str, str]]:
    """Return what to add to the environment of each server.

    Args:
        name: The model's name, for messages.
        count: How many servers there are.
        args: The arguments of each.
        on_cpu: Whether vLLM is a build for CPUs.

    Raises:
        UserError: There are too few GPUs.
    """
    if not on_cpu:
        taken = gpu_shares(name, visible_gpus(os.environ), count, args)
        return [{"CUDA_VISIBLE_DEVICES": ",".join(gpus)} for gpus in taken]
    bound = "VLLM_CPU_OMP_THREADS_BIND" in os.environ or gpus_taken(args) > 1
    cores = [] if bound or not hasattr(os, "sched_getaffinity") else sorted(os.sched_getaffinity(0))
    return core_shares(cores, count)


def gpu_shares(name: str, gpus: list[str], count: int, args: list[str]) -> list[list[str]]:
    """Return the GPUs of each server: as many as its arguments say, and none of another's.

    Servers of one GPU share it where ``--gpu-memory-utilization`` leaves room for all. Raises ``UserError`` where the
    GPUs are too few.
    """
    each = gpus_taken(args)
    if count * each <= len(gpus):
        return [gpus[at * each : (at + 1) * each] for at in range(count)]
    memory = _value(args, MEMORY, 0.0)
    if gpus and each == 1 and memory and memory * -(-count // len(gpus)) <= 1:
        return [[gpus[at % len(gpus)]] for at in range(count)]
    where = f"models.{name}.servers: {count} servers of {each} GPU{'s' * (each > 1)} each"
    if len(gpus) < each:
        raise UserError(f"{where}, and {len(gpus)} are found (CUDA_VISIBLE_DEVICES, nvidia-smi -L)")
    share = f", or let them share: args: [--gpu-memory-utilization, '{0.9 / -(-count // len(gpus)):.2f}']"
    raise UserError(f"{where}, and there are {len(gpus)}; start at most {len(gpus) // each}{share * (each == 1)}")


def core_shares(cores: list[int], count: int) -> list[dict[str, str]]:
    """Return the cores of each server; nothing where there are fewer cores than servers, which then share them all."""
    if len(cores) < count:
        return [{}] * count
    bounds = [at * len(cores) // count for at in range(count + 1)]
    groups = [cores[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]
    return [{"VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, group))} for group in groups]


def gpus_taken(args: list[str]) -> int:
    """Return how many GPUs a server with these arguments takes."""
    taken = 1
    for long, short in zip(PARALLEL[::2], PARALLEL[1::2], strict=True):
        taken *= int(_value(args, (long, short), 1))
    return taken


def visible_gpus(environment: Mapping[str, str]) -> list[str]:
    """Return the GPUs that may be used: those of ``CUDA_VISIBLE_DEVICES``, else all that ``nvidia-smi`` lists."""
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [one.strip() for one in named.split(",") if one.strip()]
    try:
        found = subprocess.run(  # noqa: S603 (a list, no shell)
            ["nvidia-smi", "-L"],  # noqa: S607 - the driver's own, wherever it is
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [str(at) for at in range(len(re.findall(r"(?m)^GPU \d+:", found.stdout)))]


def _value(args: list[str], names: tuple[str, ...], default: float) -> float:
    """Return the number that an argument has, the last where it is given twice; ``default`` where it has none."""
    found = default
    for at, argument in enumerate(args):
        flag, equals, value = argument.partition("=")
        if flag.replace("_", "-") not in names:
            continue
        text = value if equals else "".join(args[at + 1 : at + 2])
        try:
            found = float(text)
        except ValueError:  # vLLM itself says what is wrong
            continue
    return found if 0 < found < 1e6 else default
