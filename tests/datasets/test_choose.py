"""Datasets from recorded answers: every rule in a recipe, the options of pairs, and what is told of the refused."""

import json

import pytest

from curate.api.run import plan, run
from curate.storage.store import Store
from schemas.errors import UserError
from tests.choosing import built, pairs, picks, recipe, recorded
from tests.jobs import query

pytestmark = pytest.mark.slow  # whole runs or many processes: seconds for the file

ROWS = [
    recorded("one", ("Paris", 1.0), ("paris!", 0.4), ("Lyon", 0.2), ("Nice", 0.1)),
    recorded("two", ("alpha", 0.9), (" alpha\n", 0.1)),
    recorded("three", ("only", 0.5)),
    recorded("four", ("x", 0.5), ("y", 0.5)),
    recorded("five", ("-5", 1.0), ("5", 0.0)),
]


def decisions(store, stage):
    found = query(
        store,
        f"""SELECT prompt, kept, reason, evidence FROM decisions JOIN prompts ON row_id = prompt_id
                           WHERE stage = '{stage}'""",
    ).rows()
    return {prompt: rest for prompt, *rest in found}


def test_pairs_of_the_same_text_are_refused_counted_and_told(tmp_path):
    store, said = built(tmp_path, ROWS, "dpo: {type: preference, by: quality}")
    assert pairs(store, "dpo") == [("five", "-5", "5"), ("one", "Paris", "Nice")]
    assert said["dpo"].startswith("2 pairs (2 train)") and said["dpo"].endswith("refused: 33% the same text (1)")
    told = decisions(store, "datasets.dpo.select")
    assert {p: reason for p, (kept, reason, _) in told.items() if not kept} == {
        "two": "no pair: refused: 1 the same text",
        "three": "no pair: one candidate only",
        "four": "no pair: every score is 0.5",
    }
    refused = json.loads(told["two"][2])["refused"]
    texts = dict(query(store, "SELECT completion_id, response FROM completions").rows())
    assert [(texts[r["chosen"]], texts[r["rejected"]], r["why"]) for r in refused] == [
        ("alpha", " alpha\n", "the same text")
    ]
    assert told["one"] == [True, None, None]


def test_the_next_in_line_takes_the_place_of_a_refused_pair(tmp_path):
    rows = [recorded("one", ("Paris is nice", 1.0), ("Paris  is nice\n", 0.0), ("Lyon", 0.1), ("Paris is big", 0.2))]
    store, said = built(
        tmp_path,
        rows,
        """
        worst: {type: preference, select: best_vs_worst, by: quality}
        long: {type: preference, select: best_vs_worst, by: quality, length_band: 0.8}
        most: {type: preference, select: best_vs_worst, by: quality, max_pairs: 5}
        two: {type: preference, select: best_vs_worst, by: quality, max_pairs: 1, length_band: 0.8}""",
    )
    assert pairs(store, "worst") == [("one", "Paris is nice", "Lyon")]
    assert pairs(store, "long") == [("one", "Paris is nice", "Paris is big")] == pairs(store, "two")
    assert [r for *_, r in pairs(store, "most")] == ["Lyon", "Paris is big"]
    assert said["long"].endswith("refused: 33% the same text (1), 33% lengths further apart than 0.8 (1)")
    told = decisions(store, "datasets.long.select")["one"]
    assert told[:2] == [True, None] and len(json.loads(told[2])["refused"]) == 2


def test_pairs_by_different_models_or_by_the_same(tmp_path):
    rows = [recorded("one", ("a", 1.0, "big"), ("b", 0.0, "big"), ("c", 0.5, "small"))]
    store, said = built(
        tmp_path,
        rows,
        """
        other: {type: preference, by: quality, models: different}
        same: {type: preference, by: quality, models: same}""",
    )
    assert pairs(store, "other") == [("one", "a", "c")] and pairs(store, "same") == [("one", "a", "b")]
    assert said["other"].endswith("refused: 50% the same model (1)")


def test_near_copies_are_refused_only_where_that_is_asked_for(tmp_path):
    text = " ".join(f"word{n}" for n in range(40))
    rows = [recorded("one", (text, 1.0), (text + " more", 0.0), ("quite another thing", 0.5))]
    store, said = built(
        tmp_path,
        rows,
        """
        near: {type: preference, by: quality, max_similarity: 0.9}
        any: {type: preference, by: quality}""",
    )
    assert [r for *_, r in pairs(store, "near")] == ["quite another thing"]
    assert [r for *_, r in pairs(store, "any")] == [text + " more"]
    assert said["near"].endswith("refused: 50% texts more alike than 0.9 (1)")


