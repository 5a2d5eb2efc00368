"""A dataset without rows, or without training rows: a run and a plan say why, and what to set."""

import json

from curate.api.run import plan, run
from curate.storage.store import Store
from tests.choosing import recipe, recorded

GSM = [{"question": f"{n}+{n}?", "answer": f"{2 * n}"} for n in range(3)]


def warned(folder, rows, datasets, more="") -> list[str]:
    """Return a run's warnings; a second run, which reuses its stages, and a plan after it have the same."""
    job, store = recipe(folder, rows, datasets, more), Store(folder / "store")
    found = [str(one) for one in run(job, store).warnings]
    assert [str(one) for one in run(job, store).warnings] == found == [str(one) for one in plan(job, store).warnings]
    return found


def planned(folder, rows, datasets, more="") -> list[str]:
    """Return the warnings of a plan before any run."""
    return [str(one) for one in plan(recipe(folder, rows, datasets, more)).warnings]


def test_a_dataset_with_rows_warns_of_nothing(tmp_path):
    assert warned(tmp_path, [recorded("q", ("a", 1.0), ("b", 0.0))], "sft: {type: sft}\ndpo: {type: preference}") == []


def test_prompts_without_answers_and_without_a_generate_step(tmp_path):
    expected = [
        "datasets.sft: 0 rows: no source recorded an answer, and completions: has no generate step; name the key of "
        "the answers in the source with fields: {prompt: KEY, completion: KEY}, or add a step such as - generate: "
        "{use: sample, model: NAME}"
    ]
    assert planned(tmp_path, [{"prompt": "q"}], "sft: {type: sft}") == expected
    assert warned(tmp_path, [{"prompt": "q"}], "sft: {type: sft}\nrl: {type: prompt}") == expected


def test_a_step_that_copies_candidates_makes_none_by_itself(tmp_path):
    steps = "completions:\n  - generate: {use: replace, find: a, put: b}\n"
    (only,) = planned(tmp_path, [{"prompt": "q"}], "sft: {type: sft}", steps)
    assert only.startswith("datasets.sft: 0 rows: no source recorded an answer")


def test_a_plan_with_a_step_that_samples_does_not_know_yet(tmp_path):
    more = "models: {m: smollm2-135m}\ncompletions:\n  - generate: {use: sample, model: m}\n"
    assert planned(tmp_path, [{"prompt": "q"}], "sft: {type: sft}", more) == []


def test_answers_that_are_all_ground_truth_say_what_to_set(tmp_path, monkeypatch):
    job = recipe(tmp_path, GSM, "sft: {type: sft}")
    _with_truths(monkeypatch)
    expected = (
        "datasets.sft: 0 rows: no source recorded an answer, and completions: has no generate step; the 3 values of "
        "'answer' in prompts.source.rows are kept as ground_truth; to train on them, set on that source fields: "
        "{prompt: question, completion: answer}; to sample answers, add a generate step"
    )
    assert [str(one) for one in plan(job).warnings] == [expected]
    assert [str(one) for one in run(job, Store(tmp_path / "store")).warnings] == [expected]
    text = job.path.read_text().replace(
        "rows.jsonl", "{path: rows.jsonl, fields: {prompt: question, completion: answer}}"
    )
    job.path.write_text(text, encoding="utf-8")
    made = run(job.path, Store(tmp_path / "store"))
    assert made.warnings == [] and made.datasets["sft"].height == 3


def test_one_source_of_ground_truth_beside_another_with_answers(tmp_path, monkeypatch):
    _with_truths(monkeypatch)
    job = recipe(tmp_path, GSM, "sft: {type: sft}")
    (tmp_path / "other.jsonl").write_text(json.dumps({"prompt": "p", "completion": "c"}) + "\n", encoding="utf-8")
    text = job.path.read_text().replace("  - source: rows", "  - source: other.jsonl\n  - source: rows")
    job.path.write_text(text, encoding="utf-8")
    (only,) = plan(job.path).warnings
    assert only.stage == "prompts.source.rows" and only.text.startswith("no candidates: the 3 values of 'answer' in ")
    job.path.write_text(text + "  rl: {type: prompt}\n", encoding="utf-8")
    assert plan(job.path).warnings == [], "a dataset of prompts uses the ground truth"


