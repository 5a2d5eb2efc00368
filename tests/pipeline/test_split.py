"""Splits: equal prompts are on one side, shares are met to within a family, and few prompts change sides."""

import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.pipeline.split import SplitRules, assign, needs
from schemas.errors import UserError

SHARES: dict[str, float] = {"test": 0.3, "dev": 0.2}
SPLITS: dict[str, float | str] = {**SHARES}
TEXTS = st.lists(st.text(max_size=12), max_size=30)
SEEDS = st.integers(0, 1 << 31)
LAWS = settings(max_examples=60, deadline=None)


def table(texts, **columns):
    messages = [json.dumps([{"role": "user", "content": t}]) for t in texts]
    return pl.DataFrame(
        {"messages": messages, "prompt": texts, **columns},
        schema_overrides={"messages": pl.String, "prompt": pl.String},
    )


def assigned(prompts, splits: dict[str, float | str], seed=7, near=0.8):
    rules = SplitRules(splits, near=near, seed=seed, where="recipe.yaml:9")
    return assign(lambda: [prompts], rules, prompts.height)


def sides(texts, splits: dict[str, float | str] = SPLITS, seed=7, **columns):
    found = assigned(table(texts, **columns), splits, seed).split
    assert found.name == "split" and found.dtype == pl.String and len(found) == len(texts)
    return found.to_list()


@LAWS
@given(TEXTS, SEEDS)
def test_equal_prompts_are_never_on_two_sides(texts, seed):
    side_of = {}
    for text, side in zip(texts * 2, sides(texts * 2, seed=seed), strict=True):
        assert side in {"train", "test", "dev"} and side_of.setdefault(text, side) == side


@LAWS
@given(TEXTS, st.randoms(), SEEDS)
def test_the_order_of_prompts_does_not_matter(texts, random, seed):
    before = dict(zip(texts, sides(texts, seed=seed), strict=True))
    random.shuffle(texts)
    assert dict(zip(texts, sides(texts, seed=seed), strict=True)) == before


@pytest.mark.slow
@LAWS
@given(TEXTS, TEXTS, st.floats(0.01, 0.99), SEEDS)
def test_added_prompts_move_only_those_on_one_side_of_the_end(old, new, share, seed):
    """Families keep their order: all that change sides lie between the old end of the share and the new one.

    Families that grow together, and one that grows to half of all prompts or shrinks from it, may change theirs.
    """
    splits: dict[str, float | str] = {"test": share}
    before, after = assigned(table(old), splits, seed), assigned(table([*old, *new]), splits, seed)
    same = pl.Series(before.draw == after.draw[: len(old)])
    if not same.all():
        return
    sides_of = pl.DataFrame({"old": before.split, "new": after.split[: len(old)], "draw": before.draw})
    moved = sides_of.filter(pl.col("old") != pl.col("new"))
    assert moved.select("old", "new").unique().height <= 1
    ends = [first_of_train(found, rows) for found, rows in ((before, len(old)), (after, len(old) + len(new)))]
    assert moved["draw"].is_between(min(ends), max(ends), closed="left").all()


def first_of_train(found, rows):
    return min([*found.draw[:rows][(found.split[:rows] == "train").to_numpy()], 2.0])


def test_ten_times_the_prompts_move_few_to_another_side():
    texts = [f"question {i}" for i in range(5000)]
    old, grown = sides(texts[:500], {"test": 0.2}), sides(texts, {"test": 0.2})[:500]
    assert 0 < sum(a != b for a, b in zip(old, grown, strict=True)) < 40


@LAWS
@given(TEXTS, st.lists(st.integers(0, 5), min_size=30, max_size=30), st.floats(0.001, 0.999), SEEDS)
def test_a_share_is_met_to_within_a_family(texts, members, share, seed):
    family = [f"f{number}" for number in members[: len(texts)]]
    made = assigned(table(texts, family=family), {"test": share}, seed)
    found, families = made.split.to_list(), made.families.label.tolist()
    largest = max(map(families.count, families), default=0)
    assert abs(found.count("test") - share * len(texts)) <= largest
    assert len(set(zip(family, found, strict=True))) == len(set(family)), "a recorded family is in one split"
    assert len(set(zip(families, found, strict=True))) == len(set(families)), "a family is in one split"
    if len(set(families)) > 1:
        assert set(found) == {"test", "train"}


