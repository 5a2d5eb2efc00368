"""Rules in the user's own files: what they may return, and the errors for wrong ones."""

import re

import pytest

from schemas.errors import UserError
from tests.choosing import built, pairs, recorded

OWN = '''"""Pairs of the user's own."""
import polars as pl


def pair(prompt_id, completion_id, response, *, how: str = "good"):
    """Chosen: the answer that says ``how``."""
    rows = pl.DataFrame([prompt_id, completion_id, response])
    yes, no = rows.filter(pl.col("response") == how), rows.filter(pl.col("response") != how)
    on = {"how": "cross"} if how == "across" else {"on": "prompt_id"}
    pairs = yes.join(no, suffix="_no", **on)
    return pairs.select(chosen_id="completion_id", rejected_id=pl.lit("c_1") if how == "lost" else "completion_id_no")
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN, encoding="utf-8")
    return tmp_path


def test_an_own_rule_goes_on_working(own):
    rows = [recorded("one", ("good", None), ("bad", None), ("good ", None)), recorded("two", ("good", None))]
    store, summary = built(own, rows, "d: {type: preference, select: mine.pair}")
    assert pairs(store, "d") == [("one", "good", "bad")] and summary["d"].endswith("refused: 50% the same text (1)")


SLOTS = '''"""Every better answer over every worse one; the better of a prompt is alternatives of one slot."""
import polars as pl


def pair(prompt_id, completion_id, score, *, slot: str):
    """Pairs."""
    rows = pl.DataFrame([prompt_id, completion_id, score])
    pairs = rows.join(rows, on="prompt_id", suffix="_r").filter(pl.col("score") > pl.col("score_r"))
    pairs = pairs.sort("score", "score_r", descending=[True, False])
    return pairs.select(chosen_id="completion_id", rejected_id="completion_id_r",
                        slot=pl.lit(None, pl.Int64) if slot == "none" else slot)
'''


@pytest.mark.parametrize(("slot", "count"), [("prompt_id", 2), ("score", 4), ("none", 6)])
def test_a_slot_may_be_anything_and_is_one_of_its_prompt(own, slot, count):
    (own / "slots.py").write_text(SLOTS, encoding="utf-8")
    rows = [recorded(f"q{n}", (f"a{n}", 1.0), (f"b{n}", 0.5), (f"c{n}", 0.0)) for n in range(2)]
    store, _ = built(own, rows, f"d: {{type: preference, select: slots.pair, by: quality, slot: {slot}}}")
    assert len(pairs(store, "d")) == count and ("q1", "a1", "c1") in pairs(store, "d")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("1 / 0", "failed: ZeroDivisionError: division by zero"),
        ("score > 0", "expected a table of 2 rows with the columns kept, reason, evidence"),
        ("pl.DataFrame({'kept': [True]})", "returned 1 rows of kept; expected a table of 2 rows"),
        ("pl.DataFrame({'keep': [True, True]})", "returned 2 rows of keep"),
    ],
)
def test_mistakes_of_an_own_choice_are_reported(own, made, words):
    (own / "chosen.py").write_text(
        f"import polars as pl\n\n\ndef select(completion_id, score):\n    return {made}\n", encoding="utf-8"
    )
    with pytest.raises(UserError, match=f"select 'chosen.select' .*{re.escape(words)}"):
        built(own, [recorded("q", ("a", 1.0), ("b", 0.0))], "d: {type: sft, select: chosen.select, by: quality}")


@pytest.mark.parametrize(("how", "words"), [("across", "an answer to another prompt"), ("lost", "no candidate here")])
def test_mistakes_of_an_own_rule_are_reported(own, how, words):
    rows = [recorded("one", (how, None), ("bad", None)), recorded("two", ("other", None))]
    with pytest.raises(UserError, match=words):
        built(own, rows, f"d: {{type: preference, select: mine.pair, how: {how}}}")


def test_an_own_subset_that_reads_a_missing_column_is_reported(own):
    (own / "some.py").write_text("def subset(prompt_id):\n    return prompt_id\n", encoding="utf-8")
    with pytest.raises(UserError, match="no column .which 'some.subset' reads. called 'prompt_id'"):
        built(own, [recorded("q", ("a", 1.0))], "d: {type: sft, diverse: some.subset}")
