"""Hostile names, folders, disks and stores: an export stays in its folder, is whole or not there, and runs nothing."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from curate.export.for_others import for_others, text_for_others
from curate.export.names import split_names
from curate.export.written import read_record
from curate.sources.remote.urls import shown_url
from curate.storage.store import Store
from schemas.yaml_text import yaml_text
from tests.command import ROOT, call, mistake
from tests.export.test_export import export, head
from tests.exporting import KINDS, UNPAIRED, of_kind, stored

pytestmark = pytest.mark.slow  # makes stores: seconds for the file

# Names ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("split", "name"),
    [
        ("train", "train"), ("训练", "训练"), ("測試-1", "測試_1"), ("тест", "тест"), ("../../etc/x", "etc_x"),
        ("a/b\\c", "a_b_c"),
        ("a\x00\x1b[2J\nb", "a_2J_b"), ("..", "split"), ("nul", "nul_rows"), ("COM1", "COM1_rows"), ("all", "all_rows"),
        ("refused", "refused_rows"), ("", "split"), ("~", "split"), ("$(rm -rf x)", "rm_rf_x"), ("a" * 300, "a" * 96),
        ("汉" * 300, "汉" * 32), ("\ud800x", "x"), ("e\u0301", "é"),
    ],
)  # fmt: skip
def test_a_split_has_a_name_that_every_system_takes(split, name):
    assert split_names([split]) == {split: name} and len(name.encode()) <= 96 + len("_rows")


def test_no_two_splits_have_one_name():
    splits = ["a.b", "a-b", "a_b", "A_B", "测试", "测-试", "🙂", "🙃", "ﬁ", "fi"]
    names = split_names(splits)
    assert list(names) == splits and len({name.casefold() for name in names.values()}) == len(splits)
    assert names["a_b"] == "a_b" and names["测试"] == "测试", "a name that needs no change keeps it"


def test_splits_of_any_script_are_loaded_by_their_names(tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = [{"prompt": f"{n}?", "completion": "a", "metadata": {"n": n}} for n in range(9)]
    stored(
        tmp_path / "kept", rows, "{type: sft}\nsplit: {测试: \"metadata->>'n' = '1'\", 验证: \"metadata->>'n' = '2'\"}"
    )
    for format in ("hub", "jsonl", "datasets"):
        done = export(tmp_path, format, "--format", format)
        assert done.out == f"{format}: {format}: 9 rows (7 train, 1 测试, 1 验证)\n" and "is called" not in done.err
        folder, cache = str(tmp_path / format), str(tmp_path / "cache")
        loaded = (
            datasets.load_from_disk(folder) if format == "datasets" else datasets.load_dataset(folder, cache_dir=cache)
        )
        assert set(loaded) == {"train", "测试", "验证"}, format


def test_a_stranger_s_names_stay_in_the_folder(tmp_path):
    """The dataset's name is of a stage, and the split's of a row: neither names a file outside."""
    import polars as pl

    of_kind(tmp_path / "kept", "sft")
    evil = "../../../evil\x1b[2J"
    for file in (tmp_path / "kept/store/stages").glob("datasets.*/stage.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"label": f"datasets.{evil}"}))
        for rows in file.parent.glob("sft-*.parquet"):
            pl.read_parquet(rows).with_columns(split=pl.lit(evil)).write_parquet(rows)
    for file in (tmp_path / "kept/store/runs").glob("*.json"):
        file.write_text(file.read_text().replace('"datasets.d"', json.dumps(f"datasets.{evil}")))
    before = tree(tmp_path / "kept")
    for format in ("hub", "llamafactory", "trl", "axolotl"):
        done = call(tmp_path, "export", evil, f"out-{format}", "--store", "kept/store", "--format", format)
        assert done.code == 0 and "\x1b" not in done.out + done.err, done
        names = {
            path.relative_to(tmp_path / f"out-{format}").as_posix() for path in (tmp_path / f"out-{format}").rglob("*")
        }
        assert any(name.startswith("data/evil_2J") for name in names) and "\x1b" not in "".join(names)
    assert tree(tmp_path / "kept") == before
    assert {path.name for path in tmp_path.iterdir()} == {
        "kept",
        "out-hub",
        "out-llamafactory",
        "out-trl",
        "out-axolotl",
    }


# Folders --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ("zero", "fifo", "folder", "nested", "list"))
def test_a_record_that_is_none_is_not_read(tmp_path, kind):
    record = tmp_path / ".gristmill.json"
    make = {
        "zero": lambda: record.symlink_to("/dev/zero"),
        "fifo": lambda: os.mkfifo(record),
        "folder": record.mkdir,
        "nested": lambda: record.write_text("[" * 10**5),
        "list": lambda: record.write_text("[1]"),
    }
    make[kind]()
    assert read_record(tmp_path) is None


def test_a_link_to_another_s_folder_is_filled_only_if_empty(tmp_path):
    of_kind(tmp_path / "kept", "sft")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/thesis.txt").write_text("all my work")
    (tmp_path / "link").symlink_to("theirs")
    for more in ((), ("--force",)):
        assert mistake(export(tmp_path, "link", *more))
    assert [path.name for path in (tmp_path / "theirs").iterdir()] == ["thesis.txt"]


def test_what_a_killed_export_left_is_no_hindrance(tmp_path):
    of_kind(tmp_path / "kept", "sft")
    (tmp_path / "out/.out.999999999.partial/data").mkdir(parents=True)
    assert export(tmp_path, "out").code == 0 and not (tmp_path / "out/.out.999999999.partial").exists()


def test_no_refused_is_of_the_format_hub(tmp_path):
    of_kind(tmp_path / "kept", "sft")
    assert "only the format hub" in mistake(export(tmp_path, "out", "--format", "jsonl", "--no-refused"))


# A full disk ----------------------------------------------------------------------------------------------------------

LIMITED = """
import resource, sys
from cli.main import main
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), most))  # like a full disk: no file may grow beyond
try:
    main()
finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))  # coverage writes its own file when the process ends
"""


@pytest.mark.parametrize("format", ("hub", "jsonl", "datasets", "csv"))
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, format):
    text = hashlib.shake_256(b"a").hexdigest(30_000)
    of_kind(tmp_path / "kept", "sft", [{"prompt": f"{n} {text}", "completion": text[n:]} for n in range(3)])
    assert export(tmp_path, "there", "--format", format).code == 0
    before = tree(tmp_path / "there")
    for name in ("there", "new"):
        done = limited(tmp_path, 20_000, name, "--format", format, "--force")
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
        assert "nothing more can be written" in done.stderr and "nothing is kept of the export" in done.stderr
    assert tree(tmp_path / "there") == before and {path.name for path in tmp_path.iterdir()} == {"kept", "there"}


def limited(folder, size, *arguments):
    command = [sys.executable, "-c", LIMITED, str(size), "export", "d", *arguments, "--store", "kept/store"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


# A stranger's store ---------------------------------------------------------------------------------------------------

OWN = """
from pathlib import Path
Path({mark!r}).write_text("it ran")
def score(response, **settings):
    raise SystemExit(3)
"""


def test_an_export_of_a_stranger_s_store_runs_and_writes_nothing(tmp_path, monkeypatch):
    """Its recipe names code, beside it and in a folder that is imported from; a template; a run that goes on."""
    of_kind(tmp_path / "kept", "sft")
    mark = tmp_path / "ran"
    for file in (tmp_path / "mine.py", tmp_path / "kept/mine.py", tmp_path / "sitecustomize.py"):
        file.write_text(OWN.format(mark=str(mark)))
    code = "{% set x = cycler.__init__.__globals__.os.system('touch ran') %}{{ x }}"
    (runs,) = [file for file in (tmp_path / "kept/store/runs").glob("*.json")]
    held = json.loads(runs.read_text())
    own = {"verb": "score", "use": "mine.score", "settings": {"prompt": code}}
    steps = [own, {"verb": "generate", "use": None, "settings": {"system": code}}]
    models = {"m": {"model": "x/y", "trust_remote_code": True, "chat_template": code}, code: {"model": code}}
    held["resolved"] |= {"completions": steps, "models": models, "name": code}
    runs.write_text(json.dumps(held))
    goes_on = held | {"run_id": f"{held['run_id']}9", "status": "running", "number": 99}
    (runs.parent / f"{goes_on['run_id']}.json").write_text(json.dumps(goes_on))
    (tmp_path / "kept/store/work").rmdir()
    before = tree(tmp_path / "kept")
    for format in ("hub", "trl", "jsonl"):
        done = export(tmp_path, f"out-{format}", "--format", format)
        assert done.code == 0, done.err
    assert not mark.exists() and tree(tmp_path / "kept") == before
    assert "mine.score" in (tmp_path / "out-hub/README.md").read_text()


AS_ANY_USER = """
import ctypes, os
if not os.getuid():  # root may write whatever the modes say: without its capabilities it may not
    head, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(head, none) == 0
