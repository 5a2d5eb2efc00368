"""A store for what a plan makes in order to look at it, in the system's folder for temporary files.

Of a large source it is gigabytes. So what a process left that was killed is removed by the next plan: a process that
goes on holds a lock, which the kernel lets go of however the process ends.
"""

import fcntl
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from curate.storage.store import Store

PREFIX, LOCK = "gristmill-plan-", "lock"


@contextmanager
def draft_store() -> Generator[Store]:
    """Hold an empty store, which is removed after the body."""
    _remove_leftovers(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as folder:
        with open(Path(folder) / LOCK, "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Store(Path(folder) / "store", durable=False)


def _remove_leftovers(folder: Path) -> None:
    """Remove the stores of processes that were killed."""
    for left in folder.glob(f"{PREFIX}*"):
        with suppress(OSError), open(left / LOCK, "r+", encoding="utf-8") as lock:  # another user's cannot be opened
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_new(left):
                shutil.rmtree(left, ignore_errors=True)


def _is_new(folder: Path) -> bool:
    """Return whether a folder has no store yet: its process may be about to take the lock."""
    return not (folder / "store").exists()
