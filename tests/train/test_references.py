"""Each prompt's own reference through its verifier: which pass, which fail, and which no answer can be judged for."""

import json

import pytest

from curate.api.run import plan
from schemas.load_recipe import load_recipe
from train.references import check_references, verifiers_of


def checked(folder, rows, use="math", more=""):
    """Return what a verifier says of the references of some rows."""
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    text = (
        f"name: r\nprompts:\n  - source: rows.jsonl\ncompletions:\n  - score: {use}\ndatasets:\n  d: {{type: prompt}}\n"
    )
    (folder / "r.yaml").write_text(text + more, encoding="utf-8")
    recipe = load_recipe(folder / "r.yaml")
    return list(check_references(recipe, plan(recipe, references=100).references))


def problem(truth, **more):
    return {"problem": f"q{truth}{more}", "answer": truth, **more}


def test_a_truth_is_its_own_reference(tmp_path):
    (found,) = checked(tmp_path, [problem("2"), problem("x + 1"), problem("3 + 4\n#### 7")])
    assert (found.passed, found.failed, found.unjudged) == (3, 0, 0)
    assert dict(found.kinds) == {"ground_truth": 3} and not found.rows


def test_a_recorded_answer_that_disagrees_is_listed(tmp_path):
    rows = [problem("2", solution=r"\boxed{2}"), problem("4", solution=r"It is \boxed{3}")]
    (found,) = checked(tmp_path, rows)
    assert (found.passed, found.failed) == (1, 1) and dict(found.kinds) == {"recorded answer": 2}
    (row,) = found.rows
    assert row.place == "rows.jsonl:2" and row.text == r"It is \boxed{3}" and row.truth == "4"
    assert row.why.startswith("scored 0") and not row.unjudged


def test_a_truth_that_no_answer_can_match_is_null_and_why(tmp_path):
    (found,) = checked(tmp_path, [problem(r"\frac{1}{"), problem("2")])
    assert (found.passed, found.failed, found.unjudged) == (1, 0, 1)
    assert found.rows[0].unjudged and found.rows[0].why.startswith("can't be judged: ")
    assert sum(found.reasons.values()) == 1


def test_prompts_without_a_truth_are_counted_and_no_failure(tmp_path):
    (found,) = checked(tmp_path, [problem("2"), {"problem": "q"}])
    assert (found.passed, found.without_truth, found.unjudged) == (1, 1, 0)


def test_only_answers_that_are_known_as_right_are_references(tmp_path):
    wrong, right = ({"response": text, "is_correct": verdict} for text, verdict in (("2", 0), ("1", 1)))
    answers = (
        {"completions": [wrong, right]},
        {"completions": ["2", "3"]},
        {"completions": [wrong]},
        {"chosen": "1", "rejected": "2"},
        {"completion": "1"},
    )
    (found,) = checked(tmp_path, [{"prompt": f"q{n}", "ground_truth": "1", **one} for n, one in enumerate(answers)])
    assert dict(found.kinds) == {"recorded answer": 3, "ground_truth": 2} and found.passed == 5


def test_truths_without_reference_are_read_all_the_same(tmp_path):
    rows = [
        {"prompt": "a", "ground_truth": [{"kind": "lowercase"}]},
        {"prompt": "b", "ground_truth": [{"kind": "lowerkase"}]},
    ]
    (found,) = checked(tmp_path, rows[:1], "constraints")
    assert (found.without_reference, found.unjudged, found.passed, found.failed) == (1, 0, 0, 0)
    (found,) = checked(tmp_path, rows[1:], "constraints")
    assert found.unjudged == 1 and "lowerkase" in found.rows[0].why and found.rows[0].reference == "none"


def test_a_call_to_a_function_that_is_not_there_is_null(tmp_path):
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
    calls = [[{"name": name, "arguments": {}}] for name in ("add", "sub")]
    rows = [{"prompt": f"q{n}", "tools": [tool], "ground_truth": call} for n, call in enumerate(calls)]
    (found,) = checked(tmp_path, rows, "tool_call")
    assert (found.passed, found.unjudged) == (1, 1) and "sub" in found.rows[0].why


def test_each_source_and_each_verifier_is_counted_by_itself(tmp_path):
    (tmp_path / "more.jsonl").write_text('{"problem": "z", "answer": "9"}\n')
    (tmp_path / "rows.jsonl").write_text('{"problem": "a", "answer": "8"}\n')
    text = "name: r\nprompts:\n  - source: rows.jsonl\n  - source: more.jsonl\ncompletions:\n  - score: math\n"
    text += "  - score: {use: exact_match, as: same}\n  - score: length\ndatasets:\n  d: {type: prompt}\n"
    (tmp_path / "r.yaml").write_text(text)
    recipe = load_recipe(tmp_path / "r.yaml")
    found = [(one.verifier, one.source) for one in check_references(recipe, plan(recipe, references=9).references)]
    assert found == [(name, source) for name in ("math", "same") for source in ("rows.jsonl", "more.jsonl")]


