"""Which GPUs, or cores, each of several vLLM servers gets."""

import pytest

from curate.models.clients.vllm_server.shares import core_shares, gpu_shares, gpus_taken, visible_gpus
from schemas.errors import UserError

FOUR = ["0", "1", "2", "GPU-5f"]


@pytest.mark.parametrize(
    ("args", "taken"),
    [
        ([], 1),
        (["--tensor-parallel-size", "2"], 2),
        (["--tensor_parallel_size=2", "-pp", "2"], 4),
        (["-tp=2", "-tp", "4"], 4),
        (["--max-model-len", "4096", "-tp"], 1),
        (["-tp", "-3"], 1),
    ],
)
def test_the_arguments_say_how_many_gpus_a_server_takes(args, taken):
    assert gpus_taken(args) == taken


def test_no_two_servers_share_a_gpu():
    assert gpu_shares("a", FOUR, 4, []) == [["0"], ["1"], ["2"], ["GPU-5f"]]
    assert gpu_shares("a", FOUR, 2, ["-tp", "2"]) == [["0", "1"], ["2", "GPU-5f"]]


def test_servers_share_gpus_where_their_memory_does_for_all():
    shared = gpu_shares("a", ["0", "1"], 4, ["--gpu-memory-utilization", "0.45"])
    assert shared == [["0"], ["1"], ["0"], ["1"]]


@pytest.mark.parametrize(
    ("gpus", "args", "says"),
    [
        (["0", "1"], [], "a.servers: 4 servers of 1 GPU each, and there are 2; start at most 2, or let them share"),
        (["0", "1"], ["--gpu-memory-utilization=0.6"], "there are 2"),
        (FOUR, ["-tp", "2"], "4 servers of 2 GPUs each, and there are 4; start at most 2"),
        ([], ["--gpu-memory-utilization=0.1"], "4 servers of 1 GPU each, and 0 are found (CUDA_VISIBLE"),
    ],
)
def test_too_few_gpus_are_one_line(gpus, args, says):
    with pytest.raises(UserError) as found:
        gpu_shares("a", gpus, 4, args)
    assert says in str(found.value) and "\n" not in str(found.value)


def test_gpus_are_those_that_the_environment_names():
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "3, GPU-5f"}) == ["3", "GPU-5f"]
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": ""}) == []


def test_cores_are_split_evenly_and_shared_where_they_are_few():
    assert [one["VLLM_CPU_OMP_THREADS_BIND"] for one in core_shares([0, 1, 4, 5, 6], 2)] == ["0,1", "4,5,6"]
    assert core_shares([0, 1], 3) == [{}, {}, {}]
