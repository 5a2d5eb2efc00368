"""The process that hands calls to Ray: they come on its input, and their answers go to its output.

Ray prints, sets handlers for signals, and lets its workers import from the current folder first. So it is not in the
process that a user started, but in this one, whose current folder is empty. It ends when its input ends, and its
cluster with it.
"""

import logging
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Lock, Thread
from typing import Any, BinaryIO

import msgspec
import ray
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayError, WorkerCrashedError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from curate.spread.ray_holders import Holders
from curate.spread.ray_node import Made, made_on_node, unfit
from curate.spread.ray_process import ENDING, LOG, Answer, Asked, Ready, Start
from curate.spread.worker_processes import receive, send

RETRIES = 8  # of a call whose worker was killed
CONNECTS = 10  # seconds in which a cluster must take a connection; Ray tries for minutes
PATIENCE = 120  # seconds in which each machine of a cluster must have a worker
STORE = 200_000_000  # bytes of shared memory, for large answers


def main() -> None:
    """Start or join a cluster, say so, and answer calls until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    Thread(target=_end_after, args=(os.getppid(),), daemon=True).start()
    start = msgspec.msgpack.decode(receive(sys.stdin.buffer) or b"", type=Start)
    os.chdir(start.empty)
    log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        ready = _ready(start)
        send(answers, ready)
        if not ready.unfit:
            _answer_calls(start, answers)
    finally:
        ray.shutdown()
        shutil.rmtree(start.empty, ignore_errors=True)  # the process that made it may have been killed


def _end_after(parent: int) -> None:
    """End some time after the process that started this one, also where Ray waits for something."""
    while os.getppid() == parent:
        time.sleep(1)
    time.sleep(ENDING)
    os._exit(1)


def _ready(start: Start) -> Ready:
    try:
        if ":" in start.address:
            host, _, port = start.address.rpartition(":")
            socket.create_connection((host.strip("[]"), int(port)), CONNECTS).close()
        if start.address:
            ray.init(start.address, log_to_driver=False, configure_logging=False)
        else:
            ray.init(
                "local",
                num_cpus=start.processes,
                object_store_memory=STORE,
                include_dashboard=False,
                log_to_driver=False,
                configure_logging=False,
                _temp_dir=f"{start.empty}/0",  # within a folder of ours alone: Ray lets all users write into it
                _system_config={"task_oom_retries": RETRIES},
            )
    except (RayError, OSError, OverflowError, RuntimeError, ValueError) as error:
        return Ready(0, unfit=" ".join(str(error).split())[:300] or type(error).__name__)
    processes = int(ray.cluster_resources().get("CPU", 0))
    if not processes:
        return Ready(0, unfit="no machine of the cluster has a CPU for tasks")
    return Ready(processes, _holders(start).count, _unfit_node(start) if start.address else "")


def _unfit_node(start: Start) -> str:
    """Return what the first machine of the cluster that cannot make calls lacks; empty where all can."""
    check, asked = ray.remote(unfit), []
    for node in ray.nodes():
        if node["Alive"] and node["Resources"].get("CPU"):
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            asked.append((node, check.options(num_cpus=0, scheduling_strategy=there).remote(start.about, start.folder)))
    for node, reference in asked:
        try:
            found = ray.get(reference, timeout=PATIENCE)
        except (RayError, RuntimeError) as error:
            why = (
                "no answer" if isinstance(error, TimeoutError) else "gristmill is not installed there, or fails to load"
            )
            return f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']}): {why}; here it is {start.about}"
        if found:
            return found
    return ""


def _answer_calls(start: Start, answers: BinaryIO) -> None:
    make, lock, holders = ray.remote(max_retries=RETRIES, num_cpus=1)(made_on_node), Lock(), _holders(start)
    while (body := receive(sys.stdin.buffer)) is not None:
        asked = msgspec.msgpack.decode(body, type=Asked)
        if not asked.call:
            holders.end()
            continue
        call = bytes(asked.call), start.about, start.folder
        reference, place = holders.submit(*call) if asked.held else (make.remote(*call), None)
        over = partial(holders.answered, place) if place is not None else _nothing
        reference.future().add_done_callback(partial(_answered, asked.number, answers, lock, over))
        del reference


def _holders(start: Start) -> Holders:
    return Holders(start.holders, RETRIES)


def _nothing() -> None:
    """Note nothing: Ray counts the calls of its tasks."""


def _answered(number: int, answers: BinaryIO, lock: Lock, over: Callable[[], None], done: Any) -> None:
    over()
    try:
        made = msgspec.msgpack.decode(done.result(), type=Made)
        answer = Answer(number, made.result, made.error, made.unfit)
    except (WorkerCrashedError, ActorDiedError, OutOfMemoryError):
        answer = Answer(
            number, None, "", f"a worker died {RETRIES + 1} times at the same task: perhaps it wants memory"
        )
    except Exception as error:
        answer = Answer(number, None, "", " ".join(f"{type(error).__name__}: {error}".split())[:300])
    with lock, suppress(BrokenPipeError):  # the process that asks is gone: our input ends, too
        send(answers, answer)


if __name__ == "__main__":
    main()
