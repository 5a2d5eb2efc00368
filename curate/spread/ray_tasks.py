"""Ray as the runner of ``spread``: one Ray task a call, on a cluster of this machine or an existing one.

Ray is in a process of its own (``ray_process``), which is started when there are first calls for it.
"""

import re
from collections import Counter
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from curate.spread.ray_process import RayProcess
from curate.spread.task_calls import Call
from curate.spread.worker_processes import FEW, processes_here
from schemas.errors import UserError, short_repr

GPUS = Path("/proc/driver/nvidia/gpus")  # a folder each
ADDRESS = re.compile(r"auto|[\w.\[\]:-]{1,253}:\d{1,5}")
CLIENT = " (Ray's client, ray://, is not used: run gristmill on a machine of the cluster)"


class RayTasks:
    """The runner of Ray.

    Attributes:
        failed: Why workers did not make calls, which this process then made, with counts.
    """

    elsewhere = True

    def __init__(self, address: str = "", processes: int | None = None, holders: int | None = None) -> None:
        """Name a cluster.

        Args:
            address: An existing cluster, as ``auto`` or ``host:port``; by default one on this machine, of its own.
            processes: How many workers its own cluster has; by default one for each core.
            holders: How many workers hold a model; by default one on each GPU of the cluster, or where it has none, on
                each machine. On this machine alone they are only there if it has several GPUs.

        Raises:
            UserError: It is no address.
            ModuleNotFoundError: Ray is not installed.
        """
        if address and not ADDRESS.fullmatch(address):
            hint = CLIENT * address.startswith("ray:")
            raise UserError(f"--ray: expected auto or host:port, found {short_repr(address)}{hint}")
        if find_spec("ray") is None:
            raise ModuleNotFoundError("No module named 'ray'", name="ray")
        self.failed: Counter[str] = Counter()
        self._address, self._processes, self._holders = address, processes, holders
        self._ray: RayProcess | None = None

    def workers(self, tasks: int, *, kept: bool) -> "_Workers | None":
        """Return Ray's workers for tasks, or None where this process does as well.

        Raises:
            UserError: There is no such cluster, or a machine of it cannot make calls.
        """
        if tasks < (2 if self._address or self._processes else FEW):
            return None
        return _Workers(self, self.started())

    @property
    def models(self) -> "_Holders | None":
        """The runner for tasks whose worker holds a model."""
        several = len(list(GPUS.glob("*"))) > 1
        return _Holders(self) if self._address or self._holders or several else None

    def started(self) -> RayProcess:
        """Return Ray's process, which is started where it is not there."""
        if self._ray is None:
            processes = self._processes or processes_here()
            self._ray = RayProcess(self._address, processes, self._holders or 0, self._count)
        return self._ray

    def stop(self) -> None:
        """End Ray, and a cluster that is its own; calls that are not answered are dropped."""
        held, self._ray = self._ray, None
        if held:
            held.stop()

    def _count(self, reason: str) -> None:
        self.failed[reason] += 1


@contextmanager
def ray_tasks(address: str = "", processes: int | None = None, holders: int | None = None) -> Generator[RayTasks]:
    """Yield the runner for ``run_by``, and end Ray after the body; arguments and errors are those of ``RayTasks``."""
    runner = RayTasks(address, processes, holders)
    try:
        yield runner
    finally:
        runner.stop()


class _Workers:
    """Ray's workers, for the tasks of one ``spread``."""

    def __init__(self, runner: RayTasks, ray: RayProcess) -> None:
        self.ahead = 2 * ray.processes
        self._runner, self._ray = runner, ray

    def __enter__(self) -> "_Workers":
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        if failed:  # nothing may go on writing into the folders of tasks
            self._runner.stop()

    def submit(self, call: Call) -> Future[bytes | None]:
        """Hand over a call; None is its answer where the function raised an error."""
        return self._ray.submit(call)


class _Holders:
    """The runner of Ray's workers that hold a model: from the first task of a ``spread`` to its end."""

    elsewhere = True
    models = None

    def __init__(self, runner: RayTasks) -> None:
        self._runner = runner

    def workers(self, tasks: int, *, kept: bool) -> "_HoldingWorkers | None":
        """Return the workers; one task goes to them too, as this process may have no GPU."""
        return None if not tasks else _HoldingWorkers(self._runner, self._runner.started())


class _HoldingWorkers(_Workers):
    """Ray's workers that hold a model, for the tasks of one ``spread``."""

    def __init__(self, runner: RayTasks, ray: RayProcess) -> None:
        super().__init__(runner, ray)
        self.ahead = 2 * ray.holders

    def __exit__(self, failed: object, *_: object) -> None:
        super().__exit__(failed)
        if not failed:
            self._ray.end_holders()

    def submit(self, call: Call) -> Future[bytes | None]:
        """Hand over a call; None is its answer where the function raised an error."""
        return self._ray.submit(call, held=True)
