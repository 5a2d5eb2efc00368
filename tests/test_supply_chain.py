"""Nothing that comes from outside is unpickled, and nothing asks the network unless the user's recipe does."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from cli.shipped_recipes import RECIPES

ROOT = Path(__file__).parent.parent
FILES = sorted(file for name in ("schemas", "curate", "train", "cli") for file in (ROOT / name).rglob("*.py"))
PICKLING = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
# What unpickles where it is not told otherwise: the argument that must be there, and its value.
PICKLED = ("allow_pickle", False)
LOADERS = {"torch.load": ("weights_only", True), "np.load": PICKLED, "numpy.load": PICKLED}
OWN_CODE = {
    "curate/verifiers/sandbox/inner_modules.py",  # sends our own compiled modules into the sandbox
    "curate/models/broken_weights.py",  # names pickle's error, and loads nothing
}


def unsafe(name: str, tree: ast.AST) -> list[str]:
    """Return what in a module may unpickle, or run code that comes with weights or a data set."""
    found = []
    for node in ast.walk(tree):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        found += [f"imports {one}" for one in modules if one.split(".")[0] in PICKLING and name not in OWN_CODE]
        if not isinstance(node, ast.Call):
            continue
        given = {one.arg: one.value.value for one in node.keywords if isinstance(one.value, ast.Constant)}
        called = ast.unparse(node.func)
        if called in LOADERS and given.get(LOADERS[called][0]) is not LOADERS[called][1]:
            found.append(f"{called} without {LOADERS[called][0]}={LOADERS[called][1]}")
        allowed = (("allow_pickle", True), ("weights_only", False), ("trust_remote_code", True))
        if any(given.get(name) is value for name, value in allowed):
            found.append(f"{called} is allowed to run what it reads")
    return [f"{name}:{one}" for one in found]


def test_no_module_unpickles_or_trusts_code_of_a_model():
    assert len(FILES) > 500
    trees = {str(file.relative_to(ROOT)): ast.parse(file.read_text("utf-8")) for file in FILES}
    assert [one for name, tree in trees.items() for one in unsafe(name, tree)] == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle", "from joblib import load", "import marshal as m", "torch.load(f)", "np.load(f)",
        "torch.load(f, weights_only=False)", "np.load(f, allow_pickle=True)",
        "AutoModel.from_pretrained(f, trust_remote_code=True)",
    ],
)  # fmt: skip
def test_what_would_unpickle_is_found(code):
    assert unsafe("x.py", ast.parse(code))


# Records each call that would leave the machine, or ask where a name is, and refuses it.
RECORDER = """
import os, socket, sys

def note(event, args):
    kinds = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.bind")
    if event in kinds and getattr(args[0], "family", None) != socket.AF_UNIX:
        with open(os.environ["RECORD"], "a") as file:
            file.write(f"{event} {args[1:] or args!r} {sys.argv}\\n")
        raise OSError("no network in this test")

sys.addaudithook(note)
"""
SMALL = """\
name: small
prompts:
  - source: questions.jsonl
  - dedup: {use: minhash, threshold: 0.6, ngram: 1}
completions:
  - score: {use: regex, pattern: Gristmill, literal: true, as: named}
datasets:
  sft: {type: sft, select: best_of_n, by: named}
  held_out: {type: prompt, by: named}
split: {test: 0.2}
"""
COMMANDS = (
    ["init", "demo", "--folder", "copy"],
    ["run", "small.yaml"],
    ["run", "small.yaml"],
    ["show"],
    ["show", "costs"],
    ["sql", "SELECT count(*) FROM sft"],
    ["sql", "SELECT strftime(made_at, '%Y'), to_json({'a': 1}), now()::TIMESTAMPTZ FROM stages"],
    ["doctor"],
    ["steps", "score"],
)


# Runs commands, one after the other, in one process, and says how each ended.
MANY = """
import json, sys
from cli.main import main
for command in json.loads(sys.argv.pop()):
    sys.argv = ["gristmill", *command]
    try:
        main()
    except SystemExit as end:
        print("ended", end.code)
"""


def run(folder: Path, commands: Sequence[list[str]]) -> list[str]:
    """Run commands in a process that records what asks for the network, and that has none where that can be.

    Returns:
        How each ended, such as ``ended 0``.
    """
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(RECORDER)
    names = ("GRISTMILL_", "HF_", "TRANSFORMERS_", "DO_NOT_TRACK", "PYTEST")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(names)}
    environment |= {"PYTHONPATH": f"{folder / 'site'}:{ROOT}", "RECORD": str(folder / "record"), "HOME": str(folder)}
    cut_off = ["unshare", "--map-root-user", "--net"]
    can = shutil.which("unshare") and subprocess.run([*cut_off, "true"], capture_output=True).returncode == 0
    command = [*(cut_off if can else []), sys.executable, "-c", MANY, json.dumps(commands)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert "Traceback" not in done.stderr and "bug in gristmill" not in done.stderr, done
    return [line for line in done.stdout.splitlines() if line.startswith("ended ")]


@pytest.mark.slow
def test_no_command_asks_the_network_unasked(tmp_path):
    questions = (RECIPES / "questions.jsonl").read_text(encoding="utf-8").splitlines()[:40]
    rows = [json.loads(line) | {"completions": ["I am Gristmill.", "I am a model."]} for line in questions]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "small.yaml").write_text(SMALL)
    assert run(tmp_path, COMMANDS) == ["ended 0"] * len(COMMANDS)
    assert not (tmp_path / "record").exists(), (tmp_path / "record").read_text()


@pytest.mark.slow
def test_the_recorder_records(tmp_path):
    (tmp_path / "r.yaml").write_text("name: r\nprompts:\n  - source: http://127.0.0.1:9/rows.jsonl\n")
    assert run(tmp_path, [["run", "r.yaml"]]) == ["ended 2"]
    assert "socket." in (tmp_path / "record").read_text()
