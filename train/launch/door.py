"""Connections between machines: TCP, and nobody is heard who does not know the training's key.

Both sides prove that they know it, by a hash of a random challenge; what they say then is not encrypted.
"""

import os
import queue
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge

from curate.models.clients.http.transport import watched_socket
from schemas.errors import UserError
from train.launch.machines import is_of_many, resolved

TO_PROVE = 10.0  # seconds that the other side has for it
STREAM = (socket.AF_INET, socket.SOCK_STREAM, 0)
AT_ONCE = 64  # connections that have not proved it yet; further ones are closed
TO_CONNECT = 30.0  # seconds
AGAIN = 0.2  # seconds until a door that could take no connection looks again
PAUSES = (0.5, 2.0, 5.0)  # seconds before it is knocked again at a door that is busy: many processes come at once
TOLD = 5  # refused connections that are told of
WRONG = (OSError, EOFError, AssertionError, AuthenticationError)  # what the two functions of multiprocessing raise


class Door:
    """Takes connections of other machines' processes.

    Attributes:
        port: The port that it listens at.
        news: A socket that is readable while ``take`` has something.
    """

    def __init__(self, address: str, key: bytes, where: str) -> None:
        """Listen at an address of this machine, with a training's key; ``where`` is its place in the recipe."""
        here = resolved(address, where)
        if is_of_many(here):
            raise UserError(f"{where}: {address} is not the address of one machine; expected one such as 10.0.0.1")
        self._listener = watched_socket(STREAM)  # what it takes is watched too
        try:
            self._listener.bind((here, 0))
        except OSError as error:
            self._listener.close()
            raise UserError(f"{where}: {address} is no address of this machine: {error.strerror}") from None
        self._listener.listen(1024)
        self.port: int = self._listener.getsockname()[1]
        self._key = key
        self._came: queue.SimpleQueue[Connection | str] = queue.SimpleQueue()
        self._room = threading.BoundedSemaphore(AT_ONCE)
        self._told = 0
        self._closed = threading.Event()
        self.news, self._bell = socket.socketpair()
        threading.Thread(target=self._listen, daemon=True).start()

    def take(self) -> Connection | str:
        """Return a connection whose other side knows the key, or a line on one that was refused."""
        self.news.recv(1)
        return self._came.get()

    def close(self) -> None:
        """Take no more."""
        self._closed.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # ends the wait of the thread
        self._listener.close()
        self.news.close()

    def _listen(self) -> None:
        while True:
            try:
                one, (host, _) = self._listener.accept()
            except OSError:  # it is closed; or the other side has gone, or there are no file descriptors left
                if self._closed.wait(AGAIN):
                    return
                continue
            if self._room.acquire(blocking=False):
                threading.Thread(target=self._admit, args=(one, host), daemon=True).start()
            else:
                one.close()

    def _admit(self, one: socket.socket, host: str) -> None:
        """Let a connection in if its other side knows the key."""
        try:
            with proving(one) as connection:
                deliver_challenge(connection, self._key)
                answer_challenge(connection, self._key)
            self._tell(connection)
        except WRONG:
            self._told += 1
            if self._told <= TOLD:
                last = "; further ones are not told of" if self._told == TOLD else ""
                self._tell(f"a connection from {host} was refused: it does not know this training's key{last}")
        finally:
            self._room.release()

    def _tell(self, what: Connection | str) -> None:
        self._came.put(what)
        with suppress(OSError):  # nobody listens any more
            self._bell.send(b".")


def knock(address: str, port: int, key: bytes) -> Connection:
    """Return a connection to the door of a training; one that is busy is knocked at again.

    Raises:
        OSError: Nobody answers there, or who does ends the connection before the key is proved.
        PermissionError: Who answers there does not know the key, or says that we do not.
    """
    for pause in PAUSES:
        try:
            return _knock(address, port, key)
        except EOFError:
            time.sleep(pause)
    try:
        return _knock(address, port, key)
    except EOFError:
        raise ConnectionError("the connection was ended there before either side proved to know the key") from None


def _knock(address: str, port: int, key: bytes) -> Connection:
    """Knock once; raise ``EOFError`` if the other side ends the connection before the key is proved."""
    there = (resolved(address, "address"), port)
    one = watched_socket(STREAM)
    one.settimeout(TO_CONNECT)
    try:
        one.connect(there)
    except OSError:
        one.close()
        raise
    one.settimeout(None)
    try:
        with proving(one) as connection:
            answer_challenge(connection, key)
            deliver_challenge(connection, key)
    except (EOFError, ConnectionError):
        raise EOFError from None
    except WRONG:
        raise PermissionError(f"the program at {address}:{port} does not know this training's key") from None
    return connection


@contextmanager
def proving(one: socket.socket) -> Generator[Connection]:
    """Yield a connection over a socket while both sides prove something; it fails where that takes too long.

    Each message has at most 256 bytes (multiprocessing refuses longer ones), and all of it has ``TO_PROVE`` seconds.
    """
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = Connection(os.dup(one.fileno()))
    too_late = threading.Timer(TO_PROVE, _shut, (one,))
    too_late.daemon = True
    too_late.start()
    try:
        yield connection
    except BaseException:
        connection.close()
        raise
    finally:
        too_late.cancel()
        one.close()


def _shut(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
