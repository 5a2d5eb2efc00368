import json

import pytest

from curate.models.clients.transformers import SPEC
from schemas.progress import Progress
from schemas.requests import Sampling, make_request
from tests.optional import needs

pytestmark = [needs("torch", "transformers"), pytest.mark.slow]


def ask(ref, texts, **settings):
    requests = [make_request("m@1", json.dumps({"ids": ids}), None, Sampling(), 0, "tokens") for ids in texts]
    groups, replies = iter([[request] for request in requests]), {}
    engine = SPEC.tasks["tokens"](ref, Progress())
    engine.answer(lambda: next(groups, None), lambda found, spent: replies.update((r.key, r) for r in found))
    engine.close()
    return [replies[request.key] for request in requests]


def test_log_probabilities_are_those_of_plain_transformers(ref, tiny):
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    texts = [[5, 9, 40, 7], [30], [100, 101, 102, 103, 104, 105, 3]]
    for ids, reply in zip(texts, ask(ref, texts), strict=True):
        with torch.inference_mode():
            expected = model(torch.tensor([ids])).logits[0].float().log_softmax(-1)
        top, likeliest = expected.max(-1)
        following = [*ids[1:], likeliest[-1].item()]
        own = [expected[place, token].item() for place, token in enumerate(following)]
        assert reply.logprobs == pytest.approx(own, abs=2e-5) and reply.prompt_tokens == len(ids)
        tops = json.loads(reply.top_logprobs)
        held = [mine if best is None else best for mine, best in zip(reply.logprobs, tops, strict=True)]
        assert held == pytest.approx(top.tolist(), abs=2e-5)
        own_is_top = [token == best for token, best in zip(following, likeliest.tolist(), strict=True)]
        assert [best is None for best in json.loads(reply.top_logprobs)] == own_is_top


def test_what_does_not_fit_or_is_no_token_is_refused(ref):
    long, wrong, good = ask(ref, [[5] * 300, [5, 99_999], [5, 6]])
    assert long.error == "the text has 300 tokens, the model's context 256"
    assert "no token 99999" in wrong.error and good.error is None
