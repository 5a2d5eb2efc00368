"""A dataset without rows, or without training rows: a run and a plan say why, and what to set."""

import json

import pytest

from curate.api.run import plan, run
from curate.storage.store import Store
from tests.choosing import recipe, recorded

pytestmark = pytest.mark.slow  # whole runs

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
    assert warned(tmp_path, [recorded("q", ("a", 0.9), ("b", 0.2))], "sft: {type: sft}\ndpo: {type: preference}") == []


@pytest.mark.parametrize(
    ("dataset", "scores", "failed"),
    [
        ("{type: sft, select: best_of_n, by: quality}", (1, 0), "1 of 2 rows has"),
        ("{type: sft, select: best_of_n, by: quality}", (1, 1), ""),
        ("{type: sft, select: best_of_n, by: quality}", (1, 0.5), ""),
        ("{type: sft, select: best_of_n, by: quality, where: quality = 1}", (1, 0), ""),
        ("{type: sft, select: all}", (1, 0), ""),
    ],
)
def test_the_best_answer_of_a_prompt_may_be_one_that_fails(tmp_path, dataset, scores, failed):
    rows = [recorded(f"q{n}", ("a", float(best)), ("b", 0.0)) for n, best in enumerate(scores)]
    found = [one for one in warned(tmp_path, rows, f"sft: {dataset}") if "best_of_n" in one]
    assert [failed in one and "set where: quality = 1" in one for one in found] == ([True] if failed else [])


CHAT = [
    {"role": role, "content": text}
    for role, text in (("user", "Hi."), ("assistant", "Mail a@b.co."), ("user", "More?"), ("assistant", "No."))
]
UNSEEN = (
    "datasets.sft: 1 earlier turn is learnt that no step looked at: scores, filters, rules and rewriting see the last "
    "answer of a conversation; learn: last learns the last answer only"
)


@pytest.mark.parametrize(
    ("dataset", "step", "warns"),
    [
        ("{type: sft}", "", False),
        ("{type: sft}", "score: {use: length}", True),
        ("{type: sft}", "filter: {short: \"response = ''\"}", True),
        ("{type: sft}", "generate: mask", True),
        ("{type: sft}", "dedup: exact", False),
        ("{type: sft, where: \"response <> ''\"}", "", True),
        ("{type: sft, learn: last}", "score: {use: length}", False),
    ],
)
def test_earlier_turns_that_no_step_looked_at(tmp_path, dataset, step, warns):
    more = f"completions:\n  - {step}\n" if step else ""
    rows = [{"messages": CHAT}, recorded("Name a river.", ("The Po.", None))]
    assert warned(tmp_path, rows, f"sft: {dataset}", more) == ([UNSEEN] if warns else [])


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


