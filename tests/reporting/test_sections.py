"""What the sections of a report say of a tiny store: findings, counts, and None where there is nothing."""

import polars as pl
import pytest

from curate.storage.sql_views import connect
from tests.optional import needs
from tests.reporting.full_store import MODEL, OTHER, SCORER, fill
from tests.storage.asked import record, write

pytestmark = needs("altair", "jinja2")
SECTIONS = ("answers", "comparisons", "conversations", "diversity", "duplicates", "evaluations", "k_curves", "lengths",
            "losses", "pairs", "pass_rates", "problems", "score_pairs", "scores", "training_curves")  # fmt: skip


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    from curate.storage.store import Store

    with connect(fill(Store(tmp_path_factory.mktemp("full") / "store"))) as opened:
        yield opened


def section(name):
    from importlib import import_module

    return getattr(import_module(f"cli.reporting.sections.{name}"), name)


@pytest.mark.parametrize("name", [*SECTIONS, "costs"])
def test_an_empty_store_has_no_sections(store, name):
    with connect(store) as empty:
        assert section(name)(empty) is None


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_says_what_it_shows(con, name):
    made = section(name)(con)
    assert made.name == name and made.title and made.about.endswith(".")


def test_the_funnel_names_the_chief_reason(con):
    made = section("funnel")(con, "20260102-a")
    assert made.title == "75% of 48 candidates are dropped: score too low"
    first = made.values["reasons"][0]
    assert (first["stage"], first["dropped"]) == ("datasets.sft.select", 36) and first["example"].startswith("word")
    parts = made.values["drawing"].spec["data"]["values"]
    assert sum(row["value"] for row in parts if row["kind"] == "dropped") == 37


def test_what_is_dropped_by_design_is_no_finding(store):
    kept = [{"row_id": f"c_{at}", "stage": "datasets.x.control", "kept": at == 0, "reason": "not drawn" if at else None}
            for at in range(4)]  # fmt: skip
    record(store, "1", write(store, "datasets.x", "000000000001", decisions=kept))
    with connect(store) as con:
        assert section("funnel")(con, "1").title == "1 stage; what is dropped: only by design: not drawn"


def test_the_funnel_of_an_unknown_run_is_none(con):
    assert section("funnel")(con, "no such run") is None


def test_a_histogram_has_the_share_of_every_score(con):
    cards = {card["scorer"]: card for card in section("scores")(con).values["cards"]}
    assert set(cards) == {SCORER, OTHER}
    bars = cards[SCORER]["drawings"][0].spec["data"]["values"]
    assert [round(row["value"] * 47) for row in bars] == [23, 24]
    assert cards[SCORER]["notes"] == ["1 row without a score: an error"]


def test_points_have_every_score_and_the_length(con):
    import json

    made = json.loads(section("score_pairs")(con).values["data"])
    assert len(made["points"]) == 48 and len(made["axes"]) == 3
    assert all(len(point) == 2 + len(made["axes"]) for point in made["points"])


def test_points_are_sampled_the_same_each_time(store):
    ids = [f"c_{at}" for at in range(3_100)]
    answers = pl.DataFrame({"completion_id": ids, "prompt_id": ids, "response": "x", "model": "m"})
    scores = pl.DataFrame({"row_id": ids, "scorer": "s", "value": 1.0})
    record(store, "1", write(store, "completions.generate.x", "000000000001", completions=answers, scores=scores))
    with connect(store) as con:
        first, again = section("score_pairs")(con), section("score_pairs")(con)
    assert first.about.startswith("3,000 of 3,100 candidates, drawn by their ids") and first == again


def test_the_k_curve_rises_to_the_best(con):
    made = section("k_curves")(con)
    curve = made.values["drawings"][0].spec["data"]["values"]
    assert [row["x"] for row in curve] == [1, 2, 3, 4] and curve[-1]["y"] > curve[0]["y"]