from cli.main import main
main()
"""


def test_a_store_that_may_only_be_read_is_exported(tmp_path):
    of_kind(tmp_path / "kept", "sft")
    paths = [tmp_path / "kept", *(tmp_path / "kept").rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    command = [sys.executable, "-c", AS_ANY_USER, "export", "d", "out", "--store", "kept/store"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    for path in paths:
        path.chmod(0o755)
    assert done.returncode == 0 and done.stdout == "hub: out: 4 rows (4 train)\n", done.stderr


def test_a_store_without_its_folder_of_stages_is_said(tmp_path):
    (tmp_path / "kept").mkdir()
    Store(tmp_path / "kept/store", durable=False)
    (tmp_path / "kept/store/stages").rmdir()
    assert "no folder 'stages'" in mistake(export(tmp_path, "out")) and not (tmp_path / "kept/store/stages").exists()


def tree(folder: Path) -> dict[str, str]:
    """Return every path below a folder, with the hash of its content."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


# What others may see --------------------------------------------------------------------------------------------------

RECIPE = {
    "models": {
        "key": {
            "model": "/home/me/secret-project/m",
            "base_url": "https://gpu7.corp.example/v1",
            "api_key_env": "CORP",
        },
        "v": {"model": "org/m", "engine": "vllm", "args": ["--api-key", "sesame"], "chat_template": "~/x/t.jinja"},
    },
    "prompts": [
        {"source": {"path": "https://me:pw@data.example/a.jsonl?sig=abc"}},
        {"source": {"sql": "SELECT * FROM postgres_scan('postgres://u:pw@db.corp/x', 'host=10.0.0.5 user=me')"}},
        {"source": {"sql": "SELECT * FROM 'hf://datasets/org/rivers/a.parquet'"}},
    ],
}
SECRETS = ("corp", "home", "sesame", "pw", "abc", "10.0.0.5", "CORP", "~")


def test_a_recipe_for_others_tells_no_server_and_no_folder():
    shown = yaml_text(for_others(RECIPE))
    assert not [secret for secret in SECRETS if secret in shown], shown
    for part in ("key:", "model: m", "org/m", "t.jinja", "data.example/a.jsonl", "postgres://...", "hf://datasets/org"):
        assert part in shown, part


def test_a_recipe_s_text_of_earlier_versions_is_shown_so():
    shown = text_for_others(yaml_text(RECIPE))
    assert "gpu7" not in shown and "api_key_env" not in shown and "/home/me" not in shown and "model: m" in shown


def test_an_address_that_is_none_is_shown():
    assert shown_url("http://[::1/x?key=abc") == "http://..."


def test_the_card_has_no_server(tmp_path):
    model = "{engine: openai, base_url: 'https://gpu7.corp.example/v1', model: big, api_key_env: CORP_KEY}"
    stored(tmp_path / "kept", UNPAIRED, f"{KINDS['unpaired'][1]}\nmodels: {{m: {model}}}")
    assert export(tmp_path, "out").code == 0
    text = "".join(path.read_text(errors="replace") for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert "corp.example" not in text and "CORP_KEY" not in text and "`m` (`big`)" in text
    assert head((tmp_path / "out/README.md").read_text())["pretty_name"] == "d"
