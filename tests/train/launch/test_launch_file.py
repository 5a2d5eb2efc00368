"""A machine's launch file: written for this user alone, and refused where it is another's, or says what cannot be."""

import json
import os
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curate.models.model_ref import ModelRef
from schemas.errors import UserError
from schemas.version import VERSION
from tests.train.launch.test_job_file import JOB
from train.launch.job_file import FILE, write_job
from train.launch.launch_file import LaunchFile, code_of_job, read_launch_file, write_launch_file

PLAIN = {"compute_environment": "LOCAL_MACHINE", "distributed_type": "MULTI_GPU"}


def folder_of(store: Path) -> Path:
    """A job's folder in a store's work folder."""
    folder = store / "work" / "abc" / "launch"
    folder.mkdir(parents=True, mode=0o700)
    return folder


def content(store: Path, **changed: Any) -> dict[str, Any]:
    """The content of a launch file, with some fields changed."""
    return {
        "gristmill": VERSION, "training": "t", "machine": 1, "machines": 2, "processes": 4, "address": "10.0.0.1",
        "port": 29500, "channel": 4000, "key": "0" * 64, "cpu": True, "folder": str(store),
        "model": str(store / "model"), "accelerate": PLAIN,
    } | changed  # fmt: skip


def test_a_launch_file_is_read_as_it_was_written(tmp_path: Path):
    written = LaunchFile(**content(tmp_path))
    file = write_launch_file(folder_of(tmp_path), written)
    assert file.name == "machine-1.json" and file.stat().st_mode & 0o777 == 0o600
    assert read_launch_file(file) == written
    assert written.key not in repr(written)
    assert written.config == PLAIN | {
        "num_machines": 2, "machine_rank": 1, "num_processes": 4, "main_process_ip": "10.0.0.1",
        "main_process_port": 29500,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"machine": 0}, "machine: Input should be greater than or equal to 1"),
        ({"machine": 2}, "4 processes, machine 2 of 2 can't be"),
        ({"processes": 3}, "3 processes, machine 1 of 2 can't be"),
        ({"processes": "4"}, "processes: Input should be a valid integer"),
        ({"channel": 1 << 70}, "channel: Input should be less than or equal to 65535"),
        ({"key": "short"}, "key: String should match pattern"),
        ({"command": ["id"]}, "command: Extra inputs are not permitted"),
        ({"gristmill": "0.0.1"}, f"of gristmill 0.0.1, and this is {VERSION}"),
        ({"address": "--help"}, "expected a host's name or IPv4 address, such as 10.0.0.1, found '--help'"),
        ({"address": "h;id"}, "expected a host's name or IPv4 address"),
        ({"accelerate": PLAIN | {"commands": ["id"]}}, "accelerate: commands: gristmill starts the processes itself"),
        ({"accelerate": PLAIN | {"deepspeed_config": {"run_path": True}}}, "'run_path' is no option of it"),
        (
            {"accelerate": PLAIN | {"gpu_ids": {"run_path": True}}},
            "gpu_ids: expected text or a number, found a mapping",
        ),
        ({"accelerate": PLAIN | {"own": 1}}, "no key of accelerate in accelerate called 'own'"),
        ({"folder": "relative"}, "this machine has no folder relative"),
        ({"model": "/no/such/model"}, "this machine has no folder /no/such; the store, the models and the folder"),
        ({"model": "/tmp/model"}, "the folder for the model, /tmp/model, is not in the store"),
        ({"model": "/tmp/\0/model"}, "this machine has no folder"),
        ({"folder": f"/{'a' * 300}"}, "this machine has no folder /aaa"),
        ({"model": f"/{'a' * 300}/model"}, "this machine has no folder /aaa"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, changed: dict[str, Any], message: str):
    file = folder_of(tmp_path / "store") / "machine-1.json"
    file.write_text(json.dumps(content(tmp_path / "store", **changed)))
    file.chmod(0o600)
    with pytest.raises(UserError) as raised:
        read_launch_file(file)
    assert str(file) in str(raised.value) and message in str(raised.value)