def test_pass_rates_are_by_source_and_metadata(con):
    made = section("pass_rates")(con)
    assert made.title.startswith("51% of candidates pass judge")
    assert {drawing.title for drawing in made.values["drawings"]} == {"By source", "By kind"}
    assert made.values["balance"].title == "100% of prompts have good and bad candidates"


def test_lengths_of_pairs_are_compared(con):
    made = section("lengths")(con)
    assert made.values["pairs"].title == "The chosen answer is the longer one in 100% of pairs"
    assert OTHER in made.title + "".join(drawing.about for drawing in made.values["drawings"])


def test_a_cluster_has_its_texts(con):
    made = section("duplicates")(con)
    (cluster,) = made.values["clusters"]
    assert made.title == "1 prompt repeats another one"
    assert [row["row_id"] for row in cluster["rows"]] == ["p_0", "p_1"] and cluster["rows"][1]["similarity"] == 0.75


def test_a_problem_has_its_best_and_worst_candidates(con):
    problem = section("problems")(con).values["problems"][0]
    values = [row["value"] for row in problem["candidates"]]
    assert len(values) == 4 and values == sorted(values, reverse=True) and values[0] > values[-1]


def test_pairs_go_from_the_largest_margin_down(con):
    margins = [row["margin"] for row in section("pairs")(con).values["pairs"]]
    assert len(margins) == 6 and margins == sorted(margins, reverse=True)


def test_seeds_of_a_training_are_one_curve(con):
    (drawing,) = section("training_curves")(con).values["drawings"]
    points = drawing.spec["data"]["values"]
    assert [row["y"] for row in points if not row.get("faint")] == [2.5, 1.5, 0.5]
    assert len([row for row in points if row.get("faint")]) == 6 and len(drawing.legend) == 1


def test_the_rows_of_the_highest_loss_have_their_texts(con):
    (training,) = section("losses")(con).values["trainings"]
    assert [row["row_id"] for row in training["rows"]] == ["r_11", "r_10", "r_9", "r_8"]
    assert training["rows"][0]["said"] == "11 → 5.50" and "question 11" in training["rows"][0]["prompt"]


def test_an_evaluation_has_its_change_and_interval(con):
    (card,) = section("evaluations")(con).values["cards"]
    trained = next(row for row in card["models"] if row["model"] == "sft")
    assert trained["change"] == "+0.500" and trained["interval"].startswith("+0.2")
    assert card["drawing"].spec["data"]["values"][0]["kind"] == "kept"


def test_a_comparison_has_its_seeds(con):
    made = section("comparisons")(con)
    points = made.values["cards"][0]["drawing"].spec["data"]["values"]
    assert made.title.startswith("sft is better than student") and made.title.endswith(": +0.400")
    assert [row["dot"] for row in points if "dot" in row] == [0.35, 0.45]


def test_answers_that_changed_are_beside_each_other(con):
    made = section("answers")(con)
    assert made.title == "sft scores higher on 50% of 16 answers, lower on 0%"
    assert made.values["names"]["before"] == MODEL
    assert "<ins>" in made.values["better"][0]["after"] and "<script>" not in made.values["better"][0]["after"]


def test_the_recipe_is_yaml_without_what_is_null(con):
    from cli.reporting.sections.recipe import recipe_text

    assert (
        recipe_text({"name": "a", "seed": None, "line": 3, "split": {"test": 0.1}}) == "name: a\nsplit:\n  test: 0.1\n"
    )
    assert section("recipe")(con, "20260102-a").values["versions"]["trl"].startswith("</script>")


def test_two_runs_are_compared(store):
    from cli.reporting.all_sections import all_sections
    from cli.reporting.subject import subject

    fill(store)
    of = subject(store, None)
    assert of is not None and of.run is not None and of.run["run_id"] == "20260102-a"
    with connect(store) as con:
        sections, problems = all_sections(con, store, of)
    (made,) = (one for one in sections if one.name == "two_runs")
    assert made.title == "0 settings changed; 12 rows came, 0 left" and problems == []
