"""The hash of code: it changes with the code that a function depends on, and with nothing else."""

import importlib.util
import sys

import pytest

from curate.steps import code_hash as module
from curate.steps.code_hash import code_hash, reachable

SOURCE = {
    "tool.py": """
'''A module.'''
from helper import LIMIT, size
import other

FACTOR = 2
UNUSED = 3


def score(text, *, words=True):
    '''Score texts.'''
    def inner(one):
        return size(one) * FACTOR
    return [inner(one) for one in text if other.fits(one)]


def unused():
    return UNUSED
""",
    "helper.py": """
LIMIT = 5


class Counter:
    def count(self, text: str) -> int:
        return min(len(text), LIMIT)


def size(text):
    from late import scale
    return Counter().count(text) * scale()


def never():
    return 0
""",
    "other.py": """
def fits(text):
    return True


def unfit(text):
    return False
""",
    "late.py": """
def scale(): return 1
""",
}


@pytest.fixture
def hashed(tmp_path, monkeypatch):
    """A function that writes the files, with edits (file, old, new), and hashes ``tool.score``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(*edits):
        texts = dict(SOURCE)
        for file, old, new in edits:
            assert old in texts[file]
            texts[file] = texts[file].replace(old, new)
        for file, text in texts.items():
            (tmp_path / file).write_text(text, encoding="utf-8")
            sys.modules.pop(file.removesuffix(".py"), None)
        for cached in (module._parse, module._code, module._references, module._file):
            cached.cache_clear()
        spec = importlib.util.spec_from_file_location("tool", tmp_path / "tool.py")
        tool = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "tool", tool)
        spec.loader.exec_module(tool)
        importlib.import_module("late")
        return code_hash(tool.score)

    return make


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("tool.py", "FACTOR = 2", "FACTOR = 4"),
        ("tool.py", "* FACTOR", "+ FACTOR"),
        ("tool.py", "words=True", "words=False"),
        ("tool.py", "other.fits", "other.unfit"),
        ("helper.py", "LIMIT = 5", "LIMIT = 6"),
        ("helper.py", "min(len", "max(len"),
        ("other.py", "return True", "return not text"),
        ("late.py", "return 1", "return 2"),
        ("helper.py", "text: str) -> int", "text: str) -> float"),
        ("helper.py", "LIMIT = 5", "LIMIT = 5\nprint()"),
    ],
)
def test_an_edit_of_what_it_depends_on_changes_it(hashed, file, old, new):
    assert hashed((file, old, new)) != hashed()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("tool.py", "A module.", "Another."),
        ("tool.py", "Score texts.", "Score them."),
        ("tool.py", "UNUSED = 3", "UNUSED = 4"),
        ("tool.py", "def unused():\n    return UNUSED", ""),
        ("helper.py", "return 0", "return 1"),
        ("other.py", "return False", "return 0"),
        ("late.py", "def scale(): return 1", "def scale():\n\n    return (1)"),
    ],
)
def test_an_edit_of_anything_else_does_not(hashed, file, old, new):
    assert hashed((file, old, new)) == hashed()


def test_the_place_of_a_definition_does_not_matter(hashed):
    moved = hashed(
        ("helper.py", "LIMIT = 5", "from late import LIMIT"),
        ("late.py", "def scale()", "LIMIT = 5\n\n\ndef scale()"),
    )
    assert moved == hashed()


def test_a_name_bound_inside_a_function_is_no_name_of_the_module():
    def place(one):
        return one

    found = {one.name for one in reachable(place)}
    assert "place" not in found and "test_a_name_bound_inside_a_function_is_no_name_of_the_module" in found
