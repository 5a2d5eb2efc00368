"""Labels by hand count in a run: rows are dropped, kept, edited and preferred, and the score ``by_hand`` says so."""

import json
from pathlib import Path

import pytest

from curate.api.run import run
from curate.pipeline.hand_verdicts import hand_verdicts
from curate.storage.hand_labels import HandLabel, add_label
from curate.storage.store import Store
from schemas.errors import UserError
from tests.choosing import pairs, picks, recipe, recorded
from tests.jobs import query

ROWS = [
    recorded("Name a river.", ("The Nile.", 0.9), ("The Rhine flows north.", 0.2), ("River?", 0.1)),
    recorded("Name a tree.", ("An oak.", 0.8), ("A tree is a tree.", 0.3)),
    recorded("Name a bird.", ("A wren.", 0.7)),
]
BEST = "sft: {type: sft, select: best_of_n, by: quality}"
LOW = "completions:\n  - filter: {low: quality < 0.25}\nby_hand: true\n"


def ids(store: Store) -> dict[str, str]:
    return dict(
        query(store, "SELECT response, completion_id FROM completions WHERE model IS DISTINCT FROM 'by hand'").rows()
    )


def labelled(folder: Path, *labels: tuple, datasets: str = BEST, more: str = "by_hand: true\n") -> Store:
    """Run once, give labels by the answers' texts, and run again."""
    store, made = Store(folder / "store"), recipe(folder, ROWS, datasets, more)
    run(made, store)
    known = ids(store)
    for text, label, *rest in labels:
        over = known[rest[0]] if label == "prefer" else None
        add_label(store, HandLabel(known[text], label, over, rest[0] if rest and not over else None, "Ann"))
    run(made, store)
    return store


def decided(store: Store, stage: str) -> dict[str, tuple]:
    rows = query(
        store,
        f"SELECT response, kept, d.reason, evidence FROM decisions AS d JOIN completions ON row_id = completion_id "
        f"WHERE stage = '{stage}' AND (evidence IS NOT NULL OR NOT kept)",
    ).rows()
    return {
        text: (kept, reason, json.loads(evidence) if (evidence or "").startswith("{") else evidence)
        for text, kept, reason, evidence in rows
    }


def test_a_dropped_answer_is_out_and_says_who_said_so(tmp_path):
    store = labelled(tmp_path, ("The Nile.", "drop", "wrong river"))
    assert ("Name a river.", "The Rhine flows north.") in picks(store, "sft")
    kept, reason, evidence = decided(store, "completions.by_hand")["The Nile."]
    assert (kept, reason) == (False, "dropped by hand")
    assert evidence["by"] == "Ann" and evidence["text"] == "wrong river" and evidence["at"]


def test_a_kept_answer_passes_filters_and_is_taken(tmp_path):
    store = labelled(tmp_path, ("River?", "keep"), more=LOW)
    assert ("Name a river.", "River?") in picks(store, "sft") and len(picks(store, "sft")) == 3
    assert decided(store, "completions.filter") == {
        "River?": (True, None, {"by_hand": "keep", "not_dropped_for": "low"}),
        "The Rhine flows north.": (False, "low", None),
    }
    assert decided(store, "datasets.sft.select")["The Nile."][1] == "another answer is kept by hand"


def test_a_kept_answer_passes_the_condition_of_a_dataset(tmp_path):
    entry = "sft: {type: sft, select: best_of_n, by: quality, where: quality > 0.75}"
    store = labelled(tmp_path, ("A wren.", "keep"), datasets=entry)
    assert [answer for _, answer in picks(store, "sft")] == ["A wren.", "The Nile.", "An oak."]


def test_an_edited_answer_takes_the_place_of_the_old_one(tmp_path):
    store = labelled(tmp_path, ("The Nile.", "edit", "The Nile, in Africa."))
    assert ("Name a river.", "The Nile, in Africa.") in picks(store, "sft")
    [(model, parent, by, messages)] = query(
        store, "SELECT model, parent_id, answered_by, messages::VARCHAR FROM completions WHERE response LIKE '%Africa.'"
    ).rows()
    assert (model, parent, by) == ("by hand", ids(store)["The Nile."], "Ann")
    assert json.loads(messages) == [{"role": "assistant", "content": "The Nile, in Africa."}]
    assert decided(store, "completions.by_hand")["The Nile."][1] == "edited by hand"


def test_an_edited_answer_is_scored_as_all_else_is(tmp_path):
    more = "completions:\n  - score: {use: length, as: letters, unit: characters}\nby_hand: true\n"
    store = labelled(tmp_path, ("The Nile.", "edit", "Nile"), more=more)
    found = query(store, "SELECT response, letters, by_hand FROM candidates WHERE model = 'by hand'").rows()
    assert found == [("Nile", 4.0, 1.0)]


