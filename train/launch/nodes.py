"""The further machines of a training, as the first one sees them: each runs ``gristmill node`` on its launch file."""

import os
import secrets
import shlex
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

from schemas.errors import OneLine, Stopped, Terminated, UserError, printable
from schemas.version import VERSION
from train.job import TrainingJob
from train.launch.channel import receive, send
from train.launch.door import Door
from train.launch.launch_file import LaunchFile, code_of_job, write_launch_file
from train.launch.machines import check_port, is_loopback, resolved

LONGEST_LINE = 1000  # characters of an error that is told to another machine
CODES: tuple[tuple[type[BaseException], int], ...] = (
    (UserError, 2), (Stopped, 3), (Terminated, 143), (KeyboardInterrupt, 130),
)  # fmt: skip


class Parting(NamedTuple):
    """Why a machine's ``gristmill node`` ends: its number, a line, and whether what its launcher printed says more."""

    machine: int
    line: str
    crashed: bool


@dataclass
class Nodes:
    """The further machines of a training.

    Attributes:
        job: The training.
        door: Where they connect to.
        machines: How many machines there are, with the first one.
        processes: How many processes there are in all.
        commands: What is to be run on each further machine, by its number.
        present: The connections to those that are there.
        ending: The connections to those that said why they end, and wait to hear how the training does.
        names: The host names that they gave, by their number.
    """

    job: TrainingJob
    door: Door
    machines: int
    processes: int
    commands: dict[int, str]
    present: dict[Connection, int] = field(default_factory=dict)
    ending: list[Connection] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)

    @property
    def their_ranks(self) -> range:
        """The ranks of their processes."""
        return range(self.processes // self.machines, self.processes)

    def watched(self) -> list[Any]:
        """Return what there may be news from."""
        return [self.door.news, *self.present]

    def called(self, machine: int) -> str:
        """Return what a machine is called in messages."""
        name = self.names.get(machine)
        return f"machine {machine + 1} of {self.machines}" + (f", {name}" if name else "")

    def machine_of(self, rank: int) -> str:
        """Return what the machine of a process is called."""
        return self.called(rank // (self.processes // self.machines))

    def wait_for_all(self) -> None:
        """Say what is to be run where, and wait until every machine is there; then they start their processes."""
        for machine, command in self.commands.items():
            self._say(f"{self.called(machine)}: run there:  {command}")
        while len(self.present) < len(self.commands):
            for one in wait(self.watched()):
                if one is self.door.news:
                    self._welcome(self.door.take())
                elif isinstance(one, Connection):
                    gone = self.last_words(one)
                    self._say(f"{gone.line}; run there again:  {self.commands[gone.machine]}")
        for connection in self.present:
            with suppress(OSError):  # one that has ended is noticed as the training goes on
                send(connection, "start")

    def last_words(self, connection: Connection) -> Parting:
        """Return why a machine's ``gristmill node`` ends, which says so or has ended without a word."""
        machine, crashed = self.present.pop(connection), False
        try:
            _, fields, _ = receive(connection)
            why = printable(str(fields["why"]))[:LONGEST_LINE]
            crashed = fields["crashed"] is True
            self.ending.append(connection)
        except (EOFError, OSError, ValueError, LookupError, TypeError):
            why = "'gristmill node' ended without a word, as one does that is killed, or the network is gone"
            connection.close()
        return Parting(machine, f"{self.called(machine)}: {why}", crashed)

    def tell_end(self, error: BaseException | None) -> None:
        """Tell every machine that the training is over, and how it ended."""
        code = 0 if error is None else next((code for kind, code in CODES if isinstance(error, kind)), 1)
        line = str(error) if isinstance(error, OneLine) else "stopped" if code > 3 else type(error).__name__
        for connection in (*self.present, *self.ending):
            with suppress(OSError):
                send(connection, "over", code=code, line=line[:LONGEST_LINE] if error else "")
            connection.close()

    def _welcome(self, one: Connection | str) -> None:
        """Take note of a machine that is there; refuse what says anything else, and a machine that is there already."""
        if isinstance(one, str):
            self._say(one)
            return
        try:
            kind, fields, _ = receive(one)
            machine, name = fields["machine"], printable(str(fields["host"]))[:253]
        except (EOFError, OSError, ValueError, LookupError, TypeError):
            one.close()
            return
        if kind != "node" or machine not in self.commands or machine in self.present.values():
            with suppress(OSError):
                send(one, "over", code=2, line="this machine's 'gristmill node' runs already")
            one.close()
            return
        self.present[one], self.names[machine] = machine, name
        self._say(f"{self.called(machine)}: is there")

    def _say(self, line: str) -> None:
        self.job.progress.say(f"train {self.job.name}: {line}")


@contextmanager
def further_machines(
    job: TrainingJob, config: dict[str, Any], files: Path, model: Path, *, cpu: bool
) -> Generator[tuple[Nodes | None, dict[str, Any]]]:
    """Yield a training's further machines once all of them are there, and the configuration with the address.

    Without further machines that is None, and the configuration. Afterwards they are told how the training ended.

    Args:
        job: The training.
        config: The configuration of accelerate.
        files: The folder with the job, which the launch files are written into.
        model: The folder for the model.
        cpu: Whether the processes train on CPUs.

    Raises:
        UserError: The address is not one of this machine, or not one that other machines reach; or the port is in use.
    """
    if config["num_machines"] == 1:
        yield None, config
        return
    where = f"train.{job.name}: launch: address"
    config = config | {"main_process_ip": config.get("main_process_ip") or _own_name(job, where)}
    check_port(config["main_process_port"], f"train.{job.name}: launch: port")
    key = secrets.token_bytes(32)
    door = Door(config["main_process_ip"], key, where)
    nodes = Nodes(job, door, config["num_machines"], config["num_processes"], {})
    written: list[Path] = []
    error: BaseException | None = None
    try:
        for machine in range(1, nodes.machines):
            content = _content(job, config, machine, door.port, key, model, cpu=cpu)
            written.append(write_launch_file(files, content))
            flag = " --allow-code" if code_of_job(written[-1]) else ""
            nodes.commands[machine] = f"gristmill node {shlex.quote(str(written[-1]))}{flag}"
        nodes.wait_for_all()
        yield nodes, config
    except BaseException as raised:
        error = raised
        raise
    finally:
        nodes.tell_end(error)
        door.close()
        for file in written:
            file.unlink(missing_ok=True)


def _content(
    job: TrainingJob, config: dict[str, Any], machine: int, channel: int, key: bytes, model: Path, *, cpu: bool
) -> LaunchFile:
    """Return a machine's launch file."""
    return LaunchFile(
        gristmill=VERSION,
        training=job.name,
        machine=machine,
        machines=config["num_machines"],
        processes=config["num_processes"],
        address=config["main_process_ip"],
        port=config["main_process_port"],
        channel=channel,
        key=key.hex(),
        cpu=cpu,
        folder=os.getcwd(),
        model=str(model.absolute()),
        accelerate=config,
    )


def _own_name(job: TrainingJob, where: str) -> str:
    """Return this machine's name, if other machines can reach it by that; say it."""
    name = socket.gethostname()
    found = resolved(name, where)
    if is_loopback(found):
        raise UserError(
            f"{where}: this machine's name, {name}, is {found} here, which no other machine reaches; add the address "
            f"that they reach it by, such as address: 10.0.0.1"
        )
    job.progress.say(f"train {job.name}: the other machines reach this one as {name} ({found}); address: sets another")
    return name
