"""Ray's workers that hold a model, one on each GPU: actors, made when there is a first call for them."""

from threading import Lock
from typing import Any

import ray

from curate.spread.ray_node import Holder


class Holders:
    """The actors. They are beside the tasks: they take no core from Ray's count of cores, and are there for a stage."""

    def __init__(self, wanted: int, tries: int) -> None:
        """Count the machines of the cluster; no actor is made yet.

        Args:
            wanted: How many there are to be; 0 for one on each GPU, or where there is none, on each machine.
            tries: How often an actor that died is made anew, and its call made again.
        """
        cores = [int(cpus) for node in ray.nodes() if node["Alive"] and (cpus := node["Resources"].get("CPU"))]
        gpus = int(ray.cluster_resources().get("GPU", 0))
        self.count = min(wanted or gpus, gpus) or wanted or len(cores)
        each = -(-self.count // max(1, len(cores)))  # on a machine
        self._options: dict[str, Any] = {
            "num_cpus": 0,
            "num_gpus": 1 if gpus else 0,
            "max_restarts": tries,
            "max_task_retries": tries,
            "scheduling_strategy": "SPREAD",
            "runtime_env": {"env_vars": {"OMP_NUM_THREADS": str(max(1, min(cores, default=1) // each))}},
        }
        self._actors: list[Any] = []
        self._calls = [0] * self.count  # that each has not answered
        self._lock = Lock()  # answers come in a thread of Ray's

    def submit(self, *call: Any) -> tuple[Any, int]:
        """Hand a call to the actor with the fewest; return the reference of its answer, and the actor's place."""
        if not self._actors:
            self._actors = [ray.remote(Holder).options(**self._options).remote() for _ in range(self.count)]
        place = self._calls.index(min(self._calls))
        with self._lock:
            self._calls[place] += 1
        return self._actors[place].made.remote(*call), place

    def answered(self, place: int) -> None:
        """Note that an actor has answered."""
        with self._lock:
            self._calls[place] -= 1

    def end(self) -> None:
        """End them, and free what they hold."""
        for actor in self._actors:
            ray.kill(actor)
        self._actors = []