def test_the_part_that_left_out_all_rows_is_named_with_a_reason(tmp_path):
    rows = [recorded(f"q{n}", (f"a {n}", n / 10)) for n in range(4)]
    assert warned(tmp_path, rows, 'sft: {type: sft, where: "quality > 5"}') == [
        "datasets.sft: 0 rows: where left out 4 of 4 candidates (not: quality > 5)"
    ]
    assert warned(tmp_path, rows, 'rl: {type: prompt, where: "pass_rate = 1"}') == [
        "datasets.rl: 0 prompts: where left out 4 of 4 prompts (not: pass_rate = 1)"
    ]
    found = warned(tmp_path, rows, 'sft: {type: sft, select: rejection, by: quality, at: 9, where: "quality > 0.05"}')
    assert found == [
        "datasets.sft: 0 rows: where left out 1 of 4 candidates (not: quality > 0.05); select left out 3 of 3 "
        "candidates (score below 9)"
    ]


def test_steps_above_that_leave_no_candidate_are_where_to_look(tmp_path):
    rows = [recorded("q", ("a", 1.0))]
    (only,) = warned(tmp_path, rows, "sft: {type: sft}", 'completions:\n  - filter: {all: "true"}\n')
    assert only.startswith("datasets.sft: 0 rows: none of the 1 completions reached it; see which step left them out")


def test_pairs_of_answers_that_stand_alone(tmp_path):
    one = [recorded(f"q{n}", (f"a {n}", 1.0)) for n in range(3)]
    assert warned(tmp_path / "one", one, "dpo: {type: preference}") == [
        "datasets.dpo: 0 pairs: select left out 3 of 3 prompts (no pair: one candidate only); a pair needs two "
        "candidates of one prompt, with other scores"
    ]
    kto = [{"prompt": f"q{n}", "completion": f"a {n}", "label": n > 0} for n in range(3)]
    (only,) = warned(tmp_path / "kto", kto, "dpo: {type: preference}")
    assert only.endswith(
        "; answers with a verdict but without a partner (as KTO's) make no pairs: train on the good ones with {type: "
        'sft, where: "label = 1"}'
    )


def test_an_empty_control_is_not_warned_of_twice(tmp_path):
    rows = [recorded("q", ("a", 1.0))]
    assert len(warned(tmp_path, rows, 'sft: {type: sft, where: "quality > 5", control: random}')) == 1


def test_a_dataset_without_training_rows(tmp_path):
    rows = [recorded(f"q{n}", (f"a {n}", 1.0)) for n in range(3)]
    split = 'split: {test: "true"}\n'
    assert warned(tmp_path, rows, "sft: {type: sft}\nheld_out: {type: prompt}", split) == [
        "datasets.sft: no row is in the split train, which a training reads (3 in test); see split: of the recipe"
    ]


def test_a_scorer_without_any_value_is_warned_of(tmp_path):
    rows = [recorded(f"q{n}", (f"a {n}", None)) for n in range(3)]
    (only,) = warned(tmp_path, rows, "sft: {type: sft}", "completions:\n  - score: math\n")
    assert only.startswith("completions.score.math: every score is null: ")


def test_a_recorded_score_without_values_is_in_its_sources_line(tmp_path):
    rows = [{"prompt": "q", "completions": [{"response": "a", "scores": {"quality": None}}]}]
    made = plan(recipe(tmp_path, rows, "sft: {type: sft}"))
    assert "quality (all 1 null)" in made.stages[0].note


def _with_truths(monkeypatch) -> None:
    """Fill in ``Source.truths`` of GSM, as the reader will."""
    from dataclasses import replace

    from curate.pipeline import source_reader

    read = source_reader.read_source

    def with_truths(path, **settings):
        found = read(path, **settings)
        count = found.prompts["ground_truth"].count()
        return replace(found, truths={"answer": count} if count else {})

    monkeypatch.setattr(source_reader, "read_source", with_truths)
