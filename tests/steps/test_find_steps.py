"""Finding steps by name, also in the user's own files, and the errors where there is none."""

import os

import polars as pl
import pytest

from curate.steps.code_hash import code_hash
from curate.steps.find_step import find_step
from curate.steps.settings import check_reads, check_settings
from schemas.errors import UserError

OWN = '''"""Exclamation marks."""

import polars as pl


def score(response: pl.Series, *, mark: str = "!") -> pl.Series:
    """Count them."""
    return response.str.count_matches(mark, literal=True).cast(pl.Float64)


def shouting(response: pl.Series) -> pl.Series:
    """All capitals, or not."""
    return (response == response.str.to_uppercase()).cast(pl.Float64)
'''


@pytest.fixture
def folder(tmp_path):
    """The current folder, empty, for the time of a test."""
    home = os.getcwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(home)


@pytest.mark.parametrize(
    ("kind", "name", "nearest"),
    [
        ("score", "constrants", "constraints"),
        ("dedup", "minhsh", "minhash"),
        ("select", "best_of_m", "best_of_n"),
        ("generate", "sampel", "sample"),
        ("select", "_worse", "best_vs_worst"),
    ],
)
def test_a_step_that_does_not_exist_names_the_nearest(kind, name, nearest):
    with pytest.raises(UserError) as caught:
        find_step(kind, name, "r.yaml:9")
    assert str(caught.value).startswith(f"r.yaml:9: no {kind} step '{name}'")
    assert nearest in str(caught.value)
    if not name.startswith("_"):
        assert f"did you mean '{nearest}'?" in str(caught.value)


def test_an_own_step_in_a_file_of_its_own(folder):
    (folder / "my").mkdir()
    (folder / "my" / "marks.py").write_text(OWN)
    step = find_step("score", "my.marks")
    assert (step.reads, step.defaults, step.makes, step.doc) == (
        ("response",),
        {"mark": "!"},
        "score",
        "Exclamation marks.",
    )
    assert step.call({"response": pl.Series(["a!!", "b"])}, check_settings(step, {"mark": "!"}, "")).to_list() == [
        2.0,
        0.0,
    ]
    with pytest.raises(UserError, match=r"setting of score 'my.marks' called 'mrak'; did you mean 'mark'\?"):
        check_settings(step, {"mrak": "?"}, "r.yaml:3")


def test_an_own_step_as_a_function_of_a_file(folder):
    (folder / "mine.py").write_text(OWN)
    step = find_step("score", "mine.shouting")
    assert (step.reads, step.makes, step.name) == (("response",), "score", "mine.shouting")
    assert step.call({"response": pl.Series(["HEY", "hey", None])}, {}).to_list() == [1.0, 0.0, None]
    with pytest.raises(UserError, match=r"^r.yaml:4: no function in mine.py 'shoutin'; did you mean 'shouting'\?"):
        find_step("score", "mine.shoutin", "r.yaml:4")


def test_a_changed_file_is_another_step(folder):
    (folder / "my").mkdir()
    for name, text in (("one", OWN), ("two", OWN), ("three", OWN.replace("literal=True", "literal=False"))):
        (folder / "my" / f"{name}.py").write_text(text)
    one, two, three = (code_hash(find_step("score", f"my.{name}").code) for name in ("one", "two", "three"))
    assert one == two != three


def test_an_own_file_cannot_hide_a_built_in_one(folder):
    (folder / "curate.py").write_text("raise SystemExit('hidden')\n")
    (folder / "polars.py").write_text("raise SystemExit('hidden')\n")
    (folder / "mine.py").write_text(OWN)
    assert find_step("score", "mine.shouting").reads == ("response",)
    assert find_step("score", "length").reads == ("response", "completion_tokens")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('"""Doc."""\n\nimport no_such_package\n', 3, "ModuleNotFoundError: No module named 'no_such_package'"),
        ("def score(response)\n    return response\n", 1, "SyntaxError"),
        ("x = 1\ny = x / 0\n", 2, "ZeroDivisionError"),
        ("import json\n\njson.loads('{')\n", 3, "JSONDecodeError"),
        ("import neighbour\n", 1, "neighbour.py, line 2"),
        ("raise ValueError('two\\nlines')\n", 1, "ValueError: two lines"),
    ],
)
def test_a_file_that_fails_to_import_is_reported_with_its_line(folder, text, line, words):
    (folder / "broken.py").write_text(text)
    (folder / "neighbour.py").write_text("x = 1\ny = )\n")
    for name in ("broken.score", "broken.anything"):
        with pytest.raises(UserError) as caught:
            find_step("score", name, "r.yaml:5")
        assert f"broken.py:{line}: cannot be imported" in str(caught.value) and words in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_file_without_the_function_or_no_file_at_all(folder):
    (folder / "my").mkdir()
    (folder / "my" / "marks.py").write_text('"""Nothing here."""\n')
    for name, words in [
        ("my.marks", ["has no function score"]),
        ("my.nothing", ["nothing.py", "my.py", "exists"]),
        ("my.../etc/passwd", ["dotted path"]),
        ("my.1", ["dotted path"]),
    ]:
        with pytest.raises(UserError) as caught:
            find_step("score", name, "r.yaml:5")
        line = str(caught.value)
        assert line.startswith("r.yaml:5: ") and all(word in line for word in words), line


def test_columns_that_are_not_there_are_named(folder):
    with pytest.raises(UserError, match=r"^r.yaml:2: no column \(which score 'length' reads\) called 'response'"):
        check_reads(find_step("score", "length"), ["prompt", "responses"], "r.yaml:2")
