"""Runs gristmill in tests: ``call`` in this process (fast), ``process`` in one of its own."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from cli.main import main

ROOT = Path(__file__).parent.parent


class Result(NamedTuple):
    code: int
    out: str
    err: str
    raw: bytes = b""  # what a process wrote to standard output


KEPT = ("GRISTMILL_ALLOW_CODE",)  # the variables of ours that a process gets


def call(folder, *arguments):
    """Run the command line in ``folder``, in this process."""
    out, err = io.StringIO(), io.StringIO()
    argv, path, home, hosts = sys.argv, list(sys.path), os.getcwd(), os.environ.get("GRISTMILL_KEY_HOSTS")
    try:
        os.chdir(folder)
        sys.argv = ["gristmill", *map(str, arguments)]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as end:
        return Result(int(end.code or 0), out.getvalue(), err.getvalue())
    finally:
        os.chdir(home)
        sys.argv, sys.path[:] = argv, path
        os.environ.pop("GRISTMILL_KEY_HOSTS", None)  # --allow-key adds to it
        os.environ |= {} if hosts is None else {"GRISTMILL_KEY_HOSTS": hosts}
    raise AssertionError("main() returned; expected it to exit")


def process(folder, *arguments, code="", seconds=60):
    """Run ``python -m cli.main ARGUMENTS`` (or ``python -c CODE``) in ``folder``."""
    command = ["-c", code] if code else ["-m", "cli.main", *map(str, arguments)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GRISTMILL_") or k in KEPT}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True, timeout=seconds)
    return Result(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(), done.stdout)


def mistake(result):
    """Return the one line that a user's mistake gives, without ``error: ``."""
    assert result.code == 2, result
    lines = [line for line in result.err.splitlines() if not line.startswith(("+", "="))]
    assert len(lines) == 1 and "Traceback" not in result.err, result.err
    assert lines[0].startswith("error: "), lines[0]
    return lines[0].removeprefix("error: ")
