"""Decoding on models of several kinds: rows that join a running batch write what they write alone."""

import json
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from curate.models.model_ref import ModelRef
from schemas.progress import Progress
from schemas.requests import Request, Sampling, make_request
from tests.asking import Asked, groups
from tests.optional import Lazy, needs

if TYPE_CHECKING:
    from curate.models.clients.local.generate import GenerateEngine

pytestmark = [needs("torch", "transformers"), pytest.mark.slow]
torch, transformers = Lazy("torch"), Lazy("transformers")
decoding, batching = Lazy("curate.models.clients.local.decoding"), Lazy("curate.models.clients.local.batching")
growing_cache = Lazy("curate.models.clients.local.growing_cache")

TEXTS = ["the cat sings " * 6, "a dog", "answer in lower case now please", "red blue seven", "lines " * 9, "dog reads"]
WIDE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
FEW = {"num_key_value_heads": 2, "max_position_embeddings": 256, "initializer_range": 0.3, "tie_word_embeddings": False}
KINDS: dict[str, tuple[str, dict[str, Any], bool]] = {  # a config's class, its settings, whether rows can join
    "llama": ("Llama", WIDE | FEW, True),
    "gpt2": ("GPT2", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256, "initializer_range": 0.3}, True),
    "qwen3": ("Qwen3", WIDE | FEW | {"head_dim": 8}, True),
    "gemma3": ("Gemma3Text", WIDE | FEW | {"head_dim": 8, "sliding_window": 9, "layer_types": None}, False),
    "mistral": ("Mistral", WIDE | FEW | {"sliding_window": 9}, False),
    "bloom": ("Bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.3}, True),
    "lfm2": ("Lfm2", WIDE | FEW | {"layer_types": ["conv", "full_attention"]}, False),
}


