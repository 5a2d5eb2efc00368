"""Drawing tokens: each with its probability, and the same one whatever the last bits of the logits say."""

import pytest

from schemas.requests import Sampling
from tests.optional import Lazy, needs

torch, sampling = Lazy("torch"), Lazy("curate.models.clients.local.sampling")
pytestmark = [needs("torch"), pytest.mark.slow]


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def drawn(logits, how, seed=0):
    numbers = torch.rand(len(logits), sampling.LEVELS, dtype=torch.float64, generator=seeded(seed))
    return sampling.draw(logits, sampling.Settings.of(how, "cpu"), numbers)


def some(rows, size, scale=2.0):
    return torch.randn(rows, size, generator=seeded(size)) * scale


def test_the_last_bits_of_the_logits_hardly_ever_change_a_token():
    """Noise that leans one way, as a hidden state's does, moves one cumulative sum over the vocabulary by more than
    a token's width: several of these rows would draw another one."""
    logits = some(200, 49152, scale=1.0)
    noise = torch.where(torch.arange(49152) < 20_000, 1e-5, -1e-5)
    how = [Sampling()] * len(logits)
    assert int((drawn(logits, how) != drawn(logits + noise, how)).sum()) <= 1
    at_once = [
        torch.searchsorted(
            x.softmax(-1).double().cumsum(-1),
            torch.rand(200, 1, dtype=torch.float64, generator=seeded(0)),
        )
        for x in (logits, logits + noise)
    ]
    assert int((at_once[0] != at_once[1]).sum()) > 5


@pytest.mark.parametrize("size", [2, 7, 8, 9, 27, 28, 340, 1000])
def test_every_token_has_its_probability(size):
    logits, count = some(1, size), 10_000
    found = torch.bincount(drawn(logits.repeat(count, 1), [Sampling(temperature=0.7)] * count), minlength=size) / count
    wanted = (logits[0] / 0.7).softmax(-1)
    assert len(found) == size
    assert ((found - wanted).abs() <= 5 * (wanted * (1 - wanted) / count).sqrt() + 4 / count).all()


def test_a_nucleus_wider_than_what_is_ranked_first_is_whole():
    """Flat logits: top_p of 3,000 tokens is more than the likeliest 1,024."""
    logits, rows = some(1, 3000, scale=0.1), 400
    ranked = logits[0].softmax(-1).sort(descending=True)
    size = int((ranked.values.cumsum(0) - ranked.values < 0.8).sum())
    assert size > 2000
    how = [Sampling(top_p=0.8)] * rows + [Sampling(top_p=0.2)]
    places = torch.cat(
        [ranked.indices.argsort()[drawn(logits.repeat(rows + 1, 1), how, seed)[:rows]] for seed in range(5)]
    )
    assert places.max() <= size and (places > 1024).sum() > rows  # a last bit may let one more in


def test_each_row_keeps_its_own_settings():
    logits = some(6, 50)
    how = [Sampling(temperature=0), Sampling(), Sampling(top_k=1), Sampling(top_p=1e-9), Sampling(top_k=2), Sampling()]
    for seed in range(50):
        found, best = drawn(logits, how, seed), logits.argmax(-1)
        assert found[[0, 2, 3]].tolist() == best[[0, 2, 3]].tolist()
        assert found[4] in logits[4].topk(2).indices
        alone = torch.rand(6, sampling.LEVELS, dtype=torch.float64, generator=seeded(seed))
        for i, one in enumerate(how):
            assert sampling.draw(logits[i : i + 1], sampling.Settings.of([one], "cpu"), alone[i : i + 1]) == found[i]
    kept = sampling.Settings.of(how, "cpu").pick(torch.tensor([4, 0]))
    assert kept.top_k.tolist() == [2, 0] and kept.temperature.tolist() == [1, 0]


@pytest.mark.parametrize("number", [0.0, 0.5, 1 - 2**-53])
def test_a_token_of_probability_zero_is_never_drawn(number):
    logits = torch.full((3, 30), -torch.inf)
    logits[0, [3, 17]], logits[1, 0], logits[2, 29] = 1.0, 0.0, 5.0
    found = sampling.draw(
        logits,
        sampling.Settings.of([Sampling()] * 3, "cpu"),
        torch.full((3, sampling.LEVELS), number, dtype=torch.float64),
    )
    assert found[0] in (3, 17) and found[1:].tolist() == [0, 29]


def test_random_numbers_depend_on_the_key_alone_and_continue():
    a, b = sampling.uniforms("0" * 31 + "a", 5), sampling.uniforms("0" * 31 + "b", 5)
    assert a.shape == (5, sampling.LEVELS) and (a != b).all() and ((a >= 0) & (a < 1)).all()
    assert (sampling.uniforms("0" * 31 + "a", 9)[:5] == a).all()


def test_log_probabilities_are_those_of_the_softmax():
    logits = some(4, 30)
    tokens = torch.tensor([0, 3, 7, 29])
    assert sampling.log_probabilities(logits, tokens).tolist() == pytest.approx(
        [float(row.log_softmax(-1)[t]) for row, t in zip(logits, tokens, strict=True)], abs=1e-5
    )
