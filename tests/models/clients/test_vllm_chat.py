"""A conversation with a real vLLM server of our own: streamed, stopped, cut to the context, and seen to die."""

import os
import signal

import pytest

from curate.api.chat import ChatSession
from curate.api.chat_model import chat_model
from schemas.errors import UserError
from tests.said import Said
from tests.with_vllm import PYTHON, with_vllm


@with_vllm
def test_a_conversation_with_a_real_server(wide):
    said = Said()
    ref = chat_model(str(wide), settings={"engine": "vllm", "python": PYTHON})
    with ChatSession(ref, max_tokens=24, seed=1, progress=said) as session:
        pieces = list(session.reply("the cat sings"))
        first = session.last
        assert first and first.completion_tokens and first.prompt_tokens
        assert "".join(piece.text for piece in pieces) == first.text and len(pieces) > 3
        assert session.how == "temperature 0.7, seed 1"
        session.reset()
        assert "".join(piece.text for piece in session.reply("the cat sings")) == first.text, "the same seed"
        for _ in session.reply("a dog"):
            session.stop()
        # A fast server may have ended first; tests/api/test_chat.py stops answers of one that waits.
        assert session.last and session.last.finish_reason in ("stopped", "length")
        for turn in range(9):
            list(session.reply(f"the dog reads {turn} lines now please"))
        assert session.left_out and "are left out from here on" in said.lines[-1]
        engine = getattr(session._streamer, "engine")  # noqa: B009 - of this streamer alone
        os.kill(engine.server.guard.pid, signal.SIGKILL)
        engine.server.guard.wait()
        with pytest.raises(UserError, match="vLLM has stopped"):
            list(session.reply("lines"))