@pytest.mark.slow
def test_every_rule_works_on_recorded_pairs(tmp_path):
    rows = [{"prompt": f"q{n}", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(4)]
    store, _ = built(
        tmp_path,
        rows,
        """
        worst: {type: preference, select: best_vs_worst}
        random: {type: preference, select: best_vs_random}
        margin: {type: preference, select: margin, low: 0.5, high: 1.0}
        sigma: {type: preference, select: mu_minus_2sigma}
        ranked: {type: preference, select: ranked}
        best: {type: sft, select: best_of_n}
        passed: {type: sft, select: rejection, at: 1.0}
        top: {type: sft, select: top_k_overall, keep: 0.5}
        drawn: {type: sft, select: weighted, temperature: 0.001}""",
    )
    for name in ("worst", "random", "margin", "sigma", "ranked"):
        assert pairs(store, name) == [(f"q{n}", f"good {n}", f"bad {n}") for n in range(4)]
    for name in ("best", "passed", "top", "drawn"):
        assert picks(store, name) == [(f"q{n}", f"good {n}") for n in range(4)]


MODELS = "models: {strong: {engine: openai, base_url: 'http://127.0.0.1:9/v1', model: qwen-big}}\n"


def test_a_teacher_is_named_as_in_the_recipe_or_as_in_the_column(tmp_path):
    rows = [recorded(f"q{n}", (f"yes {n}", None, "qwen-big"), (f"no {n}", None, "qwen-small")) for n in range(3)]
    store, said = built(
        tmp_path,
        rows,
        """
        recipe: {type: preference, select: own_vs_teacher, teacher: strong, student: qwen-small}
        column: {type: preference, select: own_vs_teacher, teacher: qwen-big, student: qwen-small}
        nobody: {type: preference, select: own_vs_teacher, teacher: qwen-bg, student: qwen-small}""",
        MODELS,
    )
    assert pairs(store, "recipe") == pairs(store, "column") == [(f"q{n}", f"yes {n}", f"no {n}") for n in range(3)]
    assert said["nobody"] == "0 pairs; no candidate is by qwen-bg (there are: qwen-big, qwen-small)"
    assert decisions(store, "datasets.nobody.select")["q0"][1] == "no pair: own_vs_teacher finds none"


def test_a_margin_between_teacher_and_student_needs_a_score(tmp_path):
    rows = [recorded("q", ("yes", None, "big"), ("no", None, "small"))]
    with pytest.raises(UserError, match="'own_vs_teacher' needs a score; name it with 'by'"):
        built(tmp_path, rows, "d: {type: preference, select: own_vs_teacher, teacher: big, student: small, margin: 0}")


def test_answers_that_only_call_tools_differ_by_their_calls(tmp_path):
    def call(name, score):
        turn = {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"type": "function", "function": {"name": name, "arguments": {"x": 1}}}],
        }
        return {"messages": [turn], "quality": score}

    rows = [
        {"prompt": "q", "completions": [call("right", 1.0), call("wrong", 0.0)]},
        {"prompt": "r", "completions": [call("right", 1.0), call("right", 0.0)]},
    ]
    store, _ = built(tmp_path, rows, "d: {type: preference, by: quality}")
    found = query(store, "SELECT chosen, rejected FROM preferences").rows()
    assert len(found) == 1 and "right" in found[0][0] and "wrong" in found[0][1]


def test_equal_texts_with_other_tool_calls_are_two_answers(tmp_path):
    def call(name, score, text="Let me look."):
        turn = {
            "role": "assistant",
            "content": text,
            "tool_calls": [{"type": "function", "function": {"name": name, "arguments": {"x": 1}}}],
        }
        return {"messages": [turn], "quality": score}

    asked = [{"role": "assistant", "content": "Shall I?"}, {"role": "user", "content": "yes"}]
    told = [{"response": "Done.", "quality": 1.0}]
    rows = [
        {"prompt": "q", "completions": [call("right", 1.0), call("wrong", 0.0)]},
        {"prompt": "r", "completions": [call("right", 1.0), call("right", 0.5)]},
        {"messages": [{"role": "user", "content": "open it"}, *asked], "completions": told},
        {"messages": [{"role": "user", "content": "close it"}, *asked], "completions": told},
    ]
    store, said = built(
        tmp_path,
        rows,
        """
        d: {type: preference, by: quality}
        row: {type: sft, dedup: exact}
        response: {type: sft, dedup: {use: exact, on: response}}""",
    )
    found = query(store, "SELECT chosen, rejected FROM preferences").rows()
    assert len(found) == 1 and "right" in found[0][0] and "wrong" in found[0][1]
    assert said["row"].startswith("5 rows") and said["response"].startswith("3 rows")


