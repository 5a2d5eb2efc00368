"""The key that the engine `openai` sends, which appears in no text, and its proxy."""

import traceback

import pytest

from curate.models.clients.http.transport import proxy_for
from schemas.errors import UserError
from tests.models.clients.openai_desk import Desk, Notes, answered, engine, groups, texts

KEY = "sk-very/secret+key-0123456789"


@pytest.fixture
def with_key(monkeypatch):
    monkeypatch.setenv("TEACHER_KEY", KEY)
    return {"api_key_env": "TEACHER_KEY"}


def test_the_key_is_sent(with_key, server_with):
    with server_with(key=KEY) as stub:
        answered(stub.url, groups(), **with_key)
        stats = stub.stats()
    assert (stats["authorized"], stats["unauthorized"]) == (24, 0)


@pytest.mark.parametrize("status", ["400", "401", "403", "429", "500"])
def test_the_key_is_in_no_text_that_comes_back(status, with_key, capfd, server_with):
    """Not even where the server shows it in its answer."""
    notes = Notes()
    with server_with(key=KEY, faults={status: {"echo": True, "times": 0}}) as stub:
        desk, made = Desk(groups(3)), engine(stub.url, notes, retries=0, **with_key)
        try:
            made.answer(desk.take, desk.give)
            shown = ""
        except UserError as error:
            shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.__context__)
    shown += "".join(r.error for r in desk.replies.values()) + repr((made, notes.notes, capfd.readouterr()))
    assert "Bearer [key]" in shown and f"HTTP {status}" in shown
    assert KEY not in shown and "secret" not in shown
    if status in ("401", "403"):
        assert f"models.teacher: stub-1 at {stub.url}/chat/completions: HTTP {status}" in shown


def test_a_reply_that_holds_the_key_is_kept_without_it(with_key, server_with):
    with server_with(key=KEY) as stub:
        desk = answered(stub.url, groups(1, text=f"say exactly: it is {KEY}"), **with_key)
    assert list(texts(desk).values()) == ["it is [key]"]


def test_a_missing_or_impossible_key(good, monkeypatch):
    monkeypatch.delenv("TEACHER_KEY", raising=False)
    with pytest.raises(UserError, match="TEACHER_KEY"):
        engine(good.url, api_key_env="TEACHER_KEY")
    monkeypatch.setenv("TEACHER_KEY", "sk-a\r\nX-Evil: 1")
    with pytest.raises(UserError) as found:
        engine(good.url, api_key_env="TEACHER_KEY")
    assert "Evil" not in str(found.value)


def test_a_proxy_is_used_as_the_environment_says(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    found = [
        proxy_for(url)
        for url in (
            "https://api.example/v1",
            "https://inside.example/v1",
            "https://127.0.0.1/v1",
            "http://api.example/v1",
        )
    ]
    assert found == ["http://proxy.example:3128", None, None, None]
