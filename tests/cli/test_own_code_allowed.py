"""Code beside a recipe: found without running it, run once the user has said yes, and asked about when it changes."""

import json
import os
import pty
import select
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import ROOT, call, mistake, process

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("asked")]

STEP = """
from pathlib import Path

from my import helper

Path("marker").write_text("ran")


def score(response):
    return response.str.len_chars() * helper.FACTOR
"""
RECIPE = """
name: r
prompts: [{source: rows.jsonl}]
completions: [{score: length}, {score: my.hedging}]
datasets: {sft: {type: sft, select: best_of_n, by: hedging}}
"""
PLAIN = RECIPE.replace(", {score: my.hedging}", "").replace("by: hedging", "by: length")
ROW = {"prompt": "Name a river.", "completions": ["Rhine", "The Rhine."]}


@pytest.fixture
def folder(tmp_path):
    """A recipe of a stranger's, with a step that leaves a marker where it is imported."""
    made = tmp_path / "stranger"
    (made / "my").mkdir(parents=True)
    (made / "my" / "hedging.py").write_text(STEP)
    (made / "my" / "helper.py").write_text("FACTOR = 1\n")
    (made / "rows.jsonl").write_text(json.dumps(ROW) + "\n")
    (made / "r.yaml").write_text(RECIPE)
    return made


def has_run(folder):
    return (folder / "marker").exists()


@pytest.mark.parametrize("command", ["check", "run", "train", "evaluate"])
def test_nothing_runs_without_a_yes(folder, command):
    said = mistake(process(folder, command, "r.yaml"))
    assert not has_run(folder) and not (folder / "store").exists()
    assert said.startswith("r.yaml:4: would run my/hedging.py and 1 file beside it (sha256 ")
    assert "--allow-code" in said and "GRISTMILL_ALLOW_CODE=1" in said


def test_a_yes_is_remembered_until_the_code_changes(folder, asked):
    assert process(folder, "run", "r.yaml", "--allow-code").code == 0
    assert has_run(folder)
    (folder / "marker").unlink()
    assert process(folder, "check", "r.yaml").code == 0
    assert has_run(folder)
    (folder / "marker").unlink()
    file = asked / "allowed_code.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and len(json.loads(file.read_text())) == 1
    (folder / "my" / "helper.py").write_text("FACTOR = 2\n")  # what the step imports
    assert "would run my/hedging.py" in mistake(process(folder, "run", "r.yaml"))
    assert not has_run(folder)
    (folder / "my" / "helper.py").write_text("FACTOR = 1\n")
    assert process(folder, "run", "r.yaml").code == 0


def test_check_lists_the_code_and_checks_what_is_above_it(folder):
    done = call(folder, "check", "r.yaml")
    assert done.code == 2 and "  runs     my/hedging.py and 1 file beside it (sha256 " in done.out
    assert "not allowed yet: --allow-code" in done.out
    assert f"  reads    {folder / 'rows.jsonl'}" in done.out
    (folder / "r.yaml").write_text(RECIPE.replace("score: length", "score: lenght"))
    assert "did you mean 'length'?" in mistake(call(folder, "check", "r.yaml"))
    assert not has_run(folder)


def test_the_variable_allows_and_remembers_nothing(folder, asked, monkeypatch):
    monkeypatch.setenv("GRISTMILL_ALLOW_CODE", "1")
    assert call(folder, "run", "r.yaml").code == 0
    assert has_run(folder) and not asked.exists()
    monkeypatch.setenv("GRISTMILL_ALLOW_CODE", "0")
    assert call(folder, "run", "r.yaml").code == 2


def test_compiled_code_beside_the_source_never_runs(folder):
    """Python runs a compiled file of this form without a look at the source that the user has read."""
    evil = folder.parent / "evil.py"
    evil.write_text("FACTOR = 1\nopen('stolen', 'w').close()\n")
    code = (
        "import py_compile, sys; py_compile.compile(sys.argv[1], sys.argv[2], "
        "invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)"
    )
    target = folder / "my" / "__pycache__" / f"helper.{sys.implementation.cache_tag}.pyc"
    subprocess.run([sys.executable, "-c", code, evil, target], check=True)
    assert process(folder, "run", "r.yaml", "--allow-code").code == 0
    assert has_run(folder) and not (folder / "stolen").exists()


