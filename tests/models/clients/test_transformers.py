"""The engine `transformers` on a tiny model: what a request gets hangs on the request alone."""

import copy
import dataclasses
import gc
import json
import math
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from curate.models import windows
from curate.models.model_ref import ModelRef
from schemas.progress import Progress
from schemas.reasoning import split_reasoning
from schemas.requests import Request, Sampling, Spent, make_request
from tests.asking import Asked, groups
from tests.optional import Lazy, needs

if TYPE_CHECKING:
    from curate.models.clients.local.generate import GenerateEngine

pytestmark = [needs("torch", "transformers"), pytest.mark.slow]
torch, transformers = Lazy("torch"), Lazy("transformers")
growing_cache = Lazy("curate.models.clients.local.growing_cache")

TEXTS = ["the cat sings", "a dog", "answer in lower case now please", "red blue seven", "lines", "the dog reads"]


@pytest.fixture(scope="module")
def engine(lively: Path) -> "GenerateEngine":
    return load(lively)


def load(folder: Path, **settings: int) -> "GenerateEngine":
    from curate.models.clients.local.generate import GenerateEngine

    return GenerateEngine(ModelRef("student", "tiny@0", str(folder), settings=tuple(settings.items())), Progress())


def asked(texts, n=1, max_tokens=12, **sampling):
    how = Sampling(max_tokens=max_tokens, **sampling)
    messages = [json.dumps([{"role": "user", "content": text}]) for text in texts]
    return [make_request("tiny@0", m, None, how, i) for m in messages for i in range(n)]


def replies(engine, requests):
    """The replies in the order of the requests."""
    found = Asked(groups(requests)).by(engine)
    return [found[r.key] for r in requests]


def batches(engine, requests):
    """How many rows each batch had: what the engine says of its speed, it says once a batch."""
    sizes = []

    class Count(Progress):
        def advance(self, done: int, note: str = "") -> None:
            assert done == 0, "whoever takes the replies moves the bar"
            sizes.append(len(asked.replies) - sum(sizes))

    asked, other = Asked(groups(requests)), copy.copy(engine)
    other.progress = Count()
    return asked.by(other), sizes


def texts(engine, requests):
    return [r.text for r in replies(engine, requests)]


