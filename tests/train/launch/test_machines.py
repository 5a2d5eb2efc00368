"""The machines of a training, by a recipe and a file of accelerate; where they are is not in the key."""

from pathlib import Path

import pytest

from schemas.errors import UserError
from tests.optional import needs
from tests.train.launch.test_accelerate_config import config, recipe
from train.launch.launcher import environment, for_device
from train.training_key import key_of_choices

pytestmark = needs("trl")

FILE = """distributed_type: MULTI_GPU
num_processes: 4
num_machines: 2
main_process_ip: 10.0.0.1
main_process_port: 4000
"""
IN_RECIPE = "{machines: 2, processes: 4, address: 10.0.0.1, port: 4000}"


def key(folder: Path, launch: str):
    made = recipe(folder, launch)
    return key_of_choices(made, made.train["t"], {}, None)


def test_a_recipe_and_a_file_say_the_same(tmp_path: Path):
    (tmp_path / "own.yaml").write_text(FILE)
    for launch in (IN_RECIPE, "{config: own.yaml}", "{config: own.yaml, machines: 2, port: 4000}"):
        found = config(tmp_path, launch)
        assert found and found["num_processes"] == 4 and found["machine_rank"] == 0
        assert (found["num_machines"], found["main_process_ip"], found["main_process_port"]) == (2, "10.0.0.1", 4000)
    plain = config(tmp_path, "{machines: 2, processes: 4}")
    assert plain and plain["main_process_port"] == 29500 and "main_process_ip" not in plain
    preset = config(tmp_path, "{config: fsdp2, machines: 2, processes: 4}")
    assert preset and preset["num_machines"] == 2


def test_where_it_runs_is_not_in_the_key(tmp_path: Path):
    here = key(tmp_path, "{processes: 4}")
    assert here == key(tmp_path, IN_RECIPE) == key(tmp_path, "{machines: 4, processes: 4, address: other}")
    assert here != key(tmp_path, "{machines: 2, processes: 2}")


def test_a_file_for_one_machine_is_in_the_key_as_before(tmp_path: Path):
    text = "distributed_type: MULTI_GPU\nnum_processes: 2\nmain_process_ip: null\nmain_process_port: 4000\n"
    (tmp_path / "own.yaml").write_text(text)
    assert key(tmp_path, "{config: own.yaml}")["launch"] == {
        "compute_environment": "LOCAL_MACHINE", "distributed_type": "MULTI_GPU", "num_processes": 2,
        "main_process_ip": None, "main_process_port": 4000, "num_machines": 1, "machine_rank": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("launch", "text", "message"),
    [
        ("{machines: 2, processes: 3}", "", "expected processes: as many on each of 2 machines, found 3"),
        ("{processes: 2, address: h}", "", "address (main_process_ip) is for several machines; add machines: 2"),
        ("{processes: 2, port: 4000}", "", "port is for several machines; add machines: 2"),
        ("{machines: 2, processes: 2, address: -h}", "", "expected a host's name or IPv4 address"),
        ("{machines: 2, processes: 2, address: '::1'}", "", "expected a host's name or IPv4 address"),
        ("{config: own.yaml, machines: 4}", FILE, "machines: 4, but num_machines: 2 in own.yaml; say it in one place"),
        ("{config: own.yaml, address: h}", FILE, "address: h, but main_process_ip: '10.0.0.1' in own.yaml; say it"),
        ("{config: own.yaml, port: 1}", FILE, "port: 1, but main_process_port: 4000 in own.yaml; say it in one place"),
        ("{config: own.yaml}", FILE.replace("4000", "x"), "expected port: a number from 1 to 65,535, found 'x'"),
        ("{config: own.yaml}", FILE.replace("s: 2", "s: 257"), "expected machines: a number from 1 to 256, found 257"),
        ("{config: own.yaml}", FILE.replace("10.0.0.1", "'h;id'"), "expected a host's name or IPv4 address"),
        ("{config: own.yaml}", FILE + "deepspeed_config: {run_path: true}", "'run_path' is no option of it that"),
        ("{config: own.yaml}", FILE + "debug: {run_path: true}", "debug: expected text or a number, found a mapping"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path: Path, launch: str, text: str, message: str):
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(UserError) as raised:
        config(tmp_path, launch)
    assert "recipe.yaml:9: train.t: launch" in str(raised.value) and message in str(raised.value)


def test_ppo_stays_in_one_process(tmp_path: Path):
    with pytest.raises(UserError, match="ppo trains its critic in one process"):
        config(tmp_path, IN_RECIPE, "ppo")


def test_torch_finds_the_first_machine_and_starts_nothing_by_ssh(tmp_path: Path):
    found = config(tmp_path, IN_RECIPE)
    assert found
    made = for_device(found, on_cpu=True)
    assert made["main_process_port"] == 4000 and made["rdzv_backend"] == "static" and made["same_network"] is True
    shared = for_device(found | {"distributed_type": "DEEPSPEED"}, on_cpu=False)
    assert shared["deepspeed_config"] == {"deepspeed_multinode_launcher": "standard"}


def test_several_machines_do_not_talk_through_loopback():
    assert "GLOO_SOCKET_IFNAME" in environment({}, 2, on_cpu=True)
    assert "GLOO_SOCKET_IFNAME" not in environment({}, 2, on_cpu=True, alone=False)