def test_an_edit_of_an_edit_holds_and_a_drop_ends_it(tmp_path):
    store = labelled(tmp_path, ("The Nile.", "edit", "Nile"))
    [(edited,)] = query(store, "SELECT completion_id FROM completions WHERE response = 'Nile'").rows()
    add_label(store, HandLabel(edited, "edit", text="The long Nile"))
    made = recipe(tmp_path, ROWS, BEST, "by_hand: true\n")
    run(made, store)
    assert ("Name a river.", "The long Nile") in picks(store, "sft")
    add_label(store, HandLabel(ids(store)["The Nile."], "drop"))
    run(made, store)
    assert ("Name a river.", "The Rhine flows north.") in picks(store, "sft")


def test_an_edited_answer_that_is_dropped_is_out(tmp_path):
    store = labelled(tmp_path, ("The Nile.", "edit", "Nile"), datasets="sft: {type: sft, select: all}")
    [(edited,)] = query(store, "SELECT completion_id FROM completions WHERE response = 'Nile'").rows()
    add_label(store, HandLabel(edited, "drop", text="too short", by="Eve"))
    run(recipe(tmp_path, ROWS, "sft: {type: sft, select: all}", "by_hand: true\n"), store)
    assert {answer for prompt, answer in picks(store, "sft") if "river" in prompt} == {
        "The Rhine flows north.", "River?"
    }  # fmt: skip
    _, reason, evidence = decided(store, "completions.by_hand")["The Nile."]
    assert (reason, evidence["by"], evidence["text"]) == ("dropped by hand", "Eve", "too short")


def test_a_decision_names_the_last_label(tmp_path):
    store = labelled(tmp_path, ("The Nile.", "keep", "first"))
    add_label(store, HandLabel(ids(store)["The Nile."], "keep", text="second"))
    run(recipe(tmp_path, ROWS, BEST, "by_hand: true\n"), store)
    assert decided(store, "completions.by_hand")["The Nile."][2]["text"] == "second"


def test_what_a_person_prefers_makes_pairs_by_its_score(tmp_path):
    entry = "pairs: {type: preference, select: best_vs_worst, by: by_hand}"
    store = labelled(tmp_path, ("River?", "prefer", "The Nile."), datasets=entry)
    assert pairs(store, "pairs") == [("Name a river.", "River?", "The Nile.")]


def test_a_pair_against_what_a_person_prefers_is_refused(tmp_path):
    entry = "pairs: {type: preference, select: best_vs_worst, by: quality}"
    store = labelled(tmp_path, ("River?", "prefer", "The Nile."), datasets=entry)
    assert ("Name a river.", "The Nile.", "River?") not in pairs(store, "pairs")
    assert ("Name a tree.", "An oak.", "A tree is a tree.") in pairs(store, "pairs")
    assert "a person prefers the other" in query(store, "SELECT string_agg(evidence) FROM decisions").item()


def test_a_comparison_counts_before_the_score(tmp_path):
    # Rhine won against Nile, and lost all else.
    entry = "pairs: {type: preference, select: best_vs_worst, by: quality, max_pairs: 9}"
    rows = [recorded("Name a river.", ("Nile", 0.9), ("Rhine", 0.8), ("Oder", 0.7), ("Elbe", 0.6))]
    store, made = Store(tmp_path / "store"), recipe(tmp_path, rows, entry, "by_hand: true\n")
    run(made, store)
    known = ids(store)
    for better, worse in (("Rhine", "Nile"), ("Oder", "Rhine"), ("Elbe", "Rhine"), ("Nile", "Oder"), ("Nile", "Elbe")):
        add_label(store, HandLabel(known[better], "prefer", known[worse]))
    run(made, store)
    assert query(store, "SELECT round(value, 2) FROM scores WHERE scorer = 'by_hand' ORDER BY 1").rows() == [
        (0.33,), (0.5,), (0.5,), (0.67,)
    ]  # fmt: skip
    assert ("Name a river.", "Nile", "Rhine") not in pairs(store, "pairs")
    add_label(store, HandLabel(known["Nile"], "prefer", known["Rhine"]))
    run(made, store)
    assert ("Name a river.", "Nile", "Rhine") in pairs(store, "pairs")


def test_a_score_of_that_name_is_no_label_without_by_hand(tmp_path):
    more = "completions:\n  - score: {use: length, as: by_hand}\n"
    entry = "pairs: {type: preference, select: best_vs_worst, by: quality}"
    store = labelled(tmp_path, datasets=entry, more=more)
    assert ("Name a tree.", "An oak.", "A tree is a tree.") in pairs(store, "pairs")


def test_a_recorded_score_of_that_name_is_refused(tmp_path):
    rows = [{"prompt": "Name a bird.", "completions": [{"response": "A wren.", "by_hand": 0.5}]}]
    with pytest.raises(UserError, match=r"r\.yaml:7: by_hand: prompts\.source\.\w+ records a score"):
        run(recipe(tmp_path, rows, "sft: {type: sft, select: all}", "by_hand: true\n"), Store(tmp_path / "store"))


