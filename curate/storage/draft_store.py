"""A store for what a plan makes in order to look at it, in the system's folder for temporary files, or in a store.

Of a large source it is gigabytes. So what a process left that was killed is removed by the next plan, or taken over in
a store: a process that goes on holds a lock, which the kernel lets go of however the process ends.
"""

import fcntl
import shutil
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from curate.storage.store import Store

PREFIX, LOCK = "gristmill-plan-", "lock"


@contextmanager
def draft_store(kept_in: Store | None = None) -> Generator[Store]:
    """Hold a store, which is removed after the body.

    Args:
        kept_in: The store in which it is made, where other machines see it too. If the body raises, it stays for the
            next call, which goes on with what is in it; so is what a killed process left.
    """
    with ExitStack() as stack:
        if kept_in is None:
            _remove_leftovers(Path(tempfile.gettempdir()))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)))
            stack.callback(_remove, folder)
        else:
            folder = _taken_over(kept_in.path / "work", stack)
        if not (folder / LOCK).exists():
            fcntl.flock(stack.enter_context(open(folder / LOCK, "w", encoding="utf-8")), fcntl.LOCK_EX)
        yield Store(folder / "store", durable=kept_in is not None)
        if kept_in is not None:
            _remove(folder)


def _taken_over(work: Path, stack: ExitStack) -> Path:
    """Return the folder that an earlier process left, with its lock held while the stack is; or a new one."""
    for left in sorted(work.glob(f"{PREFIX}*")):
        with suppress(OSError), ExitStack() as mine:
            lock = mine.enter_context(open(left / LOCK, "r+", encoding="utf-8"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_new(left):
                stack.push(mine.pop_all())
                return left
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=work))


def remove_drafts(store: Path) -> None:
    """Remove what is kept in a store, in this folder, of plans that failed, or whose process was killed."""
    _remove_leftovers(store / "work")


def _remove_leftovers(folder: Path) -> None:
    """Remove the stores that no process holds."""
    for left in folder.glob(f"{PREFIX}*"):
        with suppress(OSError), open(left / LOCK, "r+", encoding="utf-8") as lock:  # another user's cannot be opened
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_new(left):
                _remove(left)


def _remove(folder: Path) -> None:
    """Remove a folder, its lock last: where this process is killed, the next plan finds the lock, and removes all."""
    shutil.rmtree(folder / "store", ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _is_new(folder: Path) -> bool:
    """Return whether a folder has no store yet: its process may be about to take the lock."""
    return not (folder / "store").exists()
