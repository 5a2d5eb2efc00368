"""``gristmill agree``: its tables, its JSON, and mistakes in its arguments."""

import json

import pytest

from tests.command import call, mistake

pytestmark = pytest.mark.slow  # whole runs

HOSTILE = "\x1b]0;owned\x07 [red]chosen[/red] text " + "long " * 100
ROWS = [{"prompt": f"question {n}", "chosen": "a" * (n + 5), "rejected": "b" * n} for n in range(1, 18)]
ROWS.append({"prompt": "odd one", "chosen": HOSTILE, "rejected": HOSTILE * 2})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("agree")
    (made / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (made / "r.yaml").write_text(
        "name: r\nprompts:\n  - source: {path: rows.jsonl, name: a}\ncompletions:\n"
        "  - score: {use: length, unit: characters, as: chars}\ndatasets:\n  d: {type: preference}\n"
    )
    assert call(made, "run", "r.yaml").code == 0
    return made


def test_the_table_has_figures_parts_and_disagreements(folder):
    done = call(folder, "agree", "chars", "--with", "chosen", "--by", "source")
    assert done.code == 0 and done.err == ""
    assert done.out.startswith("chars with preference: 18 pairs of 18 prompts")
    (figure,) = [line for line in done.out.splitlines() if line.startswith("agreement ")]
    assert "0.944" in figure and " to " in figure
    assert "source: a" in done.out and "length: up to " in done.out and "longer answer: the chosen" in done.out
    assert "chars strongly prefers longer responses (Spearman +1.00, within prompts +1.00)" in done.out
    assert "[red]chosen[/red]" in done.out and "…" in done.out and "\x1b]0" not in done.out


def test_json_has_whole_texts(folder):
    done = call(folder, "agree", "chars", "--with", "preference", "--format", "json")
    found = json.loads(done.out)
    assert (found["kind"], found["compared"], found["nulls"]) == ("pairs", 18, {})
    assert found["disagreements"][0]["chosen"] == HOSTILE
    assert {"by", "group", "figure", "value", "low", "high", "count", "why"} == set(found["figures"][0])


def test_jsonl_has_a_line_for_each_figure_and_each_disagreement(folder):
    done = call(folder, "agree", "chars", "--with", "preference", "--format", "jsonl")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["part"] for line in lines].count("disagreements") == 1
    assert lines[0]["figure"] == "agreement" and lines[0]["value"] == pytest.approx(17 / 18)


def test_as_many_disagreements_as_asked_for(folder):
    assert "most confident" not in call(folder, "agree", "chars", "--with", "chosen", "--top", "0").out


def test_mistakes_name_the_nearest_right_thing(folder):
    assert "did you mean 'chars'?" in mistake(call(folder, "agree", "charz", "--with", "preference"))
    assert "did you mean 'preference'?" in mistake(call(folder, "agree", "chars", "--with", "preferences"))
    assert "did you mean 'source'?" in mistake(call(folder, "agree", "chars", "--with", "chosen", "--by", "sorce"))
    assert "did you mean 'jsonl'?" in mistake(call(folder, "agree", "chars", "--with", "chosen", "--format", "jsnl"))
    assert "--with" in mistake(call(folder, "agree", "chars"))
    assert "no store here" in mistake(call(folder, "agree", "chars", "--with", "chosen", "--store", "none"))
