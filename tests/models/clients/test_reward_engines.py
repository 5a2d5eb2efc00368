"""The engines that read without writing, on tiny models: a reward or a loss hangs on its text alone."""

import json
import random
from pathlib import Path

import pytest

from curate.models.model_ref import ModelRef
from schemas.errors import UserError
from schemas.requests import Sampling, Spent, make_request
from tests.asking import Asked
from tests.optional import Lazy, needs

pytestmark = [needs("torch", "transformers", "peft"), pytest.mark.slow]
torch, transformers, peft = Lazy("torch"), Lazy("transformers"), Lazy("peft")
weights = Lazy("curate.models.weights")

ANSWERS = ["the cat sings", "a dog", "answer in lower case now please", "red blue seven " * 5, "lines", "é 日本"]


def classifier(tiny: Path, folder: Path, labels: int = 1, **config) -> Path:
    """A random tiny classifier with the tiny model's tokenizer."""
    transformers.AutoTokenizer.from_pretrained(tiny).save_pretrained(folder)
    given = transformers.AutoConfig.from_pretrained(tiny, num_labels=labels, **config)
    given.initializer_range, given.tie_word_embeddings = 0.3, False
    torch.manual_seed(labels)
    transformers.LlamaForSequenceClassification(given).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def rewarding(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classifier(tiny, tmp_path_factory.mktemp("rewarding"))


def reference(folder, adapters=(), **settings):
    return ModelRef("rm", "rm@0", str(folder), adapters=adapters, settings=tuple(settings.items()))


def reward_engine(folder, **settings):
    from curate.models.clients.local.reward import RewardEngine

    return RewardEngine(reference(folder, **settings))


def loss_engine(folder, **settings):
    from curate.models.clients.local.loss import LossEngine

    return LossEngine(reference(folder, **settings))


def chat(*texts):
    return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]


def request_for(about, task="reward"):
    return make_request("rm@0", json.dumps(about), None, Sampling(), 0, task)


def replies(found, asks, task="reward"):
    """The replies in the order of the asks, each of them a group of its own."""
    requests = [request_for(one, task) for one in asks]
    asked = Asked([[one] for one in requests])
    by_key = asked.by(found)
    return [by_key[one.key] for one in requests], asked


def values(found, asks, task="reward"):
    return [reply.value for reply in replies(found, asks, task)[0]]


# Rewards ------------------------------------------------------------------------------------------------------------


def test_a_reward_is_the_output_for_the_rendered_conversation(rewarding):
    asks = [{"messages": chat("the cat", answer)} for answer in ANSWERS]
    found, asked = replies(reward_engine(rewarding, batch_tokens=100), asks)
    model = transformers.LlamaForSequenceClassification.from_pretrained(rewarding).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(rewarding)
    for one, reply in zip(asks, found, strict=True):
        ids = tokenizer.apply_chat_template(one["messages"], return_tensors="pt", return_dict=True)["input_ids"]
        assert "assistant" in tokenizer.decode(ids[0]) and reply.prompt_tokens == ids.shape[1]
        assert reply.value == pytest.approx(model(ids).logits.item(), abs=1e-5)
    assert len({round(reply.value, 3) for reply in found}) == len(ANSWERS)
    assert len(asked.gifts) > 1, "replies are given batch by batch"
    assert asked.spent == Spent(len(asks), sum(reply.prompt_tokens for reply in found), 0)


@pytest.mark.parametrize("pad", ["own", "none", "end", "in the text"])
def test_a_reward_depends_on_neither_neighbours_nor_padding(tiny, tmp_path, pad):
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    ids = {
        "own": tokenizer.pad_token_id,
        "none": None,
        "end": tokenizer.eos_token_id,
        "in the text": tokenizer("\n", add_special_tokens=False)["input_ids"][0],
    }
    folder = classifier(tiny, tmp_path / "rm", pad_token_id=ids[pad])
    asks = [{"messages": chat("answer", answer)} for answer in ANSWERS] + [{"text": answer} for answer in ANSWERS]
    alone = [values(reward_engine(folder), [one])[0] for one in asks]
    for budget in (60, 100_000):
        mixed = list(range(len(asks)))
        random.Random(budget).shuffle(mixed)
        found = values(reward_engine(folder, batch_tokens=budget), [asks[i] for i in mixed])
        assert found == pytest.approx([alone[i] for i in mixed], abs=1e-5)
    model = transformers.LlamaForSequenceClassification.from_pretrained(folder).eval()
    plain = [model(tokenizer(one["text"], return_tensors="pt").input_ids).logits.item() for one in asks[6:]]
    assert alone[6:] == pytest.approx(plain, abs=1e-5)


