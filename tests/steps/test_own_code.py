"""Which files belong to code of the user's own, and when it may run from Python."""

import pytest

from curate import call_step, only_allowed, plan
from curate.steps import own_files
from curate.steps.own_code import CodeNotAllowed, allow, module_code, not_allowed
from curate.steps.own_files import module_files
from schemas.errors import UserError

STEP = "def score(response):\n    return response.str.len_chars()\n"


@pytest.fixture
def folder(tmp_path, monkeypatch, asked):
    """The current folder, with a package ``my``, and files beside it."""
    made = tmp_path / "here"
    (made / "my" / "deep").mkdir(parents=True)
    (made / "other" / ".hidden").mkdir(parents=True)
    for name in ("my/step.py", "my/deep/more.py", "other/used.py", "other/.hidden/x.py", "unused.py", "single.py"):
        (made / name).write_text(STEP)
    monkeypatch.chdir(made)
    return made


def names(folder, file):
    return [str(one.relative_to(folder)) for one in module_files(folder / file)]


def test_a_package_belongs_together_with_what_it_imports(folder):
    assert names(folder, "my/step.py") == ["my/deep/more.py", "my/step.py"]
    (folder / "my" / "deep" / "more.py").write_text(
        "def f():\n    from other.used import score\n    import json, numpy\n"
    )
    assert names(folder, "my/step.py") == ["my/deep/more.py", "my/step.py", "other/used.py"]
    (folder / "other" / "native.so").write_bytes(b"")
    assert "other/native.so" in names(folder, "my/step.py")


def test_names_that_this_python_lacks_and_odd_folders_belong(folder):
    (folder / "winreg.py").write_text(STEP)  # a module of Python's on another system
    (folder / "my" / "step.py").write_text(
        "import winreg\nfrom . import json\nfrom my.__pycache__ import odd\nfrom my.link import z\n"
    )
    (folder / "json.py").write_text(STEP)
    (folder / "my" / "__pycache__").mkdir()
    (folder / "my" / "__pycache__" / "odd.py").write_text(STEP)
    (folder / "my" / "__pycache__" / "step.cpython-311.pyc").write_bytes(b"")
    (folder / "my" / "link").symlink_to(folder / "other")
    (folder / "other" / "up").symlink_to(folder / "my")
    found = names(folder, "my/step.py")
    assert {"winreg.py", "json.py", "my/__pycache__/odd.py", "my/link/used.py"} <= set(found)
    assert "my/__pycache__/step.cpython-311.pyc" not in found


def test_a_module_at_the_top_belongs_with_the_others_there(folder):
    assert names(folder, "single.py") == ["single.py", "unused.py"]


def test_a_file_that_is_no_python_is_hashed_all_the_same(folder):
    before = module_code(folder / "my" / "step.py").digest
    (folder / "my" / "deep" / "more.py").write_bytes(b"\xff\x00 def (")
    assert module_code(folder / "my" / "step.py").digest != before


def test_too_many_files_are_refused(folder, monkeypatch):
    monkeypatch.setattr(own_files, "MOST", 1)
    with pytest.raises(UserError, match="over 1 files of code belong with it"):
        module_files(folder / "my" / "step.py")


def test_a_program_runs_its_own_code_and_may_choose_not_to(folder):
    rows = {"response": ["a", "bc"]}
    assert call_step("score", "my.step", rows["response"])["value"].to_list() == [1.0, 2.0]
    recipe = {"name": "r", "prompts": [{"source": "rows.jsonl"}], "completions": [{"score": "my.step"}]}
    with only_allowed():
        with pytest.raises(CodeNotAllowed, match="would run my/step.py and 1 file beside it"):
            call_step("score", "my.step", rows["response"])
        with pytest.raises(CodeNotAllowed, match=r"^recipe: completions\[0\]: would run my/step.py"):
            plan(recipe)
        allow([module_code(folder / "my" / "step.py")])
        assert call_step("score", "my.step", rows["response"])["value"].to_list() == [1.0, 2.0]
    with only_allowed():
        assert not_allowed([module_code(folder / "my" / "step.py")]) == []
