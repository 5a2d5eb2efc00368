import re

import polars as pl
import pytest

from curate.storage.store import Store
from schemas.errors import UserError
from tests.train.arms.test_differences import ARMS, SHARES, cells, trained
from train.arms.differences import Compared, compare_arms
from train.arms.directions import check_lower
from train.arms.disk import disk_line
from train.arms.expected import check_seed_sd, expected_lines


def write(store: Store, recipe: str, seeds: int = 5) -> None:
    """Write a comparison of a recipe."""
    shares = {name: values[:seeds] for name, values in SHARES.items()}
    rows = compare_arms(Compared(ARMS, "student", cells(shares), trained(seeds=seeds)))
    with store.new_stage(f"{recipe}{seeds}", "compare", what={}) as writer:
        writer.write("comparisons", rows.with_columns(recipe=pl.lit(recipe)))


def test_the_spread_over_seeds_is_assumed_before_it_is_measured(store: Store):
    (line,) = expected_lines(store, "demo", ["named", "length"], 5, 200)
    assert line.startswith("named, length: 5 seeds and 200 prompts see a difference of 0.08 or more")
    assert "assumed, not measured: sd over seeds 0.03" in line
    (wider,) = expected_lines(store, "demo", ["named"], 5, 200, seed_sd=0.1)
    assert "a difference of 0.18 or more" in wider and "sd over seeds 0.1" in wider


def test_the_spread_of_an_earlier_comparison_is_used(store: Store):
    write(store, "other")
    write(store, "demo", seeds=2)  # of which the spread is not taken: it is hardly known
    assert "assumed" in expected_lines(store, "demo", ["named"], 5, 200)[0]
    write(store, "demo")
    measured, assumed = expected_lines(store, "demo", ["named", "length"], 10, 200)
    assert re.fullmatch(r"named: 10 seeds see a difference of 0\.\d+ or more .*measured on 5 seeds\)", measured)
    assert assumed.startswith("length: ")
    assert "assumed" in expected_lines(store, "demo", ["named"], 5, 200, seed_sd=0.03)[0]


def test_one_seed_sees_nothing(store: Store):
    assert expected_lines(store, "demo", ["named"], 1, 200) == [
        "1 seed gives no interval over seeds, so that no difference can be told from chance; --seeds 5 can"
    ]


@pytest.mark.parametrize("value", [0, -0.1, True, float("nan"), float("inf")])
def test_an_assumed_spread_has_bounds(value: float):
    with pytest.raises(UserError, match="--seed-sd: expected"):
        check_seed_sd(value)


def test_what_is_better_when_lower_has_to_be_there():
    check_lower(["other", "named", "other/named"], ["test", "other"], ["named"])
    with pytest.raises(UserError, match="no scorer, split or SPLIT/SCORER 'othr'; did you mean 'other'"):
        check_lower(["othr"], ["test", "other"], ["named"])


def test_too_little_disk_is_refused(store: Store):
    assert disk_line([None, None], store).startswith("disk: 2 adapters, which are small; ")
    assert disk_line([600_000_000, None], store).startswith("disk: about 600 MB for the models, and 1 adapters")
    with pytest.raises(UserError, match="take about 1,000,000,000.0 GB of disk, and .* are free in"):
        disk_line([10**18], store)
