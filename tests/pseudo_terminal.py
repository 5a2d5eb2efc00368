"""A process of gristmill in a pseudo-terminal, as a person has it before them."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress

from tests.command import ROOT

PATIENCE = 60  # seconds, after which a text that does not come is a failure
CTRL_C, CTRL_D = "\x03", "\x04"


class Terminal:
    """A process in a pseudo-terminal: ``type`` keys, ``until`` a text is there."""

    def __init__(self, folder, *arguments, columns=80, **more):
        self.out, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        unset = ("NO_COLOR", "COLUMNS", "LINES")  # the size is the terminal's
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GRISTMILL_") and k not in unset}
        environment |= {"PYTHONPATH": str(ROOT), "TERM": "xterm"} | more
        command = [sys.executable, "-m", "cli.main", *arguments]
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
        assert self.comes(text, PATIENCE), f"{text!r} does not come after {self.seen!r}"
        before, _, self.seen = self.seen.partition(text)
        return before

    def comes(self, text: str, seconds: float) -> bool:
        """Read until a text is there, or for so long; return whether it is there."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            ready, _, _ = select.select([self.out], [], [], max(end - time.monotonic(), 0))
            if not ready:
                return False
            try:
                new = os.read(self.out, 4096).decode(errors="replace")
            except OSError:  # it has ended
                new = ""
            assert new, f"it has ended before {text!r}: {self.seen!r}"
            self.seen += new
            self.read += new
        return True

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
            elif self.comes(text, 5):
                self.until(text)
                return

    def end(self) -> int:
        """Return the exit code, once it has ended."""
        code = self.process.wait(PATIENCE)
        os.close(self.out)
        return code
