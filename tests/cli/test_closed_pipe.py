"""Where the reader of the output has read enough, as in ``gristmill ... | head -1``, a command ends quietly."""

import os
import subprocess
import sys

import pytest

from tests.command import ROOT, call


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such pipes")
def test_a_reader_that_has_gone_is_no_error(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "cli.main", "steps"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="no such pipes")
def test_another_pipe_that_breaks_is_an_error(tmp_path, monkeypatch):
    def breaks(**_):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("cli.main.app", breaks)
    done = call(tmp_path, "steps")
    assert done.code == 1 and "Broken pipe" in done.err
