"""A current folder that somebody removed: one line says so, and what needs no folder still works."""

import os

import pytest

from cli.shipped_recipes import RECIPES
from curate.steps.current_folder import current_folder
from schemas.errors import UserError
from tests.command import process

GONE = "the current folder is not there any more; go to another one, as with cd"


def in_no_folder(tmp_path, *arguments):
    """Run a command in a folder that is removed before it begins."""
    folder = tmp_path / "gone"
    folder.mkdir()
    lines = (
        "import os, sys",
        f"os.rmdir({str(folder)!r})",
        f"sys.argv = ['gristmill', *{list(arguments)!r}]",
        "from cli.main import main",
        "main()",
    )
    return process(folder, code="; ".join(lines))


def test_the_current_folder_is_found_or_said_to_be_gone(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert current_folder() == tmp_path / "here"
    os.rmdir(tmp_path / "here")
    with pytest.raises(UserError, match=GONE):
        current_folder()


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("show",),
        ("sql", "SELECT 1"),
        ("run", str(RECIPES / "pile.yaml")),
        ("run", str(RECIPES / "pile.yaml"), "--set", "datasets={}", "--store", "{}/store"),
    ],
)
def test_a_command_in_a_folder_that_is_gone_ends_in_one_line(tmp_path, words):
    done = in_no_folder(tmp_path, *(word.format(tmp_path) if "{}/" in word else word for word in words))
    assert (done.code, done.err) == (2, f"error: {GONE}\n")


@pytest.mark.slow
def test_what_needs_no_folder_works_without_one(tmp_path):
    assert in_no_folder(tmp_path, "--version").out.startswith("gristmill ")