def test_verifiers_of_rewards_and_of_the_evaluation_count(tmp_path):
    (tmp_path / "r.yaml").write_text(
        "name: r\nmodels: {m: smollm2-135m}\nprompts:\n  - source: rows.jsonl\n"
        "datasets:\n  d: {type: prompt}\ntrain:\n  t: {trainer: grpo, dataset: d, model: m, rewards: [math, length]}\n"
        "evaluate: {models: [m], dataset: d, by: [exact_match]}\n"
    )
    assert verifiers_of(load_recipe(tmp_path / "r.yaml")) == {"math": "math", "exact_match": "exact_match"}


def test_of_many_prompts_some_at_equal_distances_are_looked_at(tmp_path):
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(problem(str(n))) + "\n" for n in range(101)))
    text = "name: r\nprompts:\n  - source: rows.jsonl\ncompletions:\n  - score: math\ndatasets:\n  d: {type: prompt}\n"
    (tmp_path / "r.yaml").write_text(text)
    rows = plan(tmp_path / "r.yaml", references=11).references
    assert rows["ground_truth"].to_list() == [str(n) for n in range(0, 101, 10)]
    assert plan(tmp_path / "r.yaml").references.is_empty()


@pytest.mark.slow
def test_programs_run_in_the_sandbox_and_more_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("train.references.PROGRAMS", 2)
    rows = [
        {
            "prompt": f"q{n}",
            "ground_truth": [f"assert f() == {n}"],
            "metadata": {"code": f"def f(): return {min(n, 2)}"},
        }
        for n in (1, 2, 3)
    ]
    rows += [{"prompt": "bad", "ground_truth": "assert (("}, {"prompt": "none", "ground_truth": ["assert f()"]}]
    (found,) = checked(tmp_path, rows, "code")
    assert (found.passed, found.failed, found.skipped) == (1, 1, 1)
    assert (found.unjudged, found.without_reference) == (1, 1) and dict(found.kinds) == {"metadata.code": 2}
    assert [row.text for row in found.rows][:1] == ["```python\ndef f(): return 2\n```"], "the last one is run too"


def test_a_solution_that_marks_no_answer_leaves_the_truth_alone(tmp_path):
    prose = (
        "We add both sides and see that $x = 12$ is too small; the other case gives $x > 3$, and so on, as was to show."
    )
    rows = [problem("2", solution=prose), problem("(1,2", solution=prose), problem(r"\frac{1}{", solution=prose)]
    rows += [problem("4", solution="5"), problem("7", solution=prose.replace("3", "7"))]
    (found,) = checked(tmp_path, rows)
    assert (found.unmarked, found.passed, found.failed, found.suspicious, found.unjudged) == (3, 2, 1, 1, 1)
    assert dict(found.kinds) == {"ground_truth": 3, "recorded answer": 2}
    assert [row.place for row in found.rows] == ["rows.jsonl:2", "rows.jsonl:3", "rows.jsonl:4"]


@pytest.mark.slow
def test_an_answer_without_a_program_is_told_apart(tmp_path):
    prose = "First sort the list. Then walk over it from both ends."
    rows = [
        {"prompt": "a", "completion": prose, "ground_truth": ["assert f() == 1"], "code": "def f(): return 1"},
        {"prompt": "b", "completion": prose, "ground_truth": ["assert f() == 1"], "code": "E42"},
        {"prompt": "c", "completion": "```python\ndef f(): return 2\n```", "ground_truth": ["assert f() == 1"]},
    ]
    (found,) = checked(tmp_path, rows, "code")
    assert (found.unmarked, found.passed, found.failed, found.without_reference) == (2, 1, 1, 1)
    assert found.rows[0].place == "rows.jsonl:3"


def test_truths_that_pass_by_their_spelling_alone_are_suspicious(tmp_path):
    (found,) = checked(tmp_path, [problem("5 +"), problem("\x0crac{7}{12}"), problem("7/12"), problem(r"\boxed{}")])
    assert (found.passed, found.suspicious, found.unjudged) == (1, 2, 1)
    assert [row.why[:30] for row in found.rows] == [
        "passes, but ground_truth ends ", "passes, but ground_truth has t", "can't be judged: ground_truth "
    ]  # fmt: skip
    assert [row.suspicious for row in found.rows] == [True, True, False] and sum(found.doubts.values()) == 2


@pytest.mark.parametrize(
    ("reading", "marked"), [("strict", "#### 2"), ("boxed", r"\boxed{2}"), ("flexible", "It is 2")]
)
def test_a_reference_is_written_for_the_reading(tmp_path, reading, marked):
    other = r"\boxed{2}" if reading == "strict" else "that is all"
    rows = [problem("2"), problem("2", solution=marked), problem("2", solution=other)]
    (found,) = checked(tmp_path, rows, f"{{use: math, reading: {reading}}}")
    assert (found.passed, found.failed, found.unmarked) == (3, 0, 1)