@LAWS
@given(st.lists(st.floats(0.01, 0.15), min_size=1, max_size=6), st.integers(20, 200), st.integers(1, 4), SEEDS)
def test_several_shares_are_each_met_to_within_a_family(shares, families, size, seed):
    splits: dict[str, float | str] = {f"s{number}": share for number, share in enumerate(shares)}
    texts = [f"question {i}" for i in range(families * size)]
    found = sides(texts, splits, seed, family=[f"f{i // size}" for i in range(families * size)])
    for name, share in splits.items():
        assert isinstance(share, float) and abs(found.count(name) - share * len(texts)) <= size
        assert found.count(name) >= size, "a share has at least one family"


@pytest.mark.parametrize("families, held_out", [(0, set()), (1, set()), (2, {"test"}), (3, {"test", "dev"})])
def test_training_comes_first_where_families_are_few(families, held_out):
    found = sides([f"question {i}" for i in range(families)], {"test": 0.5, "dev": 0.4})
    assert set(found) - {"train"} == held_out and (found.count("train") == 1 or not families)


def test_a_tenth_of_a_hundred_prompts_is_ten():
    for seed in range(20):
        found = sides([f"question {i}" for i in range(100)], {"test": 0.1, "dev": 0.25}, seed)
        assert (found.count("test"), found.count("dev"), found.count("train")) == (10, 25, 65)


@LAWS
@given(TEXTS, SEEDS)
def test_a_larger_share_takes_more_and_gives_none_back(texts, seed):
    small, large = sides(texts, {"test": 0.1}, seed), sides(texts, {"test": 0.6}, seed)
    assert all(b == "test" for a, b in zip(small, large, strict=True) if a == "test")


def test_shares_of_many_prompts_are_met_to_the_row():
    found = sides([f"question {i}" for i in range(5000)])
    for name, share in (SHARES | {"train": 0.5}).items():
        assert found.count(name) == round(share * 5000)


def test_another_seed_holds_out_others():
    texts = [f"question {i}" for i in range(200)]
    assert sides(texts, seed=1) == sides(texts, seed=1) != sides(texts, seed=2)


def test_no_split_is_all_train_and_no_row_is_no_side():
    assert sides(["a", "b"], {}) == ["train", "train"]
    assert sides([]) == [] and sides([], {"hard": "prompt = 'a'"}) == []


def test_a_condition_goes_first_and_shares_divide_what_it_leaves():
    texts = [f"question {i}" for i in range(2000)]
    level = ["hard" if i % 4 == 0 else "easy" if i % 4 < 3 else None for i in range(2000)]
    splits = {"test": 0.5, "hard": "level = 'hard'", "rest": "level is not null"}
    found = sides(texts, splits, level=level)
    assert [s for s, at in zip(found, level, strict=True) if at == "hard"] == ["hard"] * 500
    assert [s for s, at in zip(found, level, strict=True) if at == "easy"] == ["rest"] * 1000  # the first that holds
    left = [s for s, at in zip(found, level, strict=True) if at is None]
    assert set(left) == {"test", "train"} and left.count("test") == 250


def test_a_null_condition_takes_nothing():
    assert sides(["a", "b"], {"long": "size > 5"}, size=[None, 9]) == ["train", "long"]


def test_a_condition_that_is_wrong_names_its_place():
    with pytest.raises(UserError, match=r"^recipe\.yaml:9: split\.odd: .*levle"):
        sides(["a"], {"odd": "levle = 1"}, level=[1])


def test_only_the_columns_that_conditions_name_are_needed():
    columns = ["messages", "prompt", "metadata", "source"]
    assert needs(SplitRules({"test": 0.1}), columns) == ["messages", "prompt", "family"]
    both = needs(SplitRules({"odd": "METADATA ->> 'a' = 'source'", "test": 0.1}), columns)
    assert both == ["messages", "prompt", "family", "metadata", "source"]
    assert needs(SplitRules({"test": 0.1}, by="metadata.a.b"), columns) == ["messages", "prompt", "family", "metadata"]
