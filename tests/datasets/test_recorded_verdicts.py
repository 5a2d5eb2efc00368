"""SFT rows of answers that are recorded as wrong or rejected: never without being told; and pairs by preference."""

import pytest

from curate.api.run import plan, run
from curate.datasets.recorded_verdicts import is_bad_name
from curate.storage.store import Store
from schemas.errors import UserError
from tests.choosing import built, pairs, picks, recipe

pytestmark = pytest.mark.slow  # whole runs

PAIRS = [{"prompt": f"q{n}", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(3)]
KTO = [{"prompt": f"q{n}", "completion": f"answer {n}", "label": n > 0} for n in range(4)]
BARE = "sft: {type: sft}"


def answers(*verdicts, name="is_correct"):
    return [
        {"prompt": f"q{n}", "completions": [{"response": f"answer {n}", **({} if v is None else {name: v})}]}
        for n, v in enumerate(verdicts)
    ]


def refusal(folder, rows, datasets=BARE, more="") -> str:
    """The refusal of a plan, before anything is made; the line of the dataset comes first."""
    with pytest.raises(UserError) as caught:
        plan(recipe(folder, rows, datasets, more))
    where, _, message = str(caught.value).partition(": ")
    assert where.endswith("r.yaml:6") and len(str(caught.value).splitlines()) == 1
    return message


def test_rejected_answers_are_refused_with_two_lines_to_choose(tmp_path):
    assert refusal(tmp_path, PAIRS) == (
        "datasets.sft: 3 of 6 candidates are recorded with preference = 0; choose: "
        '`where: "preference = 1"` (takes the preferred) or `select: all` (takes all)'
    )
    with pytest.raises(UserError, match="preference = 0"):
        run(recipe(tmp_path, PAIRS, BARE), Store(tmp_path / "store"))
    assert Store(tmp_path / "store").stages() == {}


def test_ktos_label_is_refused_by_its_name(tmp_path):
    assert refusal(tmp_path, KTO).startswith("datasets.sft: 1 of 4 candidates are recorded with label = 0; choose: ")


@pytest.mark.parametrize("name", ["is_correct", "is_safe", "passed", "accepted", "correctness_math_verify"])
def test_every_verdict_is_refused_by_its_name(tmp_path, name):
    assert f'recorded with {name} = 0; choose: `where: "{name} = 1"`' in refusal(tmp_path, answers(1, 0, name=name))


def test_values_below_one_of_two_kinds_are_below_one(tmp_path):
    assert "2 of 3 candidates are recorded with label below 1; " in refusal(tmp_path, answers(1, 0, -1, name="label"))
    assert "recorded with label = -1; " in refusal(tmp_path, answers(1, -1, name="label"))


def test_a_rank_is_best_where_it_is_least(tmp_path):
    message = refusal(tmp_path, answers(1, 2, 3, name="rank"))
    assert '2 of 3 candidates are recorded with rank above 1; choose: `where: "rank = 1"` (takes the best)' in message


def test_candidates_without_the_verdict_stay_in_the_line(tmp_path):
    message = refusal(tmp_path, answers(1, 0, None))
    assert "1 of 3 candidates" in message and '`where: "is_correct = 1 or is_correct is null"` (takes ' in message
    assert " (takes those with is_correct 1, and answers without is_correct) or " in message
    store, _ = built(tmp_path, answers(1, 0, None), 'sft: {type: sft, where: "is_correct = 1 or is_correct is null"}')
    assert picks(store, "sft") == [("q0", "answer 0"), ("q2", "answer 2")]


def test_ties_are_said_where_the_line_takes_them(tmp_path):
    tie = {"prompt": "q", "response_a": "x", "response_b": "y", "winner": "tie"}
    message = refusal(tmp_path, [*PAIRS, tie])
    assert (
        '"preference = 1 or preference is null"` (takes the preferred, and answers without a preference, such as ties)'
        in (message)
    )


def test_of_several_verdicts_the_first_is_in_the_lines(tmp_path):
    rows = [{"prompt": "q", "completions": [{"response": "a", "is_correct": 0, "passed": 0, "success": 1}]}]
    message = refusal(tmp_path, rows)
    assert "recorded with is_correct = 0 (recorded too: passed = 0 (1)); choose" in message
    assert message.endswith("; scores of the sources: is_correct (all 0), passed (all 0), success (all 1)")


def test_what_the_sources_recorded_is_in_the_message(tmp_path):
    rated = [row | {"chosen_rating": 4.0, "rejected_rating": 1.0} for row in PAIRS]
    assert refusal(tmp_path, rated).endswith(
        "(takes all); scores of the sources: preference (3 of 6 are 1), rating (1 to 4, mean 2.5)"
    )


GENERATIONS = {"prompt": "q", "generations": ["a", "b"]}


@pytest.mark.parametrize(
    ("row", "score"),
    [
        (GENERATIONS | {"correctness": [True, False]}, "correctness"),
        (GENERATIONS | {"rewards": [1, 0]}, "reward"),
        (GENERATIONS | {"rewards": [1.0, -1.0]}, "reward"),
        (GENERATIONS | {"is_reasoning_complete": [True, False]}, "is_reasoning_complete"),
        ({"prompt": "q", "completions": [{"text": "a", "is_right": True}, {"text": "b", "is_right": False}]},
         "is_right"),
        ({"prompt": "q", "completions": [{"text": "a", "scores": {"mine": 1}}, {"text": "b", "scores": {"mine": 0}}]},
         "mine"),
    ],
)  # fmt: skip
def test_ones_and_zeros_are_a_verdict_whatever_the_name(tmp_path, row, score):
    message = refusal(tmp_path, [row])
    least = "-1" if -1.0 in row.get("rewards", []) else "0"
    assert message.startswith(
        f"datasets.sft: 1 of 2 candidates are recorded with {score} = {least}; choose: "
        f'`where: "{score} = 1"` (takes those with {score} 1) or `select: all`'
    )
    store, _ = built(tmp_path, [row], f'sft: {{type: sft, where: "{score} = 1"}}')
    assert picks(store, "sft") == [("q", "a")]


@pytest.mark.parametrize(
    "name", ["wrong", "is_incorrect", "isToxic", "unsafe", "harmful", "refused", "Failed", "not_correct", "has-errors"]
)
def test_a_name_that_says_the_bad_thing_is_good_at_zero(tmp_path, name):
    rows = [
        {"prompt": "q", "completions": [{"response": "a", "scores": {name: 0}}, {"response": "b", "scores": {name: 1}}]}
    ]
    message = refusal(tmp_path, rows)
    where = message.partition("`where: ")[2].partition("`")[0]
    assert where == ("""'"has-errors" = 0'""" if name == "has-errors" else f'"{name} = 0"')
    assert f"recorded with {name} = 1; choose" in message and f"(takes those with {name} 0)" in message
    store, _ = built(tmp_path, rows, f"sft: {{type: sft, where: {where}}}")
    assert picks(store, "sft") == [("q", "a")]


@pytest.mark.parametrize("name", ["error_free", "spam_free", "free_of_errors", "isBugFree", "free_text", "unbiased"])
def test_what_is_free_of_the_bad_thing_is_good_at_one(name):
    assert not is_bad_name(name)


@pytest.mark.parametrize("name", ["has_bug", "unfinished", "secrets", "hasDefects", "is_duplicate", "data_leak"])
def test_more_names_that_say_the_bad_thing(name):
    assert is_bad_name(name)


@pytest.mark.parametrize("name", ["non_toxic", "not_wrong", "no_refusal", "is_right", "harmless", "badge", "correct"])
def test_other_names_are_good_at_one(name):
    assert not is_bad_name(name)


def test_a_bad_name_with_three_values_is_good_below_one(tmp_path):
    assert '`where: "wrong < 1"` (takes those with wrong < 1)' in refusal(tmp_path, answers(1, 0, -1, name="wrong"))


@pytest.mark.parametrize("name", ["order", "my score", "it's", "true or 1", "é", "1st"])
def test_a_name_that_is_no_plain_word_is_in_quotes(tmp_path, name):
    rows = [
        {"prompt": "q", "completions": [{"response": "a", "scores": {name: 1}}, {"response": "b", "scores": {name: 0}}]}
    ]
    where = refusal(tmp_path, rows).partition("`where: ")[2].partition("` (takes")[0]
    store, _ = built(tmp_path, rows, f"sft: {{type: sft, where: {where}}}")
    assert picks(store, "sft") == [("q", "a")]


@pytest.mark.parametrize("values", [(0, 0), (1, 1), (0, 0.5, 1), (0, 1, 2), (0, -1)])
def test_values_that_are_no_verdict_are_taken(tmp_path, values):
    _, said = built(tmp_path, answers(*values, name="quality"), BARE)
    assert said["sft"].startswith(f"{len(values)} rows")


def test_a_filter_that_names_such_a_score_is_a_choice(tmp_path):
    more = 'completions:\n  - filter: {unsafe: "unsafe = 1"}\n'
    assert plan(recipe(tmp_path, answers(0, 1, name="unsafe"), BARE, more)).stages


@pytest.mark.parametrize(
    "choice",
    [
        'sft: {type: sft, where: "preference = 1"}',
        "sft: {type: sft, select: all}",
        "sft: {type: sft, select: best_of_n}",
        'sft: {type: sft, where: "length(response) > 0"}',
        "sft: {type: sft, select: all, control: random}",
        "dpo: {type: preference}",
        "rl: {type: prompt}",
    ],
)
def test_a_choice_is_a_choice(tmp_path, choice):
    assert plan(recipe(tmp_path, PAIRS, choice)).stages


@pytest.mark.parametrize(
    ("step", "chosen"),
    [
        ('filter: {rejected: "preference = 0"}', True),
        ("select: {use: best_of_n, by: preference}", True),
        ('filter: {short: "length(response) = 0"}', False),
        ("dedup: exact", False),
        ("score: length", False),
    ],
)
def test_a_step_above_that_names_the_score_is_a_choice(tmp_path, step, chosen):
    more = f"completions:\n  - {step}\n"
    if chosen:
        assert plan(recipe(tmp_path, PAIRS, BARE, more)).stages
    else:
        assert "preference = 0" in refusal(tmp_path, PAIRS, more=more)


def test_by_alone_leaves_out_nothing_and_is_no_choice(tmp_path):
    assert "preference = 0" in refusal(tmp_path, PAIRS, "sft: {type: sft, by: preference}")


@pytest.mark.parametrize("values", [(1, 1, 1), (1.0, 0.5, 0.2), (5, 3, 1)])
def test_good_verdicts_and_scores_of_other_kinds_are_taken(tmp_path, values):
    rows = answers(*values, name="correct")
    store, said = built(tmp_path, rows, BARE)
    assert said["sft"] == "3 rows (3 train)" and len(picks(store, "sft")) == 3


def test_a_score_of_the_recipe_is_no_recorded_verdict(tmp_path):
    rows = [{"prompt": "q", "completions": ["yes", "no"], "ground_truth": "yes"}]
    store, _ = built(tmp_path, rows, BARE, "completions:\n  - score: {use: exact_match, as: correct}\n")
    assert len(picks(store, "sft")) == 2


def test_one_source_of_several_with_bad_rows_is_enough(tmp_path):
    (tmp_path / "plain.jsonl").write_text('{"prompt": "p", "completion": "c"}\n', encoding="utf-8")
    job = recipe(tmp_path, KTO, BARE)
    text = job.path.read_text().replace("  - source: rows.jsonl", "  - source: plain.jsonl\n  - source: rows.jsonl")
    job.path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"1 of 5 candidates .*label = 1 or label is null"):
        plan(job.path)


def test_bare_pairs_with_ratings_are_the_pairs_of_the_file(tmp_path):
    rows = [row | {"chosen_rating": 2.0, "rejected_rating": 3.0 + n, "margin": 1.0} for n, row in enumerate(PAIRS)]
    store, said = built(tmp_path, rows, "dpo: {type: preference}")
    assert pairs(store, "dpo") == [(f"q{n}", f"good {n}", f"bad {n}") for n in range(3)]
    assert said["dpo"] == "3 pairs (3 train)"
    store, _ = built(tmp_path / "rated", rows, "dpo: {type: preference, by: rating}")
    assert pairs(store, "dpo") == [(f"q{n}", f"bad {n}", f"good {n}") for n in range(3)], "by is obeyed"


def test_bare_pairs_with_scorers_take_the_recorded_preference(tmp_path):
    more = "completions:\n  - score: {use: length, as: chars, unit: characters}\n  - score: repetition\n"
    store, _ = built(tmp_path, PAIRS, "dpo: {type: preference}", more)
    assert pairs(store, "dpo") == [(f"q{n}", f"good {n}", f"bad {n}") for n in range(3)]
