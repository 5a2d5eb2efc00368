"""Starts ``accelerate launch`` on the workers of a training: its arguments, its environment, its configuration."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from train.launch.accelerate_config import ONE_MODEL_EACH
from train.launch.machines import is_loopback, resolved

LOG = "launcher.log"
TO_END = 60.0  # seconds that the processes may take to end once the training is done
PATIENCE = 10.0  # seconds that a launcher has to end the processes
LOOPBACK = {"linux": "lo", "darwin": "lo0"}


def on_cpu(config: dict[str, Any], where: str) -> bool:
    """Return whether the processes of this machine train on its CPU.

    Args:
        config: The configuration of accelerate.
        where: The training, for errors.

    Raises:
        UserError: This machine has fewer GPUs than there are to be processes.
    """
    import torch

    gpus = 0 if config.get("use_cpu") else torch.cuda.device_count()
    count = config["num_processes"] // config["num_machines"]
    if gpus and count > gpus:
        raise UserError(f"{where}: launch: {count} processes need a GPU each; this machine has {gpus}")
    return not gpus


@contextmanager
def launched(config: dict[str, Any], folder: Path, model: Path, address: str, *, cpu: bool) -> Generator[Any]:
    """Yield the launcher of a training's processes on this machine; it has ended afterwards.

    Args:
        config: The configuration of accelerate.
        folder: The folder with the job.
        model: The folder for the model.
        address: Where the processes connect to: a socket, or the launch file of this machine.
        cpu: Whether they train on the CPU.
    """
    machine = config["machine_rank"]
    file = folder / (f"accelerate-{machine}.json" if machine else "accelerate.json")
    file.write_text(json.dumps(for_device(config, on_cpu=cpu)), encoding="utf-8")
    worker = ["--module", "train.launch.worker", str(folder), str(model), address]
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(file), *worker]
    count = config["num_processes"] // config["num_machines"]
    alone = config["num_machines"] == 1 or is_loopback(resolved(config["main_process_ip"], "address"))
    with (folder / log_of(machine)).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 (a list, no shell)
            command,
            env=environment(dict(os.environ), count, on_cpu=cpu, alone=alone),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in the terminal reaches this process only, which ends the others
        )
    try:
        yield process
        with suppress(subprocess.TimeoutExpired):
            process.wait(TO_END)
    finally:
        _end(process)


def log_of(machine: int) -> str:
    """Return the name of the file that a machine's launcher prints into."""
    return f"launcher-{machine}.log" if machine else LOG


def for_device(config: dict[str, Any], *, on_cpu: bool) -> dict[str, Any]:
    """Return a configuration as accelerate needs it on this machine's device; on one machine it chooses a free port.

    accelerate starts several processes on CPUs only through MPI. Its launcher for GPUs is ``torchrun``, which starts
    them on CPUs too, where the environment says so. DeepSpeed's launchers for several machines start programs by ssh;
    the standard one is ``torchrun``.
    """
    several = config.get("num_machines", 1) > 1
    torchs: dict[str, Any] = {"rdzv_backend": "static", "same_network": True} if several else {"main_process_port": 0}
    found = config | torchs
    if several and found["distributed_type"] == "DEEPSPEED":
        found["deepspeed_config"] = (found.get("deepspeed_config") or {}) | {"deepspeed_multinode_launcher": "standard"}
    if found["distributed_type"] in ONE_MODEL_EACH and (on_cpu or found["distributed_type"] in ("NO", "MULTI_CPU")):
        found["distributed_type"] = "MULTI_GPU" if found["num_processes"] > 1 else "NO"
    return found | ({"use_cpu": False, "mixed_precision": "no"} if on_cpu else {})


def environment(own: dict[str, str], count: int, *, on_cpu: bool, alone: bool = True) -> dict[str, str]:
    """Return the environment of the processes: this one's, and its path to modules.

    The CPU's cores are shared out between this machine's processes, unless ``OMP_NUM_THREADS`` is set. On CPUs, where
    this machine is ``alone``, they talk through its own network only.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    ours = {
        "OMP_NUM_THREADS": str(max(1, cores // count)),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false" if count > 1 else "true",
    }
    if on_cpu and alone and sys.platform in LOOPBACK:
        ours["GLOO_SOCKET_IFNAME"] = LOOPBACK[sys.platform]
    found = ours | own
    found |= {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONSAFEPATH": "1"}
    return found | ({"ACCELERATE_USE_CPU": "true", "CUDA_VISIBLE_DEVICES": ""} if on_cpu else {})


def _end(process: Any) -> None:
    """End a launcher that has not ended; it ends the processes that it has started."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
