"""Splits: equal prompts are on one side, and stay there however the data grow."""

import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.pipeline.split import assign, needs
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


def sides(texts, splits: dict[str, float | str] = SPLITS, seed=7, **columns):
    found = assign(table(texts, **columns), splits, seed, "recipe.yaml:9")
    assert found.name == "split" and found.dtype == pl.String and len(found) == len(texts)
    return found.to_list()


@LAWS
@given(TEXTS, SEEDS)
def test_equal_prompts_are_never_on_two_sides(texts, seed):
    side_of = {}
    for text, side in zip(texts * 2, sides(texts * 2, seed=seed), strict=True):
        assert side in {"train", "test", "dev"} and side_of.setdefault(text, side) == side


@pytest.mark.slow
@LAWS
@given(TEXTS, TEXTS, st.randoms(), SEEDS)
def test_adding_or_moving_prompts_moves_none_to_another_side(old, new, random, seed):
    before = dict(zip(old, sides(old, seed=seed), strict=True))
    mixed = [*old, *new]
    random.shuffle(mixed)
    after = dict(zip(mixed, sides(mixed, seed=seed), strict=True))
    assert {text: after[text] for text in old} == before


@LAWS
@given(TEXTS, SEEDS)
def test_a_larger_share_takes_more_and_gives_none_back(texts, seed):
    small, large = sides(texts, {"test": 0.1}, seed), sides(texts, {"test": 0.6}, seed)
    assert all(b == "test" for a, b in zip(small, large, strict=True) if a == "test")


def test_shares_hold_on_average():
    found = sides([f"question {i}" for i in range(5000)])
    for name, share in (SHARES | {"train": 0.5}).items():
        assert abs(found.count(name) / 5000 - share) < 4 * (share * (1 - share) / 5000) ** 0.5


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
    assert set(left) == {"test", "train"} and abs(left.count("test") / 500 - 0.5) < 0.09


def test_a_null_condition_takes_nothing():
    assert sides(["a", "b"], {"long": "size > 5"}, size=[None, 9]) == ["train", "long"]


def test_a_condition_that_is_wrong_names_its_place():
    with pytest.raises(UserError, match=r"^recipe\.yaml:9: split\.odd: .*levle"):
        sides(["a"], {"odd": "levle = 1"}, level=[1])


def test_only_the_columns_that_conditions_name_are_needed():
    columns = ["messages", "prompt", "metadata", "source"]
    assert needs({"test": 0.1}, columns) == ["messages", "family"]
    both = needs({"odd": "METADATA ->> 'a' = 'source'", "test": 0.1}, columns)
    assert both == ["messages", "family", "metadata", "source"]