@pytest.mark.parametrize(
    ("more", "runs"),
    [
        ("train: {t: {trainer: my.loud, dataset: sft, model: m}}", "my/loud.py"),
        ("evaluate: {models: [m], dataset: sft, by: [my.other]}", "my/other.py"),
    ],
)
def test_trainers_and_scorers_of_evaluate_are_asked_about(folder, more, runs):
    for name in ("loud", "other"):
        (folder / "my" / f"{name}.py").write_text("open('marker', 'w').close()\n")
    models = f"models: {{m: '{folder}'}}\n"
    (folder / "r.yaml").write_text(models + PLAIN + more)
    assert f"would run {runs} and 3 files beside it" in mistake(call(folder, "run", "r.yaml"))
    assert not has_run(folder)


@pytest.mark.parametrize(
    ("model", "runs"),
    [
        ("{model: org/name, trust_remote_code: true}", "would run the code of the hub's model org/name, whatever"),
        ("{model: org/name, engine: vllm, python: bin/tool}", "/stranger/bin/tool (sha256 "),
        (
            "{model: org/name, engine: vllm, python: bin/tool, args: [--middleware=my.evil]}",
            "arguments --middleware=my.ev",
        ),
    ],
)
def test_programs_and_models_code_are_asked_about(folder, model, runs):
    (folder / "bin").mkdir()
    (folder / "bin" / "tool").write_text("#!/bin/sh\ntouch marker\n")
    (folder / "bin" / "tool").chmod(0o755)
    (folder / "r.yaml").write_text(f"models: {{m: {model}}}\n" + PLAIN)
    done = call(folder, "check", "r.yaml")
    assert "not allowed yet" in done.out and runs.removeprefix("would run ") in done.out
    assert "which is not allowed yet" in mistake(done)
    assert not has_run(folder)


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 2), ("", 2)])
def test_on_a_terminal_the_user_is_asked(folder, answer, code):
    out, inner = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k != "CI"} | {"PYTHONPATH": str(ROOT), "TERM": "xterm"}
    command = [sys.executable, "-m", "cli.main", "run", "r.yaml"]
    started = subprocess.Popen(command, cwd=folder, env=environment, stdin=inner, stdout=inner, stderr=inner)
    os.close(inner)
    seen, answered = "", False
    while started.poll() is None or select.select([out], [], [], 0)[0]:
        if not select.select([out], [], [], 60)[0]:
            break
        try:
            new = os.read(out, 4096).decode(errors="replace")
        except OSError:  # it has ended
            break
        seen += new
        if "Run it? [y/N]" in seen and not answered:
            assert not has_run(folder)
            os.write(out, f"{answer}\n".encode())
            answered = True
    assert started.wait(60) == code, seen
    assert "the recipe runs my/hedging.py and 1 file beside it (sha256 " in seen and "  my/helper.py" in seen
    assert has_run(folder) == (code == 0)


def test_a_damaged_memory_is_named(folder, asked):
    asked.mkdir(parents=True)
    (asked / "allowed_code.json").write_text("{")
    assert f"{asked / 'allowed_code.json'}: is no JSON" in mistake(call(folder, "run", "r.yaml"))
    (asked / "allowed_code.json").write_text('{"a": 1}')
    assert "expected a mapping of texts to texts" in mistake(call(folder, "run", "r.yaml"))


@pytest.mark.slow
def test_no_process_imports_from_the_current_folder(tmp_path):
    for name in ("fractions", "json", "re", "sympy", "token"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'a').write('x')\nraise ImportError\n")
    row = {"prompt": "expand?", "completion": "It is \\boxed{(x+1)^2}", "ground_truth": "x^2+2x+1"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "r.yaml").write_text(
        "name: r\nprompts: [{source: rows.jsonl}]\ncompletions: [{score: math}]\n"
        "datasets: {sft: {type: sft, by: math}}\n"
    )
    for command in ("check", "run"):
        done = subprocess.run(
            [str(Path(sys.executable).parent / "gristmill"), command, "r.yaml"], cwd=tmp_path, capture_output=True,
            text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ran").exists() and "mean 1.000" in done.stderr
