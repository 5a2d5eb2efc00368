"""Tells errors of the system, and of libraries that pass them on, as what they are: what, where, and what helps."""

import errno
import os
import re

KEPT = "finished work is kept: run the same command again to continue"
# The words of the system's errors, and what helps.
REMEDIES = {
    errno.EACCES: "permission denied; give this user the right to read and write it, or name another place",
    errno.EPERM: "the system does not permit it; give this user the right to, or name another place",
    errno.EROFS: "the file system is read-only; name a place that can be written, such as another --store",
    errno.ENAMETOOLONG: "the name is too long for the file system; shorten it",
    errno.EIO: f"the disk, or what stands for it, failed to read or write; look at its health; {KEPT}",
    errno.ENOENT: "no such file or folder, or no longer; bring it back, and run the same command again",
    errno.ENOTDIR: "a part of the path is a file, not a folder; name another place",
    errno.EMFILE: f"too many open files; allow more (ulimit -n 4096); {KEPT}",
    errno.ENFILE: f"too many open files on this machine; close some programs; {KEPT}",
    errno.ENOMEM: f"not enough memory; {KEPT}",
    errno.ESTALE: f"the network drive lost the file; mount it anew; {KEPT}",
    errno.ETIMEDOUT: f"the system waited too long for it; {KEPT}",
}
NUMBER = re.compile(r"\(os error (\d+)\)|\[Errno (\d+)\]")  # as libraries in Rust and Python write it
BY_TEXT = {os.strerror(number).lower(): number for number in (errno.EACCES, errno.EROFS, errno.ENAMETOOLONG, errno.EIO)}
OF_WEIGHTS = ("SafetensorError", "UnpicklingError")
LIBRARIES = ("polars", "duckdb", "_duckdb", "pyarrow", "sqlite3", "safetensors", "safetensors_rust")


def system_error(error: BaseException) -> str | None:
    """Return what failed, where and what helps, in one line; None for an error that is none of the system's."""
    said = " ".join(str(error).split())
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return f"not enough memory{f' ({said[:200]})' if said else ''}; ask for less at once (batch_tokens); {KEPT}"
    if type(error).__name__ in OF_WEIGHTS:
        return f"a file of weights can't be read ({said[:200]}); copy or download the model again, as safetensors"
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, BrokenPipeError):
        places = [str(name) for name in (error.filename, error.filename2) if name is not None]
        remedy = REMEDIES.get(error.errno)
        words = remedy or f"{os.strerror(error.errno).lower()}; {KEPT}"
        return f"{' -> '.join(places)}: {words}" if places else f"{words} (--debug shows where)"
    return _of_library(error, said)


def _of_library(error: BaseException, said: str) -> str | None:
    """Return the line for an error of the system in the words of a library."""
    if type(error).__module__.split(".")[0] not in LIBRARIES and not isinstance(error, OSError):
        return None
    found = NUMBER.search(said)
    number = int(found[1] or found[2]) if found else None
    number = number or next((code for text, code in BY_TEXT.items() if text in said.lower()), None)
    return f"{said[:300]}: {REMEDIES[number]}" if number in REMEDIES else None
