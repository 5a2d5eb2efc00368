"""``score: {use: code, validate: true}``: tests that pass responses which solve nothing are found."""

import json
import shutil
from collections import Counter

import pytest

from curate.api.run import run
from curate.score._weak_tests import weak_line
from curate.storage.store import Store
from curate.verifiers.programs.hostile import BODIES, hostile_responses
from curate.verifiers.programs.unit_tests import read_tests
from schemas.errors import UserError
from schemas.progress import Progress
from tests.jobs import query
from tests.sandboxed import verdicts
from tests.score.test_code import fenced, scored_in_sandboxes, unit_tests_in

needs_bwrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
EVERY = list(BODIES)


def passing(truth):
    """What the hostile responses do that pass all of a ground truth's tests."""
    tests = unit_tests_in(truth)
    found = {does: verdicts(code, tests.run, {}) for does, code in hostile_responses(tests).items()}
    assert not any(isinstance(one, str) for one in found.values()), found
    return [does for does, tests in found.items() if not any(tests)]


@pytest.mark.slow
@needs_bwrap
@pytest.mark.parametrize(
    ("truth", "weak"),
    [
        ("assert f(3) == 9", []),
        ("assert f(3)", ["equals everything", "returns its argument", "returns True"]),
        ("assert not f(3)", ["empties its argument", "does nothing", "returns 0", "returns ''"]),
        ("assert f(3) != 4", EVERY),
        ("f(3)\nassert True", EVERY),
        ("assert f(1) == f(1)", EVERY),
        ("assert len(f(3)) == 1", ["equals everything"]),
        ("assert f(2) == True and f(4) == True", ["returns True"]),
        ("assert f(3) == 3 and f(0) == 0", ["returns its argument"]),
        ("xs = [3, 1]\nassert f(xs) == sorted(xs)", ["empties its argument"]),
        ("xs = [3, 1]\nassert f(xs) == sorted([3, 1])", []),
        ("xs = [3, 1]\nf(xs)\nassert xs == sorted(xs)", ["empties its argument"]),
        ("assert Stack().size() == 0", ["returns 0"]),
        ("assert Stack(3).items[0] and True", []),
        ("from solution import f\n\ndef test_f():\n    try: f(3)\n    except ValueError: pass", EVERY),
        ('{"test": "def check(candidate):\\n    assert candidate(1) == 2", "entry_point": "Solution().f"}', []),
        ('{"fn_name": "f", "inputs": [[1], [2]], "outputs": [0, 0]}', ["returns 0"]),
        ('{"fn_name": "f", "inputs": [[1], [2]], "outputs": [2, 3]}', []),
        ('{"inputs": ["1\\n", "2\\n"], "outputs": ["1", "2"]}', ["returns its argument"]),
        ('{"inputs": ["1\\n", "2\\n"], "outputs": ["0", "0"]}', ["returns 0"]),
        ('{"inputs": ["1\\n"], "outputs": [""]}', ["does nothing"]),
    ],
    ids=range(21),
)
def test_each_weakness_is_found(truth, weak):
    assert passing(truth) == weak


@pytest.mark.slow
@needs_bwrap
def test_the_detail_says_what_passes_and_the_note_counts():
    strong, weak = "assert f(1) == 2\nassert f(2) == 3", "assert f(1) == 2\nassert f(2) != 2"
    truths = [strong, weak, "assert f(1) == f(1)", "def test_a(tmp_path): assert f(1)", None]
    rows = [(fenced("def f(x): return x + 1"), truth) for truth in truths] + [("no code", truths[2])]
    plain = scored_in_sandboxes(rows)
    kept = scored_in_sandboxes(rows, validate=True)
    refused = scored_in_sandboxes(rows, validate=True, weak="refuse")
    assert plain["value"].to_list() == kept["value"].to_list() == [1.0, 1.0, 1.0, None, None, 0.0]
    details = [json.loads(detail or "{}").get("weak") for detail in kept["detail"]]
    assert details == [None, None, EVERY, None, None, EVERY], "a weak test beside one that is not, does no harm"
    line = "weak tests: those of 1 of 3 prompts pass a response that solves nothing (equals everything: 1, returns its "
    line += "argument: 1, empties its argument: 1, does nothing: 1, ...); "
    assert set(kept["note"]) == {line + "weak: refuse gives these prompts no score"}
    assert set(refused["note"]) == {line + "these prompts have no score"}
    assert refused["value"].to_list() == [1.0, 1.0, None, None, None, None]
    assert refused["error"][2] == "weak tests: a response passes them that equals everything or returns its argument"
    assert json.loads(refused["detail"][2])["weak"] == EVERY


class Lines(Progress):
    def __init__(self):
        self.ended = {}

    def end(self, label, result, *, reused=False):
        self.ended[label] = result


@pytest.mark.slow
@needs_bwrap
def test_a_run_says_it_and_sql_finds_it(tmp_path):
    truths = ["assert f(1) == 2", "assert f(1) != 3"]
    answers = [fenced("def f(x): return x + 1"), fenced("def f(x): return 0")]
    rows = [{"prompt": f"p{n}", "ground_truth": truth, "completions": answers} for n, truth in enumerate(truths)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    recipe = tmp_path / "r.yaml"
    step = "{use: code, validate: true}"
    recipe.write_text(f"name: r\nprompts:\n  - source: rows.jsonl\ncompletions:\n  - score: {step}\n", "utf-8")
    lines, store = Lines(), Store(tmp_path / "store")
    run(recipe, store, progress=lines)
    assert "4 scored, mean 0.750, weak tests: those of 1 of 2 prompts pass" in lines.ended["completions.score.code"]
    asked = "SELECT detail->>'$.weak[0]' AS weak, count(*) FROM scores WHERE scorer = 'code' GROUP BY 1 ORDER BY 1"
    assert query(store, asked).rows() == [("equals everything", 2), (None, 2)]


def test_no_weak_test_is_said_too_and_nothing_where_none_ran():
    assert weak_line({"t": [], "u": []}, refused=False) == "weak tests: none of 2 prompts"
    assert weak_line({}, refused=False) is None


def test_each_name_of_the_tests_is_defined_once():
    tests = read_tests("from solution import f, Stack\n\ndef test_a():\n    assert f(Stack())")
    for code in hostile_responses(tests).values():  # ty: ignore[invalid-argument-type]
        lines = Counter(code.splitlines())
        assert lines["f = answer"] == lines["class Stack(Class): pass"] == 1


def test_refusing_without_looking_is_an_error():
    with pytest.raises(UserError, match="set validate: true too"):
        scored_in_sandboxes([("x", "assert f(1)")], weak="refuse")
