"""Options that name a file: links, devices, pipes and folders, by real processes and files."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cli.output_file import output_file
from schemas.errors import UserError
from tests.command import ROOT, call, mistake, process

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such devices, links and pipes")
FORMATS = ("csv", "json", "jsonl", "parquet", "table")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outputs")
    (folder / "rows.jsonl").write_text('{"prompt": "a"}\n')
    (folder / "r.yaml").write_text("name: r\nprompts:\n  - source: rows.jsonl\ndatasets:\n  rl: {type: prompt}\n")
    assert call(folder, "run", "r.yaml").code == 0
    return folder


def sql(store: Path, output: Path | str, format: str = "csv"):
    return call(store, "sql", "SELECT prompt FROM prompts", "--format", format, "--output", output)


def write(path: Path, text: str) -> None:
    with output_file(path, "--output") as made:
        made.write_text(text)


@pytest.mark.parametrize("format", FORMATS)
def test_a_device_is_written_to_and_stays(store, tmp_path, format):
    device = tmp_path / "null"
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))  # a /dev/null that can be lost
        open(device, "wb").close()
    except OSError:
        pytest.skip("only root makes devices")
    assert sql(store, device, format).code == 0
    assert stat.S_ISCHR(device.stat().st_mode) and [file.name for file in tmp_path.iterdir()] == ["null"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_pipe_gets_the_data_and_stays(store, tmp_path, format):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        assert sql(store, pipe, format).code == 0
        out, _ = reader.communicate(timeout=60)
    assert stat.S_ISFIFO(pipe.stat().st_mode) and (b"PAR1" if format == "parquet" else b"a") in out


@pytest.mark.slow
def test_standard_output_by_its_name(store):
    done = process(store, "sql", "SELECT prompt FROM prompts", "--format", "csv", "--output", "/dev/stdout")
    assert (done.code, done.out) == (0, "prompt\na\n")


def test_a_link_is_followed_and_stays(store, tmp_path):
    (tmp_path / "there").mkdir()
    file, link = tmp_path / "there" / "file.csv", tmp_path / "link.csv"
    link.symlink_to(file)
    for _ in range(2):  # first it leads to nothing yet
        assert sql(store, link).code == 0
        assert link.is_symlink() and file.read_text() == "prompt\na\n"
    assert [one.name for one in file.parent.iterdir()] == ["file.csv"]


def test_what_cannot_be_written_is_one_line(store, tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "lost").symlink_to(tmp_path / "no" / "file")
    (tmp_path / "file").write_text("x")
    for output, words in (
        (tmp_path, "is a folder"), (tmp_path / "no" / "x", "there is no folder"),
        (tmp_path / "loop", "can't be written"), (tmp_path / "lost", "there is no folder"),
        (tmp_path / "file" / "x", "can't be written"),
        (tmp_path / ("n" * 300), "can't be written"),
    ):  # fmt: skip
        for format in ("csv", "parquet"):
            line = mistake(sql(store, output, format))
            assert words in line and line.startswith("--output "), line
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "loop", "lost"]


def test_a_file_keeps_its_mode_and_a_failure_keeps_it(tmp_path):
    file = tmp_path / "kept"
    write(file, "first")
    file.chmod(0o640)
    with pytest.raises(ValueError), output_file(file, "--output") as made:
        made.write_text("half")
        raise ValueError
    assert file.read_text() == "first"
    write(file, "second")
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("second", 0o640)
    assert [one.name for one in tmp_path.iterdir()] == ["kept"]


def test_a_folder_without_permission_is_one_line(tmp_path):
    if os.getuid() == 0:
        pytest.skip("root may write anywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="not writable"):
        write(tmp_path / "file", "x")


@pytest.mark.slow
def test_markdown_is_refused_before_anything_is_trained(store, tmp_path):
    (tmp_path / "file").write_text("x")
    for output in (tmp_path, tmp_path / "no" / "x", tmp_path / "file" / "x"):
        line = mistake(call(store, "compare", "r.yaml", "--arms", "a,b", "--markdown", output))
        assert line.startswith("--markdown "), line


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    names = ("st_mode", "st_ino", "st_size", "st_mtime_ns")
    return [getattr(one, name) for name in names] == [getattr(other, name) for name in names]


def test_init_replaces_nothing(tmp_path):
    for make in (Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere"), lambda path: path.write_text("mine")):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        make(folder / "sums.yaml")
        before = (folder / "sums.yaml").lstat()
        line = mistake(call(tmp_path, "init", "sums", "--folder", folder))
        assert "sums.yaml exists and" in line and _same((folder / "sums.yaml").lstat(), before)
        assert [one.name for one in folder.iterdir()] == ["sums.yaml"]
    assert "no folder" in mistake(call(tmp_path, "init", "sums", "--folder", "/dev/null"))
    assert "/dev/null/x" in mistake(call(tmp_path, "init", "sums", "--folder", "/dev/null/x"))


def test_init_leaves_its_own_files_as_they_are(tmp_path):
    assert call(tmp_path, "init", "sums").code == 0
    (tmp_path / "sums.yaml").rename(tmp_path / "kept.yaml")
    (tmp_path / "sums.yaml").symlink_to("kept.yaml")
    before = (tmp_path / "kept.yaml").stat()
    assert call(tmp_path, "init", "sums").code == 0
    assert (tmp_path / "sums.yaml").is_symlink() and (tmp_path / "kept.yaml").stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.slow
def test_export_makes_a_folder_of_nothing_else(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for target in ("/dev/null", tmp_path / "pipe", "/dev/null/x"):
        line = mistake(call(tmp_path, "export-model", "smollm2-135m", target))
        assert str(target) in line, line
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode) and stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.slow
def test_a_reader_that_ends_early_is_one_line(store, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    command = [sys.executable, "-m", "cli.main", "sql", "SELECT * FROM range(3000000)", "--format", "csv", "--output",
        str(tmp_path / "pipe")]  # fmt: skip
    with subprocess.Popen(["head", "-c", "1", tmp_path / "pipe"], stdout=subprocess.PIPE) as reader:
        done = subprocess.run(command, cwd=store, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True)
        reader.communicate(timeout=60)
    assert done.returncode == 2 and b"its reader has ended" in done.stderr and len(done.stderr.splitlines()) == 1


def test_json_to_a_file_is_whole(store, tmp_path):
    assert sql(store, tmp_path / "a.json", "json").code == 0
    assert json.loads((tmp_path / "a.json").read_text()) == [{"prompt": "a"}]
