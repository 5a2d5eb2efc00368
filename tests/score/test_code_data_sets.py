"""Rows in the shapes of public data sets: a reference solution passes their tests, a wrong one fails them all."""
# ruff: noqa: E501 (rows, a line each)

import base64
import json
import pickle
import shutil
import zlib

import pytest

from curate.sources.rows.field_map import check_fields, map_fields
from curate.sources.rows.row_formats import convert
from curate.verifiers.programs.tests_found import UnitTests
from curate.verifiers.programs.unit_tests import read_tests
from tests.score.code_problems import PROBLEMS, rows
from tests.score.test_code import scored_in_sandboxes

SHAPES = list(rows(PROBLEMS[0]))
CASES = [{"input": "1", "output": "2", "testtype": "stdin"}]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
@pytest.mark.parametrize("shape", SHAPES)
def test_a_reference_passes_and_a_wrong_one_fails(shape):
    asked = []
    for problem in PROBLEMS:
        row, right, wrong = rows(problem)[shape]
        (read,) = convert(row)
        asked += [(right, read.ground_truth), (wrong, read.ground_truth)]
    found = scored_in_sandboxes(asked)
    assert found["value"].to_list() == [1.0, 0.0] * len(PROBLEMS), found["detail"].to_list()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_row_gives_its_task_and_its_tests(shape):
    row, _, _ = rows(PROBLEMS[0])[shape]
    (read,) = convert(row)
    assert read.messages[-1]["content"] == (row["prompt"] if "HumanEval" in shape else "Write it.")
    tests = read_tests(read.ground_truth)
    assert isinstance(tests, UnitTests)
    count = 3 if shape in ("MBPP",) or "inputs" in tests.run else 1
    assert shape == "KodCode" or len(tests.run.get("inputs") or tests.run["tests"]) == count
    assert "unit tests in" in read.row_format


def packed(value: object) -> str:
    """A value as LiveCodeBench packs the JSON text of its private tests."""
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


@pytest.mark.parametrize(
    "private", [json.dumps(CASES * 2), packed(json.dumps(CASES * 2)), packed(json.dumps(CASES * 9999))]
)
def test_private_tests_are_read_as_a_text(private):
    row = {"question_content": "Do.", "public_test_cases": json.dumps(CASES), "private_test_cases": private}
    tests = read_tests(convert(row)[0].ground_truth)
    assert isinstance(tests, UnitTests)
    assert tests.run["how"] == "stdio" and len(tests.run["inputs"]) in (3, 10_000)


class Harm:
    """An object whose pickle runs a program."""

    def __reduce__(self) -> tuple:
        return print, ("harm",)


@pytest.mark.parametrize(
    "private", [packed(Harm()), packed([json.dumps(CASES)]), packed(3), "AAAA", "x y", packed("no")]
)
def test_no_other_pickle_is_read(private, capsys):
    truth = json.dumps({"public_test_cases": json.dumps(CASES), "private_test_cases": private})
    found = read_tests(truth)
    assert isinstance(found, str) and "private_test_cases" in found and "unpickled" in found
    assert "harm" not in capsys.readouterr().out


def test_several_columns_become_one_ground_truth():
    row = {"q": "Do.", "meta": {"test": "def check(f):\n    assert f(1) == 2", "entry_point": "f", "x": 1}, "y": 2}
    fields = {"prompt": "q", "ground_truth": ["meta.test", "meta.entry_point"]}
    seen: set[str] = set()
    (read,) = convert(*map_fields(row, check_fields(fields), seen))
    tests = read_tests(read.ground_truth)
    assert isinstance(tests, UnitTests) and tests.run["tests"] == ["check(f)"]
    assert json.loads(read.metadata or "") == {"meta": {"x": 1}, "y": 2} and seen == {
        "q",
        "meta.test",
        "meta.entry_point",
    }


KEPT = [
    {"prompt": "Do.", "test": "a kind of trial"},
    {"prompt": "Do.", "test_list": ["one", "two"]},
    {"prompt": "Do.", "ground_truth": "4", "test_list": ["assert f() == 4"]},
    {"prompt": "Do.", "input_output": ""},
    {"prompt": "Do.", "test": None, "public_tests": [1]},
]


@pytest.mark.parametrize("row", KEPT)
def test_other_columns_of_these_names_stay(row):
    (read,) = convert(row)
    assert read.ground_truth == row.get("ground_truth") and "unit tests" not in read.row_format


HELD = {
    "PrimeIntellect": {
        "verification_info": json.dumps(
            {"language": "python", "test_cases": [{"type": "function_call", "fn_name": "f", "input": [1], "output": 2}]}
        )
    },
    "its programs": {"verification_info": {"test_cases": [{"type": "stdin_stdout", "input": "1", "output": "2"}]}},
    "DeepCoder": {"tests": json.dumps([{"input": "1", "output": "2", "testtype": "functional", "metadata": {"func_name": "f"}}])},
    "DeepCoder's programs": {"tests": json.dumps({"inputs": ["1"], "outputs": ["2"]})},
    "two lists": {"input": ["1"], "output": ["2"]},
    "Codeforces": {"official_tests": [{"input": "1", "output": "2"}]},
    "a starter code": {
        "public_test_cases": [{"input": "1", "output": "2", "testtype": "functional"}],
        "starter_code": "class Solution:\n    def f(self, x: int) -> int:\n        ",
    },
}  # fmt: skip


@pytest.mark.parametrize("truth", HELD.values(), ids=HELD)
def test_tests_are_found_under_other_names(truth):
    tests = read_tests(json.dumps(truth))
    assert isinstance(tests, UnitTests), tests
    assert tests.run["how"] == ("call" if "f" in tests.names else "stdio") and len(tests.run["inputs"]) == 1
