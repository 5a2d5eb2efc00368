"""Linear layers laid out for oneDNN: the same results, or the plain layers stay."""

import copy
import platform

import pytest

from tests.optional import Lazy, needs

pytestmark = [
    needs("torch", "transformers"),
    pytest.mark.slow,
    pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="layers are packed on x86 alone"),
]
torch, transformers = Lazy("torch"), Lazy("transformers")
packed_linear = Lazy("curate.models.clients.local.packed_linear")


@pytest.fixture
def plain(tiny):
    return transformers.AutoModelForCausalLM.from_pretrained(tiny).eval()


def logits(model, rows, tokens=9):
    ids = torch.randint(0, 300, (rows, tokens), generator=torch.Generator().manual_seed(rows))
    with torch.inference_mode():
        return model(input_ids=ids).logits


def linears(model):
    return [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear)]


def test_packed_layers_compute_the_same(plain):
    model = copy.deepcopy(plain)
    assert packed_linear.pack(model)
    for rows in (1, 3, 64, 130):
        assert torch.allclose(logits(plain, rows), logits(model, rows), atol=1e-5)
    assert len(linears(model)) == 15 and all(layer.weight.numel() == 0 for layer in linears(model))
    assert torch.equal(model.get_input_embeddings().weight, plain.get_input_embeddings().weight)
    assert not packed_linear.pack(model), "there is nothing left to pack"


def test_a_row_s_result_is_the_same_beside_any_others(plain):
    assert packed_linear.pack(plain)
    layer, rows = linears(plain)[0], torch.randn(64, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(layer(rows)[:5], layer(rows[:5]), atol=1e-6)
        assert torch.allclose(layer(rows.T.contiguous().T), layer(rows), atol=1e-6), "also where rows lie apart"


def test_a_model_that_reads_the_weights_itself_stays_plain(plain):
    before = logits(plain, 2)
    attention = plain.model.layers[0].self_attn
    real = attention.forward

    def forward(*args, **kwargs):
        assert attention.o_proj.weight.shape == (32, 32)  # as some models do that multiply weights themselves
        return real(*args, **kwargs)

    attention.forward = forward
    weights = [layer.weight for layer in linears(plain)]
    assert not packed_linear.pack(plain)
    assert all(layer.weight is weight for layer, weight in zip(linears(plain), weights, strict=True))
    assert torch.equal(logits(plain, 2), before)


def test_what_cannot_be_packed_stays_plain(plain, monkeypatch):
    half = copy.deepcopy(plain).to(torch.bfloat16)
    assert not packed_linear.pack(half)
    monkeypatch.setattr("curate.models.clients.local.packed_linear.LARGEST", 1000)
    assert not packed_linear.pack(plain)