def test_two_blank_answers_are_the_same(tmp_path):
    store, said = built(tmp_path, [recorded("q", ("", 1.0), (" \n", 0.0))], "d: {type: preference, by: quality}")
    assert said["d"] == "0 pairs; refused: 100% the same text (1)"


def test_a_number_with_a_columns_name_is_no_score(tmp_path):
    answers = [
        {"response": "a", "sample_index": 3, "line": 7, "quality": 1.0},
        {"response": "b", "sample_index": 2, "line": 8, "quality": 0.0},
    ]
    rows = [{"prompt": "q", "completions": answers}]
    store, _ = built(tmp_path, rows, "d: {type: preference, by: quality, where: sample_index < 2}")
    assert pairs(store, "d") == [("q", "a", "b")]
    assert query(store, "SELECT DISTINCT scorer FROM scores").rows() == [("quality",)]
    kept = json.loads(query(store, "SELECT metadata FROM prompts").item())["completions"]
    assert kept == [{"sample_index": 3, "line": 7}, {"sample_index": 2, "line": 8}]
    with pytest.raises(UserError, match="'model', which is the name of a column"):
        built(tmp_path, [{"prompt": "q", "completions": [{"response": "a", "scores": {"model": 1}}]}], "s: {type: sft}")


def test_a_condition_sees_texts_scores_and_the_prompt(tmp_path):
    store, _ = built(
        tmp_path,
        [row | {"ground_truth": row["prompt"]} for row in ROWS],
        """
        sft: {type: sft, by: quality, where: "length(response) < 5 and quality > 0.1 and ground_truth <> 'five'"}
        best: {type: sft, select: best_of_n, by: quality, where: "sample_index > 0 and prompt <> 'two'"}""",
    )
    assert picks(store, "sft") == [("four", "x"), ("four", "y"), ("one", "Lyon"), ("three", "only")]
    assert picks(store, "best") == [("five", "5"), ("four", "y"), ("one", "paris!")]
    why = query(store, """SELECT DISTINCT reason FROM decisions WHERE stage = 'datasets.best.where' AND NOT kept""")
    assert why.to_series().to_list() == ["not: sample_index > 0 and prompt <> 'two'"]
    silent = query(
        store,
        """SELECT * FROM completions WHERE completion_id NOT IN (SELECT completion_id FROM sft WHERE
        dataset = 'best') AND completion_id NOT IN (SELECT row_id FROM decisions WHERE stage LIKE 'datasets.best.%'
        AND NOT kept)""",
    )
    assert silent.height == 0


def test_a_pass_rate_is_a_share_or_the_score_of_that_name(tmp_path):
    rows = [
        {
            "prompt": f"q{n}",
            "completions": [{"response": f"{k}", "math": float(k < n), "pass_rate": n / 10} for k in range(4)],
        }
        for n in range(5)
    ]
    plain = [
        {"prompt": f"q{n}", "completions": [{"response": f"{k}", "math": float(k < n)} for k in range(4)]}
        for n in range(5)
    ]
    view = 'rl: {type: prompt, by: math, where: "pass_rate between 0.25 and 0.75"}'
    rates = "SELECT prompt ->> '$[0].content', pass_rate FROM rl_prompts ORDER BY ALL"
    store, said = built(tmp_path / "plain", plain, view)
    assert (
        query(store, rates).rows() == [("q1", 0.25), ("q2", 0.5), ("q3", 0.75)] and said["rl"] == "3 prompts (3 train)"
    )
    store, _ = built(tmp_path / "named", rows, view)
    found = query(store, rates).rows()
    assert [q for q, _ in found] == ["q3", "q4"] and [v for _, v in found] == pytest.approx([0.3, 0.4])
    assert "pass_rate_mean" in query(store, "SELECT scores FROM rl_prompts").to_series()[0]


def test_a_pass_rate_by_the_first_of_several_scores_says_so(tmp_path):
    rows = [
        {"prompt": f"q{n}", "completions": [{"response": f"{k}", "math": float(k < n), "other": 1.0} for k in range(4)]}
        for n in range(5)
    ]
    where = "where: pass_rate between 0.25 and 0.75"
    _, said = built(
        tmp_path,
        rows,
        f"""
        open: {{type: prompt, {where}}}
        told: {{type: prompt, by: math, {where}}}""",
    )
    assert said["open"] == "3 prompts (3 train); pass_rate is the share with math >= 1"
    assert said["told"] == "3 prompts (3 train)"


