"""``gristmill check`` shows each prompt's own reference through its verifier, and warns of those that do not pass."""

import json

import pytest

from cli import main
from tests.command import call

pytestmark = pytest.mark.slow  # whole plans, and answers compared in processes

WARNING = "warning: score.math: rows.jsonl: "


def check(folder, *rows, options=()):
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = "name: r\nprompts:\n  - source: rows.jsonl\ncompletions:\n  - score: math\ndatasets:\n  d: {type: prompt}\n"
    (folder / "r.yaml").write_text(text)
    return call(folder, "check", "r.yaml", *options)


GOOD = {"problem": "1+1?", "answer": "2"}
BROKEN = {"problem": "1+2?", "answer": "4", "solution": r"It is \boxed{3}"}
SPELT = {"problem": "y?", "answer": "(1, 2"}
NO_TRUTH = {"problem": "2+2?"}
UNREADABLE = {"problem": "x?", "answer": r"\frac{1}{"}


def test_references_that_pass_are_one_line_and_no_warning(tmp_path):
    done = check(tmp_path, GOOD, NO_TRUTH, options=["--strict"])
    assert done.code == 0 and done.err == ""
    assert "1 of 1 (100%)" in done.out and "1 without ground_truth" in done.out
    assert "do not pass" not in done.out


def test_a_broken_truth_is_shown_with_its_line_and_warned_of(tmp_path):
    done = check(tmp_path, GOOD, BROKEN, UNREADABLE, options=["--strict"])
    assert done.code == 2 and done.err.startswith(WARNING + "1 of 2 references does not pass its own verifier")
    assert "the first: rows.jsonl:2" in done.err and "1 prompt can't be judged, so no answer is rewarded" in done.err
    (line,) = [line for line in done.out.splitlines() if line.startswith("rows.jsonl:2 (math)")]
    assert r"It is \boxed{3}" in line and "scored 0" in line
    assert any(line.startswith("rows.jsonl:3 (math)") and "can't be judged" in line for line in done.out.splitlines())


def test_references_of_some_prompts_or_none(tmp_path):
    rows = [{"problem": f"{n}?", "answer": str(n)} for n in range(9)]
    done = check(tmp_path, *rows, options=["--references", "3"])
    assert "(3 of 9 prompts, at equal distances)" in done.out and "3 of 3 (100%)" in done.out
    assert "verifier" not in check(tmp_path, BROKEN, options=["--references", "0", "--strict"]).out


def test_the_verifier_and_the_source_are_never_cut(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "110")
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (GOOD, BROKEN, UNREADABLE, SPELT)))
    text = "name: r\nprompts:\n  - source: {path: rows.jsonl, name: a_source_with_a_long_name}\ncompletions:\n"
    text += "  - score: {use: math, as: the_final_answer_is_right}\ndatasets:\n  d: {type: prompt}\n"
    (tmp_path / "r.yaml").write_text(text)
    done = call(tmp_path, "check", "r.yaml")
    (line,) = [line for line in done.out.splitlines() if line.startswith("the_final_answer_is_right │ a_source_with_a")]
    assert "a_source_with_a_long_name" in line and "…" not in line and "recorded" in done.out


def test_a_truth_that_passes_by_its_spelling_is_warned_of(tmp_path):
    done = check(tmp_path, GOOD, SPELT, options=["--strict"])
    why = "ground_truth has a bracket that is not closed, or not opened"
    assert done.code == 2 and done.err.startswith(
        f"{WARNING}1 ground truth is suspicious (the first: rows.jsonl:2): {why} (1)"
    )
    assert f"passes, but {why}" in done.out and "1 of 2 (50%)" in done.out


@pytest.mark.parametrize(("command", "words"), [("check", "check keeps nothing"), ("run", "finished work is kept")])
def test_a_stop_says_whether_work_is_kept(monkeypatch, capsys, command, words):
    def stopped(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "app", stopped)
    monkeypatch.setattr("sys.argv", ["gristmill", command, "r.yaml"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 130 and capsys.readouterr().err.startswith(f"error: stopped; {words}")
