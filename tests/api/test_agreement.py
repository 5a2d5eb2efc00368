"""How a score agrees with recorded verdicts: of pairs, verdicts and grades; groups, disagreements, nulls, length."""

import json

import pytest

from curate.api.agreement import agreement
from curate.api.length_bias import length_sentences
from curate.api.run import run
from curate.storage.sql_views import connect
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.load_recipe import load_recipe

pytestmark = pytest.mark.slow  # whole runs

STEPS = "  - score: {use: length, unit: characters, as: chars}\n"


def stored(folder, rows, steps=STEPS):
    """Run a recipe over recorded answers, and return its store."""
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    text = f"name: r\nprompts:\n  - source: {{path: rows.jsonl, name: a}}\ncompletions:\n{steps}"
    (folder / "r.yaml").write_text(text + "datasets:\n  d: {type: prompt}\n", encoding="utf-8")
    run(load_recipe(folder / "r.yaml"), store := Store(folder / "store"))
    return store


def value(found, figure, by="", group="all"):
    rows = found.figures.filter(by=by, group=group, figure=figure)
    assert rows.height == 1, found.figures
    return rows["value"][0]


def answers(*graded, name="rating"):
    """A row: a prompt whose answers have these lengths and grades."""
    made = [{"response": "x" * length} | ({} if grade is None else {name: grade}) for length, grade in graded]
    return {"prompt": f"q{graded}", "completions": made}


def pair(chosen, rejected):
    return {"prompt": f"q{chosen}{rejected}", "chosen": "x" * chosen, "rejected": "y" * rejected}


def test_pairs_count_where_the_chosen_has_the_higher_score(tmp_path):
    store = stored(tmp_path, [pair(5, 3), pair(9, 2), pair(1, 8), pair(4, 4)])
    found = agreement(store, "chars", "chosen")
    assert (found.kind, found.column, found.compared, found.prompts) == ("pairs", "preference", 4, 4)
    assert value(found, "agreement") == 2.5 / 4 and value(found, "kappa") == pytest.approx(0.25)
    (wrong,) = found.disagreements.to_dicts()
    assert (wrong["chosen"], wrong["rejected"]) == ("x", "y" * 8)
    assert (wrong["chosen_score"], wrong["rejected_score"]) == (1, 8)


def test_verdicts_have_agreement_kappa_and_auroc(tmp_path):
    rows = [answers((length, length > 3), name="is_correct") for length in range(1, 7)]
    found = agreement(stored(tmp_path, rows), "chars", "is_correct")
    assert (found.kind, found.at) == ("verdicts", 4)
    assert [value(found, name) for name in ("agreement", "kappa", "AUROC")] == [1, 1, 1]
    assert found.disagreements.is_empty()
    found = agreement(Store(tmp_path / "store"), "chars", "is_correct", at=2)
    assert value(found, "agreement") == pytest.approx(4 / 6) and value(found, "AUROC") == 1
    assert [row["response"] for row in found.disagreements.to_dicts()] == ["xxx", "xx"], "the surest first"


def test_grades_have_an_order_and_where_they_share_a_scale_kappa(tmp_path):
    rows = [answers((1, 2), (2, 2), (4, 4)), answers((3, 1), (4, 4), (2, 3))]
    store = stored(tmp_path, rows)
    found = agreement(store, "chars", "rating")
    assert found.kind == "grades" and value(found, "same grade") == pytest.approx(3 / 6)
    assert 0 < value(found, "Spearman's rho") < 1 and value(found, "kappa, weighted") is not None
    assert value(found, "order within prompts") == pytest.approx(4 / 5)
    good = agreement(store, "chars", "rating", good=4)
    assert good.kind == "verdicts" and value(good, "AUROC") == 1


def test_a_verdict_may_be_a_word_of_the_metadata(tmp_path):
    words = ["correct", "Incorrect", "yes", "no", "unsure"]
    rows = [
        {"prompt": f"q{n}", "completion": "x" * (9 - n), "metadata": {"by": {"human": word}}}
        for n, word in enumerate(words)
    ]
    found = agreement(stored(tmp_path, rows), "chars", "metadata.by.human", by="metadata.by.human")
    assert found.compared == 4 and value(found, "AUROC") == 0.75
    assert any("1 verdict is left out, such as 'unsure'" in note for note in found.notes)


def test_answers_of_joined_rows_have_their_own_metadata(tmp_path):
    rows = [
        {"prompt": f"q{n}", "completion": "x" * length, "human_score": int(length > 3), **more}
        for n in range(3)
        for length, more in ((9 - n, {}), (1 + n, {"rater": "b"}))
    ]
    rows.append({"prompt": "q0", "completion": "x" * 10})  # a row without the label gives its answer none
    found = agreement(stored(tmp_path, rows), "chars", "metadata.human_score", by="metadata.rater")
    assert (found.compared, found.without_verdict) == (6, 1)
    assert value(found, "agreement") == 1 and value(found, "AUROC") == 1


