"""The memory that the programs in sandboxes may take together, of what the machine has free."""

import re
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from curate.verifiers.sandbox.bwrap_command import TMP
from curate.verifiers.sandbox.entrance import MAX_FILES

SHARE = 0.75  # of the memory that is free when the first program is asked for
FILE = 1 << 10  # bytes of the kernel's memory for a file in a tmpfs, with nothing in it
# A control group's limit and use, of version 2 and of version 1.
GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def most_needed(request: dict[str, Any]) -> int:
    """Return the bytes that a request's program may take, with its checker: memory, what it writes, and its files."""
    sandboxes = 2 if request["tests"]["how"] == "checks" else 1
    return sandboxes * ((request["memory"] << 20) + TMP + MAX_FILES * FILE)


def free_memory() -> int | None:
    """Return the bytes that are free, of the machine or of this container; None where the system does not say."""
    found = []
    with suppress(OSError):
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        found += [int(kb) << 10 for kb in re.findall(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)]
    for limit, used in GROUPS:
        with suppress(OSError, ValueError):  # "max" is no limit
            found.append(max(0, int(Path(limit).read_text("ascii")) - int(Path(used).read_text("ascii"))))
    return min(found, default=None)


class SharedMemory:
    """Lets programs begin while what they may take together fits; one that alone is larger than that runs alone.

    Attributes:
        most: Bytes for all of them; None for no limit.
        taken: Bytes of those that run.
    """

    def __init__(self, most: int | None = None) -> None:
        """Set the bytes for all of them; by default ``SHARE`` of what is free now."""
        free = free_memory() if most is None else None
        self.most = most if free is None else int(SHARE * free)
        self.taken = 0
        self.freed = threading.Condition()

    def at_once(self, request: dict[str, Any], workers: int) -> int:
        """Return how many of ``workers`` programs like this one may run at once."""
        return workers if self.most is None else max(1, min(workers, self.most // most_needed(request)))

    @contextmanager
    def hold(self, size: int, stopping: Callable[[], bool]) -> Generator[None]:
        """Wait until a program of this size may run, or the run is being stopped; hold its memory for the block."""
        with self.freed:
            while self.most is not None and self.taken and self.taken + size > self.most and not stopping():
                self.freed.wait(0.2)
            self.taken += size
        try:
            yield
        finally:
            with self.freed:
                self.taken -= size
                self.freed.notify_all()
