"""An evaluation of models behind a server, end to end: a judge, groups, samples, changed answers, and the card."""

import json
import random
from pathlib import Path

import pytest

from cli.evaluating.show_evaluation import show_evaluation
from curate.api.run import run
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.load_recipe import load_recipe
from schemas.progress import Progress
from tests.jobs import query
from tests.scripted_server import Scripted, compared
from train.api import evaluate

pytestmark = pytest.mark.slow  # a server, and the whole way of an evaluation

DOCS = Path(__file__).parents[3] / "docs" / "proof.md"
RECIPE = """
name: judged
seed: 3
models:
  base: {engine: openai, base_url: "URL", model: base, identity: base}
  tuned: {engine: openai, base_url: "URL", model: tuned, identity: tuned}
  oracle: {engine: openai, base_url: "URL", model: oracle, identity: oracle}
prompts:
  - source: a.jsonl
  - source: b.jsonl
completions:
  - score: {use: length, as: chars, unit: characters}
datasets: {rl: {type: prompt}}
split: {test: 0.5}
evaluate:
  {models: [base, tuned], dataset: rl, by: [math, chars], n: 2, temperature: 0.8, judge: oracle, retention: false}
"""


def script(model: str, messages: list[dict], body: dict) -> str:
    """Answer: ``tuned`` is right about maths and wordy, ``base`` is right now and then; the judge prefers length."""
    if pair := compared(messages):
        return f"[[{'A' if len(pair[0]) > len(pair[1]) else 'B'}]]"
    question = messages[-1]["content"]
    number, sample = int(question.split()[1]), random.Random(f"{question} {body.get('seed')} {body['at']}")
    right = "maths" in question if model == "tuned" else sample.random() < 0.3
    told = f"\x1b[31mIt is {number if right else number + 1}"
    return f"After some thought: {told}" if model == "tuned" else told


@pytest.fixture
def judged(tmp_path):
    """The recipe's file and the server."""
    for name, numbers in (("a", range(30)), ("b", range(30, 40))):
        rows = [
            {
                "prompt": f"number {i} of {kind}" + " please" * (i % 5),
                "ground_truth": str(i),
                "metadata": {"kind": kind},
            }
            for i, kind in ((i, ("maths", "code")[i % 2]) for i in numbers)
        ]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with Scripted(script) as server:
        (tmp_path / "r.yaml").write_text(RECIPE.replace("URL", server.url), encoding="utf-8")
        yield tmp_path / "r.yaml", server


def statements(file) -> list[str]:
    """The SQL of a page: the indented blocks that are queries."""
    section = file.read_text(encoding="utf-8").split("## Breakdowns")[1].split("\n## ")[0]
    found = [block for block in section.split("\n\n") if block.startswith(("    SELECT", "    WITH"))]
    assert len(found) == 4
    return found


class Told(Progress):
    """Keeps warnings."""

    def __init__(self):
        self.warned = []

    def warn(self, warning):
        self.warned.append(str(warning))


def test_it_is_judged_broken_down_and_shown(judged, tmp_path, capsys):
    file, server = judged
    store = Store(tmp_path / "store")
    run(load_recipe(file), store)
    result = evaluate(load_recipe(file), store)
    rate = result.win_rates.to_dicts()[0]
    assert (rate["model"], rate["won"], rate["not_compared"], rate["win_rate"]) == ("tuned", 40, 0, 1.0)
    assert rate["longer_won"] == 1.0 and rate["longer_low"] > 0.5
    asked = server.asked.count("oracle")
    assert 40 <= asked <= 80 and asked % 2 == 0  # both orders of two samples of twenty prompts; equal pairs once

    groups = result.breakdown().filter(scorer="math", model="tuned", by="metadata.kind")
    figures = dict(groups.select("group", "mean").rows())
    assert figures == {"maths": 1.0, "code": 0.0}
    assert result.breakdown()["by"].unique(maintain_order=True).to_list() == ["metadata.kind", "source", "length"]
    assert result.samples.filter(scorer="math")["measure"].unique().to_list() == ["pass@k"]
    assert result.samples.filter(scorer="math")["k"].to_list() == [1, 2, 1, 2]
    changes = result.changes.filter(scorer="math").to_dicts()[0]
    assert changes["won"] > 0 and changes["won"] + changes["lost"] + changes["same"] == 20
    assert result.examples(2)["verdict"].unique().to_list() and result.examples(0).is_empty()
    with pytest.raises(UserError, match="no scorer of the evaluation called 'meth'; did you mean 'math'"):
        result.examples(1, "meth")

    sql = """SELECT metadata ->> 'kind' AS kind, avg(value) AS right FROM evaluations
             WHERE scorer = 'math' AND model = 'tuned' GROUP BY 1 ORDER BY 1"""
    assert query(store, sql).rows() == [("code", 0.0), ("maths", 1.0)]
    assert query(store, "SELECT DISTINCT source FROM evaluations ORDER BY 1").rows() == [("a.jsonl",), ("b.jsonl",)]

    show_evaluation(result, 2)
    shown = capsys.readouterr().out
    told = ["as oracle judges in both orders", "wins more often", "the judge may prefer length", "kind: maths"]
    told += ["math: pass@k, 2 answers", "source: b.jsonl", "drawn by the seed", "After some thought"]
    for said in told:
        assert said in shown, said
    assert "\x1b" not in shown and "\x9b" not in shown

    for statement in statements(DOCS):
        query(store, statement.replace("'student'", "'base'"))
    again = evaluate(load_recipe(file, ["evaluate.break_down=[source]"]), store)  # shows the same rows otherwise
    assert again.stage.stage_id == result.stage.stage_id and server.asked.count("oracle") == asked
    assert again.breakdown()["by"].unique().to_list() == ["source"]
    assert evaluate(load_recipe(file), store).breakdown()["by"].n_unique() == 3


def test_what_cannot_be_broken_down_is_refused_before_asking(judged, tmp_path):
    file, server = judged
    store = Store(tmp_path / "store")
    run(load_recipe(file), store)
    for given, said in (("metadata.knd", "did you mean 'metadata.kind'?"), ("sauce", "did you mean 'source'?")):
        with pytest.raises(UserError) as error:
            evaluate(load_recipe(file, [f"evaluate.break_down=[{given}]"]), store)
        assert said in str(error.value)
    with pytest.raises(UserError, match="did you mean 'oracle'"):
        evaluate(load_recipe(file, ["evaluate.judge=oracl"]), store)
    assert server.asked == []


def test_settings_without_effect_are_said(judged, tmp_path, capsys):
    file, server = judged
    store, told = Store(tmp_path / "store"), Told()
    recipe = load_recipe(file, ["evaluate.temperature=0.0", "evaluate.models=[tuned]"])
    run(recipe, store)
    result = evaluate(recipe, store, told)
    assert any("n is 2, but the temperature is 0" in line for line in told.warned)
    assert any("the judge is not asked" in line for line in told.warned) and "oracle" not in server.asked
    assert result.win_rates.is_empty() and result.changes.is_empty() and result.examples().is_empty()
    show_evaluation(result)
    assert "kind: maths" in capsys.readouterr().out
