"""Pairwise judging: the pairs compared, both orders, ties and flips, panels, and rows that cannot be compared."""

import json
import re
from collections import Counter
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import curate.score.judge_pairwise as judge_pairwise
from curate.score._comparisons import pairs_to_compare
from curate.score._parse_verdicts import read_verdict
from curate.score.judge_pairwise import score
from schemas.errors import UserError
from tests.generate.drive_step import user
from tests.score.drive_scorer import scored
from tests.score.test_judge import likely

pytestmark = pytest.mark.slow  # seconds for the file


def compared(rows, judge, truths=None, **settings):
    """The frame and the model calls for rows of (prompt id, response); ``judge`` gets the texts A and B."""

    def reply(ask, calls):
        text = json.loads(ask)[-1]["content"]
        verdict = judge(*re.findall(r"<response_[ab]>\n(.*?)\n</response", text, re.DOTALL), calls)
        return verdict if isinstance(verdict, dict) else {"text": verdict, "finish_reason": "stop"}

    columns = (pl.Series([row[part] for row in rows], dtype=pl.String) for part in (0, 1))
    truth = pl.Series(truths or [None] * len(rows), dtype=pl.String)
    none = pl.Series([None] * len(rows), dtype=pl.String)
    options: dict[str, Any] = {"model": "m"} | settings
    return scored(score(*columns, user(*[f"{p}?" for p, _ in rows]), truth, none, none, none, **options), reply)


def longer(a, b, _):
    return "They differ.\n\n[[C]]" if len(a) == len(b) else f"One is longer.\n\n[[{'A' if len(a) > len(b) else 'B'}]]"


def counts(found):
    parts = [json.loads(detail) for detail in found["detail"]]
    return [tuple(part[name] for name in ("wins", "ties", "losses", "flips", "unparsed")) for part in parts]


def test_all_pairs_of_a_prompt_are_compared_in_both_orders():
    found, (calls,) = compared([("p", "a"), ("q", "x"), ("p", "aaa"), ("p", "aa"), ("q", "xx")], longer)
    assert found["value"].to_list() == [0.0, 0.0, 1.0, 0.5, 1.0]
    assert counts(found) == [(0, 0, 2, 0, 0), (0, 0, 1, 0, 0), (2, 0, 0, 0, 0), (1, 0, 1, 0, 0), (1, 0, 0, 0, 0)]
    assert len(calls.requests) == 8 and calls.requests.n_unique() == 8


def test_equal_texts_are_a_tie_unasked_and_each_copy_is_met():
    found, (calls,) = compared([("p", "a"), ("p", "a "), ("p", "bb")], longer)
    assert len(calls.requests) == 2
    assert counts(found) == [(0, 1, 1, 0, 0), (0, 1, 1, 0, 0), (2, 0, 0, 0, 0)]
    assert found["value"].to_list() == [0.25, 0.25, 1.0]
    found, (calls,) = compared([("p", "a"), ("p", "a")], longer)
    assert calls.requests.is_empty() and found["value"].to_list() == [0.5, 0.5]


TEXTS = st.lists(st.tuples(st.sampled_from("pq"), st.sampled_from(["a", "bb", "cc", "dddd", "", None])), max_size=9)


@given(TEXTS)
def test_a_judge_that_always_says_a_gives_only_ties_by_flips(rows):
    found, _ = compared(rows, lambda *_: "[[A]]")
    for value, detail in found.select("value", "detail").drop_nulls("value").iter_rows():
        detail = json.loads(detail)
        assert value == 0.5 and detail["wins"] == detail["losses"] == 0 and detail["flips"] <= detail["ties"]


@given(TEXTS, st.randoms(use_true_random=False), st.sampled_from([None, 1, 2, 3]))
def test_the_order_of_the_rows_is_nothing(rows, random, rounds):
    shuffled = random.sample(range(len(rows)), len(rows))
    found, all_calls = compared(rows, longer, rounds=rounds)
    other, again = compared([rows[row] for row in shuffled], longer, rounds=rounds)
    assert [found.row(row) for row in shuffled] == other.rows()
    assert all_calls[0].requests.to_list() == again[0].requests.to_list()


