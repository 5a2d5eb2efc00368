"""A conversation with a model behind a server: its history, and what happens when an answer does not come whole."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from curate.api.chat import ChatSession
from curate.api.chat_model import chat_model
from curate.models.clients.http import body_parts, limits
from curate.sources.read_source import read_source
from schemas.errors import Failed, UserError
from tests.said import Said
from tests.streaming_server import DONE, Response, Scripted, event, refused, streamed


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    """A request that is made again is made at once."""
    monkeypatch.setattr(limits, "FIRST_WAIT", 0.01)


def talk(url: str, said: Said | None = None, settings: dict | None = None, **how) -> ChatSession:
    ref = chat_model("big", settings={"engine": "openai", "base_url": url, **(settings or {})})
    return ChatSession(ref, seed=3, progress=said, **how)


def text(pieces: Iterator) -> str:
    return "".join(piece.text for piece in pieces)


def roles(body: dict) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in body["messages"]]


def test_each_turn_is_sent_with_those_before():
    with Scripted(streamed("Hel", "lo."), streamed("Bo."), streamed("It is Bo."), streamed("Anew.")) as server:
        session = talk(server.url, system="Be short.", temperature=0.5, max_tokens=9)
        pieces = list(session.reply("Hi, I am Bo."))
        assert [piece.text for piece in pieces] == ["Hel", "lo."]
        assert session.last and (session.last.finish_reason, session.last.prompt_tokens) == ("stop", 7)
        assert text(session.reply("Who am I?")) == "Bo."
        session.system = ""
        assert text(session.retry()) == "It is Bo."
        assert session.undo() == "Who am I?"
        session.reset()
        assert text(session.reply("Hm")) == "Anew."
        first, second, third, last = server.asked
    assert (first["stream"], first["temperature"], first["max_tokens"], first["model"]) == (True, 0.5, 9, "big")
    assert "top_p" not in first
    opening = [("user", "Hi, I am Bo."), ("assistant", "Hello.")]
    assert roles(second) == [("system", "Be short."), *opening, ("user", "Who am I?")]
    assert roles(third) == roles(second)[1:] and third["seed"] != second["seed"]
    assert roles(last) == [("user", "Hm")] and session.messages == [
        {"role": "user", "content": "Hm"},
        {"role": "assistant", "content": "Anew."},
    ]


def test_what_is_not_asked_for_is_left_to_the_server():
    with Scripted(*[streamed(one) for one in "abcd"]) as server:
        text(talk(server.url).reply("x"))
        session = talk(server.url, settings={"leave_out": ["top_p"]})
        text(session.reply("x"))
        session.asked = replace(session.asked, temperature=0.2, top_p=0.9, max_tokens=5)
        text(session.reply("x"))
        session.asked = replace(session.asked, temperature=None)
        text(session.reply("x"))
        asked = [{"temperature", "top_p", "max_tokens"} & set(body) for body in server.asked]
        assert asked == [set(), set(), {"temperature", "max_tokens"}, {"max_tokens"}]
        assert not {"temperature", "top_p", "max_tokens", "max_completion_tokens"} & set(server.asked[0])
        assert server.asked[0]["seed"] == server.asked[1]["seed"], "the same seed"


@pytest.mark.parametrize("native", [True, False])
def test_a_reasoning_trace_is_told_from_the_answer(native):
    deltas = [{"reasoning_content": "so a"}, {"reasoning_content": " b"}, {"content": "\n\nThe answer"}]
    if not native:
        deltas = [{"content": one} for one in ("<thi", "nk>\nso a", " b</think", ">\n\nThe answer")]
    with Scripted(Response([*map(event, deltas), event({}, "stop"), DONE])) as server:
        session = talk(server.url)
        pieces = list(session.reply("x"))
    assert "".join(piece.text for piece in pieces if piece.reasoning) == "so a b"
    assert "".join(piece.text for piece in pieces if not piece.reasoning) == "The answer"
    assert session.messages[1] == {"role": "assistant", "content": "The answer", "reasoning_content": "so a b"}


@pytest.mark.parametrize("how", ["stop", "break"])
def test_an_answer_that_is_stopped_is_kept_as_far_as_it_is(how):
    waits = Response([event({"content": "Once "}), event({"content": "upon"})], hang=True)
    with Scripted(waits, streamed("Next.")) as server:
        session = talk(server.url)
        said = []
        for piece in session.reply("Tell me."):
            said.append(piece.text)
            if len(said) == 2 and how == "break":
                break
            if len(said) == 2:
                session.stop()
        assert said == ["Once ", "upon"]
        assert server.gone.wait(30), "the server was left waiting"
        assert session.messages[1]["content"] == "Once upon"
        assert session.last and session.last.finish_reason == "stopped"
        assert text(session.reply("Go on.")) == "Next."
        assert roles(server.asked[1])[1] == ("assistant", "Once upon")
        session.close()


def test_an_answer_stopped_before_its_first_word_is_not_kept():
    with Scripted(Response([event({"reasoning_content": "hm"})], hang=True)) as server, talk(server.url) as session:
        for _ in session.reply("x"):
            session.stop()
        assert session.messages == [] and session.last and session.last.reasoning_content == "hm"


BROKEN = {
    "lost": (Response([event({"content": "a"})], broken=True), "the connection was lost in the middle"),
    "no end": (Response([event({"content": "a"})]), "broken off by the server"),
    "abort": (Response([event({"content": "a"}), event({}, "abort"), DONE]), "broken off by the server"),
    "error": (Response([event({"content": "a"}), b'data: {"error": {"message": "oom"}}\n\n']), "gave up: oom"),
    "nonsense": (Response([event({"content": "a"}), b"data: {{{\n\n"]), "can't be read"),
    "nothing": (Response([DONE]), "without a text"),
    "empty": (Response([]), "broken off by the server"),
    "html": (Response([b"<html>busy</html>"], kind="text/html"), "broken off by the server"),
    "half": (Response([b'{"choices": [{"mess'], kind="application/json"), "can't be read"),
}


@pytest.mark.parametrize("how", [{"hang": True}, {"broken": True}], ids=["kept open", "broken off"])
def test_an_answer_that_has_ended_is_whole_whatever_follows(monkeypatch, how):
    monkeypatch.setattr(body_parts, "LAST_WORDS", 0.05)
    ended = Response([event({"content": "Hel"}), event({"content": "lo."}, "stop")], **how)
    with Scripted(ended, streamed("Bo.")) as server, talk(server.url) as session:
        assert text(session.reply("Hi")) == "Hello." and session.last and session.last.finish_reason == "stop"
        assert text(session.reply("Who?")) == "Bo." and len(session.messages) == 4


@pytest.mark.parametrize("name", BROKEN)
def test_an_answer_that_breaks_off_is_said_and_not_kept(name):
    response, words = BROKEN[name]
    with Scripted(response, streamed("Whole.")) as server:
        session = talk(server.url)
        with pytest.raises(Failed, match=words):
            text(session.reply("x"))
        assert session.messages == [] and len(server.asked) == 1
        assert text(session.retry()) == "Whole."
        assert len(session.messages) == 2


def test_a_server_that_does_not_stream_answers_whole():
    body = {"choices": [{"message": {"content": "Whole.", "reasoning_content": "so"}, "finish_reason": "stop"}]}
    whole = Response([json.dumps(body).encode()[:20], json.dumps(body).encode()[20:]], kind="application/json")
    with Scripted(whole) as server:
        session = talk(server.url)
        assert [piece.text for piece in session.reply("x")] == ["so", "Whole."]
    said = Said()
    refusals = refused(400, "Unknown parameter: stream_options"), refused(400, "streaming is not supported")
    with Scripted(*refusals, whole, whole) as server:
        session = talk(server.url, said)
        assert text(session.reply("x")) == "soWhole." == text(session.reply("y"))
        assert ["stream_options" in one for one in server.asked] == [True, False, False, False]
        assert ["stream" in one for one in server.asked] == [True, True, False, False]
    assert said.lines == ["big: the server does not stream: its answers come whole"]


def test_what_a_server_does_not_take_is_left_out():
    with Scripted(refused(400, "Unsupported parameter: 'seed'"), streamed("a"), streamed("b")) as server:
        session = talk(server.url, temperature=0.3)
        assert text(session.reply("x")) + text(session.reply("y")) == "ab"
        assert ["seed" in one for one in server.asked] == [True, False, False]


def test_a_busy_server_is_asked_again():
    said = Said()
    with Scripted(refused(429, "slow down"), refused(503, "busy"), streamed("a")) as server:
        assert text(talk(server.url, said).reply("x")) == "a"
    assert said.lines == ["big: HTTP 429: slow down; asking again", "big: HTTP 503: busy; asking again"]
    with Scripted(*[refused(500, "down")] * 4) as server, pytest.raises(Failed, match="HTTP 500: down"):
        text(talk(server.url).reply("x"))
    patient = {"Retry-After": "3600"}
    with Scripted(refused(429, "slow", **patient)) as server, pytest.raises(Failed, match="asks to wait 1.0 h"):
        text(talk(server.url).reply("x"))


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (refused(401, "wrong key"), "HTTP 401: wrong key"),
        (refused(404, "no model big"), "HTTP 404: no model big"),
        (refused(400, "bad \x1b[31mthing"), r"HTTP 400: bad \[31mthing"),
        (Response([], 307, {"Location": "http://elsewhere/v1"}), "put the final address into base_url"),
    ],
)
def test_a_refusal_is_one_line(response, words):
    with Scripted(response) as server, pytest.raises(UserError, match=words):
        text(talk(server.url).reply("x"))


def test_no_server_is_said_at_once():
    with Scripted() as server:
        url = server.url
    with pytest.raises(UserError, match="connection refused.*is the server running"):
        text(talk(url).reply("x"))


def test_the_key_is_sent_and_in_no_message(monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-very-secret-key")
    echo = refused(401, "the key sk-very-secret-key is wrong")
    with Scripted(echo, streamed("say sk-very-secret-key")) as server:
        session = talk(server.url, settings={"api_key_env": "MY_KEY"})
        with pytest.raises(UserError) as found:
            text(session.reply("x"))
        assert "secret" not in str(found.value)
        assert text(session.reply("x")) == "say [key]"
        assert server.headers[0]["Authorization"] == "Bearer sk-very-secret-key"


def test_the_oldest_turns_are_left_out_where_the_context_is_full():
    said = Said()
    full = refused(400, "This model's maximum context length is 40 tokens")
    answers = [streamed(one) for one in "abc"]
    with Scripted(*answers, full, full, streamed("d"), full) as server:
        session = talk(server.url, said, system="S")
        for one in "123":
            text(session.reply(one))
        assert text(session.reply("4")) == "d"
        assert roles(server.asked[-1]) == [("system", "S"), ("user", "4")]
        assert len(session.messages) == 8 and session.left_out == 6
        assert said.lines[-1] == "big: its context is full: the oldest 3 of 3 turns are left out from here on"
        session.reset()
        with pytest.raises(UserError, match="maximum context length"):
            text(session.reply("5" * 999))


def test_a_saved_conversation_is_a_source(tmp_path):
    file = tmp_path / "talk.jsonl"
    file.write_text('{"messages": [{"role": "user", "content": "old"}, {"role": "assistant", "content": "line"}]}')
    with Scripted(streamed("Hel", "lo\u2028 日"), streamed("b")) as server:
        session = talk(server.url, system="Be short.")
        with pytest.raises(UserError, match="no turn to save"):
            session.save(file)
        text(session.reply("Hi"))
        with pytest.raises(UserError, match="ends in .jsonl"):
            session.save(tmp_path / "talk.txt")
        with pytest.raises(UserError, match="can't be written"):
            session.save(tmp_path / "none" / "talk.jsonl")
        assert session.save(file) == 3
        text(session.reply("More"))
        assert session.save(file) == 5
    saved = [json.loads(line)["messages"] for line in file.read_text(encoding="utf-8").splitlines()]
    assert [len(row) for row in saved] == [2, 3, 5]
    assert saved[2] == session.conversation
    source = read_source(file)
    assert source.prompts.height == source.completions.height == 3


def test_settings_out_of_range_are_refused():
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("temperature: -1", {"temperature": -1}),
        ("top_p: 0", {"top_p": 0}),
        ("max_tokens: 0", {"max_tokens": 0}),
    ]
    for words, how in wrong:
        with pytest.raises(UserError, match=words):
            talk("http://127.0.0.1:9/v1", **how)
    session = talk("http://127.0.0.1:9/v1")
    for call in (lambda: session.reply("  "), session.retry, session.undo):
        with pytest.raises(UserError):
            call()
