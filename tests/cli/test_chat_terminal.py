"""``gristmill chat`` in a terminal: editing, Ctrl-C, Ctrl-D, columns. The server says what is answered, and when."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.command import ROOT
from tests.streaming_server import DONE, Response, Scripted, event, streamed

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")]
PATIENCE = 60  # seconds, after which a text that does not come is a failure
CTRL_C, CTRL_D, PASTE = "\x03", "\x04", "\x1b[200~{}\x1b[201~"


class Terminal:
    """A process in a pseudo-terminal: ``type`` keys, ``until`` a text is there."""

    def __init__(self, folder, *arguments, columns=80):
        self.out, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GRISTMILL_") and k != "NO_COLOR"}
        environment |= {"PYTHONPATH": str(ROOT), "TERM": "xterm"}
        command = [sys.executable, "-m", "cli.main", "chat", *arguments]
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=inner, stdout=inner, stderr=inner, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(inner)
        self.seen, self.read = "", ""

    def type(self, keys: str) -> None:
        os.write(self.out, keys.encode())

    def until(self, text: str) -> str:
        """Read until a text is there; return what came before it and after the text before."""
        while text not in self.seen:
            ready, _, _ = select.select([self.out], [], [], PATIENCE)
            assert ready, f"{text!r} does not come after {self.seen!r}"
            try:
                new = os.read(self.out, 4096).decode(errors="replace")
            except OSError:  # it has ended
                new = ""
            assert new, f"it has ended before {text!r}: {self.seen!r}"
            self.seen += new
            self.read += new
        before, _, self.seen = self.seen.partition(text)
        return before

    def interrupt(self, text: str = "") -> None:
        """Press Ctrl-C until a text comes, or the process ends where there is none.

        Once is not always enough: Python loses a Ctrl-C that comes after the prompt is printed and before it waits
        for a key, up to the next key.
        """
        for _ in range(PATIENCE // 5):
            self.type(CTRL_C)
            if not text:
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(5)
                    return
            elif text in self.seen or select.select([self.out], [], [], 5)[0]:
                self.until(text)
                return

    def end(self) -> int:
        """Return the exit code, once it has ended."""
        code = self.process.wait(PATIENCE)
        os.close(self.out)
        return code


@pytest.fixture
def talk(tmp_path) -> Iterator:
    """Begin a conversation in a terminal with a server of these responses."""
    begun: list = []

    def made(*responses, models=("big",), columns=80):
        server = Scripted(*responses)
        server.__enter__()
        settings = ["--set", "engine=openai", "--set", f"base_url={server.url}"]
        terminal = Terminal(tmp_path, *models, *settings, columns=columns)
        begun.append((server, terminal))
        terminal.until(">>> ")
        return terminal, server

    yield made
    for server, terminal in begun:
        terminal.process.kill()
        terminal.process.wait()
        server.__exit__()


def last_texts(server):
    return [body["messages"][-1]["content"] for body in server.asked]


def test_turns_commands_and_the_end(talk):
    thinking = Response([event({"reasoning_content": "hm"}), event({"content": "Bo\x1b[2J."}), event({}, "stop"), DONE])
    terminal, server = talk(streamed("Hel", "lo."), thinking)
    terminal.type("Hi\r")
    terminal.until("Hello.")
    terminal.until(">>> ")
    terminal.type("/rset\r")
    terminal.until("did you mean '/reset'?")
    terminal.until(">>> ")
    terminal.type('"""two\rlines"""\r')
    terminal.until("\x1b[2mhm\x1b[0m")
    terminal.until("Bo[2J.")
    terminal.until(">>> ")
    terminal.type(CTRL_D)
    assert terminal.end() == 0
    assert last_texts(server) == ["Hi", "two\nlines"]


def test_a_paste_is_one_text_and_the_arrow_brings_it_back(talk):
    pytest.importorskip("readline")
    terminal, server = talk(streamed("a"), streamed("b"))
    terminal.type(PASTE.format("one\r/two"))
    terminal.type("\r")
    terminal.until("\ra\r\n")
    terminal.until(">>> ")
    terminal.type("\x1b[A!\r")
    terminal.until("\rb\r\n")
    terminal.type("/exit\r")
    assert terminal.end() == 0
    assert last_texts(server) == ["one\n/two", "one\n/two!"]


def test_ctrl_c_stops_an_answer_and_the_conversation_goes_on(talk):
    waits = Response([event({"content": "Once upon"})], hang=True)
    terminal, server = talk(waits, streamed("Go."))
    terminal.type("Tell me\r")
    terminal.until("Once upon")
    terminal.type(CTRL_C)
    terminal.until("(stopped)")
    terminal.until(">>> ")
    terminal.type("On\r")
    terminal.until("Go.")
    terminal.until(">>> ")
    assert server.asked[1]["messages"][1] == {"role": "assistant", "content": "Once upon"}
    terminal.type("half a line")
    terminal.until("half a line")
    terminal.interrupt("Ctrl-C once more")
    terminal.until(">>> ")
    terminal.interrupt()
    assert terminal.end() == 130
    assert "Traceback" not in terminal.read


def test_models_answer_side_by_side_where_there_is_room(talk):
    long = "word " * 12
    terminal, server = talk(*[streamed(long, "end.")] * 2, models=("big", "small"))
    terminal.type("Hi\r")
    terminal.until("small")
    row = re.compile(r"word word word word word word word +│ word word")
    assert row.search(terminal.until(">>> "))
    assert {body["model"] for body in server.asked} == {"big", "small"}
    terminal.type(CTRL_D)
    assert terminal.end() == 0
    narrow, _ = talk(*[streamed("a")] * 2, models=("big", "small"), columns=60)
    narrow.type("Hi\r")
    narrow.until("[big]\r\na\r\n[small]\r\na\r\n")
