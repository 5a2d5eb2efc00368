"""A training's machines before its processes start: who is waited for, who is refused, what each hears at the end."""

import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import Failed, Stopped, Terminated, UserError
from schemas.progress import Progress
from tests.optional import needs
from tests.train.launch.test_job_file import JOB
from train.launch.channel import listening, receive, send
from train.launch.door import knock
from train.launch.job_file import write_job
from train.launch.launch_file import read_launch_file
from train.launch.node import run_node
from train.launch.nodes import further_machines
from train.launch.processes import Processes

pytestmark = needs("trl")

MARK = "run there:  gristmill node "


class Operator(Progress):
    """Calls a function, in a thread, with each launch file that a training names; and one, here, with each line."""

    def __init__(self, on_file: Callable[[Path], Any], on_line: Callable[[str], Any] = lambda line: None) -> None:
        self.on_file, self.on_line = on_file, on_line
        self.said: list[str] = []
        self.threads: list[threading.Thread] = []

    def say(self, message: str) -> None:
        self.said.append(message.removeprefix("train t: "))
        if MARK in message:
            self.threads.append(threading.Thread(target=self.on_file, args=(Path(message.split(MARK)[1]),)))
            self.threads[-1].start()
        self.on_line(message)

    def join(self) -> None:
        for one in self.threads:
            one.join()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def machines(store: Path, operator: Operator, count: int = 2, address: str | None = "127.0.0.1", port: int = 0):
    """The further machines of a training whose launch files are in a store."""
    files = store / "work" / "abc" / "launch"
    files.mkdir(parents=True, mode=0o700)
    job = replace(JOB, progress=operator, settings={}, work_folder=files.parent)
    write_job(job, files)
    config: dict[str, Any] = {
        "distributed_type": "MULTI_GPU",
        "num_machines": count,
        "num_processes": count,
        "machine_rank": 0,
    }
    config |= {"main_process_ip": address, "main_process_port": port or free_port()}
    return further_machines(job, config, files, store / "model", cpu=True)


def knocked(file: Path):
    """A connection to the door that a launch file names."""
    content = read_launch_file(file)
    return knock(content.address, content.channel, bytes.fromhex(content.key))


def test_all_machines_start_together_and_hear_the_end(tmp_path: Path):
    heard: list[Any] = []

    def act(file: Path) -> None:
        with knocked(file) as connection:
            send(connection, "node", machine=int(file.stem[-1]), host="h\x1b[31m")
            heard.append(receive(connection)[0])
            heard.append(receive(connection)[1])

    operator = Operator(act)
    with machines(tmp_path, operator, 3) as (nodes, config):
        assert nodes and config["main_process_ip"] == "127.0.0.1" and nodes.their_ranks == range(1, 3)
        assert nodes.machine_of(2) == "machine 3 of 3, h [31m"
    operator.join()
    assert heard.count("start") == 2 and heard.count({"code": 0, "line": ""}) == 2
    assert sorted(line for line in operator.said if "is there" in line) == [
        "machine 2 of 3, h [31m: is there", "machine 3 of 3, h [31m: is there",
    ]  # fmt: skip
    assert list((tmp_path / "work" / "abc" / "launch").glob("machine-*")) == []  # the key is not left


def test_a_machine_that_goes_away_is_waited_for_again(tmp_path: Path):
    went = threading.Event()

    def act(file: Path) -> None:
        if file.stem == "machine-2":
            went.wait()
        with knocked(file) as connection:
            send(connection, "node", machine=int(file.stem[-1]), host="h")
            if went.is_set():
                receive(connection)

    def on_line(line: str) -> None:
        if "run there again:  " in line:
            went.set()
            operator.say(f"{MARK}{line.split('gristmill node ')[1]}")

    operator = Operator(act, on_line)
    with machines(tmp_path, operator, 3):
        pass
    operator.join()
    (line,) = [line for line in operator.said if "again" in line]
    assert line.startswith("machine 2 of 3, h: 'gristmill node' ended without a word, as one does that is killed")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UserError("a row is wrong"), UserError("machine 2 of 3: the training ended: a row is wrong")),
        (Stopped("budget"), Stopped("machine 2 of 3: the training ended: budget")),
        (Failed("no more"), Failed("machine 2 of 3: the training ended: no more")),
        (ValueError("secret"), Failed("machine 2 of 3: the training ended: ValueError")),
        (KeyboardInterrupt(), 130),
        (Terminated(), 143),
    ],
)
def test_a_node_ends_as_the_training_does(tmp_path: Path, error: BaseException, expected: Any):
    ends: list[Any] = []

    def act(file: Path) -> None:
        if file.stem == "machine-1":
            try:
                ends.append(run_node(file, lambda line: None))
            except Exception as raised:
                ends.append(raised)

    def on_line(line: str) -> None:
        if "is there" in line:
            raise error

    operator = Operator(act, on_line)
    with pytest.raises(type(error)), machines(tmp_path, operator, 3):
        pass
    operator.join()
    (end,) = ends
    assert (end, type(end)) == (expected, int) if isinstance(expected, int) else repr(end) == repr(expected)


