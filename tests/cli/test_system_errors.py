"""Errors of the system and of libraries are told as what they are; only what is none of them is called a bug."""

import errno
import os
import sqlite3

import duckdb
import polars as pl
import pytest

from cli.system_errors import system_error
from tests.command import call, mistake


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "permission denied"),
        (errno.EROFS, "read-only"),
        (errno.ENAMETOOLONG, "too long"),
        (errno.EIO, "failed to read or write"),
        (errno.EMFILE, "too many open files"),
        (errno.ENOENT, "no such file"),
        (errno.EBUSY, "busy"),
    ],
)
def test_an_error_of_the_system_says_what_where_and_what_helps(number, words):
    said = system_error(OSError(number, os.strerror(number), "/disk/store/lock"))
    assert said is not None and said.startswith("/disk/store/lock: ") and words in said and ";" in said
    assert words in (system_error(OSError(number, os.strerror(number))) or ""), "also where no file is named"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (duckdb.IOException('IO Error: Cannot open file "/a/b.parquet": Permission denied'), "permission denied"),
        (pl.exceptions.ComputeError("Permission denied (os error 13): /a/b.parquet"), "permission denied"),
        (sqlite3.OperationalError("[Errno 30] Read-only file system"), "read-only"),
        (MemoryError(), "not enough memory"),
    ],
)
def test_a_library_that_passes_on_an_error_of_the_system(error, words):
    assert words in (system_error(error) or "")


@pytest.mark.parametrize("error", [ValueError("Permission denied"), KeyError("x"), TypeError(), RecursionError()])
def test_a_bug_stays_a_bug(error):
    assert system_error(error) is None


def test_a_name_that_is_too_long(tmp_path):
    for arguments in (["check", f"{'a' * 300}.yaml"], ["show", "--store", "b" * 300]):
        done = call(tmp_path, *arguments)
        assert done.code == 1 and "the name is too long" in done.err and "bug" not in done.err, done
        assert len(done.err.splitlines()) == 1


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="no file that can't be read")
def test_a_recipe_that_the_system_cannot_read(tmp_path):
    line = mistake(call(tmp_path, "check", "/proc/self/mem"))
    assert line.startswith("/proc/self/mem: cannot be read: Input/output error")
