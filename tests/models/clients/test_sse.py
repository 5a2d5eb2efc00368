"""A streamed completion's events, however they are cut and written."""

import json

import pytest

from curate.models.clients.http.replies import Malformed
from curate.models.clients.http.sse import LONGEST_LINE, Chunk, Lines, read_chunk


def read(stream, size):
    lines = Lines()
    found = [data for at in range(0, len(stream), size) for data in lines.add(stream[at : at + size])]
    return found + lines.add(b"\n")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("between", [1, 2, 3])
def test_events_are_the_same_however_they_are_cut(end, between):
    events = [b'{"a": "\xe6\x97\xa5"}', b"{}", b"[DONE]"]
    head = b"\xef\xbb\xbf: a comment" + end * 2 + b"event: message" + end + b"id: 7" + end + b"data:" + end
    stream = head + b"".join(b"data: " + one + end * between for one in events)
    for size in (1, 2, 5, len(stream)):
        assert read(stream, size) == events
    assert read(stream.rstrip(end), 4) == events, "the last line has no end"


def test_a_line_without_an_end_is_not_kept_for_ever():
    lines = Lines()
    with pytest.raises(Malformed, match="more than 4 MB"):
        for _ in range(6):
            lines.add(b"x" * (LONGEST_LINE // 4))


def chunk(**delta):
    return read_chunk(json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode())


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        ({"content": "a"}, Chunk("a")),
        ({"content": None, "reasoning_content": "so"}, Chunk(trace="so")),
        ({"content": "", "reasoning": "so"}, Chunk(trace="so")),
        ({"reasoning": "so", "reasoning_details": [{"type": "reasoning.text", "text": "so"}]}, Chunk(trace="so")),
        ({"reasoning_details": [{"type": "reasoning.text", "text": "so"}]}, Chunk(trace="so")),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, Chunk("ab")),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "so"}]}]}, Chunk(trace="so")),
        ({"refusal": "no"}, Chunk("no")),
        ({"content": 17}, Chunk()),
        ({"content": {"x": 1}}, Chunk()),
        ({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": ""}}]}, Chunk(calls=("f",))),
        ({"tool_calls": [{"index": 0, "function": {"arguments": "{"}}, 3]}, Chunk()),
    ],
)
def test_what_servers_write_in_a_delta(delta, expected):
    assert chunk(**delta) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"choices": []}, Chunk()),
        ({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": "?"}}, Chunk(usage=(3, None))),
        ({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": None}, Chunk(finish="stop")),
        ({"choices": [{"message": {"content": "whole"}}]}, Chunk("whole")),
        ({"choices": [None]}, Chunk()),
        ({"error": {"message": "out of memory", "code": 500}}, Chunk(error="out of memory")),
        ({"error": "no"}, Chunk(error="no")),
    ],
)
def test_events_without_a_delta(body, expected):
    assert read_chunk(json.dumps(body).encode()) == expected


@pytest.mark.parametrize("data", [b"nonsense", b"[]", b"[" * 100_000, b'{"a"'])
def test_what_is_no_event_is_said(data):
    with pytest.raises(Malformed, match="can't be read"):
        read_chunk(data)


def test_texts_have_no_halves_of_characters_and_bad_bytes():
    assert read_chunk(b'{"choices": [{"delta": {"content": "a\\ud83d b \xff"}}]}').text == "a\ufffd b \ufffd"
