"""Writes what an option such as ``--output`` names: a plain file whole or not at all, anything else as it is.

A link is followed: the file that it names is written, and the link stays. A device such as ``/dev/null`` and a pipe are
written to, and never replaced. A folder is an error.
"""

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Generator
from pathlib import Path

from schemas.errors import UserError

DISK = (28, 122, 27)  # ENOSPC, EDQUOT, EFBIG: the disk is full, which is no mistake


def check_output(path: Path, option: str) -> None:
    """Raise ``UserError`` where an option names what can't be written; say so before the work, not after it."""
    found = _mode(path, option)
    if found is not None and stat.S_ISDIR(found):
        raise UserError(f"{option} {path}: is a folder; expected a file, such as {path / 'result'}")
    if found is not None and not stat.S_ISREG(found):
        return
    folder = _target(path, option).parent
    if not folder.is_dir():
        raise UserError(f"{option} {path}: there is no folder {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{option} {path}: the folder {folder} is not writable")


@contextlib.contextmanager
def output_file(path: Path, option: str) -> Generator[Path]:
    """Yield a file to write, whose content goes to ``path`` when the block ends, and nowhere when it raises.

    Args:
        path: The file, device or pipe that is named.
        option: The option that names it, for errors.

    Raises:
        UserError: It can't be written.
    """
    check_output(path, option)
    found = _mode(path, option)
    plain = found is None or stat.S_ISREG(found)
    target = _target(path, option) if plain else path
    try:
        with tempfile.TemporaryDirectory(dir=target.parent if plain else None) as folder:
            made = Path(folder) / "result"
            yield made
            if not plain:
                with made.open("rb") as file, open(path, "wb", buffering=0) as out:
                    shutil.copyfileobj(file, out, 1 << 20)
                return
            if found is not None:
                made.chmod(stat.S_IMODE(found))
            made.replace(target)
    except BrokenPipeError:
        raise UserError(f"{option} {path}: its reader has ended") from None
    except OSError as error:
        if error.errno in DISK:
            raise
        raise UserError(f"{option} {path}: can't be written: {error.strerror or error}") from None


def _mode(path: Path, option: str) -> int | None:
    """Return the mode of what a path names, through links; None where there is nothing yet."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{option} {path}: can't be written: {getattr(error, 'strerror', None) or error}") from None


def _target(path: Path, option: str) -> Path:
    """Return the file that a path names, through links, of which the last may lead to nothing yet."""
    try:
        return path.resolve() if path.is_symlink() else path
    except (OSError, RuntimeError) as error:
        raise UserError(f"{option} {path}: can't be written: {error}") from None
