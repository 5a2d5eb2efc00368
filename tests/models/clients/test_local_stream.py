"""Answers of the engine `transformers` as they are written, on a tiny model."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from curate.api.chat import ChatSession
from curate.api.chat_model import chat_model
from curate.models.generation_defaults import defaults_of
from curate.models.streamed import Asked, TooLong
from schemas.errors import UserError
from schemas.json_text import dump
from schemas.messages import Message
from schemas.progress import Progress
from schemas.requests import Sampling, make_request
from tests.models.clients.openai_desk import Desk
from tests.optional import Lazy, needs
from tests.said import Said

if TYPE_CHECKING:
    from curate.models.clients.local.stream import LocalStreamer

pytestmark = [needs("torch", "transformers"), pytest.mark.slow]
transformers = Lazy("transformers")
local, generating = Lazy("curate.models.clients.local.stream"), Lazy("curate.models.clients.local.generate")
TURN: list[Message] = [{"role": "user", "content": "the cat sings"}]
NO_SYSTEM = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
)


@pytest.fixture(scope="module")
def model(lively: Path) -> "LocalStreamer":
    return local.LocalStreamer(chat_model(str(lively)), Progress())


def changed(folder: Path, lively: Path, *, template: str | None = None, **config: object) -> Path:
    """A copy of the lively model with another chat template, and other entries of its config."""
    shutil.copytree(lively, folder)
    (folder / "chat_template.jinja").unlink()
    if template:
        (folder / "chat_template.jinja").write_text(template)
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | config))
    return folder


def test_the_pieces_are_what_generate_writes(model, lively):
    engine = generating.GenerateEngine(chat_model(str(lively)), Progress())
    several = 0
    for seed in range(6):
        answer = model.stream(TURN, Asked(temperature=1.0, max_tokens=24, seed=seed))
        pieces = list(answer)
        how = Sampling(temperature=1.0, max_tokens=24, seed=seed)
        request = make_request(model.identity, dump(TURN, "messages"), None, how, 0)
        desk = Desk([[request]])
        engine.answer(desk.take, desk.give)
        reply = desk.replies[request.key]
        assert answer.ended and "".join(piece.text for piece in pieces) == reply.text == answer.ended.text
        assert answer.ended.finish_reason == reply.finish_reason
        assert answer.ended.completion_tokens == reply.completion_tokens
        several += len(pieces) > 3
    assert several > 3, "hardly anything came in pieces"


def test_a_seed_gives_an_answer_and_a_sample_another(model):
    def answer(seed, sample=0):
        return "".join(piece.text for piece in model.stream(TURN, Asked(1.0, None, 16, seed), sample))

    assert answer(1) == answer(1) != answer(2)
    assert answer(1) != answer(1, 1)


def test_an_answer_is_stopped_and_the_next_one_is_whole(lively):
    with ChatSession(chat_model(str(lively)), temperature=1.0, max_tokens=200, seed=5) as session:
        assert isinstance(session._streamer, local.LocalStreamer)
        session._streamer.ends = set()  # it writes until it is stopped
        for _ in session.reply("a dog"):
            session.stop()
        assert session.last and session.last.finish_reason == "stopped"
        assert 0 < len(session.messages[1]["content"]) < 400
        session.asked = Asked(1.0, None, 5, 5)
        list(session.reply("lines"))
        assert session.last.finish_reason == "length" and session.last.completion_tokens == 5


def test_the_oldest_turns_are_left_out_where_they_do_not_fit(lively):
    said = Said()
    with ChatSession(chat_model(str(lively)), temperature=1.0, max_tokens=40, seed=1, progress=said) as session:
        for turn in range(12):
            list(session.reply(f"the dog reads {turn} lines now please"))
        assert session.left_out and len(session.messages) > session.left_out
        assert "are left out from here on" in said.lines[-1]
        with pytest.raises(TooLong, match="context is 256 tokens"):
            list(session.reply("red blue seven " * 100))


def test_a_base_model_goes_on_from_the_texts(lively, tmp_path):
    said = Said()
    folder = changed(tmp_path / "base", lively)
    with ChatSession(chat_model(str(folder)), max_tokens=4, seed=1, progress=said) as session:
        list(session.reply("the cat"))
        list(session.reply("sings"))
    assert len(said.lines) == 1 and "has no chat template" in said.lines[0]


def test_without_a_template_a_text_begins_as_texts_do(lively, tmp_path):
    """Base models of many families write nonsense without the token that begins a text, which no template prints."""
    folder = changed(tmp_path / "base", lively)
    file = folder / "tokenizer.json"
    begins = {"SpecialToken": {"id": "<pad>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    special = {"<pad>": {"id": "<pad>", "ids": [0], "tokens": ["<pad>"]}}
    processor = {"type": "TemplateProcessing", "single": begins, "pair": begins, "special_tokens": special}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"post_processor": processor}))
    ref = chat_model(str(folder))
    streamer, engine = local.LocalStreamer(ref, Progress()), generating.GenerateEngine(ref, Progress())
    ids = streamer.tokenizer("the cat sings\n")["input_ids"]
    assert ids[0] == 0
    answer = streamer.stream(TURN, Asked(temperature=0, max_tokens=8))
    request = make_request("base@0", dump(TURN, "messages"), None, Sampling(temperature=0, max_tokens=8), 0)
    desk = Desk([[request]])
    engine.answer(desk.take, desk.give)
    assert "".join(piece.text for piece in answer) == desk.replies[request.key].text
    assert answer.ended and answer.ended.prompt_tokens == len(ids) == desk.replies[request.key].prompt_tokens


def test_a_system_prompt_goes_where_the_template_prints_it(lively, tmp_path):
    said = Said()
    folder = changed(tmp_path / "strict", lively, template=NO_SYSTEM)
    with ChatSession(chat_model(str(folder)), system="lower case", max_tokens=4, seed=1, progress=said) as session:
        list(session.reply("the cat"))
        assert "system text in the first user turn" in said.lines[0]
    settings = {"chat_template": "{{ raise_exception('never') }}"}
    with (
        ChatSession(chat_model(str(folder), settings=settings), seed=1) as session,
        pytest.raises(UserError, match="never"),
    ):
        list(session.reply("the cat"))


def test_what_writes_no_text_is_refused(lively, tmp_path):
    reward = changed(tmp_path / "reward", lively, architectures=["LlamaForSequenceClassification"])
    with pytest.raises(UserError, match="classifier or a reward model"):
        ChatSession(chat_model(str(reward)))
    embedder = changed(tmp_path / "embedder", lively, architectures=["LlamaModel"])
    with pytest.raises(UserError, match="is a LlamaModel, which writes no text"):
        ChatSession(chat_model(str(embedder)))


def test_the_models_own_sampling_is_the_default(lively, tmp_path):
    folder = changed(tmp_path / "own", lively)
    own = {"do_sample": True, "temperature": 0.3, "top_p": 0.9, "top_k": 5, "repetition_penalty": 1.2}
    file = folder / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | own))
    said = Said()
    model = local.LocalStreamer(chat_model(str(folder)), said)
    assert model.defaults.sampling(Asked(seed=2)) == Sampling(0.3, 0.9, 5, 1024, 2)
    assert model.defaults.sampling(Asked(temperature=0.0, max_tokens=3)).temperature == 0
    assert "repetition_penalty 1.2, which is not applied" in said.lines[0]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, (0.7, 1.0, 0)),
        ({"do_sample": True}, (1.0, 1.0, 0)),
        ({"temperature": 0.6}, (0.6, 1.0, 0)),
        ({"temperature": -1, "top_p": "x", "top_k": True}, (0.7, 1.0, 0)),
        ({"top_p": 0, "top_k": -1, "temperature": float("nan")}, (0.7, 1.0, 0)),
    ],
)
def test_defaults(config, expected):
    assert defaults_of(config)[:3] == expected
