"""The messages between a training's processes and the one that started them: JSON, with tables as Arrow.

They go through a socket in a folder that only the user can open. Nothing is pickled.
"""

import io
import json
import socket
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any

import polars as pl

LONGEST = 100  # bytes of a socket's path; the kernel takes 104 or 108
SHORT = "/tmp"  # noqa: S108 (the folder in it is the user's alone)
Tables = dict[str, pl.DataFrame]


@contextmanager
def listening() -> Generator[socket.socket]:
    """Yield a socket that processes of this user can connect to; its address is ``getsockname()``."""
    long = len(tempfile.gettempdir().encode()) > LONGEST - 30
    with (
        tempfile.TemporaryDirectory(prefix="gristmill-", dir=SHORT if long else None) as folder,
        socket.socket(socket.AF_UNIX) as listener,
    ):
        listener.bind(str(Path(folder) / "socket"))
        listener.listen(1024)
        yield listener


def accept(listener: socket.socket) -> Connection:
    """Return the connection to the process that asks for one."""
    return Connection(listener.accept()[0].detach())


def connect(address: str) -> Connection:
    """Connect to the process that listens at an address."""
    return Client(address, family="AF_UNIX")


def send(connection: Connection, kind: str, tables: Mapping[str, pl.DataFrame] | None = None, **fields: Any) -> None:
    """Send a message: its kind, fields that JSON can hold, and tables by name."""
    tables = tables or {}
    header = {"kind": kind, "fields": fields, "tables": [*tables]}
    connection.send_bytes(json.dumps(header).encode())
    for table in tables.values():
        buffer = io.BytesIO()
        table.write_ipc(buffer)
        connection.send_bytes(buffer.getvalue())


def receive(connection: Connection) -> tuple[str, dict[str, Any], Tables]:
    """Return the next message's kind, fields and tables; raise ``EOFError`` or ``OSError`` if the other side ended."""
    header = json.loads(connection.recv_bytes())
    tables = {name: pl.read_ipc(io.BytesIO(connection.recv_bytes())) for name in header["tables"]}
    return header["kind"], header["fields"], tables
