"""A recipe's ``launch`` as a configuration of accelerate: a preset or a file, checked, its content in the key."""

import json
from pathlib import Path

import pytest

from schemas.errors import UserError
from schemas.recipe import Recipe
from tests.optional import needs
from tests.train.tables import recipe_with
from train.launch.accelerate_config import accelerate_config, presets
from train.launch.launcher import environment, for_device
from train.training_key import key_of_choices

pytestmark = needs("trl")

WHERE = "recipe.yaml:9: train.t"


def recipe(folder: Path, launch: str, trainer: str = "sft") -> Recipe:
    dataset, rewards = ("rl", ", rewards: [length]") if trainer == "ppo" else ("sft", "")
    return recipe_with(
        folder, f"train:\n  t: {{trainer: {trainer}, dataset: {dataset}, model: student{rewards}, launch: {launch}}}\n"
    )


def config(folder: Path, launch: str, trainer: str = "sft"):
    made = recipe(folder, launch, trainer)
    return accelerate_config(made, made.train["t"], WHERE)


def test_processes_alone_hold_the_whole_model_each(tmp_path):
    assert config(tmp_path, "{processes: 1}") is None
    assert config(tmp_path, "{processes: 2}") == {
        "compute_environment": "LOCAL_MACHINE", "distributed_type": "MULTI_GPU", "machine_rank": 0,
        "mixed_precision": "no", "num_machines": 1, "num_processes": 2,
    }  # fmt: skip


def test_a_preset_of_trl_has_its_own_number(tmp_path):
    assert {"fsdp2", "zero1", "zero2", "zero3", "multi_gpu"} <= {*presets()}
    found = config(tmp_path, "{config: fsdp2}")
    assert found and found["distributed_type"] == "FSDP" and found["fsdp_config"]["fsdp_version"] == 2
    assert found["num_processes"] == 8
    assert config(tmp_path, "{config: fsdp2, processes: 2}") == found | {"num_processes": 2}


@pytest.mark.parametrize("text", ["distributed_type: MULTI_CPU\nnum_processes: 3\n", '{"distributed_type": "NO"}'])
def test_a_file_is_beside_the_recipe(tmp_path, text):
    (tmp_path / "own.yaml").write_text(text)
    found = config(tmp_path, "{config: own.yaml, processes: 2}")
    assert found and found["num_processes"] == 2 and found["num_machines"] == 1


def test_a_file_in_the_home_folder(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "own.yaml").write_text("distributed_type: MULTI_GPU\nnum_processes: 3\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    found = config(tmp_path, "{config: ~/own.yaml}")
    assert found and found["num_processes"] == 3


def test_the_content_of_a_file_is_in_the_key_not_its_name(tmp_path):
    text = "distributed_type: MULTI_CPU\nnum_processes: 2\n"
    keys = []
    for name, content in (("a.yaml", text), ("b.yaml", text), ("b.yaml", f"{text}debug: true\n")):
        (tmp_path / name).write_text(content)
        made = recipe(tmp_path, f"{{config: {name}}}")
        keys.append(key_of_choices(made, made.train["t"], {}, None))
    assert keys[0] == keys[1] != keys[2]
    plain = recipe_with(tmp_path, "train:\n  t: {trainer: sft, dataset: sft, model: student}\n")
    one = recipe(tmp_path, "{processes: 1}")
    assert key_of_choices(plain, plain.train["t"], {}, None) == key_of_choices(one, one.train["t"], {}, None)


@pytest.mark.parametrize(
    ("launch", "text", "message"),
    [
        ("{}", "", "launch: expected processes or config, such as launch: {processes: 2}"),
        ("{config: fsdp3}", "", "launch: config: no file, or configuration of TRL, called 'fsdp3'; did you mean 'fsdp"),
        ("{config: own.yaml}", "num_proceses: 2\n", "no key of accelerate in own.yaml called 'num_proceses'; did you"),
        ("{config: own.yaml}", "- 2\n", "own.yaml: expected a configuration of accelerate"),
        ("{config: own.yaml}", "a: [\n", "own.yaml:2: not YAML"),
        ("{config: own.yaml}", "a: &a [1]\nb: 2026-01-01\n", "expected text or a number, found '2026-01-01'"),
        ("{config: own.yaml}", "[" * 100_000, "own.yaml:1: lists and mappings are nested more than 64 levels deep"),
        ("{config: own.yaml}", "# " + "x" * (1 << 20), "own.yaml: larger than 1,048,576 bytes"),
        ("{config: own.yaml}", "distributed_type: XLA\n", "no distributed_type in own.yaml called 'XLA'"),
        ("{config: own.yaml}", "num_processes: 2\n", "no distributed_type in own.yaml called 'None'"),
        (
            "{config: own.yaml}",
            "distributed_type: NO\nnum_processes: 2\nmain_process_ip: h",
            "is for several machines; add machines: 2",
        ),
        ("{config: own.yaml}", "distributed_type: NO\ncommands: [id]\n", "own.yaml: commands: gristmill starts the"),
        (
            "{config: own.yaml}",
            "distributed_type: MULTI_GPU\n",
            "expected processes: a number from 1 to 1,024, found N",
        ),
        ("{config: own.yaml}", "distributed_type: NO\nnum_processes: -1\n", "a number from 1 to 1,024, found -1"),
        ("{config: own.yaml}", "compute_environment: AMAZON_SAGEMAKER\n", "expected compute_environment: LOCAL_MACH"),
        ("{config: zero2}", "", "zero2: needs the package deepspeed; install it with: pip install deepspeed"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused(tmp_path, launch, text, message):
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(UserError) as raised:
        config(tmp_path, launch)
    assert f"{WHERE}: launch" in str(raised.value) and message in str(raised.value)


def test_ppo_trains_its_critic_in_one_process(tmp_path):
    with pytest.raises(UserError, match="ppo trains its critic in one process; remove launch, or train with grpo"):
        config(tmp_path, "{processes: 2}", "ppo")


def test_on_cpus_the_launcher_for_gpus_starts_the_processes():
    for kind in ("NO", "MULTI_CPU", "MULTI_GPU"):
        made = for_device({"distributed_type": kind, "num_processes": 2, "mixed_precision": "bf16"}, on_cpu=True)
        assert made == {
            "distributed_type": "MULTI_GPU", "num_processes": 2, "mixed_precision": "no", "main_process_port": 0,
            "use_cpu": False,
        }  # fmt: skip
    assert for_device({"distributed_type": "FSDP", "num_processes": 2}, on_cpu=False) == {
        "distributed_type": "FSDP", "num_processes": 2, "main_process_port": 0,
    }  # fmt: skip


def test_the_cores_are_shared_out_unless_said_otherwise():
    found = environment({"HOME": "/h", "HF_HUB_DISABLE_TELEMETRY": "0"}, 1024, on_cpu=True)
    assert found["OMP_NUM_THREADS"] == "1" and found["HOME"] == "/h" and found["HF_HUB_DISABLE_TELEMETRY"] == "0"
    assert found["PYTHONSAFEPATH"] == "1" and found["ACCELERATE_USE_CPU"] == "true"
    assert environment({"OMP_NUM_THREADS": "3"}, 2, on_cpu=False)["OMP_NUM_THREADS"] == "3"
    assert "ACCELERATE_USE_CPU" not in environment({}, 2, on_cpu=False)
    assert json.dumps(found)
