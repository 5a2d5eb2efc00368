"""The launch file of a further machine: what ``gristmill node`` needs to start that machine's processes, checked.

The folder that it is in holds the job. It names no program: what is started is always ``train.launch.worker``.
"""

import json
import os
import stat
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from schemas.errors import UserError, printable
from schemas.sections import Strict
from schemas.version import VERSION
from train.finding.find_trainer import trainer_names
from train.launch.accelerate_config import check_config
from train.launch.job_file import FILE as JOB
from train.launch.machines import MOST, check_address
from train.options.options import RESERVED

LARGEST, LARGEST_JOB = 1 << 20, 64 << 20  # bytes
BELOW_STORE = 3  # folders between a store and its launch files: work, the training's, launch
NAME = "machine-{}.json"
EXPECTED = "expected a launch file of 'gristmill train'"


class LaunchFile(Strict):
    """The content of the launch file of a further machine.

    Attributes:
        gristmill: The version that wrote it.
        training: The training's name.
        machine: This machine's number; the first one's is 0.
        machines: How many there are.
        processes: How many processes there are, on all of them.
        address: What the first machine is reached by.
        port: Its port for torch's connections.
        channel: Its port for ours.
        key: The key that both sides of ours prove to know.
        cpu: Whether the processes train on CPUs.
        folder: The folder that ``gristmill train`` was started in, to which a model's path may be relative.
        model: The folder for the model.
        accelerate: The configuration of accelerate, but for the machines.
    """

    gristmill: str = Field(max_length=40)
    training: str = Field(max_length=200)
    machine: int = Field(ge=1, lt=MOST)
    machines: int = Field(ge=2, le=MOST)
    processes: int = Field(ge=2, le=1024)
    address: str = Field(max_length=253)
    port: int = Field(ge=1, le=65535)
    channel: int = Field(ge=1, le=65535)
    key: str = Field(pattern="^[0-9a-f]{64}$", repr=False)
    cpu: bool
    folder: str = Field(max_length=4096)
    model: str = Field(max_length=4096)
    accelerate: dict[str, Any]

    @property
    def config(self) -> dict[str, Any]:
        """The configuration that this machine's processes are started with."""
        return self.accelerate | {
            "num_machines": self.machines,
            "machine_rank": self.machine,
            "num_processes": self.processes,
            "main_process_ip": self.address,
            "main_process_port": self.port,
        }

    @property
    def called(self) -> str:
        """The name of this machine in messages."""
        return f"machine {self.machine + 1} of {self.machines}"


def write_launch_file(folder: Path, content: LaunchFile) -> Path:
    """Write a machine's launch file into the folder of the job, for this user alone; return its path."""
    file = folder / NAME.format(content.machine)
    number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(number, "w", encoding="utf-8") as opened:
        opened.write(content.model_dump_json())
    return file


def read_launch_file(file: Path) -> LaunchFile:
    """Return what a launch file says.

    Raises:
        UserError: It is another user's, others may open it or its folder, or something in it cannot be.
    """
    text = _own_text(file)
    try:
        found = LaunchFile.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(one)[:40] for one in first["loc"]) or "it"
        raise UserError(f"{file}: {place}: {first['msg']}; {EXPECTED}") from None
    except (ValueError, RecursionError):
        raise UserError(f"{file}: no JSON; {EXPECTED}") from None
    if found.gristmill != VERSION:
        raise UserError(f"{file}: of gristmill {found.gristmill}, and this is {VERSION}; have one version everywhere")
    if found.machine >= found.machines or found.processes % found.machines:
        raise UserError(f"{file}: {found.processes} processes, machine {found.machine} of {found.machines} can't be")
    check_address(found.address, f"{file}: address")
    check_config(found.accelerate, "accelerate", str(file))
    _check_folders(file, found)
    return found


def code_of_job(file: Path) -> list[str]:
    """Return what a job, beside its launch file, runs that is not gristmill's: each as a few words.

    Raises:
        UserError: The job cannot be read, has an option that a recipe can't have, or a folder for its checkpoints that
            is not the one that it is in.
    """
    job = file.parent / JOB
    try:
        held = json.loads(_text(job, LARGEST_JOB))
        trainer, settings, work = held["trainer"], dict(held["settings"]), Path(held["work_folder"])
        models = [dict(held[name]["settings"]) for name in ("ref", "teacher") if held[name] is not None]
        here = work.resolve() == file.resolve().parents[1]
    except (OSError, RuntimeError, ValueError, LookupError, TypeError) as error:  # RuntimeError: links in a circle
        raise UserError(f"{job}: cannot be read as a job: {type(error).__name__}") from None
    if not isinstance(trainer, str) or settings.keys() & RESERVED.keys():
        raise UserError(f"{job}: no job of 'gristmill train': it has a trainer or an option that no recipe can have")
    if not here:
        raise UserError(f"{job}: its checkpoints would be in {str(work)[:200]}; expected {file.parent.parent}")
    found = [] if trainer in trainer_names() else [f"the trainer {printable(trainer)[:80]}"]
    return found + ["code that comes with the model"] * any(one.get("trust_remote_code") for one in (settings, *models))


def _own_text(file: Path) -> str:
    """Return the text of a file that this user alone may open, in a folder that this user alone may write to."""
    try:
        _check_own(file.resolve().parent.stat(), file.parent, 0o022)
        return _text(file, LARGEST, 0o077)
    except (OSError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else "links in a circle"
        raise UserError(f"{file}: cannot be read: {why}; {EXPECTED}") from None


def _text(file: Path, most: int, others: int = 0) -> str:
    """Return the text of a file of this user's, which is no link, and which others may not open in some ways."""
    with open(file, "rb", opener=_no_link) as opened:
        facts = os.fstat(opened.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise UserError(f"{file}: no file; {EXPECTED}")
        _check_own(facts, file, others)
        text = opened.read(most + 1)
    if len(text) > most:
        raise UserError(f"{file}: larger than {most:,} bytes; {EXPECTED}")
    return text.decode(errors="replace")


def _no_link(file: str, flags: int) -> int:
    return os.open(file, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _check_own(facts: os.stat_result, what: Path, others: int) -> None:
    if facts.st_uid != os.geteuid():
        raise UserError(f"{what}: belongs to another user; nothing of it is run")
    if stat.S_IMODE(facts.st_mode) & others:
        raise UserError(f"{what}: other users may {'open' if others & 0o44 else 'write to'} it; nothing of it is run")


def _check_folders(file: Path, found: LaunchFile) -> None:
    """Check the folders that a launch file names: the model is written into the store that the file is in."""
    above = file.resolve().parents
    if len(above) <= BELOW_STORE:
        raise UserError(f"{file}: is not in the folder 'work' of a store")
    store = above[BELOW_STORE]
    model, folder = Path(found.model), Path(found.folder)
    for one in (model.parent, folder):
        if "\0" in f"{model}{folder}" or not one.is_absolute() or not os.path.isdir(one):  # Path.is_dir may raise
            raise UserError(
                f"{file}: this machine has no folder {one}; the store, the models and the folder that "
                f"'gristmill train' was started in need the same paths on each machine"
            )
    if store not in Path(os.path.realpath(model)).parents:  # Path.resolve raises where links go in a circle
        raise UserError(f"{file}: the folder for the model, {model}, is not in the store {store}")