@given(TEXTS)
def test_a_judge_of_opposite_preference_turns_values_round(rows):
    turned = {"A": "B", "B": "A", "C": "C"}
    found, _ = compared(rows, longer)
    other, _ = compared(rows, lambda *both: re.sub("[ABC](?=]])", lambda m: turned[m[0]], longer(*both)))
    both = zip(found["value"], other["value"], strict=True)
    assert all(a is b is None or a == pytest.approx(1 - b) for a, b in both)
    assert found["value"].sum() == pytest.approx(found["value"].count() / 2), "each win is another's loss"


def test_one_order_a_tie_and_the_other_not_is_a_tie_and_a_flip():
    found, _ = compared([("p", "a"), ("p", "bb")], lambda a, b, _: "[[C]]" if a == "a" else "[[A]]")
    assert counts(found) == [(0, 1, 0, 1, 0)] * 2 and found["value"].to_list() == [0.5, 0.5]


@pytest.mark.parametrize("count", [2, 3, 4, 5, 8, 9])
@pytest.mark.parametrize("rounds", [1, 2, 3, 4, 7])
def test_rounds_are_the_number_of_others_each_is_compared_with(count, rounds):
    pairs = pairs_to_compare([str(n) for n in range(count)], rounds)
    appearances = Counter(one for pair in pairs for one in pair)
    assert len({frozenset(pair) for pair in pairs}) == len(pairs) and all(a != b for a, b in pairs)
    expected = min(rounds, count - 1)
    assert set(appearances.values()) <= {expected, expected + 1} and len(appearances) == count
    assert sum(appearances.values()) <= expected * count + 1


def test_the_seed_chooses_the_pairs():
    rows = [("p", "x" * n) for n in range(1, 9)]
    asked = [compared(rows, longer, rounds=2, seed=seed)[1][0].requests for seed in (0, 0, 1)]
    assert asked[0].equals(asked[1]) and not asked[0].equals(asked[2])
    assert len(asked[0]) == 16


def test_against_the_reference():
    rows = [("p", "a"), ("p", "aaaa"), ("p", "ref"), ("q", "b"), ("p", None)]
    found, (calls,) = compared(rows, longer, ["ref ", "ref ", "ref ", None, "ref "], against="reference")
    assert found["value"].to_list() == [0.0, 1.0, 0.5, None, None] and len(calls.requests) == 4
    assert found["error"].to_list() == [None, None, None, "no ground_truth", "no response"]


def test_an_uncompared_row_is_null_with_its_reason_and_the_reply():
    found, _ = compared([("p", "a"), ("p", "bb"), ("q", "c"), ("q", None)], lambda *_: "Both have merits.")
    assert found["value"].is_null().all()
    unread = "nothing could be compared: no verdict in the reply: 'Both have merits.'"
    assert found["error"].to_list() == [unread, unread, "one candidate only", "no response"]
    replies = json.loads(found["detail"][0])["replies"]
    assert [(r["order"], r["reply"]) for r in replies] == [("AB", "Both have merits."), ("BA", "Both have merits.")]
    found, _ = compared([("p", "a"), ("p", "bb")], lambda *_: {"error": "HTTP 500"})
    assert found["error"].to_list() == ["nothing could be compared: HTTP 500"] * 2


def test_a_comparison_with_one_order_unread_is_left_out():
    rows = [("p", "a"), ("p", "bb"), ("p", "ccc")]
    found, _ = compared(rows, lambda a, b, _: "?" if a + b == "abb" else longer(a, b, _))
    assert counts(found) == [(0, 0, 1, 0, 1), (0, 0, 1, 0, 1), (2, 0, 0, 0, 0)]
    assert found["value"].to_list() == [0.0, 0.0, 1.0]


def test_a_panel_decides_by_majority():
    says = {"a": longer, "b": longer, "c": lambda a, b, _: longer(b, a, _)}
    found, all_calls = compared(
        [("p", "x"), ("p", "yy")], lambda a, b, calls: says[calls.model](a, b, calls), model=[*says]
    )
    assert [calls.model for calls in all_calls] == ["a", "b", "c"] and found["value"].to_list() == [0.0, 1.0]
    says["b"] = lambda *_: "?"
    found, _ = compared([("p", "x"), ("p", "yy")], lambda a, b, calls: says[calls.model](a, b, calls), model=[*says])
    assert counts(found) == [(0, 1, 0, 0, 0)] * 2, "one against one"
    says["a"] = says["b"]
    found, _ = compared([("p", "x"), ("p", "yy")], lambda a, b, calls: says[calls.model](a, b, calls), model=[*says])
    assert found["value"].is_null().all() and counts(found) == [(0, 0, 0, 0, 1)] * 2, "one of three is no majority"


