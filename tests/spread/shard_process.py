"""The worker of a shard, for the functions of tests: in a thread, or as a process, to be killed."""

import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from curate.spread.shard_worker import ShardWorker
from tests.command import ROOT

FUNCTIONS = {
    "tests.spread.tasks:doubled": "",
    "tests.spread.tasks:refused": "",
    "tests.spread.tasks:only_there": "",
    "tests.spread.tasks:counted": "folder",
    "tests.spread.tasks:written": "folder",
}


@contextmanager
def in_threads(store: Path, shards: int, only: Sequence[int] = ()) -> Generator[list[ShardWorker]]:
    """Work for the run that ends in the body of a ``with``, as all of its shards or as some."""
    workers = [ShardWorker(store, shard, shards, functions=FUNCTIONS) for shard in only or range(shards)]
    threads = [threading.Thread(target=worker.work) for worker in workers]
    for thread in threads:
        thread.start()
    yield workers
    for thread in threads:
        thread.join()


def started(store: Path, shard: int, shards: int) -> subprocess.Popen:
    command = [sys.executable, "-c", "from tests.spread.shard_process import main; main()"]
    return subprocess.Popen([*command, str(store), str(shard), str(shards)], cwd=ROOT)


def main() -> None:
    store, shard, shards = sys.argv[1:]
    ShardWorker(Path(store), int(shard), int(shards), wait=20, functions=FUNCTIONS).work()