def test_dedup_tells_several_pairs_of_one_chosen_answer_apart(tmp_path):
    rows = [recorded("one", ("a", 1.0), ("b", 0.5), ("c", 0.2)), recorded("two", ("x", 1.0), ("y", 0.0))]
    store, said = built(
        tmp_path,
        rows,
        """
        row: {type: preference, by: quality, max_pairs: 2, dedup: exact}
        chosen: {type: preference, by: quality, max_pairs: 2, dedup: {use: exact, on: response}}""",
    )
    assert len(pairs(store, "row")) == 3 and len(pairs(store, "chosen")) == 2
    assert query(store, "SELECT count(*) - count(DISTINCT (row_id, stage)) FROM decisions").item() == 0
    assert said["chosen"] == "2 pairs (2 train); 1 left out by dedup" and "dedup" not in said["row"]


def test_a_random_subset_draws_rows_and_not_whole_prompts(tmp_path):
    rows = [recorded(f"q{n}", *((f"{n} {k}", k) for k in range(4))) for n in range(10)]
    store, said = built(tmp_path, rows, "s: {type: sft, diverse: {use: random, keep: 16}}")
    counts = query(store, "SELECT count(*) FROM sft GROUP BY prompt_id").to_series()
    assert counts.sum() == 16 and counts.len() > 6 and said["s"] == "16 rows (16 train); 24 left out by diverse"


def test_a_step_that_chooses_by_a_score_must_be_told_which(tmp_path):
    step = "completions:\n  - select: {use: best_of_n}\n"
    with pytest.raises(UserError, match="r.yaml:8: select 'best_of_n' needs a score; name it with 'by'"):
        built(tmp_path, ROWS, "s: {type: sft}", step)


@pytest.mark.parametrize(
    ("datasets", "words"),
    [
        ("s: {type: sft, where: ''}", "datasets.s.where: expected a text that is not empty"),
        ("s: {type: sft, max_pairs: 2}", "datasets.s.max_pairs: is about pairs, so it needs the type preference"),
        ("s: {type: preference, by: quality, max_pairs: 0}", "max_pairs"),
        ("s: {type: preference, by: quality, length_band: 1.5}", "length_band"),
        ("s: {type: preference, by: quality, models: other}", "'different' or 'same'"),
        ("s: {type: preference, by: quality, max_pair: 2}", "did you mean 'max_pairs'"),
        ("s: {type: sft, select: best_vs_worst, by: quality}", "makes pairs; type sft needs a rule"),
        ("s: {type: sft, select: rejection, by: quality}", "needs the setting 'at'"),
        ("s: {type: sft, select: best_of_n, by: quality, n: 0}", "n must be at least 1, found 0"),
        ("s: {type: sft, diverse: {use: random, keep: 0}}", "keep: expected a number of rows from 1 up"),
        ("s: {type: preference, select: margin, by: quality, low: 2, high: 1}", "expected 0 <= low <= high"),
        ("s: {type: prompt, dedup: {use: exact, on: response}}", "prompts have no 'response' of their own"),
        ("s: {type: prompt, by: sample_index}", "no score 'sample_index' .there are: quality"),
    ],
)
def test_an_impossible_dataset_is_refused_before_any_stage(tmp_path, datasets, words):
    store = Store(tmp_path / "store")
    with pytest.raises(UserError, match=words) as caught:
        run(recipe(tmp_path, ROWS, datasets), store)
    assert "r.yaml:" in str(caught.value) and store.stages() == {}


@pytest.mark.slow
def test_the_same_rows_in_another_order_give_the_same_datasets(tmp_path):
    views = """
        sft: {type: sft, select: weighted, n: 2, by: quality, control: random}
        dpo: {type: preference, select: best_vs_random, by: quality, control: random}"""
    there = built(tmp_path / "there", ROWS, views)[0]
    back = built(tmp_path / "back", ROWS[::-1], views)[0]
    assert plan(recipe(tmp_path / "there", ROWS, views), there).requests == 0
    for name in ("sft", "sft_random"):
        assert picks(there, name) == picks(back, name) != []
    for name in ("dpo", "dpo_random"):
        assert pairs(there, name) == pairs(back, name) != []
