"""Threads of torch that wait for one another sleep on a busy machine, unless the user has chosen how they wait."""

import os
import subprocess
import sys

import pytest

from curate.models.waiting_threads import OWN_SETTINGS
from tests.optional import needs

# Modules by which a process may come to torch: the engine, a training, its check, and a process of a launch.
MODULES = (
    "curate.models.clients.local.generate",
    "train.trl_setup",
    "train.options.tried_options",
    "train.ppo.ppo_trainer",
    "train.fit",
    "train.launch.worker",
)


def run(program: str, load: float = 99.0, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program on a machine that has, as far as it can see, this load for each core."""
    environment = {k: v for k, v in os.environ.items() if k not in OWN_SETTINGS} | variables
    program = f"import os; os.getloadavg = lambda: (os.cpu_count() * {load}, 0.0, 0.0)\n{program}"
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)


@needs("torch")
@pytest.mark.skipif(sys.platform != "linux", reason="torch has GNU's OpenMP on Linux")
def test_the_library_of_torch_reads_the_setting():
    told = run("import curate.models, torch", OMP_DISPLAY_ENV="verbose").stderr
    assert "GOMP_SPINCOUNT = '1000'" in told


@pytest.mark.parametrize(("load", "rounds"), [(0.0, "None"), (0.9, "None"), (1.0, "1000")])
def test_threads_are_left_alone_on_a_quiet_machine(load, rounds):
    program = "import curate.models; print(os.environ.get('GOMP_SPINCOUNT'))"
    assert run(program, load).stdout.strip() == rounds


@needs("trl")
@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_it_is_set_before_torch_is_imported(module):
    program = f"""
import os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(os.environ.get("GOMP_SPINCOUNT"))

sys.meta_path.insert(0, Watch())
import {module}
import torch
"""
    assert run(program).stdout.split()[0] == "1000"


@pytest.mark.parametrize(
    "variables",
    [{"OMP_WAIT_POLICY": "active"}, {"GOMP_SPINCOUNT": "7"}, {"KMP_BLOCKTIME": "1"}, {"KMP_LIBRARY": "throughput"}],
)
def test_the_users_own_settings_win(variables):
    program = "import os, curate.models; print(os.environ.get('GOMP_SPINCOUNT'))"
    assert run(program, **variables).stdout.strip() == variables.get("GOMP_SPINCOUNT", "None")


def test_nothing_is_set_once_torch_is_there():
    program = "import os, sys; sys.modules['torch'] = os; import curate.models; print('GOMP_SPINCOUNT' in os.environ)"
    assert run(program).stdout.strip() == "False"


@pytest.mark.parametrize("own", [{}, {"GOMP_SPINCOUNT": "7"}])
def test_a_vllm_server_inherits_the_users_setting_alone(own):
    program = """
from curate.models.clients.vllm_server.launch import environment
print(environment("key", True).get("GOMP_SPINCOUNT"))
"""
    assert run(program, **own).stdout.strip() == own.get("GOMP_SPINCOUNT", "None")