def test_names_that_say_the_bad_thing_and_ranks_are_turned(tmp_path):
    rows = [answers((length, length < 3), name="wrong") for length in range(1, 5)]
    found = agreement(stored(tmp_path, rows), "chars", "wrong")
    assert value(found, "AUROC") == 1 and "wrong says the bad thing: 0 is good, 1 is bad" in found.notes
    (tmp_path / "b").mkdir()
    rows = [answers((9, 1), (5, 2), (2, 3), name="rank")]
    found = agreement(stored(tmp_path / "b", rows), "chars", "rank")
    assert value(found, "Spearman's rho") == pytest.approx(1) and "the least rank is the best" in found.notes


def test_nulls_are_counted_with_their_reasons(tmp_path):
    rows = [{**answers((length, length > 3), name="is_correct"), "ground_truth": "1"} for length in range(1, 7)]
    rows[0].pop("ground_truth")
    rows.append({"prompt": "unjudged", "completion": "1", "ground_truth": "1"})
    found = agreement(stored(tmp_path, rows, "  - score: exact_match\n"), "exact_match", "is_correct")
    assert found.answers == 7 and found.compared == 5 and found.without_verdict == 1
    assert found.nulls == {"no ground_truth": 1}


def test_groups_are_by_length_and_by_a_column(tmp_path):
    rows = [answers((length, length % 2), name="is_correct") for length in range(1, 31)]
    for n, row in enumerate(rows):
        row["metadata"] = {"kind": "b" if n % 3 else "a"}
    found = agreement(stored(tmp_path, rows), "chars", "is_correct", by="metadata.kind")
    groups = found.figures.filter(figure="AUROC").select("by", "group", "count").rows()
    assert groups == [
        ("", "all", 30),
        ("length", "up to 11 characters", 11),
        ("length", "12 to 20 characters", 9),
        ("length", "above 20 characters", 10),
        ("metadata.kind", "b", 20),
        ("metadata.kind", "a", 10),
    ]


def test_a_score_that_goes_the_wrong_way_is_said(tmp_path):
    rows = [answers((length, length < 20), name="is_correct") for length in range(1, 41)]
    found = agreement(stored(tmp_path, rows), "chars", "is_correct")
    assert value(found, "AUROC") == 0 and any("with its sign turned" in note for note in found.notes)
    assert any(note.startswith("chars strongly prefers longer responses (Spearman +1.00)") for note in found.notes)


@pytest.mark.parametrize(
    ("scorer", "column", "message"),
    [
        ("char", "preference", "no score of answers (in the store) called 'char'; did you mean 'chars'?"),
        ("chars", "preferense", "no score, column or metadata path called 'preferense'; did you mean 'preference'?"),
        ("chars", "metadata.humn", "no key of the metadata called 'humn'; did you mean 'human'?"),
        ("chars", "chars", "agree: 'chars' is compared with itself"),
        ("chars", "model", "agree: model has 'recorded', which is no verdict; expected numbers, true or false"),
        ("chars", "finish_reason", "agree: no answer has both 'chars' and 'finish_reason': of 2 answers 0 have no"),
    ],
)
def test_a_mistake_is_named_with_the_nearest_right_name(tmp_path, scorer, column, message):
    store = stored(tmp_path, [{**pair(2, 1), "metadata": {"human": 1}}])
    with pytest.raises(UserError) as caught:
        agreement(store, scorer, column)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_threshold_is_a_number(tmp_path, number):
    store = stored(tmp_path, [answers((1, 0), (2, 1), name="is_correct")])
    for name in ("at", "good"):
        with pytest.raises(UserError, match=f"agree: {name} is {number}; expected a number"):
            agreement(store, "chars", "is_correct", **{name: number})
    with pytest.raises(UserError) as caught:
        agreement(store, "chars", "chosen")
    assert "recorded as chosen or rejected" in str(caught.value) and "another score (is_correct)" in str(caught.value)


def test_show_speaks_of_scores_that_a_model_gives(tmp_path):
    rows = [{"prompt": f"q{n}", "completion": "word " * (n + 1)} for n in range(12)]
    store = stored(tmp_path, rows)
    with connect(store) as con:
        assert length_sentences(con) == [], "length is no model's"
        for name, models in (("reward", [["m", "reward"]]), ("ran", [["sandbox", "run"]])):
            settings = json.dumps({"name": name, "scorer": [name, {}, "", {"response": ["response"]}, models]})
            con.execute("INSERT INTO stages (stage, settings) VALUES (?, ?)", [f"completions.score.{name}", settings])
        con.execute(
            "CREATE TEMP TABLE scores AS SELECT completion_id AS row_id, 'reward' AS scorer, "
            "length(response)::DOUBLE AS value FROM completions"
        )
        assert length_sentences(con) == ["reward strongly prefers longer responses (Spearman +1.00)"]
