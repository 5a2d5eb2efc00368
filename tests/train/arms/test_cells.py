import polars as pl

from curate.storage.store import Store
from tests.train.tables import write_stage
from train.arms.cells import cells_of, is_bounded, scores

ROWS = [
    ("student", "test", "named", "p1", 0, 0.0, "f"), ("student", "test", "named", "p1", 1, 1.0, "f"),
    ("student", "test", "named", "p2", 0, None, None), ("sft", "test", "named", "p1", 0, 1.0, "f"),
    ("sft", "test", "named", "p2", 0, float("inf"), None), ("sft", "test", "judge/win_rate", "p1", 0, 1.0, "f"),
    ("sft", "retention", "retention/answers", "p9", 0, 3.0, None),
    ("sft", "retention", "retention/texts", "p9", 0, 2.5, None),
    ("student", "test", "behaviour/start_loss", "p1", 0, 1.5, "f"), ("other", "test", "named", "p1", 0, 1.0, "f"),
]  # fmt: skip
COLUMNS = ["model", "split", "scorer", "prompt_id", "sample_index", "value", "family"]


def test_scores_are_means_and_the_start_wins_a_half(store: Store):
    stage = write_stage(store, "evaluations", pl.DataFrame(ROWS, schema=COLUMNS, orient="row"))
    cells = cells_of({7: stage}, {7: {"student": "student", "sft": "curated"}})
    assert cells.select("model", "split", "scorer", "prompt_id", "value", "nulls", "family").rows() == [
        ("student", "test", "named", "p1", 0.5, 0, "f_f"),
        ("student", "test", "named", "p2", None, 1, "p_p2"),
        ("curated", "test", "named", "p1", 1.0, 0, "f_f"),
        ("curated", "test", "named", "p2", None, 1, "p_p2"),
        ("curated", "test", "judge/win_rate", "p1", 1.0, 0, "f_f"),
        ("curated", "retention", "retention/texts", "p9", 2.5, 0, "p_p9"),
        ("student", "test", "judge/win_rate", "p1", 0.5, 0, "f_f"),
    ]
    named = cells.filter(pl.col("scorer") == "named")
    assert scores(named, "curated", [7], ["p1", "p2"]).tolist()[0][0] == 1.0
    assert is_bounded(named) and not is_bounded(cells)


def test_an_evaluation_without_families_has_prompts_of_their_own(store: Store):
    rows = pl.DataFrame(ROWS[:1], schema=COLUMNS, orient="row").drop("family")
    cells = cells_of({7: write_stage(store, "evaluations", rows)}, {7: {"student": "student"}})
    assert cells["family"].to_list() == ["p_p1"] and cells["seed"].to_list() == [7]
