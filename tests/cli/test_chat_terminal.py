"""``gristmill chat`` in a terminal: editing, Ctrl-C, Ctrl-D, columns. The server says what is answered, and when."""

import re
import sys
from collections.abc import Iterator

import pytest

from tests.pseudo_terminal import CTRL_C, CTRL_D, Terminal
from tests.streaming_server import DONE, Response, Scripted, event, streamed

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")]
PASTE = "\x1b[200~{}\x1b[201~"


@pytest.fixture
def talk(tmp_path) -> Iterator:
    """Begin a conversation in a terminal with a server of these responses."""
    begun: list = []

    def made(*responses, models=("big",), columns=80):
        server = Scripted(*responses)
        server.__enter__()
        settings = ["--set", "engine=openai", "--set", f"base_url={server.url}"]
        terminal = Terminal(tmp_path, "chat", *models, *settings, columns=columns)
        begun.append((server, terminal))
        terminal.until(">>> ")
        return terminal, server

    yield made
    for server, terminal in begun:
        terminal.process.kill()
        terminal.process.wait()
        server.__exit__()


def last_texts(server):
    return [body["messages"][-1]["content"] for body in server.asked]


def test_turns_commands_and_the_end(talk):
    thinking = Response([event({"reasoning_content": "hm"}), event({"content": "Bo\x1b[2J."}), event({}, "stop"), DONE])
    terminal, server = talk(streamed("Hel", "lo."), thinking)
    terminal.type("Hi\r")
    terminal.until("Hello.")
    terminal.until(">>> ")
    terminal.type("/rset\r")
    terminal.until("did you mean '/reset'?")
    terminal.until(">>> ")
    terminal.type('"""two\rlines"""\r')
    terminal.until("\x1b[2mhm\x1b[0m")
    terminal.until("Bo[2J.")
    terminal.until(">>> ")
    terminal.type(CTRL_D)
    assert terminal.end() == 0
    assert last_texts(server) == ["Hi", "two\nlines"]


def test_a_paste_is_one_text_and_the_arrow_brings_it_back(talk):
    pytest.importorskip("readline")
    terminal, server = talk(streamed("a"), streamed("b"))
    terminal.type(PASTE.format("one\r/two"))
    terminal.type("\r")
    terminal.until("\ra\r\n")
    terminal.until(">>> ")
    terminal.type("\x1b[A!\r")
    terminal.until("\rb\r\n")
    terminal.type("/exit\r")
    assert terminal.end() == 0
    assert last_texts(server) == ["one\n/two", "one\n/two!"]


def test_ctrl_c_stops_an_answer_and_the_conversation_goes_on(talk):
    waits = Response([event({"content": "Once upon"})], hang=True)
    terminal, server = talk(waits, streamed("Go."))
    terminal.type("Tell me\r")
    terminal.until("Once upon")
    terminal.type(CTRL_C)
    terminal.until("(stopped)")
    terminal.until(">>> ")
    terminal.type("On\r")
    terminal.until("Go.")
    terminal.until(">>> ")
    assert server.asked[1]["messages"][1] == {"role": "assistant", "content": "Once upon"}
    terminal.type("half a line")
    terminal.until("half a line")
    terminal.interrupt("Ctrl-C once more")
    terminal.until(">>> ")
    terminal.interrupt()
    assert terminal.end() == 130
    assert "Traceback" not in terminal.read


def test_models_answer_side_by_side_where_there_is_room(talk):
    long = "word " * 12
    terminal, server = talk(*[streamed(long, "end.")] * 2, models=("big", "small"))
    terminal.type("Hi\r")
    terminal.until("small")
    row = re.compile(r"word word word word word word word +│ word word")
    assert row.search(terminal.until(">>> "))
    assert {body["model"] for body in server.asked} == {"big", "small"}
    terminal.type(CTRL_D)
    assert terminal.end() == 0
    narrow, _ = talk(*[streamed("a")] * 2, models=("big", "small"), columns=60)
    narrow.type("Hi\r")
    narrow.until("[big]\r\na\r\n[small]\r\na\r\n")
