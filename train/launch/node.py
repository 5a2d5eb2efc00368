"""A further machine's part of a training: it starts the processes there, and ends when the training ends."""

import os
import socket
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from schemas.errors import Failed, Stopped, UserError, printable
from train.launch.channel import receive, send
from train.launch.door import knock
from train.launch.launch_file import LaunchFile, code_of_job, read_launch_file
from train.launch.launcher import launched, on_cpu

LOOK = 0.5  # seconds between two looks at the launcher
ERRORS = {2: UserError, 3: Stopped}


def run_node(file: Path, say: Any, *, allow_code: bool = False) -> int:
    """Start this machine's processes of a training, as a launch file says, and wait for the training's end.

    Args:
        file: The launch file.
        say: Shows a line.
        allow_code: Whether code may run that is not gristmill's, such as a trainer of the user's own.

    Returns:
        0 if the training is done, or 128 and more if it was stopped by a signal.

    Raises:
        UserError: The file, or this machine, is not as the training needs it; or the training ended with that.
        Failed: The training failed, or the first machine is gone.
        Stopped: A budget is used up.
    """
    content = read_launch_file(file)
    code = code_of_job(file)
    if code and not allow_code:
        raise UserError(f"{file}: the training runs {' and '.join(code)}; --allow-code allows it")
    cpu = on_cpu(content.config | {"use_cpu": content.cpu or content.accelerate.get("use_cpu")}, content.called)
    if cpu and not content.cpu:
        raise UserError(f"{content.called}: the first machine trains on GPUs, and this one has none")
    os.chdir(content.folder)
    say(f"{content.called}: training {printable(content.training)} with {content.address}:{content.channel}")
    try:
        connection = knock(content.address, content.channel, bytes.fromhex(content.key))
    except OSError as error:
        why = error.strerror or error
        raise Failed(
            f"{content.called}: {content.address}:{content.channel}: {why}; is 'gristmill train' still running there?"
        ) from None
    with connection:
        return _serve(connection, content, file.resolve(), say)


def _serve(connection: Connection, content: LaunchFile, file: Path, say: Any) -> int:
    """Start the processes when all machines are there; return the training's exit code when it ends."""
    send(connection, "node", machine=content.machine, host=socket.gethostname())
    kind, fields = _heard(connection, content)
    if kind == "start":
        address = str(file)
        with launched(content.config, file.parent, Path(content.model), address, cpu=content.cpu) as launcher:
            fields = _until_over(connection, content, launcher)
            if fields["code"]:
                launcher.terminate()
    return _end(content, fields, say)


def _until_over(connection: Connection, content: LaunchFile, launcher: Any) -> dict[str, Any]:
    """Return how the training ended; tell the first machine if the processes here end before."""
    told = False
    try:
        while not wait([connection], LOOK):
            if not told and launcher.poll() not in (None, 0):
                told = True
                with suppress(OSError):
                    send(
                        connection, "ended", why=f"its launcher ended with the code {launcher.returncode}", crashed=True
                    )
    except KeyboardInterrupt:
        with suppress(OSError):  # said before the processes are ended, so that the first machine knows why they are
            send(connection, "ended", why="'gristmill node' was stopped there", crashed=False)
        raise
    return _heard(connection, content)[1]


def _heard(connection: Connection, content: LaunchFile) -> tuple[str, dict[str, Any]]:
    """Return what the first machine says next."""
    try:
        kind, fields, _ = receive(connection)
    except (EOFError, OSError):
        kind, fields = "", {}
    if kind == "start" or (kind == "over" and isinstance(fields.get("code"), int) and "line" in fields):
        return kind, fields
    raise Failed(f"{content.called}: the first machine is gone; its processes here are ended")


def _end(content: LaunchFile, fields: dict[str, Any], say: Any) -> int:
    """Return the exit code of a training that is done or was stopped; raise the error of one that failed."""
    code, line = fields["code"], f"{content.called}: the training ended: {str(fields['line'])[:1000]}"
    if code == 0:
        say(f"{content.called}: the training {printable(content.training)} is done")
    elif code < 128:
        raise ERRORS.get(code, Failed)(line)
    else:
        say(printable(line))
    return code