def test_of_several_labels_the_one_asked_for_counts(tiny, tmp_path):
    names = {"id2label": {0: "fine", 1: "toxic", 2: "rude"}, "label2id": {"fine": 0, "toxic": 1, "rude": 2}}
    folder = classifier(tiny, tmp_path / "one", 3, **names)
    asks = [{"text": "the cat sings", "label": label} for label in ("fine", "toxic", "rude")]
    found = reward_engine(folder)
    assert sum(values(found, asks)) == pytest.approx(1, abs=1e-5)
    several = classifier(tiny, tmp_path / "several", 3, problem_type="multi_label_classification", **names)
    shares = values(reward_engine(several), asks)
    model = transformers.LlamaForSequenceClassification.from_pretrained(several).eval()
    ids = transformers.AutoTokenizer.from_pretrained(several)("the cat sings", return_tensors="pt").input_ids
    assert shares == pytest.approx(model(ids).logits.sigmoid()[0].tolist(), abs=1e-5)
    with pytest.raises(UserError, match=r"^models.rm: the model has 3 labels; .* \(there are: fine, toxic, rude\)$"):
        values(found, [{"text": "x"}])
    with pytest.raises(UserError, match="^models.rm: no label called 'toxi'; did you mean 'toxic'"):
        values(found, [{"text": "x", "label": "toxi"}])


def test_a_conversation_that_does_not_fit_has_its_own_error(rewarding):
    asks = [
        {"messages": chat("hi", "x " * 400)},
        {"messages": [{"role": "user"}]},
        {"text": ""},
        {"text": "\ud83d"},
        {"messages": chat("hi", "a dog")},
    ]
    found, _ = replies(reward_engine(rewarding), asks)
    assert "the model's context 256" in found[0].error and found[0].prompt_tokens > 256
    assert found[1].error.startswith("the chat template refuses the messages: ")
    assert found[2].error == "the text is empty" and "surrogates" in found[3].error
    assert [one.value is None for one in found] == [True] * 4 + [False]


def test_an_encoder_without_a_chat_template_reads_a_pair(tmp_path):
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sings", "dog"]
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary))
    tokenizer = transformers.BertTokenizer(str(tmp_path / "vocab.txt"), model_max_length=12)
    tokenizer.save_pretrained(tmp_path)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=2,
        num_labels=1,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=0.5,
    )
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path)
    asks = [{"messages": chat("the cat", "sings sings")}, {"messages": chat("the", "dog")}]
    found = values(reward_engine(tmp_path), asks)
    model = transformers.BertForSequenceClassification.from_pretrained(tmp_path).eval()
    for (question, answer), value in zip([("the cat", "sings sings"), ("the", "dog")], found, strict=True):
        assert value == pytest.approx(model(**tokenizer(question, answer, return_tensors="pt")).logits.item(), abs=1e-5)
    too_long, _ = replies(reward_engine(tmp_path), [{"text": "the cat sings " * 6}])
    assert "the model's context 12" in too_long[0].error


def test_language_and_reward_models_are_not_interchangeable(tiny, rewarding):
    with pytest.raises(UserError, match=r"^model 'rm': .* is neither a reward model .* no weights for score.weight$"):
        reward_engine(tiny)
    with pytest.raises(
        UserError, match=r"^model 'rm': .* is a classifier or a reward model; expected a model that writes text"
    ):
        weights.load(ModelRef("rm", "rm@0", str(rewarding)))


def test_adapters_bring_the_head_on_top_of_a_language_models_own(lively, tmp_path):
    language = peft.get_peft_model(
        transformers.AutoModelForCausalLM.from_pretrained(lively),
        peft.LoraConfig(task_type="CAUSAL_LM", r=2, target_modules="all-linear", init_lora_weights=False),
    )
    language.save_pretrained(tmp_path / "sft")
    language.merge_and_unload().save_pretrained(tmp_path / "merged")
    base = transformers.AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "merged", num_labels=1, pad_token_id=0
    )
    how = peft.LoraConfig(
        task_type="SEQ_CLS", r=2, target_modules="all-linear", init_lora_weights=False, modules_to_save=["score"]
    )
    judge = peft.get_peft_model(base, how).eval()
    judge.save_pretrained(tmp_path / "rm")
    adapters = (str(tmp_path / "sft"), str(tmp_path / "rm"))
    found = reward_engine(lively, adapters=adapters)
    ids = found.tokenizer("the cat sings", return_tensors="pt").input_ids
    assert values(found, [{"text": "the cat sings"}])[0] == pytest.approx(judge(ids).logits.item(), abs=1e-4)
    with pytest.raises(UserError, match="/rm is a classifier or a reward model; expected a model that writes text"):
        weights.load(ModelRef("rm", "rm@0", str(lively), adapters=adapters))