def test_answers_that_are_all_ground_truth_say_what_to_set(tmp_path):
    job = recipe(tmp_path, GSM, "sft: {type: sft}")
    expected = (
        "datasets.sft: 0 rows: no source recorded an answer, and completions: has no generate step; the 3 prompts of "
        "prompts.source.rows have their answer ('answer') as the ground truth only; to train on it, set on it fields: "
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


def test_one_source_of_ground_truth_beside_another_with_answers(tmp_path):
    job = recipe(tmp_path, GSM, "sft: {type: sft}")
    (tmp_path / "other.jsonl").write_text(json.dumps({"prompt": "p", "completion": "c"}) + "\n", encoding="utf-8")
    text = job.path.read_text().replace("  - source: rows", "  - source: other.jsonl\n  - source: rows")
    job.path.write_text(text, encoding="utf-8")
    (only,) = plan(job.path).warnings
    assert only.stage == "prompts.source.rows" and only.text.startswith("no candidates: the 3 prompts of ")
    job.path.write_text(text + "  rl: {type: prompt}\n", encoding="utf-8")
    assert plan(job.path).warnings == [], "a dataset of prompts uses the ground truth"


ANSWERED = [{"prompt": f"p{n}", "completion": f"c{n}"} for n in range(4)]
OWN = (
    "read those rows as a source of their own (by its path or sql), with fields: {prompt: question, completion: answer}"
)


PAIRED = [{"prompt": f"p{n}", "chosen": f"c{n}", "rejected": f"r{n}"} for n in range(4)]


@pytest.mark.parametrize(("kind", "rows"), [("sft", [*ANSWERED, *GSM]), ("preference", [*PAIRED, *GSM])])
def test_ground_truth_alone_beside_answered_prompts(tmp_path, kind, rows):
    found = planned(tmp_path, rows, f"made: {{type: {kind}}}")
    assert found == [
        "prompts.source.rows: no candidates: 3 of 7 prompts of prompts.source.rows have their answer ('answer') as "
        f"the ground truth only; to train on it, {OWN}"
    ]
    assert warned(tmp_path, rows, f"made: {{type: {kind}}}")[0] == found[0]
    assert planned(tmp_path, rows, f"made: {{type: {kind}}}\nrl: {{type: prompt}}") == []
    sampled = "models: {m: smollm2-135m}\ncompletions:\n  - generate: {use: sample, model: m}\n"
    assert planned(tmp_path, rows, f"made: {{type: {kind}}}", sampled) == []


def test_a_folder_of_such_files_and_what_the_warning_says_to_set(tmp_path):
    job, folder = recipe(tmp_path, [], "sft: {type: sft}"), tmp_path / "data"
    folder.mkdir()
    for name, rows in (("a", ANSWERED), ("b", GSM)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    text = job.path.read_text()
    job.path.write_text(text.replace("rows.jsonl", "data"), encoding="utf-8")
    (only,) = plan(job.path).warnings
    assert "3 of 7 prompts of prompts.source.data have" in only.text and only.text.endswith(OWN)
    own = "data/a.jsonl\n  - source: {path: data/b.jsonl, fields: {prompt: question, completion: answer}}"
    job.path.write_text(text.replace("rows.jsonl", own), encoding="utf-8")
    made = run(job.path, Store(tmp_path / "store"))
    assert made.warnings == [] and made.datasets["sft"].height == 7


def test_ground_truth_beside_an_answer_or_by_name_is_no_loss(tmp_path):
    both = [{"question": "1+1?", "answer": "2", "completion": "It is 2."}]
    named = [{"prompt": "1+2?", "ground_truth": "3"}]
    assert planned(tmp_path, [*both, *named], "sft: {type: sft}") == []


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
    assert only == (
        "datasets.sft: 0 rows: the only completion has not reached it (completions.filter kept 0 of 1); see why: "
        'gristmill sql "SELECT stage, reason, count(*) FROM decisions WHERE NOT kept GROUP BY ALL"'
    )


def test_of_several_steps_those_that_left_rows_out_are_named(tmp_path):
    rows = [recorded(f"q{n}", (f"a {n}", n / 10)) for n in range(4)]
    steps = 'completions:\n  - filter: {a: "quality > 0.2"}\n  - dedup: exact\n  - filter: {b: "quality < 1"}\n'
    (only,) = warned(tmp_path, rows, "sft: {type: sft}", steps)
    assert "reached it (completions.filter kept 3 of 4, completions.filter.2 kept 0 of 3); see why: " in only
    (only,) = warned(tmp_path, rows, "sft: {type: sft}", steps + "limit: 3\n")
    assert only.endswith(' GROUP BY ALL" --recipe r.limit3')


def test_pairs_of_answers_that_stand_alone(tmp_path):
    one = [recorded(f"q{n}", (f"a {n}", 1.0)) for n in range(3)]
    assert warned(tmp_path / "one", one, "dpo: {type: preference}") == [
        "datasets.dpo: 0 pairs: select left out 3 of 3 prompts (no pair: one candidate only); a pair needs two "
        "candidates of one prompt, with other scores"
    ]
    kto = [{"prompt": f"q{n}", "completion": f"a {n}", "label": n > 0} for n in range(3)]
    (only,) = warned(tmp_path / "kto", kto, "dpo: {type: preference}")
    assert only.endswith(
        "; answers with a verdict but without a partner (as KTO's) make no pairs: train on all with kto {type: "
        'unpaired, by: label}, or on the good ones with sft {type: sft, where: "label = 1"}'
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
