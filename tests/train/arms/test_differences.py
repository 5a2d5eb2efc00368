import numpy as np
import polars as pl
import pytest

from train.arms.arms import Arm
from train.arms.cells import SCHEMA
from train.arms.differences import Compared, compare_arms
from train.arms.drawing import drawing
from train.arms.markdown import markdown
from train.arms.sentences import sentences
from train.arms.trained import Trained
from train.arms.verdicts import BETTER, FEW, SAME, UNEQUAL, WORSE

ARMS = (Arm("curated", "sft", "sft", ("sft",)), Arm("random", "r", "r", ("r",)), Arm("dpo", "dpo", "d", ("sft", "dpo")))


def cells(
    shifts: dict[str, list[float]], split: str = "test", scorer: str = "named", prompts: int = 40
) -> pl.DataFrame:
    """Return scores of 0 and 1 with each model's mean on each seed."""
    rows = [
        {
            "seed": 7 + at, "model": model, "split": split, "scorer": scorer, "prompt_id": f"p{i}",
            "family": f"f{i // 2}", "value": float((i * 7 + at) % prompts < share * prompts), "nulls": 0,
        }
        for model, shares in shifts.items()
        for at, share in enumerate(shares)
        for i in range(prompts)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=SCHEMA)


def trained(random: int = 1000, seeds: int = 5) -> dict[tuple[int, str], Trained]:
    amounts = {"curated": 1000, "random": random, "dpo": 1300}
    return {(7 + s, name): Trained(f"{name}{s}", 44, count) for s in range(seeds) for name, count in amounts.items()}


SHARES = {
    "student": [0.1] * 5,
    "curated": [0.9, 0.85, 0.9, 0.95, 0.9],
    "random": [0.5, 0.6, 0.55, 0.5, 0.6],
    "dpo": [0.9, 0.9, 0.85, 0.9, 0.95],
}


def whole(found: pl.DataFrame) -> dict[tuple[str, str], dict]:
    rows = found.filter(pl.col("seed").is_null()).rows(named=True)
    return {(row["arm"], row["versus"]): row for row in rows}


def test_the_verdict_is_t_over_the_seeds():
    found = compare_arms(Compared(ARMS, "student", cells(SHARES), trained()))
    rows = whole(found)
    assert list(rows) == [
        ("curated", "random"), ("dpo", "curated"), ("dpo", "random"), ("curated", "student"), ("random", "student"),
        ("dpo", "student"),
    ]  # fmt: skip
    row = rows["curated", "random"]
    differences = np.array(SHARES["curated"]) - np.array(SHARES["random"])
    half = 2.776445 * differences.std(ddof=1) / np.sqrt(5)  # the quantile of Student's t with 4 degrees
    assert row["difference"] == pytest.approx(differences.mean())
    assert (row["low"], row["high"]) == pytest.approx((differences.mean() - half, differences.mean() + half), abs=1e-5)
    assert (row["freedom"], row["verdict"], row["seeds"], row["prompts"], row["families"]) == (4, BETTER, 5, 40, 20)
    assert row["new_low"] < row["low"] and row["p"] < row["p_holm"] < 0.05
    each = found.filter(pl.col("seed").is_not_null(), pl.col("arm") == "curated", pl.col("versus") == "random")
    assert each["difference"].to_list() == pytest.approx(differences.tolist()) and each["seed"].to_list() == [
        *range(7, 12)
    ]
    assert each["training_id"][0] == "curated0" and each["versus_training_id"][4] == "random4"
    assert rows["dpo", "curated"]["verdict"] == SAME and rows["dpo", "curated"]["on_top"]
    assert rows["dpo", "curated"]["smallest"] > abs(rows["dpo", "curated"]["difference"])


def test_unequal_tokens_are_no_verdict_but_for_arms_on_top():
    rows = whole(compare_arms(Compared(ARMS, "student", cells(SHARES), trained(random=1100))))
    assert rows["curated", "random"]["verdict"] == UNEQUAL
    assert rows["dpo", "random"]["verdict"] == BETTER and rows["random", "student"]["verdict"] == BETTER
    both = [Arm("random", "r", "d", ("sft", "r")) if arm.name == "random" else arm for arm in ARMS]
    rows = whole(compare_arms(Compared(both, "student", cells(SHARES), trained(random=1100))))
    assert rows["random", "dpo"]["verdict"] == UNEQUAL and rows["random", "dpo"]["on_top"]


def test_sampled_answers_have_the_tokens_that_come_of_it():
    found = Compared(ARMS, "student", cells(SHARES), trained(random=1100), sampled=["random"])
    assert whole(compare_arms(found))["curated", "random"]["verdict"] == BETTER


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_or_two_seeds_tell_little(seeds: int):
    shares = {name: values[:seeds] for name, values in SHARES.items()}
    found = compare_arms(Compared(ARMS, "student", cells(shares), trained(seeds=seeds)))
    row = whole(found)["curated", "random"]
    assert row["verdict"] == FEW and (row["low"] is None) == (seeds == 1)
    assert any("too few seeds to tell" in line for line in sentences(found))


def test_lower_is_better_in_the_retention_slice():
    rows = cells(SHARES, split="retention", scorer="perplexity")
    found = whole(compare_arms(Compared(ARMS, "student", rows, trained())))
    assert found["curated", "random"]["better"] == "lower" and found["curated", "random"]["verdict"] == WORSE


def test_the_same_difference_on_all_seeds_is_judged_over_prompts():
    shares = {"student": [0.1] * 5, "curated": [0.9] * 5, "random": [0.9] * 5, "dpo": [0.9] * 5}
    rows = cells(shares).with_columns(value=pl.col("value").first().over("model", "prompt_id"))
    found = whole(compare_arms(Compared(ARMS, "student", rows, trained())))
    same, gain = found["curated", "random"], found["curated", "student"]
    assert same["difference"] == 0 and same["verdict"] == SAME and same["low"] is None
    assert gain["verdict"] == BETTER and gain["low"] is None and gain["new_low"] > 0.4


def test_missing_and_broken_scores_are_left_out_and_counted():
    rows = cells(SHARES).with_columns(
        value=pl.when(pl.col("prompt_id") == "p3").then(None).otherwise("value"),
        nulls=pl.when(pl.col("prompt_id") == "p3").then(1).otherwise(0),
    )
    row = whole(compare_arms(Compared(ARMS, "student", rows, trained())))["curated", "random"]
    assert row["prompts"] == 39 and row["nulls"] == 10
    nothing = rows.with_columns(value=pl.when(pl.col("model") != "random").then("value"))
    row = whole(compare_arms(Compared(ARMS, "student", nothing, trained())))["curated", "random"]
    assert row["difference"] is None and row["verdict"] == "no score to compare"


def test_names_and_texts_of_others_do_no_harm():
    arms = (Arm("a|b*<x>\x1b[2J&", "sft", "sft", ("sft",)), Arm("random" * 20, "r", "r", ("r",)))
    shares = {"student": SHARES["student"], arms[0].name: SHARES["curated"], arms[1].name: SHARES["random"]}
    found = compare_arms(Compared(arms, "student", cells(shares)))
    text, picture = markdown("demo", found), drawing("demo <", found)
    assert "\x1b" not in text + picture + "".join(sentences(found)) and r"a\|b\*\<x\>" in text
    assert "<x>" not in picture and "demo &lt;" in picture
    from xml.etree import ElementTree

    assert ElementTree.fromstring(picture).tag.endswith("svg")