def test_greedy_writes_what_generate_writes(engine):
    wanted = asked([*TEXTS, *(f"{text} {text} seven" for text in TEXTS)], temperature=0, max_tokens=30)
    distinct = []
    for reply, asking in zip(replies(engine, wanted), wanted, strict=True):
        ids = engine.tokenizer.apply_chat_template(
            asking.turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
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
def alone(engine: "GenerateEngine") -> dict:
    """Requests of many kinds, each with the reply it gets when it is asked on its own."""
    wanted = [
        *asked(TEXTS[:4], n=3),
        *asked(TEXTS, temperature=0.7, top_p=0.8),
        *asked(TEXTS[:3], n=2, top_k=5),
        *asked(TEXTS[:3], temperature=0),
        *asked(TEXTS[3:], max_tokens=20),
    ]
    return {r: replies(engine, [r])[0] for r in wanted}


@pytest.mark.parametrize("budget", [60, 200, 600, 100_000])
def test_an_answer_depends_on_neither_neighbours_nor_order(lively, alone, budget):
    wanted = list(alone)
    random.Random(budget).shuffle(wanted)
    found, sizes = batches(load(lively, batch_tokens=budget), wanted)
    assert found == {r.key: reply for r, reply in alone.items()}
    assert len(sizes) == 1 if budget == 100_000 else 1 < len(sizes) <= len(wanted)


def test_batches_keep_to_their_budget(lively):
    other, wanted = load(lively, batch_tokens=300), asked(TEXTS, n=4)
    found, sizes = batches(other, wanted)
    widest = max(r.prompt_tokens for r in found.values()) + 12
    narrowest = min(r.prompt_tokens for r in found.values()) + 12
    assert sizes[0] <= 300 // widest and max(sizes) <= 300 // narrowest
    assert sum(sizes) == len(wanted) > len(sizes) > 1


def test_samples_of_a_prompt_differ_and_come_again(engine):
    first = texts(engine, asked(TEXTS[:1], n=8))
    assert len(set(first)) == 8
    assert texts(engine, asked(TEXTS[:1], n=8)) == first
    assert texts(engine, asked(TEXTS[:1], n=3)) == first[:3]  # a larger n leaves the first samples as they were


def test_a_seed_changes_samples_and_no_greedy_answer(engine):
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
    ids = engine.tokenizer.apply_chat_template(
        wanted[0].turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
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
    ids = engine.tokenizer.apply_chat_template(
        wanted[0].turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    ranked = engine.model(**ids).logits[0, -1].detach().softmax(-1).sort(descending=True)
    nucleus = int((ranked.values.cumsum(0) - ranked.values < 0.6).sum())
    for narrow, size in (({"top_k": 3}, 3), ({"top_p": 0.6}, nucleus), ({"top_k": 2, "top_p": 0.999}, 2)):
        allowed = {engine.tokenizer.decode([t], skip_special_tokens=True) for t in ranked.indices[:size].tolist()}
        found = set(texts(engine, asked(TEXTS[:1], n=300, max_tokens=1, **narrow)))
        assert found <= allowed and len(found) > 1
    assert len(set(texts(engine, wanted))) > nucleus  # without them others are drawn


def test_a_prompt_beyond_the_context_does_not_stop_the_others(engine):
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
    assert batches(engine, []) == ({}, [])


def test_the_cache_that_grows_holds_what_the_plain_one_holds(engine):
    """GrowingLayer relies on this of transformers: the layers of a DynamicCache, and how a row is selected."""
    model, torch_ids = engine.model, torch.randint(3, 300, (3, 7), generator=torch.Generator().manual_seed(0))
    plain = transformers.DynamicCache(config=model.config)
    growing = transformers.DynamicCache(config=model.config)
    assert all(type(layer).__name__ == "DynamicLayer" for layer in growing.layers) and growing.layers
    growing.layers = [growing_cache.GrowingLayer() for _ in growing.layers]
    tokens = torch_ids
    with torch.inference_mode():
        for step in range(growing_cache.GrowingLayer.ROOM * 2 + 5):
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


def test_a_model_without_a_template_gets_the_turns_unchanged(engine):
    base = copy.copy(engine)
    base.tokenizer = copy.copy(engine.tokenizer)
    base.tokenizer.chat_template = None
    found = replies(base, asked(["the cat"], temperature=0))[0]
    assert found.prompt_tokens == len(base.tokenizer("the cat\n")["input_ids"])


def test_a_reply_is_given_as_soon_as_its_row_has_ended(tiny):
    """A kill loses the rows that are still being written, no others."""
    wanted = [w for most in (3, 9, 20, 60) for w in asked(TEXTS[:3], n=2, max_tokens=most)]
    whole = Asked(groups(wanted))
    found = whole.by(load(tiny))
    lengths = [reply.completion_tokens or 0 for reply in found.values()]
    assert lengths == sorted(lengths) and len(whole.gifts) > 2  # one batch, in the order in which its rows end
    for replies_given, spent in whole.gifts:
        assert spent == Spent(
            len(replies_given),
            sum(r.prompt_tokens or 0 for r in replies_given),
            sum(r.completion_tokens or 0 for r in replies_given),
        )
    cut = Asked(groups(wanted), stop_after=5)
    with pytest.raises(KeyboardInterrupt):
        cut.by(load(tiny))
    assert 5 <= len(cut.replies) < len(wanted) and cut.replies.items() <= found.items()


@pytest.mark.parametrize("in_flight", [1, 5, 13])
def test_a_budget_with_few_requests_at_once_changes_no_answer(engine, alone, in_flight):
    waiting = Asked(groups(alone), in_flight=in_flight)
    assert waiting.by(engine) == {r.key: reply for r, reply in alone.items()}


def test_no_more_than_a_window_is_held(engine):
    """Of requests without end the engine holds a window; what has been answered is let go."""
    held = []

    class Endless(Asked):
        def take(self):
            if len(self.taken) == 2 * windows.WINDOW + 100:
                return None
            self.waiting.append(asked([f"a dog {len(self.taken)}"], max_tokens=1))
            self.taken.append([])
            held.append(len(self.open))
            group = super().take()
            self.taken.pop()
            return group

        def give(self, replies, spent):
            super().give(replies, spent)
            self.taken = [[]] * len(self.taken)

    found = Endless([]).by(engine)
    assert len(found) == 2 * windows.WINDOW + 100 and max(held) == windows.WINDOW - 1
    gc.collect()
    assert sum(isinstance(thing, Request) for thing in gc.get_objects()) < windows.WINDOW // 4


def test_a_stop_text_ends_a_row_and_is_cut_off(lively, engine):
    plain = replies(engine, asked(TEXTS, n=4, max_tokens=60))
    found = [re.findall("[^\ufffd]{2,}", r.text[len(r.text) // 2 :]) for r in plain]
    stops = tuple({longest[0][:2] for pieces in found if (longest := sorted(pieces, key=len)[-1:])})
    assert len(stops) > 3
    wanted = asked(TEXTS, n=4, max_tokens=60, stop=("never written", *stops))
    found, sizes = batches(engine, wanted)
    assert len(sizes) == 1
    ended = 0
    for one in wanted:
        # The same numbers draw the same tokens, so the whole text is the one that the row would have gone on with.
        without = dataclasses.replace(one, sampling=dataclasses.replace(one.sampling, stop=()))
        whole, reply = replies(engine, [without])[0], found[one.key]
        places = [whole.text.find(stop) for stop in stops if stop in whole.text]
        assert reply.text == (whole.text[: min(places)] if places else whole.text)
        assert reply.finish_reason == ("stop" if places else whole.finish_reason)
        assert reply.completion_tokens <= whole.completion_tokens
        ended += reply.completion_tokens < whole.completion_tokens
    assert ended > 6


def test_log_probabilities_are_the_model_s_own(engine):
    hot = {"temperature": 1.7, "top_k": 40, "top_p": 0.9, "logprobs": True, "max_tokens": 20}
    wanted = [*asked(TEXTS, **hot), *asked(TEXTS, temperature=0, logprobs=True), *asked(TEXTS[:1])]
    found = replies(engine, wanted)
    assert found[-1].logprobs is None
    for reply, one in zip(found[:-1], wanted, strict=False):
        assert len(reply.logprobs) == reply.completion_tokens and all(p <= 0 for p in reply.logprobs)
        again = replies(engine, [one])[0]
        assert again.text == reply.text and again.logprobs == pytest.approx(reply.logprobs, abs=1e-4)
    greedy, asking = found[len(TEXTS)], wanted[len(TEXTS)]
    ids = engine.tokenizer.apply_chat_template(
        asking.turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    out = engine.model.generate(
        **ids, do_sample=False, max_new_tokens=12, pad_token_id=0, output_logits=True, return_dict_in_generate=True
    )
    best = [float(logits[0].log_softmax(-1).max()) for logits in out.logits]
    assert greedy.logprobs == pytest.approx(best, abs=1e-5) and all(p == round(p, 6) for p in greedy.logprobs)


def test_a_user_turn_is_written_from_the_template_s_prefix(engine):
    """Magpie: the prompt ends where the template would put the user's words."""
    turns = [{"role": "system", "content": "the cat"}, {"role": "user", "content": None}]
    how = Sampling(temperature=0, max_tokens=12)
    asking = make_request("tiny@0", json.dumps(turns), None, how, 0)
    prefix = "<|im_start|>system\nthe cat<|im_end|>\n<|im_start|>user\n"
    ids = torch.tensor([engine.tokenizer(prefix)["input_ids"]])
    new = engine.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12, pad_token_id=0
    )[0][ids.shape[1] :]
    reply = replies(engine, [asking])[0]
    assert reply.prompt_tokens == ids.shape[1]
    assert reply.text == engine.tokenizer.decode([t for t in new.tolist() if t not in engine.ends])
    base = copy.copy(engine)
    base.tokenizer = copy.copy(engine.tokenizer)
    base.tokenizer.chat_template = None
    assert "no chat template" in replies(base, [asking])[0].error


def with_template(engine, template):
    other = copy.copy(engine)
    other.tokenizer = copy.copy(engine.tokenizer)
    other.tokenizer.chat_template = template
    return other


def test_what_a_template_refuses_is_one_row_s_error(engine):
    picky = with_template(
        engine,
        "{% for m in messages %}{% if 'dog' in m['content'] %}"
        "{{ raise_exception('no dogs,\nplease') }}{% endif %}{{ m['content'] }}{% endfor %}",
    )
    first, refused, last = replies(picky, asked(["a cat", "a dog", "red"]))
    assert refused.error == "the chat template refuses the messages: no dogs, please" and not refused.transient
    assert first.text is not None and last.text is not None
    half = make_request("tiny@0", '[{"role":"user","content":"a \\ud83d dog"}]', None, Sampling(max_tokens=2), 0)
    nothing = replies(with_template(engine, "{{ '' }}"), asked(["a cat"]))[0]
    assert nothing.error == "the prompt is empty"
    refused, fine = replies(engine, [half, *asked(["a cat"])])
    assert refused.text is None and "surrogates" in refused.error and fine.text is not None


def test_a_schema_cannot_be_kept_to_and_says_so(engine):
    refused, fine = replies(engine, [*asked(["a cat"], response_format="{}"), *asked(["a cat"])])
    assert "response_format" in refused.error and not refused.transient and fine.error is None


class Scripted:
    """A tokenizer that says what the model wrote."""

    def __init__(self, inner, text):
        self.inner, self.text = inner, text

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def __call__(self, *args, **kwargs):
        return self.inner(*args, **kwargs)

    def decode(self, ids, **_):
        return self.text


def test_tool_calls_and_traces_are_set_apart(engine):
    call = '<think>the\nweather</think>\nLet me see.\n<tool_call>{"name": "sky", "arguments": {"at": "X"}}</tool_call>'
    other = with_template(engine, "{{ tools | tojson }}" + engine.tokenizer.chat_template)
    other.tokenizer = Scripted(other.tokenizer, call)
    tools = json.dumps([{"type": "function", "function": {"name": "sky", "parameters": {}}}])
    messages = json.dumps([{"role": "user", "content": "rain?"}])
    other.ends = set(range(len(engine.tokenizer)))  # it ends at once
    with_tools = make_request("tiny@0", messages, tools, Sampling(), 0)
    without = make_request("tiny@0", messages, None, Sampling(), 0)
    magpie = make_request("tiny@0", '[{"role":"user","content":null}]', None, Sampling(), 0)
    called, text, user = replies(other, [with_tools, without, magpie])
    assert json.loads(called.tool_calls)[0]["function"] == {"name": "sky", "arguments": '{"at": "X"}'}
    assert (called.text, called.reasoning_content) == ("Let me see.", "the\nweather")
    assert called.finish_reason == "tool_calls"
    assert (text.tool_calls, text.finish_reason) == (None, "stop") and text.text.endswith("</tool_call>")
    assert user.text == call and user.reasoning_content is None
    other.ends = set()
    cut = replies(other, [make_request("tiny@0", messages, tools, Sampling(max_tokens=2), 0)])[0]
    assert cut.tool_calls == called.tool_calls and cut.finish_reason == "length"


def test_a_trace_that_the_template_opens_is_known_for_one(engine):
    opening = with_template(engine, "{{ messages[0]['content'] }}<think>\n")
    opening.tokenizer = Scripted(opening.tokenizer, "hm, well</think>so")
    reply = replies(opening, asked(["a cat"]))[0]
    assert (reply.reasoning_content, reply.text) == ("hm, well", "so")
    opening = with_template(engine, "{{ messages[0]['content'] }}<thought>")
    opening.tokenizer = Scripted(opening.tokenizer, "hm, well</thought>so")
    reply = replies(opening, asked(["a cat"]))[0]
    assert (reply.reasoning_content, reply.text) == ("hm, well", "so")
    opening.tokenizer.text = "hm, we"
    reply = replies(opening, asked(["a cat"]))[0]
    assert (reply.reasoning_content, reply.text) == split_reasoning("<think>hm, we")


def test_an_engine_is_closed_once_or_twice(lively):
    other = load(lively)
    other.close()
    other.close()
    assert other.model is None


@pytest.mark.parametrize("temperature", [0, 1.7])
def test_the_likeliest_tokens_in_the_place_of_short_answers(lively, temperature):
    engine = load(lively, batch_tokens=2000)
    engine.ends = {-1}
    wanted = asked(
        TEXTS,
        n=1 if temperature == 0 else 6,
        temperature=temperature,
        max_tokens=60,
        top_logprobs=4,
        logprobs=True,
        top_p=0.999,
    )
    found = replies(engine, wanted)
    seen = 0
    for reply in found:
        chances = iter(reply.logprobs)
        for one in json.loads(reply.top_logprobs):
            seen += 1
            assert re.fullmatch(r"[0-9]{1,3}|[A-Z]", one["token"].strip())
            assert one["top"][one["token"]] in chances, "the chances are those at temperature 1, in the tokens' order"
            values = list(one["top"].values())
            # Halves of a character have the same text, and count once.
            assert values == sorted(values, reverse=True) and 1 <= len(values) <= 5 and sum(map(math.exp, values)) <= 1
            if temperature == 0:
                assert next(iter(one["top"])) == one["token"]
    assert any(len(one["top"]) > 3 for reply in found for one in json.loads(reply.top_logprobs))
    assert seen > (0 if temperature == 0 else 30)
    assert all(len(re.findall("[A-Z0-9]", r.text)) >= len(json.loads(r.top_logprobs)) for r in found)
    plain = replies(engine, asked(TEXTS[:2], max_tokens=30))
    assert all(reply.top_logprobs is None for reply in plain)