def test_a_dropped_prompt_is_out_with_its_answers(tmp_path):
    store, made = Store(tmp_path / "store"), recipe(tmp_path, ROWS, BEST, "by_hand: true\n")
    run(made, store)
    [(prompt,)] = query(store, "SELECT prompt_id FROM prompts WHERE prompt LIKE '%bird%'").rows()
    add_label(store, HandLabel(prompt, "drop"))
    run(made, store)
    assert len(picks(store, "sft")) == 2


def test_labels_count_only_where_the_recipe_says_so(tmp_path):
    store = labelled(tmp_path, ("The Nile.", "drop"), more="")
    assert ("Name a river.", "The Nile.") in picks(store, "sft")


def test_without_labels_nothing_is_made_anew(tmp_path):
    store = labelled(tmp_path)
    assert (
        query(store, "SELECT count(*) FROM stages WHERE NOT reused AND run_id = (SELECT max(run_id) FROM runs)").item()
        == 0
    )


def test_labels_of_a_file_count_in_another_store(tmp_path):
    store = labelled(tmp_path, ("The Nile.", "drop"), more="")
    (tmp_path / "mine.jsonl").write_text((store.path / "by_hand.jsonl").read_text())
    other = Store(tmp_path / "other")
    run(recipe(tmp_path, ROWS, BEST, "by_hand: mine.jsonl\n"), other)
    assert ("Name a river.", "The Rhine flows north.") in picks(other, "sft")


@pytest.mark.parametrize(
    "line, said",
    [
        ('{"row_id": "c_1", "label": "kep"}', "keep"),
        ('{"row_id": "c_1", "label": "prefer"}', "over"),
        ('{"row_id": "c_1", "label": "keep", "who": "x"}', "who"),
        ('{"row_id": 7, "label": "keep"}', "row_id must be a text"),
        ("[1]", "a label is a mapping"),
        ('{"row_id"', "no JSON"),
    ],
)
def test_a_wrong_line_of_a_file_is_named(tmp_path, line, said):
    (tmp_path / "mine.jsonl").write_text('{"row_id": "c_0", "label": "keep"}\n' + line + "\n")
    with pytest.raises(UserError, match=r"mine\.jsonl:2: .*" + said):
        run(recipe(tmp_path, ROWS, BEST, "by_hand: mine.jsonl\n"), Store(tmp_path / "store"))


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(UserError, match=r"by_hand: .*mine\.jsonl: no such file"):
        run(recipe(tmp_path, ROWS, BEST, "by_hand: mine.jsonl\n"), Store(tmp_path / "store"))


def test_labels_of_rows_that_are_not_there_are_counted(tmp_path):
    store = labelled(tmp_path, ("The Nile.", "drop"))
    add_label(store, HandLabel("c_elsewhere", "keep"))
    made = run(recipe(tmp_path, ROWS, BEST, "by_hand: true\n"), store)
    assert [str(one) for one in made.warnings if "labelled" in str(one)] == [
        "by_hand: 1 of 2 labelled rows are not in this run, or an earlier step drops them, such as c_elsewhere"
    ]


def test_an_edit_of_a_prompt_is_said_to_do_nothing(tmp_path):
    store, made = Store(tmp_path / "store"), recipe(tmp_path, ROWS, BEST, "by_hand: true\n")
    run(made, store)
    prompt = query(store, "SELECT min(prompt_id) FROM prompts").item()
    add_label(store, HandLabel(prompt, "edit", text="Name two rivers."))
    assert f"1 edit is of a prompt, such as {prompt}" in str(run(made, store).warnings)


def test_the_scores_name_is_taken(tmp_path):
    more = "completions:\n  - score: {use: length, as: by_hand}\nby_hand: true\n"
    with pytest.raises(UserError, match="by_hand"):
        run(recipe(tmp_path, ROWS, BEST, more), Store(tmp_path / "store"))


def test_the_score_is_the_share_of_comparisons_won():
    order = [("a", "b"), ("b", "c"), ("a", "c")]
    verdicts = hand_verdicts([HandLabel(one, "prefer", over=other) for one, other in order])
    assert verdicts.scores == {"a": 1.0, "b": 0.5, "c": 0.0}


def test_a_label_of_an_edited_answer_holds_for_its_new_form():
    labels = [HandLabel("a", "prefer", over="b"), HandLabel("a", "edit", text="new")]
    verdicts = hand_verdicts(labels)
    new = verdicts.edits["a"].id
    assert verdicts.scores == {"b": 0.0, new: 1.0, "a": 0.0} and list(verdicts.kept) == [new]


def test_a_label_of_a_form_that_was_edited_again_holds():
    first = hand_verdicts([HandLabel("a", "edit", text="one")]).edits["a"].id
    labels = [HandLabel("a", "edit", text="one"), HandLabel("b", "prefer", over=first)]
    verdicts = hand_verdicts([*labels, HandLabel(first, "edit", text="two")])
    assert verdicts.labelled == {"a", "b"} and first not in verdicts.scores
    assert verdicts.scores[verdicts.edits["a"].id] == 1.0  # an edited answer is as it should be