def config_of(kind: str, tokenizer: Any) -> Any:
    name, settings, _ = KINDS[kind]
    if kind == "gemma3":
        settings = settings | {"layer_types": ["sliding_attention", "full_attention"]}
    return getattr(transformers, f"{name}Config")(
        vocab_size=len(tokenizer),
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **settings,
    )


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def folder(kind: str, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of the kind."""
    made = tmp_path_factory.mktemp(kind)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    tokenizer.save_pretrained(made)
    torch.manual_seed(3)
    transformers.AutoModelForCausalLM.from_config(config_of(kind, tokenizer)).save_pretrained(made)
    return made


def load(folder: Path, **settings: int) -> "GenerateEngine":
    from curate.models.clients.local.generate import GenerateEngine

    return GenerateEngine(ModelRef("student", "kind@0", str(folder), settings=tuple(settings.items())), Progress())


def asked(texts: list[str], n: int = 1, **sampling: Any) -> list[Request]:
    how = Sampling(**sampling)
    messages = [json.dumps([{"role": "user", "content": text}]) for text in texts]
    return [make_request("kind@0", m, None, how, i) for m in messages for i in range(n)]


class Counted:
    """Counts the rows of each forward pass of a model that decodes; prompts are not counted."""

    def __init__(self, engine: "GenerateEngine") -> None:
        self.rows: list[int] = []
        engine.model.register_forward_pre_hook(self._see, with_kwargs=True)

    def _see(self, _: Any, __: Any, given: dict[str, Any]) -> None:
        if given["input_ids"].shape[1] == 1:
            self.rows.append(len(given["input_ids"]))


def test_rows_that_join_write_what_they_write_alone(kind, folder):
    wanted = [
        *asked(TEXTS, n=3, max_tokens=18),
        *asked(TEXTS[1:4], n=2, temperature=0, max_tokens=40),
        *asked(TEXTS, temperature=0.8, top_p=0.7, max_tokens=7),
    ]
    whole, tight = load(folder), load(folder, batch_tokens=400)
    alone = {key: reply for one in wanted for key, reply in Asked([[one]]).by(whole).items()}
    steps = Counted(tight)
    found = Asked(groups(wanted)).by(tight)
    assert found == alone
    grows = any(b > a for a, b in zip(steps.rows, steps.rows[1:], strict=False))
    assert grows and KINDS[kind][2] == bool(takes_rows(whole))


def takes_rows(engine: "GenerateEngine") -> bool:
    return growing_cache.takes_rows(growing_cache.growing_cache(engine.model.config))


def test_greedy_is_what_generate_writes(kind, folder):
    engine = load(folder, batch_tokens=300)
    wanted = asked(TEXTS, temperature=0, max_tokens=20)
    found = Asked(groups(wanted)).by(engine)
    for one in wanted:
        ids = engine.tokenizer.apply_chat_template(
            one.turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        new = engine.model.generate(**ids, do_sample=False, max_new_tokens=20)[0, ids["input_ids"].shape[1] :].tolist()
        new = new[:-1] if new[-1] in engine.ends else new
        assert found[one.key].text == engine.tokenizer.decode(new, skip_special_tokens=True)


@pytest.fixture(scope="module")
def lively(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("lively")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    tokenizer.save_pretrained(made)
    transformers.AutoModelForCausalLM.from_config(config_of("llama", tokenizer)).save_pretrained(made)
    return made


def test_places_that_are_free_are_filled(lively):
    """Rows of very different limits: the batch stays about as wide as its budget allows, to the last."""
    engine = load(lively, batch_tokens=1000)
    engine.ends = {-1}
    wanted = [one for most in (4, 8, 60) for one in asked([f"a dog {i}" for i in range(20)], max_tokens=most)]
    steps = Counted(engine)
    found = Asked(groups(wanted)).by(engine)
    assert len(found) == len(wanted)
    made = sum((reply.completion_tokens or 0) - 1 for reply in found.values())
    assert sum(steps.rows) == made, "a row that has ended is not run"
    widest = max((r.prompt_tokens or 0) for r in found.values()) + 60
    assert max(steps.rows) <= 1000 // min((r.prompt_tokens or 0) + 4 for r in found.values())
    assert made / len(steps.rows) > 0.6 * (1000 // widest)


def test_a_place_is_filled_once_a_quarter_is_free():
    wide = {"a": 10, "b": 10, "c": 20}
    waiting = batching.Waiting("aaaabbbbcc", wide.__getitem__, lambda one, other: one == other, 60)
    assert waiting.take() == list("aaaa"), "a prompt's samples are not parted"
    assert waiting.take(["a"] * 5) == [], "one place of six is too few"
    assert waiting.take(["a"] * 4) == ["b", "b"], "unless they do not fit as a whole"
    assert waiting.take(["b", "b"]) == ["b", "b"]
    assert waiting.take(["b"] * 2) == ["c"] and waiting.take([]) == ["c"] and not waiting
    huge = batching.Waiting("cc", {"c": 100}.__getitem__, lambda one, other: True, 60)
    assert huge.take(["c"]) == [] and huge.take() == ["c"], "one item may be over the budget"


def test_a_cache_that_rows_join_holds_their_states():
    """Rows of two caches side by side, aligned on the right, whatever buffers they lay in."""

    def states(rows: int, columns: int, seed: int) -> Any:
        return torch.randn(rows, 2, columns, 4, generator=torch.Generator().manual_seed(seed))

    for columns, width in ((3, 7), (3, 5), (9, 9)):
        held, other = growing_cache.GrowingLayer(), growing_cache.GrowingLayer()
        held.update(states(4, 6, 0), -states(4, 6, 0))
        held.update(states(4, 1, 1), -states(4, 1, 1))
        held.shrink(torch.tensor([0, 3]))
        before = held.keys.clone()
        other.update(states(2, columns, 2), -states(2, columns, 2))
        held.join(other, torch.tensor([1, 0, 1]), width)
        kept = min(width, 7)
        assert held.keys.shape == (5, 2, width, 4) and torch.equal(held.values, -held.keys)
        assert torch.equal(held.keys[:2, :, width - kept :], before[:, :, 7 - kept :])
        assert torch.equal(held.keys[2:, :, width - columns :], states(2, columns, 2)[[1, 0, 1]])
        assert not held.keys[2:, :, : width - columns].any() and held.keys.isfinite().all()
        for step in range(70):
            last = states(5, 1, step)
            keys, _ = held.update(last, -last)
        assert keys.shape[-2] == width + 70 and torch.equal(keys[:, :, -1:], last)


def test_samples_of_a_prompt_are_run_once(lively):
    engine, seen = load(lively, batch_tokens=600), []
    engine.model.register_forward_pre_hook(
        lambda _, __, given: seen.append(given["input_ids"].shape) if given["input_ids"].shape[1] > 1 else None,
        with_kwargs=True,
    )
    wanted = asked([f"{text} {i}" for i, text in enumerate(TEXTS)], n=4, max_tokens=30)
    Asked(groups(wanted)).by(engine)
    assert sum(rows for rows, _ in seen) == len(list(groupby(wanted, key=lambda one: one.messages)))
