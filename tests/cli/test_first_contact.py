"""What a newcomer meets: help by topic, the list of recipes, completion, --quiet, and command lines to paste."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from cli.jobs import JOBS
from cli.main import app
from cli.program import COMMANDS, TOPICS, with_program
from cli.shipped_recipes import TOPICS as RECIPE_TOPICS
from cli.shipped_recipes import recipe_names
from tests.command import ROOT, call, mistake, process

ROW = '{"prompt": "Q?", "completions": ["a", "bb"]}\n'
RECIPE = """\
name: small
prompts:
  - source: rows.jsonl
completions:
  - score: length
datasets:
  sft: {type: sft, select: best_of_n, by: length}
"""


def write(folder, recipe=RECIPE):
    (folder / "r.yaml").write_text(recipe)
    (folder / "rows.jsonl").write_text(ROW)


def test_help_has_every_command_in_one_topic(tmp_path):
    every = {getattr(one.callback, "__name__", "").replace("_", "-") for one in app.registered_commands}
    listed = [name for names in TOPICS.values() for name in names]
    assert sorted(listed) == sorted(every) == sorted(COMMANDS)
    bare, helped = call(tmp_path), call(tmp_path, "--help")
    assert bare.code == helped.code == 0 and bare.out.strip() == helped.out.strip() and bare.err == ""
    assert [line[:-1] for line in bare.out.splitlines() if line[:-1] in TOPICS] == list(TOPICS)
    assert all(re.search(rf"^  {name} +[A-Z].*[^.]\.$", bare.out, re.MULTILINE) for name in listed), "a whole line each"
    assert "'gristmill COMMAND --help'" in bare.out


@pytest.mark.parametrize("words", [("init",), ("init", "--list")])
def test_init_alone_lists_jobs_and_recipes(tmp_path, words):
    done = call(tmp_path, *words)
    assert done.code == 0 and list(tmp_path.iterdir()) == []
    jobs, recipes = done.out.split("\n\n", 1)
    commands = [line.split("gristmill init ")[1] for line in jobs.splitlines()[1:]]
    assert commands == list(JOBS.values()) and set(commands) - {"train FILE"} <= set(recipe_names())
    named = [line.split()[0] for line in recipes.splitlines() if line.startswith("  ")]
    assert sorted(named) == recipe_names() and len(named) == len(set(named))
    assert all(f"{topic}:" in done.out.splitlines() for topic in RECIPE_TOPICS)
    assert "next: gristmill init NAME" in done.out


def test_init_copies_a_recipe_that_a_folder_is_named_like(tmp_path):
    first, again = (call(tmp_path, "init", "sums", "--folder", "sums") for _ in range(2))
    assert (again.code, again.out) == (0, first.out) and (tmp_path / "sums" / "sums.yaml").is_file()
    beside = call(tmp_path, "init", "sums").out.splitlines()
    assert "sums, which is here too, was not read: gristmill init train sums is for data" in beside
    (tmp_path / "mine").mkdir()
    assert "meant is 'gristmill init train mine'" in mistake(call(tmp_path, "init", "mine"))


def test_init_list_names_the_option(tmp_path):
    assert mistake(call(tmp_path, "init", "list")).endswith("meant is 'gristmill init --list'")


# Completion -----------------------------------------------------------------------------------------------------------


def program(folder):
    """Make a program called gristmill in a folder of its own."""
    folder.mkdir(parents=True)
    file = folder / "gristmill"
    file.write_text(f"#!{sys.executable}\nimport sys\nfrom cli.main import main\nsys.exit(main())\n")
    file.chmod(0o755)
    return file


def environment(*folders):
    path = os.pathsep.join([*map(str, folders), "/usr/bin", "/bin"])
    return {"PATH": path, "PYTHONPATH": str(ROOT), "HOME": "/nowhere"}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes_commands_options_and_names(tmp_path):
    work = tmp_path / "work"
    (work / "mine").mkdir(parents=True)
    write(work)
    bin = program(tmp_path / "bin").parent
    wanted = {
        "gristmill tr": ["train"],
        "gristmill run ": ["mine/", "r.yaml"],
        "gristmill run r": ["r.yaml"],
        "gristmill run r.yaml --qu": ["--quiet"],
        "gristmill init nois": ["noise", "noise_filtered"],
        "gristmill show pro": ["prompts"],
        "gristmill completion f": ["fish"],
    }
    lines = ['eval "$(gristmill completion bash)"', "compopt() { :; }"]
    for typed in wanted:
        words = [*typed.split(), *([""] if typed.endswith(" ") else [])]
        lines += [
            f"COMP_WORDS=({' '.join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}",
            '_gristmill_completion gristmill; (IFS=,; echo "${COMPREPLY[*]}")',
        ]
    done = subprocess.run(
        ["bash", "--norc", "-c", "\n".join(lines)], cwd=work, env=environment(bin), capture_output=True, text=True
    )
    assert done.stderr == "" and [sorted(line.split(",")) for line in done.stdout.splitlines()] == list(wanted.values())


@pytest.mark.parametrize(
    ("shell", "word"), [("bash", "complete -o default"), ("zsh", "compdef"), ("fish", "--command")]
)
def test_completion_prints_a_script_for_each_shell(tmp_path, shell, word):
    done = call(tmp_path, "completion", shell)
    assert done.code == 0 and word in done.out and done.out.startswith("# ") and "_GRISTMILL_COMPLETE" in done.out


# Command lines to paste -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_printed_commands_work_without_the_path(tmp_path):
    file = program(tmp_path / ".venv" / "bin")

    def ran(*arguments):
        done = subprocess.run(
            [str(file.relative_to(tmp_path)), *arguments],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout, done.stderr

    code, out, err = ran("init", "clean")
    assert code == 0 and "next: .venv/bin/gristmill check clean.yaml" in out
    command = out.split("next: ")[1].strip()
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "'.venv/bin/gristmill run RECIPE' makes one" in ran("show")[2]
    assert "'.venv/bin/gristmill COMMAND --help'" in ran()[1]


def test_only_command_lines_get_the_path(monkeypatch):
    monkeypatch.setattr("cli.program.program", lambda: ".venv/bin/gristmill")
    for text, wanted in {
        "'gristmill run r.yaml' makes it": "'.venv/bin/gristmill run r.yaml' makes it",
        "gristmill --debug run": ".venv/bin/gristmill --debug run",
        "upgrade gristmill, or": "upgrade gristmill, or",
        "made by gristmill 9.0": "made by gristmill 9.0",
        "gristmill reads format 1": "gristmill reads format 1",
        "/a/gristmill run": "/a/gristmill run",
    }.items():
        assert with_program(text) == wanted


@pytest.mark.slow
def test_quiet_shows_warnings_and_the_result_alone(tmp_path):
    write(tmp_path, RECIPE.replace("by: length}", 'by: length, where: "length > 100"}'))
    done = process(tmp_path, "run", "r.yaml", "--quiet")
    assert done.code == 0 and done.out.startswith("store: store")
    assert [line.split(":")[0] for line in done.err.splitlines()] == ["warning"]
    write(tmp_path)
    assert process(tmp_path, "run", "r.yaml", "-q").err == ""


def test_every_command_with_progress_can_be_quiet(tmp_path):
    for command in ("demo", "run", "train", "evaluate", "compare", "chat", "export-model"):
        assert "--quiet" in call(tmp_path, command, "--help").out, command
