"""The engine `vllm` as a reward model: a real pooling server gives the rewards that transformers gives."""

import json
from pathlib import Path

import pytest

from curate.models.model_ref import ModelRef
from schemas.errors import UserError
from schemas.progress import Progress
from schemas.requests import Sampling, make_request
from tests.asking import Asked
from tests.with_vllm import PYTHON, with_vllm

LABELS = {0: "fine", 1: "toxic"}
ANSWERS = ["the cat sings", "a dog", "answer in lower case now please", "red blue seven", "lines " * 9, "日本"]


def classifier(wide: Path, folder: Path, labels: int, **config) -> Path:
    """The wide model with a head of so many outputs, all of its weights random and large."""
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")
    transformers.AutoTokenizer.from_pretrained(wide).save_pretrained(folder)
    given = transformers.AutoConfig.from_pretrained(wide, num_labels=labels, **config)
    torch.manual_seed(2)
    transformers.LlamaForSequenceClassification(given).save_pretrained(folder)
    return folder


def ref(folder: Path, engine: str, **settings) -> ModelRef:
    return ModelRef("rm", "rm@0", str(folder), engine, settings=tuple(settings.items()))


def values(engine, asks):
    requests = [make_request("rm@0", json.dumps(ask), None, Sampling(), 0, "reward") for ask in asks]
    replies = Asked([[one] for one in requests]).by(engine)
    return [replies[one.key].value for one in requests]


def both(folder, asks):
    """The values by a vLLM server, and by transformers; and the server's engine, closed."""
    from curate.models.clients.local.reward import RewardEngine
    from curate.models.clients.vllm_server.classify import VllmClassifyEngine

    engine = VllmClassifyEngine(ref(folder, "vllm", python=PYTHON), Progress())
    try:
        served = values(engine, asks)
        if len(engine.labels) > 1:
            with pytest.raises(UserError, match=r"no label called 'toxi'; did you mean 'toxic'"):
                values(engine, [{"text": "x", "label": "toxi"}])
    finally:
        engine.close()
    assert not engine.server.alive()
    return served, values(RewardEngine(ref(folder, "transformers")), asks)


@with_vllm
def test_a_pooling_server_gives_the_rewards_of_transformers(wide, tmp_path):
    asks = [
        {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": answer}]}
        for answer in ANSWERS
    ] + [{"text": answer} for answer in ANSWERS]
    served, local = both(classifier(wide, tmp_path / "rm", 1), asks)
    assert served == pytest.approx(local, abs=2e-3) and len({round(value, 2) for value in local}) > 8, local


@with_vllm
def test_a_pooling_server_gives_the_probability_of_a_label(wide, tmp_path):
    folder = classifier(wide, tmp_path / "rm", 2, id2label=LABELS, label2id={v: k for k, v in LABELS.items()})
    asks = [{"text": answer, "label": label} for answer in ANSWERS for label in ("fine", "toxic")]
    served, local = both(folder, asks)
    assert served == pytest.approx(local, abs=2e-3)
    assert all(a + b == pytest.approx(1, abs=1e-3) for a, b in zip(served[::2], served[1::2], strict=True))