# Losses -------------------------------------------------------------------------------------------------------------


def losses_by_hand(model, context, completion):
    ids = torch.tensor([[*context, *completion]])
    with torch.no_grad():
        told = model(ids).logits[0].log_softmax(-1)
    return [-told[len(context) + i - 1, token].item() for i, token in enumerate(completion)]


def test_a_loss_is_the_mean_over_the_completions_own_tokens(lively):
    found = loss_engine(lively, batch_tokens=100)
    model, tokenizer = weights.load(ModelRef("rm", "rm@0", str(lively)))
    asks = [
        {"messages": chat("the cat") * with_prompt, "completion": answer}
        for answer in ANSWERS
        for with_prompt in (True, False)
    ]
    answered, asked = replies(found, asks, "loss")
    for one, reply in zip(asks, answered, strict=True):
        context = [tokenizer.eos_token_id]  # the tiny model has no token that begins a text
        if one["messages"]:
            text = tokenizer.apply_chat_template(one["messages"], tokenize=False, add_generation_prompt=True)
            context = tokenizer(text)["input_ids"]
        completion = tokenizer(one["completion"])["input_ids"]
        by_hand = losses_by_hand(model, context, completion)
        assert reply.value == pytest.approx(sum(by_hand) / len(by_hand), abs=1e-4)
        assert (reply.prompt_tokens, reply.completion_tokens) == (len(context), len(completion))
    assert len(asked.gifts) > 1 and len({round(reply.value, 2) for reply in answered}) > len(ANSWERS)
    assert asked.spent.prompt_tokens == sum(r.prompt_tokens + r.completion_tokens for r in answered)


@pytest.mark.parametrize("cells", [400, 1 << 25])
def test_a_loss_hangs_neither_on_its_batch_nor_on_the_chunks(lively, cells):
    asks = [{"messages": chat(answer), "completion": answer} for answer in ANSWERS]
    alone = [values(loss_engine(lively), [one], "loss")[0] for one in asks]
    for budget in (60, 100_000):
        found = loss_engine(lively, batch_tokens=budget)
        found.cells = cells
        assert values(found, asks[::-1], "loss")[::-1] == pytest.approx(alone, abs=1e-4)


def test_a_model_that_caps_its_logits_is_read_whole(tiny, tmp_path):
    transformers.AutoTokenizer.from_pretrained(tiny).save_pretrained(tmp_path)
    size = transformers.AutoConfig.from_pretrained(tiny).vocab_size
    torch.manual_seed(0)
    config = transformers.Gemma2Config(
        vocab_size=size,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        pad_token_id=0,
        final_logit_softcapping=0.5,
        initializer_range=0.5,
    )
    transformers.Gemma2ForCausalLM(config).save_pretrained(tmp_path)
    found = loss_engine(tmp_path)
    assert not found.head_apart
    model, tokenizer = weights.load(ModelRef("rm", "rm@0", str(tmp_path)))
    completion = tokenizer("the cat sings")["input_ids"]
    by_hand = losses_by_hand(model, [found.first], completion)
    value = values(found, [{"messages": [], "completion": "the cat sings"}], "loss")[0]
    assert value == pytest.approx(sum(by_hand) / len(by_hand), abs=1e-4)


def test_what_has_no_loss_says_why(lively):
    asks = [
        {"messages": chat("hi"), "completion": ""},
        {"messages": chat("x " * 400), "completion": "a dog"},
        {"messages": [{"role": "user"}], "completion": "a"},
        {"messages": [], "completion": "a \ud83d dog"},
    ]
    found, _ = replies(loss_engine(lively), asks, "loss")
    assert found[0].error == "the completion is empty" and "the model's context 256" in found[1].error
    assert found[2].error.startswith("the chat template refuses") and found[3].value > 0
