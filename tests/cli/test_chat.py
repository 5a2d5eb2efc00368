"""``gristmill chat`` in a pipe: each line is a turn, the answers alone are printed."""

import io
import json
import sys

import pytest

from cli.chat.input import Inputs
from cli.chat.loop import HELP
from schemas.errors import UserError
from tests.command import call, mistake
from tests.streaming_server import DONE, Response, Scripted, event, refused, streamed


@pytest.fixture
def talk(tmp_path, monkeypatch):
    """Have a server's answers printed to lines of input."""

    def made(lines, *responses, models=("big",), more=()):
        monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
        with Scripted(*responses) as server:
            settings = ["--set", "engine=openai", "--set", f"base_url={server.url}"]
            return call(tmp_path, "chat", *models, *settings, *more), server.asked

    return made


def test_the_answers_alone_are_printed(talk, tmp_path):
    done, asked = talk("Hi\n\n  \nAnd?\n", streamed("Hel", "lo.\n"), streamed("\nBye."), more=["--seed", 3])
    assert done.code == 0 and done.out == "Hello.\nBye.\n"
    assert [len(body["messages"]) for body in asked] == [1, 3]
    assert done.err.startswith("+ big") and "seed 3" in done.err
    assert list(tmp_path.iterdir()) == [], "nothing is written"


def test_the_last_line_needs_no_end_and_a_text_may_have_several(talk):
    lines = 'one\\\ntwo\n"""a\n\nb"""\n """c\n"""\nlast'
    done, asked = talk(lines, *[streamed("x")] * 4)
    assert done.out == "x\n" * 4
    assert [body["messages"][-1]["content"] for body in asked] == ["one\ntwo", "a\n\nb", "c", "last"]


def test_commands_change_the_conversation(talk, tmp_path):
    lines = ["one", "/system Be short.", "two", "/undo", "/save t.jsonl", "two", "/retry", " /etc/passwd?", "/reset"]
    lines += ["/help", "three", "/exit", "never"]
    done, asked = talk("\n".join(lines), *[streamed(one) for one in "abcdef"])
    assert done.code == 0 and done.out.startswith("a\nb\nc\nd\ne\n")
    contents = [[message["content"] for message in body["messages"]] for body in asked]
    assert contents[2] == contents[3] == ["Be short.", "one", "a", "two"]
    assert contents[4] == ["Be short.", "one", "a", "two", "d", "/etc/passwd?"]
    assert contents[5] == ["Be short.", "three"] and len(contents) == 6
    assert json.loads((tmp_path / "t.jsonl").read_text())["messages"][-1] == {"role": "assistant", "content": "a"}
    assert all(name in done.err for name in HELP), "the list of commands"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("/rest\n", "no command '/rest'; did you mean '/reset'?"),
        ("/\n", "no command '/'"),
        ("/save\n", "/save needs a file"),
        ("/save t.jsonl\n", "there is no turn to save yet"),
        ("/undo\n", "there is no turn to take back"),
        ("/retry\n", "nothing was asked yet"),
        ('"""never\nended\n', "line 1 of the input"),
    ],
)
def test_a_wrong_line_ends_a_pipe(talk, lines, words):
    done, asked = talk(lines + "more\n")
    assert words in mistake(done) and asked == []


def test_the_system_prompt_is_shown_and_removed(talk, tmp_path):
    (tmp_path / "s.txt").write_text("Rhyme.\n")
    done, asked = talk("a\n/system\n/system none\nb\n", streamed("x"), streamed("y"), more=["--system", "@s.txt"])
    assert done.code == 0 and "(system prompt: Rhyme.)" in done.err and "(there is no system prompt)" in done.err
    assert [body["messages"][0]["content"] for body in asked] == ["Rhyme.", "a"]


def test_a_failure_is_one_line_and_ends_a_pipe(talk):
    broken = Response([event({"content": "so far"})], broken=True)
    done, _ = talk("a\nb\n", broken)
    assert done.code == 1 and done.out == "so far\n"
    assert done.err.splitlines()[-1].startswith("error: big: big at http") and "connection was lost" in done.err
    done, _ = talk("a\n", refused(401, "no such key"))
    assert "HTTP 401: no such key" in mistake(done) and done.out == "\n"


def test_several_models_answer_one_below_the_other(talk):
    done, asked = talk("a\nb\n", *[streamed(one) for one in "wxyz"], models=["big", "small"])
    assert done.out == "[big]\nw\n[small]\nx\n[big]\ny\n[small]\nz\n"
    assert [(body["model"], body["messages"][1:2]) for body in asked[2:]] == [
        ("big", [{"role": "assistant", "content": "w"}]),
        ("small", [{"role": "assistant", "content": "x"}]),
    ]


def test_json_is_a_line_an_answer(talk):
    deltas = [{"reasoning_content": "so"}, {"content": "a\x1b[31m\u2028b"}]
    done, _ = talk("hi\n", Response([*map(event, deltas), event({}, "length"), DONE]), more=["--json"])
    assert "\x1b" not in done.out and len(done.out.splitlines()) == 1
    assert json.loads(done.out) == {
        "model": "big",
        "prompt": "hi",
        "response": "a\x1b[31m\u2028b",
        "reasoning_content": "so",
        "finish_reason": "length",
    }


def test_why_an_answer_is_not_whole_is_said(talk):
    done, _ = talk("a\nb\n", streamed("x", finish="length"), streamed("", finish="content_filter"))
    assert "(cut off after 1 token: see --max-tokens)" in done.err
    assert "(cut off by the server's content filter; the turn is not kept)" in done.err
    called = Response([event({"tool_calls": [{"function": {"name": "find\x1b"}}]}), event({}, "tool_calls"), DONE])
    done, _ = talk("a\n", called)
    assert "(it calls find: tools are not run here; the turn is not kept)" in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["smollm"], "did you mean 'smollm2-135m'?"),
        (["minilm", "minilm"], "is named twice"),
        (list("abcde"), "at most 4"),
        (["x", "--set", "engine=opnai"], "did you mean 'openai'?"),
        (["x", "--set", "engine=openai"], "needs base_url"),
        (["smollm2-135m", "--set", "batch=3"], "did you mean 'batch_tokens'?"),
        (["smollm2-135m", "--set", "engine=openai", "--set", "base_url=ftp://x"], "expected an address"),
        (["x", "--set", "engine"], "expected KEY=VALUE"),
        (["x", "--system", "@none.txt"], "can't be read"),
        (["x", "--store", "none"], "no store here"),
        (["x", "--recipe", "none.yaml"], "no such recipe"),
        (["smollm2-135m", "--temperature", "-1"], "--temperature"),
        (["sandbox", "--set", "engine=sandbox"], "sandbox"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, arguments, words):
    assert words in mistake(call(tmp_path, "chat", *arguments))


def test_a_command_is_not_what_is_pasted():
    inputs = Inputs(io.StringIO("/save a\\\nb\n"), tuple(HELP), edited=False)
    line = inputs.next()
    assert line and line.text == "/save a\nb" and not line.command
    with pytest.raises(UserError, match="no command '/nope'"):
        Inputs(io.StringIO("/nope\tx\n"), tuple(HELP), edited=False).next()