def test_weighted_averages_verdict_probabilities_of_both_orders():
    def judge(a, b, _):
        top = {"A": 0.6, "B": 0.2, "C": 0.2} if a == "a" else {" B": 0.3, "A": 0.7}
        return {"text": "About alike, A says.\n\n[[A]]", "top_logprobs": likely(("A", {"A": 1}), ("A", top))}

    rows = [("p", "a"), ("p", "bb")]
    found, (calls,) = compared(rows, judge, weighted=True)
    assert found["value"].to_list() == pytest.approx([(0.7 + 0.3) / 2, (0.3 + 0.7) / 2])
    assert counts(found) == [(0, 1, 0, 1, 0)] * 2 and calls.sampling["top_logprobs"] == 20
    found, (calls,) = compared(rows, longer, weighted=True)
    assert found["value"].to_list() == [0.0, 1.0], "without log-probabilities, what was written"
    assert "top_logprobs" not in compared(rows, longer)[1][0].sampling


def test_the_flips_of_a_batch_are_noted():
    rows = [("p", "a"), ("p", "bb"), ("p", "ccc"), ("q", "a")]
    found, _ = compared(rows, lambda a, b, _: "[[A]]" if "a" in a + b else longer(a, b, _))
    assert found["note"].unique().to_list() == ["2 of 3 comparisons flipped with the order"]
    assert compared([("p", "a")], longer)[0]["note"].to_list() == [None]


def test_flips_are_summed_in_sql():
    rows = [("p", "a"), ("p", "bb"), ("p", "ccc")]
    found, _ = compared(rows, lambda a, b, _: longer(a, b, _) if "ccc" in a + b else "[[B]]")
    scores = found.with_columns(scorer=pl.lit("judge_pairwise"))
    sql = re.search(r"SELECT .*?'judge_pairwise'", str(judge_pairwise.__doc__), re.DOTALL)
    assert sql is not None, "the scorer's description has no SQL"
    with duckdb.connect() as connection:
        connection.register("scores", scores.to_arrow())
        assert connection.execute(sql[0]).fetchone() == (pytest.approx(1 / 3),)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("[[A]]", 1.0),
        ("Both are fine.\n\n[[B]]", 0.0),
        ("[[C]]", 0.5),
        ("Final verdict: [[Tie]]", 0.5),
        ("[A]", 1.0),
        ("My verdict: **B**", 0.0),
        ("Verdict: A tie", 0.5),
        ('{"winner": "A", "why": "B is wrong"}', 1.0),
        ("A", 1.0),
        ("**B**.", 0.0),
        ("Response A is better.", 1.0),
        ("Assistant B is clearly better because it is right", 0.0),
        ("Both responses are equally good.", 0.5),
        ("It's a tie.", 0.5),
        ("Neither response is better", 0.5),
        ("I prefer response B", 0.0),
        ("The better response: Response A", 1.0),
        ("[[A]] or [[B]]? [[B]]", 0.0),
        ("<think>[[A]]</think>[[B]]", 0.0),
        ("winner: Answer B", 0.0),
        ("The response says [[A]].\n\nVerdict: B", 0.0),
        ("Response A is better in style, response B is better in content", None),
        ("A good answer.", None),
        ("", None),
        ("It is fine.", None),
        ("[[D]]", None),
    ],
)
def test_what_is_read_in_a_reply(reply, value):
    found = read_verdict(reply, last=True)
    assert found.value == value and (value is None) == (found.problem is not None)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"rounds": 0}, "rounds: expected 1 or more, found 0"),
        ({"rubric": "ultrafeedback"}, "rubric: expected one, not ultra"),
        ({"rubric": "qualty"}, "did you mean 'quality'"),
        ({"model": []}, "expected a model or a list"),
    ],
)
def test_settings_that_fit_nothing(settings, error):
    with pytest.raises(UserError, match=error):
        compared([("p", "a")], longer, **settings)