def test_a_machine_that_is_there_already_is_refused(tmp_path: Path):
    ends: list[str] = []

    def act(file: Path) -> None:
        if file.stem == "machine-1":
            with knocked(file) as first:
                send(first, "node", machine=1, host=socket.gethostname())
                with pytest.raises(UserError) as raised:
                    run_node(file, ends.append)
                ends.append(str(raised.value))

    def on_line(line: str) -> None:
        if line.endswith("without a word, as one does that is killed, or the network is gone"):
            raise KeyboardInterrupt

    operator = Operator(act, lambda line: on_line(line.split(";")[0]))
    with pytest.raises(KeyboardInterrupt), machines(tmp_path, operator, 3):
        pass
    operator.join()
    assert "machine 2 of 3: training t with 127.0.0.1:" in ends[0]
    assert ends[1] == "machine 2 of 3: the training ended: this machine's 'gristmill node' runs already"


def test_code_of_the_users_own_needs_a_yes(tmp_path: Path):
    files = tmp_path / "work" / "abc" / "launch"
    said: list[str] = []

    def on_line(line: str) -> None:
        command = line.split(MARK)[1].split()
        assert command[1] == "--allow-code"
        write_job(job, files)
        with pytest.raises(UserError, match=r"the training runs the trainer own.weighted; --allow-code allows it"):
            run_node(Path(command[0]), said.append)
        raise KeyboardInterrupt

    files.mkdir(parents=True, mode=0o700)
    operator = Operator(lambda file: None, on_line)
    job = replace(JOB, progress=operator, trainer="own.weighted", settings={}, work_folder=files.parent)
    write_job(job, files)
    config = {"distributed_type": "MULTI_GPU", "num_machines": 2, "num_processes": 2, "machine_rank": 0}
    config |= {"main_process_ip": "127.0.0.1", "main_process_port": free_port()}
    with pytest.raises(KeyboardInterrupt), further_machines(job, config, files, tmp_path / "model", cpu=True):
        pass
    assert said == []


def test_a_training_that_is_gone_is_one_line(tmp_path: Path):
    kept: list[str] = []

    def on_line(line: str) -> None:
        file = Path(line.split(MARK)[1])
        kept.append(file.read_text())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), machines(tmp_path, Operator(lambda file: None, on_line)):
        pass
    file = tmp_path / "work" / "abc" / "launch" / "machine-1.json"
    with pytest.raises(UserError, match="cannot be read"):
        run_node(file, print)
    file.write_text(kept[0])
    file.chmod(0o600)
    with pytest.raises(Failed, match="Connection refused; is 'gristmill train' still running there"):
        run_node(file, lambda line: None)


def test_a_process_elsewhere_is_not_signalled_by_its_pid(tmp_path: Path):
    ready = threading.Event()
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)

    def act(file: Path) -> None:
        with knocked(file) as node, ExitStack() as stack:
            send(node, "node", machine=1, host="h")
            receive(node)
            ready.wait()
            processes = [stack.enter_context(knocked(file)) for _ in range(2)]
            send(processes[0], "hello", rank=0, pid=bystander.pid)  # the first machine's rank
            with pytest.raises(EOFError):
                receive(processes[0])
            send(processes[1], "hello", rank=1, pid=bystander.pid)
            send(processes[1], "failed", error="ValueError", line="ValueError: no", known=False)
            receive(node)

    operator = Operator(act)
    with machines(tmp_path, operator) as (nodes, _), listening() as listener:
        ready.set()
        launcher: Any = bystander  # what starts the processes goes on
        processes = Processes(replace(JOB, progress=operator), 2, listener, launcher, tmp_path, nodes)
        with pytest.raises(Failed, match=r"process 2 of 2 \(machine 2 of 2, h\) ValueError: no"):
            processes.outcome_of_all()
        assert processes.pids == {} and bystander.poll() is None
    operator.join()
    bystander.communicate(b"\n")
    assert bystander.returncode == 0


def test_a_name_that_only_this_machine_reaches_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "localhost")
    context = machines(tmp_path, Operator(lambda file: None), address=None)
    with pytest.raises(UserError, match=r"this machine's name, localhost, is 127.0.0.1 here, which no other"), context:
        pass


def test_a_port_in_use_is_told_before_anyone_is_waited_for(tmp_path: Path):
    operator = Operator(lambda file: None)
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = used.getsockname()[1]
        context = machines(tmp_path, operator, port=port)
        with pytest.raises(UserError, match=f"launch: port: {port} cannot be used on this machine: Address "), context:
            pass
    assert operator.said == []