def test_the_model_is_below_the_store(tmp_path: Path):
    file = folder_of(tmp_path) / "machine-1.json"
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "out").symlink_to("/tmp/model")
    for name, refused in (("", True), ("out", True), ("circle", False), ("new", False)):
        file.write_text(json.dumps(content(tmp_path, model=str(tmp_path / name))))
        file.chmod(0o600)
        with pytest.raises(UserError, match="is not in the store") if refused else nullcontext():
            assert read_launch_file(file).machine == 1


@pytest.mark.parametrize("text", ["", "[1]", "[" * 100_000, '{"key": 1}', "x" * (1 << 20 | 1), "\udcff"])
def test_what_is_no_launch_file_is_refused(tmp_path: Path, text: str):
    file = folder_of(tmp_path) / "machine-1.json"
    file.write_bytes(text.encode(errors="surrogateescape"))
    file.chmod(0o600)
    with pytest.raises(UserError, match="expected a launch file of 'gristmill train'"):
        read_launch_file(file)


def test_what_others_may_open_or_replace_is_refused(tmp_path: Path):
    folder = folder_of(tmp_path)
    file = write_launch_file(folder, LaunchFile(**content(tmp_path)))
    (folder / "link.json").symlink_to(file)
    with pytest.raises(UserError, match="cannot be read"):
        read_launch_file(folder / "link.json")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_launch_file(folder)
    os.mkfifo(folder / "pipe.json", 0o600)
    with pytest.raises(UserError, match=r"pipe.json: no file"):
        read_launch_file(folder / "pipe.json")
    file.chmod(0o640)
    with pytest.raises(UserError, match="other users may open it"):
        read_launch_file(file)
    file.chmod(0o600)
    folder.chmod(0o770)
    with pytest.raises(UserError, match="launch: other users may write to it"):
        read_launch_file(file)
    folder.chmod(0o700)
    assert read_launch_file(file).machine == 1


def test_what_a_job_runs_beside_gristmill_is_named(tmp_path: Path):
    trusting, own = (
        ModelRef("m", "m@1", "/m", settings=(("trust_remote_code", True),)),
        replace(JOB, work_folder=tmp_path),
    )
    folder = tmp_path / "launch"
    folder.mkdir()
    cases = [
        (own, []),
        (replace(own, trainer="own.weighted"), ["the trainer own.weighted"]),
        (replace(own, teacher=trusting), ["code that comes with the model"]),
        (replace(own, settings={"trust_remote_code": True}), ["code that comes with the model"]),
    ]
    for job, expected in cases:
        write_job(job, folder)
        assert code_of_job(folder / "machine-1.json") == expected
    refused = [
        (replace(own, settings={"push_to_hub": True}), "that no recipe can have"),
        (replace(own, work_folder=Path("/etc")), f"its checkpoints would be in /etc; expected {tmp_path}"),
    ]
    for job, message in refused:
        write_job(job, folder)
        with pytest.raises(UserError, match=message):
            code_of_job(folder / "machine-1.json")


def test_what_is_no_job_is_refused(tmp_path: Path):
    job, launch_file = tmp_path / FILE, tmp_path / "machine-1.json"
    for text, message in (('{"trainer": []}', "KeyError"), ("[" * 100_000, "RecursionError")):
        job.write_text(text)
        with pytest.raises(UserError, match=f"cannot be read as a job: {message}"):
            code_of_job(launch_file)
    job.unlink()
    job.symlink_to("/dev/zero")
    with pytest.raises(UserError, match="cannot be read as a job: OSError"):
        code_of_job(launch_file)
    job.unlink()
    os.mkfifo(job)
    with pytest.raises(UserError, match=r"job.json: no file"):
        code_of_job(launch_file)
