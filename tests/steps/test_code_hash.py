"""The hash of code: it changes with the code that a function depends on, and with nothing else."""

import importlib.util
import sys

import pytest

from curate.steps import code_hash as module
from curate.steps.code_hash import Definition, code_hash, reachable

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
        for cached in (module._parse, module._code, module._references, module._resolve, module._file):
            cached.cache_clear()
        spec = importlib.util.spec_from_file_location("tool", tmp_path / "tool.py")
        assert spec and spec.loader
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


# Code before and after: the same tokens, or the same names, and another meaning.
MEANINGS = [
    ("    for one in text:\n        size(1)\n    return 1", "    for one in text:\n        size(1)\n        return 1"),
    ("    if text:\n        size(text)\n    size(1)", "    if text:\n        size(text)\n        size(1)"),
    ("    if text:\n        size(1)\n    else:\n        size(2)", "    if text:\n        size(1)\n    size(2)"),
    ("    return text and (text or size) and LIMIT", "    return text and (text or size or LIMIT)"),
    ("    return max(min(text, LIMIT), size)", "    return max(min(text, LIMIT, size))"),
    ("    from math import floor as f\n    return f(text)", "    from math import ceil as f\n    return f(text)"),
    ("    from helper import size as f, never as g\n    return f(g())",
     "    from helper import never as f, size as g\n    return f(g())"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), MEANINGS)
def test_code_of_another_meaning_has_another_hash(hashed, before, after):
    body = SOURCE["tool.py"][SOURCE["tool.py"].index("    def inner") : SOURCE["tool.py"].index("def unused")]
    assert hashed(("tool.py", body, before + "\n\n\n")) != hashed(("tool.py", body, after + "\n\n\n"))


# How a user's file may bind a step ``made``, and an edit that changes what the step returns.
OWN = [
    ("made = lambda text: 1", "lambda text: 1", "lambda text: 2"),
    ("def make(n):\n    def inner(text):\n        return n\n    return inner\nmade = make(3)", "make(3)", "make(4)"),
    ("WORDS = set()\nfor one in ('a', 'b'):\n    WORDS.add(one)\ndef made(text):\n    return WORDS", "'b'", "'c'"),
    ("import math as m\ndef made(text):\n    return m.floor(text)", "math as m", "cmath as m"),
    ("import lib.words\ndef made(text):\n    return lib.words.LIMIT", None, None),
    ("from lib.words import LIMIT\ndef made(text):\n    return LIMIT", None, None),
    ("from lib.words import *\ndef made(text):\n    return LIMIT", None, None),
    ("from lib import words\ndef made(text):\n    return words, words.LIMIT", None, None),
]


@pytest.mark.parametrize(("source", "old", "new"), OWN)
def test_an_edit_of_a_users_step_or_of_its_neighbour_changes_it(tmp_path, monkeypatch, source, old, new):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lib").mkdir()

    def made(text, limit):
        (tmp_path / "own.py").write_text(text, encoding="utf-8")
        (tmp_path / "lib" / "words.py").write_text(f"LIMIT = {limit}\n", encoding="utf-8")
        for cached in (module._parse, module._code, module._references, module._resolve, module._file):
            cached.cache_clear()
        return code_hash(Definition(tmp_path / "own.py", "made"))

    assert made(source, 1) != (made(source.replace(old, new), 1) if old else made(source, 2))


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


def test_what_a_training_shows_is_no_part_of_its_hash():
    from train.trainers.sft import train

    files = {one.file.relative_to(module.ROOT).as_posix() for one in reachable(train)}
    assert "train/fit.py" in files and not [one for one in files if one.startswith("train/reports/")]
