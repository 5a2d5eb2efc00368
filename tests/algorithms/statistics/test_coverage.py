"""How often each 95% interval that gristmill prints holds the true value, by simulation with a fixed seed.

The bounds are stated with each setting. An interval that covers more than 95% is too wide, and never too sure.
"""

from collections.abc import Callable

import numpy as np
import pytest

from curate.algorithms.statistics.figures import Figure
from curate.algorithms.statistics.intervals import Interval, clustered_interval, seed_interval, two_way_interval
from curate.algorithms.statistics.orders import auroc, kendall, spearman, spearman_within
from curate.algorithms.statistics.same_verdicts import kappa, mean
from tests.algorithms.statistics.known import known

pytestmark = pytest.mark.slow
SHARES = (-1.0, 1.0)
RUNS = 400  # the standard error of a coverage of 95% is 1.1%
Draw = np.random.Generator


def covered(runs: int, made: Callable[[], Interval | Figure], truth: float) -> float:
    """Return the share of intervals that hold the truth; each must be there."""
    held = 0
    for _ in range(runs):
        found = made()
        assert found.low is not None and found.high is not None, found.why
        held += found.low - 1e-12 <= truth <= found.high + 1e-12
    return held / runs


@pytest.mark.parametrize("prompts", [8, 14, 30, 90, 300])
@pytest.mark.parametrize(
    ("gain", "loss"), [(0, 0), (0.02, 0), (0.02, 0.02), (0.1, 0.1), (0.3, 0.1), (0.5, 0), (0.9, 0), (0.97, 0)]
)
def test_changes_of_verdicts(prompts, gain, loss):
    """``evaluate`` with a verifier: so many prompts pass with one model only, from almost none to almost all."""
    draw = np.random.default_rng(1)
    cluster = np.arange(prompts)

    def made():
        drawn = draw.random(prompts)
        change = (drawn < gain).astype(float) - (drawn > 1 - loss)
        return clustered_interval(change, cluster, SHARES)

    assert covered(RUNS, made, gain - loss) >= 0.92


SIZES = {
    "pairs": [2] * 20,
    "one in five is of ten": [1] * 16 + [10] * 4,
    "one has most": [40, *[2] * 12],
    "few": [5] * 5,
    "few, uneven": [30, 30, 5, 5, 5, 5],
}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("common", [0.0, 0.3, 1.0])
def test_changes_in_families_of_prompts(sizes, common):
    """``evaluate`` with scores without a range, whose changes have something in common in each family, or nothing."""
    draw = np.random.default_rng(2)
    cluster = np.repeat(np.arange(len(sizes)), sizes)

    def made():
        families = draw.normal(0, common, len(sizes))[cluster]
        return clustered_interval(0.1 + families + draw.normal(0, 0.5, len(cluster)), cluster)

    assert covered(RUNS, made, 0.1) >= 0.91


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_changes_of_verdicts_in_families(sizes):
    """``evaluate`` with a verifier, where each family of prompts has its own share of gains."""
    draw = np.random.default_rng(3)
    cluster = np.repeat(np.arange(len(sizes)), sizes)

    def made():
        gains = draw.beta(1, 1, len(sizes))[cluster] * 0.8
        return clustered_interval((draw.random(len(cluster)) < gains).astype(float), cluster, SHARES)

    assert covered(RUNS, made, 0.4) >= 0.92


def cells(draw: Draw, seeds: int, seed_sd: float, prompt_sd: float, prompts: int = 200) -> tuple[np.ndarray, float]:
    """Return the differences of two arms [S, N], 0.05 in truth, and the true one for just these prompts."""
    own = draw.normal(0, prompt_sd, prompts)
    of_seed = draw.normal(0, seed_sd, seeds)[:, None]
    return 0.05 + of_seed + own + draw.normal(0, 0.4, (seeds, prompts)), 0.05 + float(own.mean())


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
@pytest.mark.parametrize("seed_sd", [0.0, 0.03, 0.1])
def test_differences_of_arms_over_seeds(seeds, seed_sd):
    """The verdict of ``compare``, which is for its own prompts: 92% to 98%, whatever seeds spread."""
    draw = np.random.default_rng(4)

    def made():
        held, truth = cells(draw, seeds, seed_sd, prompt_sd=0.3)
        return seed_interval(held.mean(axis=1) - truth)

    assert 0.92 <= covered(RUNS, made, 0.0) <= 0.98


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
@pytest.mark.parametrize("seed_sd", [0.0, 0.03, 0.1])
@pytest.mark.parametrize("prompt_sd", [0.0, 0.3])
def test_differences_of_arms_over_seeds_and_prompts(seeds, seed_sd, prompt_sd):
    """The two-way interval of ``compare``, which is for new prompts."""
    draw = np.random.default_rng(5)
    assert (
        covered(RUNS, lambda: two_way_interval(cells(draw, seeds, seed_sd, prompt_sd)[0], np.arange(200)), 0.05) >= 0.93
    )


def test_prompts_alone_claim_too_much_of_seeds():
    """Why ``compare`` has another interval than ``evaluate``: 5 seeds that differ by 0.03, averaged."""
    draw = np.random.default_rng(6)
    made = lambda: clustered_interval(cells(draw, 5, 0.03, 0.0)[0].mean(axis=0), np.arange(200))  # noqa: E731
    assert covered(RUNS, made, 0.05) < 0.85


@pytest.mark.parametrize("clusters", [12, 60])
@pytest.mark.parametrize("each", ["one", "four", "uneven"])
@pytest.mark.parametrize(
    "name", ["auroc", "spearman", "spearman within", "kendall", "kappa", "kappa, weighted", "mean", "rare"]
)
def test_figures_of_agreement(name, each, clusters):
    """Each figure of ``agree`` and of length bias, of samples of prompts; the true one is that of one large sample."""
    if each == "one" and name == "spearman within":
        pytest.skip("a prompt with one answer has no order within")
    draw = np.random.default_rng(7)
    sizes = {"one": [1], "four": [4], "uneven": [1, 1, 2, 12]}[each]

    def drawn(count: int) -> Figure:
        cluster = np.repeat(np.arange(count), np.resize(sizes, count))
        answers = len(cluster)
        common = draw.normal(size=count)[cluster]
        one, other = (common + draw.normal(size=answers) * noise for noise in (1.0, 1.5))
        if name == "auroc":
            return auroc(one, other > 0.5, cluster)
        if name == "spearman":
            return spearman(one, np.round(other), cluster)
        if name == "spearman within":
            return spearman_within(one, other - 0.5 * one, cluster)
        if name == "kendall":
            return kendall(one, np.round(other), cluster)
        if name == "kappa":
            return kappa((one > 0).astype(float), (other > 0.3).astype(float), cluster)
        if name == "kappa, weighted":
            grades = (np.clip(np.round(side), -2, 2) for side in (one, other))
            return kappa(*grades, cluster, quadratic=True)
        if name == "rare":
            return mean((common + draw.normal(size=answers) > 2.8).astype(float), cluster)
        return mean(((one > 0) == (other > 0)).astype(float), cluster)

    true = known(drawn(20_000)).value
    assert covered(RUNS, lambda: drawn(clusters), true) >= 0.9
