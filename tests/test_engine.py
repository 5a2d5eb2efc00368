"""The engine `transformers` on a tiny model: what a request gets hangs on the request alone."""

import copy
import json
import random
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from curate.clients.requests import Sampling, request  # noqa: E402
from curate.clients.transformers import Engine, GrowingLayer, split_reasoning  # noqa: E402
from curate.models import ModelRef  # noqa: E402
from curate.report import Report  # noqa: E402

TEXTS = ["the cat sings", "a dog", "answer in lower case now please", "red blue seven", "lines", "the dog reads"]


@pytest.fixture(scope="module")
def lively(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with larger weights, so that what it writes hangs on all it has read."""
    folder = tmp_path_factory.mktemp("lively")
    transformers.AutoTokenizer.from_pretrained(tiny).save_pretrained(folder)
    config = transformers.AutoConfig.from_pretrained(tiny)
    config.initializer_range, config.tie_word_embeddings = 0.3, False
    torch.manual_seed(1)
    model = transformers.LlamaForCausalLM(config)
    with torch.no_grad():
        model.model.embed_tokens.weight *= 0.05
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def engine(lively: Path) -> Engine:
    return load(lively)


def load(folder: Path, **settings: int) -> Engine:
    return Engine(ModelRef("student", "tiny@0", str(folder), settings=tuple(settings.items())), Report())


def asked(texts, n=1, **sampling):
    how = Sampling(**{"max_tokens": 12, **sampling})
    messages = [json.dumps([{"role": "user", "content": text}]) for text in texts]
    return [request("tiny@0", m, None, how, i) for m in messages for i in range(n)]


def replies(engine, requests):
    """The replies in the order of the requests."""
    found = {r.key: r for batch in engine.generate(requests) for r in batch}
    assert found.keys() == {r.key for r in requests}
    return [found[r.key] for r in requests]


def texts(engine, requests):
    return [r.text for r in replies(engine, requests)]


def test_greedy_writes_what_generate_writes(engine):
    wanted = asked([*TEXTS, *(f"{text} {text} seven" for text in TEXTS)], temperature=0, max_tokens=30)
    distinct = []
    for reply, asking in zip(replies(engine, wanted), wanted, strict=True):
        ids = engine.tokenizer.apply_chat_template(asking.turns, add_generation_prompt=True, return_tensors="pt",
                                                   return_dict=True)  # fmt: skip
        new = engine.model.generate(**ids, do_sample=False, max_new_tokens=30, pad_token_id=0)[0]
        new = new[ids["input_ids"].shape[1] :]
        stopped = int(new[-1]) in engine.ends
        distinct.append(len(set(new.tolist())))
        assert reply.text == engine.tokenizer.decode(new[:-1] if stopped else new, skip_special_tokens=True)
        assert reply.completion_tokens == len(new) and reply.prompt_tokens == ids["input_ids"].shape[1]
        assert reply.finish_reason == ("stop" if stopped else "length")
    assert sum(distinct) / len(distinct) > 5, distinct  # a model that repeats itself would show nothing


def test_an_answer_ends_at_the_end_token_or_at_the_limit(tiny):
    found = replies(load(tiny), asked(TEXTS, n=4, max_tokens=120))
    assert {r.finish_reason for r in found} == {"stop", "length"}
    for r in found:
        assert r.completion_tokens == 120 if r.finish_reason == "length" else r.completion_tokens <= 120
        assert "<|im_end|>" not in r.text and "<|im_start|>" not in r.text


@pytest.fixture(scope="module")
def alone(engine: Engine) -> dict:
    """Requests of many kinds, each with the reply it gets when it is asked on its own."""
    wanted = [*asked(TEXTS[:4], n=3), *asked(TEXTS, temperature=0.7, top_p=0.8), *asked(TEXTS[:3], n=2, top_k=5),
              *asked(TEXTS[:3], temperature=0), *asked(TEXTS[3:], max_tokens=20)]  # fmt: skip
    return {r: replies(engine, [r])[0] for r in wanted}


@pytest.mark.parametrize("budget", [60, 200, 600, 100_000])
def test_an_answer_hangs_neither_on_its_neighbours_nor_on_the_order(lively, alone, budget):
    wanted = list(alone)
    random.Random(budget).shuffle(wanted)
    batches = list(load(lively, batch_tokens=budget).generate(wanted))
    assert {r.key: r for batch in batches for r in batch} == {r.key: reply for r, reply in alone.items()}
    assert len(batches) == 1 if budget == 100_000 else 1 < len(batches) <= len(wanted)


def test_batches_keep_to_their_budget(lively):
    other = load(lively, batch_tokens=300)
    wanted = asked(TEXTS, n=4)
    lengths = {r.key: r.prompt_tokens for r in replies(other, wanted)}
    batches = list(other.generate(wanted))
    assert all(len(b) == 1 or (max(lengths[r.key] for r in b) + 12) * len(b) <= 300 for b in batches)
    assert sum(map(len, batches)) == len(wanted) > len(batches) > 1


def test_samples_of_a_prompt_differ_and_come_again(engine):
    first = texts(engine, asked(TEXTS[:1], n=8))
    assert len(set(first)) == 8
    assert texts(engine, asked(TEXTS[:1], n=8)) == first
    assert texts(engine, asked(TEXTS[:1], n=3)) == first[:3]  # a larger n leaves the first samples as they were


def test_a_seed_changes_what_is_sampled_and_nothing_that_is_greedy(engine):
    assert texts(engine, asked(TEXTS, seed=1)) != texts(engine, asked(TEXTS, seed=2))
    keys = {s: [r.key for r in asked(TEXTS, temperature=0, seed=s, top_k=s, top_p=1 / (s + 1))] for s in (1, 2)}
    assert keys[1] == keys[2]
    assert [r.key for r in asked(TEXTS, seed=1)] != [r.key for r in asked(TEXTS, seed=2)]
    assert [r.key for r in asked(TEXTS, temperature=0, max_tokens=9)] != keys[1]


@pytest.mark.parametrize("narrow", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-5}])
def test_the_narrowest_sampling_is_greedy(engine, narrow):
    assert texts(engine, asked(TEXTS, **narrow)) == texts(engine, asked(TEXTS, temperature=0))


def test_sampling_follows_the_distribution(engine):
    count = 4000
    wanted = asked(TEXTS[:1], n=count, max_tokens=1, temperature=0.8)
    ids = engine.tokenizer.apply_chat_template(wanted[0].turns, add_generation_prompt=True, return_tensors="pt",
                                               return_dict=True)  # fmt: skip
    likely = (engine.model(**ids).logits[0, -1] / 0.8).softmax(-1).detach()
    found = texts(engine, wanted)
    checked = 0
    for token in likely.topk(6).indices.tolist():
        text = engine.tokenizer.decode([token], skip_special_tokens=True)
        if text and "\ufffd" not in text:  # half a character is written like any other half
            share, p = found.count(text) / count, float(likely[token])
            assert abs(share - p) < 4 * (p * (1 - p) / count) ** 0.5
            checked += 1
    assert checked >= 2


def test_top_k_and_top_p_leave_out_the_unlikely(engine):
    wanted = asked(TEXTS[:1], n=300, max_tokens=1)
    ids = engine.tokenizer.apply_chat_template(wanted[0].turns, add_generation_prompt=True, return_tensors="pt",
                                               return_dict=True)  # fmt: skip
    ranked = engine.model(**ids).logits[0, -1].detach().softmax(-1).sort(descending=True)
    nucleus = int((ranked.values.cumsum(0) - ranked.values < 0.6).sum())
    for narrow, size in (({"top_k": 3}, 3), ({"top_p": 0.6}, nucleus), ({"top_k": 2, "top_p": 0.999}, 2)):
        allowed = {engine.tokenizer.decode([t], skip_special_tokens=True) for t in ranked.indices[:size].tolist()}
        found = set(texts(engine, asked(TEXTS[:1], n=300, max_tokens=1, **narrow)))
        assert found <= allowed and len(found) > 1
    assert len(set(texts(engine, wanted))) > nucleus  # without them others are drawn


def test_a_prompt_longer_than_the_context_is_an_error_and_the_others_go_on(engine):
    wanted = asked([*TEXTS[:2], "the cat " * 200, TEXTS[3]])
    good, also, long, last = replies(engine, wanted)
    assert long.text is None and long.finish_reason is None
    assert long.error == f"the prompt has {long.prompt_tokens} tokens, the model's context 256"
    assert [good, also, last] == replies(engine, [w for w in wanted if "cat the cat" not in w.messages])


def test_an_answer_does_not_leave_the_context(engine):
    short = replies(engine, asked(["a " * 220], max_tokens=100))[0]
    assert 156 < short.prompt_tokens and short.prompt_tokens + short.completion_tokens <= 256
    assert short.completion_tokens > 0 and short.error is None


def test_no_request_is_no_batch(engine):
    assert list(engine.generate([])) == []


def test_the_cache_that_grows_holds_what_the_plain_one_holds(engine):
    """What GrowingLayer relies on in transformers: the layers of a DynamicCache, and how a row is selected."""
    model, torch_ids = engine.model, torch.randint(3, 300, (3, 7), generator=torch.Generator().manual_seed(0))
    plain = transformers.DynamicCache(config=model.config)
    growing = transformers.DynamicCache(config=model.config)
    assert all(type(layer).__name__ == "DynamicLayer" for layer in growing.layers) and growing.layers
    growing.layers = [GrowingLayer() for _ in growing.layers]
    tokens = torch_ids
    with torch.inference_mode():
        for step in range(GrowingLayer.ROOM * 2 + 5):
            both = [model(input_ids=tokens, past_key_values=c, use_cache=True).logits[:, -1] for c in (plain, growing)]
            assert torch.equal(*both), step
            assert plain.get_seq_length() == growing.get_seq_length() == 7 + step
            if step in (0, 5, 70, 71):  # rows are repeated after the prefill, and leave when they have ended
                rows = {0: [0, 0, 1, 2, 2], 5: [0, 2, 4], 70: [2, 0], 71: [1]}[step]
                for cache in (plain, growing):
                    cache.batch_select_indices(torch.tensor(rows))
                both = [logits[rows] for logits in both]
            tokens = both[0].argmax(-1, keepdim=True)
    assert all(torch.equal(a.keys, b.keys) for a, b in zip(plain.layers, growing.layers, strict=True))


def test_a_base_model_without_a_template_is_given_the_turns_as_they_are(engine):
    base = copy.copy(engine)
    base.tokenizer = copy.copy(engine.tokenizer)
    base.tokenizer.chat_template = None
    found = replies(base, asked(["the cat"], temperature=0))[0]
    assert found.prompt_tokens == len(base.tokenizer("the cat\n")["input_ids"])


@pytest.mark.parametrize(
    ("text", "trace", "answer"),
    [
        ("plain", None, "plain"),
        ("<think>why</think>so", "why", "so"),
        ("<think>\nwhy\n\nnot\n</think>\n\nso\n", "why\n\nnot", "so\n"),
        ("why</think>so", "why", "so"),  # the template opened the tag
        ("<think></think>so", None, "so"),
        ("<think>cut short", None, "<think>cut short"),
        ("<think>a</think>b</think>c", "a", "b</think>c"),
        ("", None, ""),
    ],
)
def test_a_reasoning_trace_is_split_off(text, trace, answer):
    assert split_reasoning(text) == (trace, answer)
