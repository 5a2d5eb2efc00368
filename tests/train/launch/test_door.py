"""The door of a training: who knows its key is heard, who does not is refused and told of, whatever he sends."""

import os
import resource
import socket
import struct
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection, wait

import pytest

from schemas.errors import UserError
from train.launch import door as module
from train.launch.channel import receive, send
from train.launch.door import Door, knock

KEY = b"k" * 32
HERE = "127.0.0.1"


@pytest.fixture
def door() -> Generator[Door]:
    made = Door(HERE, KEY, "launch: address")
    yield made
    made.close()


def taken(door: Door) -> Connection | str:
    """The next connection, or the line on one that was refused."""
    assert wait([door.news], timeout=60)
    return door.take()


def test_who_knows_the_key_is_heard(door: Door):
    with knock(HERE, door.port, KEY) as there:
        here = taken(door)
        assert isinstance(here, Connection)
        send(there, "node", machine=1)
        assert receive(here) == ("node", {"machine": 1}, {})
        here.close()


def test_another_key_is_refused_on_both_sides(door: Door):
    with pytest.raises(PermissionError, match=f"the program at 127.0.0.1:{door.port} does not know this training's"):
        knock(HERE, door.port, b"l" * 32)
    assert taken(door) == "a connection from 127.0.0.1 was refused: it does not know this training's key"


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n\r\n", struct.pack("!i", -1) + b"\xff" * 8, b"\0\0\0\1x", b""])
def test_anything_else_is_refused_too(door: Door, sent: bytes):
    with socket.create_connection((HERE, door.port)) as there:
        there.sendall(sent)
        with suppress(OSError):  # it may be refused already
            there.shutdown(socket.SHUT_WR)
        assert "was refused" in str(taken(door))


def test_who_says_nothing_is_refused_in_the_end(door: Door, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "TO_PROVE", 0.1)
    with socket.create_connection((HERE, door.port)), knock(HERE, door.port, KEY) as there:
        came = [taken(door), taken(door)]
        assert sum(isinstance(one, str) for one in came) == 1 and not there.closed


def test_a_busy_door_is_knocked_at_again(door: Door, monkeypatch: pytest.MonkeyPatch):
    crowd = [socket.create_connection((HERE, door.port)) for _ in range(module.AT_ONCE + 4)]
    monkeypatch.setattr(module, "PAUSES", (0.1,))
    with pytest.raises(ConnectionError, match="was ended there before either side proved to know the key"):
        knock(HERE, door.port, KEY)
    monkeypatch.setattr(module, "PAUSES", (0.1,) * 100)
    leave = threading.Timer(0.3, lambda: [one.close() for one in crowd])
    leave.start()
    knock(HERE, door.port, KEY).close()
    leave.join()


def test_a_door_that_had_no_descriptor_left_opens_again(door: Door):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        one = stack.enter_context(socket.socket())
        least = one.fileno() + 8
        resource.setrlimit(resource.RLIMIT_NOFILE, (least, hard))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        with suppress(OSError):
            for _ in range(least):
                stack.enter_context(open(os.devnull))
        one.connect((HERE, door.port))
        time.sleep(module.AGAIN)
    knock(HERE, door.port, KEY).close()


def test_a_door_is_at_an_address_of_this_machine():
    with pytest.raises(UserError, match=r"launch: address: 192.0.2.1 is no address of this machine"):
        Door("192.0.2.1", KEY, "launch: address")
    for many in ("0.0.0.0", "255.255.255.255", "224.0.0.1", "0"):
        with pytest.raises(UserError, match=f"launch: address: {many} is not the address of one machine"):
            Door(many, KEY, "launch: address")
    with pytest.raises(UserError, match=r"no.such.host.invalid: no IPv4 address is known of it here"):
        Door("no.such.host.invalid", KEY, "launch: address")
