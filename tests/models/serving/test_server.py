"""The server is asked by HTTP; a thread of the test stands for the engine."""

import http.client
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from curate.models.serving.server import MOST_BYTES, ModelServer, Served
from schemas.requests import Reply, Task

CHAT = "/v1/chat/completions"
TASKS: frozenset[Task] = frozenset(("generate", "tokens"))


class Desk:
    """A server whose requests are answered with what they say, in capitals; a text 'fail' fails."""

    def __init__(self) -> None:
        self.server = ModelServer(Served("student", "m@1", TASKS, 99))
        self.batches: list[int] = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.answer)

    def __enter__(self):
        self.server.__enter__()
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.over.set()
        self.thread.join()
        self.server.__exit__(None, None, None)

    def answer(self):
        while not self.over.is_set():
            waiting = self.server.take(0.05)
            self.batches += [len(waiting)] if waiting else []
            for one in waiting:
                self.server.give(one, self.reply(one.request))

    def reply(self, request):
        if request.task == "tokens":
            return Reply(request.key, logprobs=(-1.0, -0.5), top_logprobs="[-0.25,null]", prompt_tokens=2)
        text = request.turns if isinstance(request.turns, str) else request.turns[-1]["content"]
        if text == "fail":
            return Reply(request.key, error="the prompt is refused")
        return Reply(request.key, f"{text.upper()} {request.sample_index}", "thought", None, "stop", 3, 4)

    def ask(self, path, body=None, key=None, method="POST"):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        text = body if isinstance(body, bytes) or body is None else json.dumps(body)
        headers = {"Authorization": f"Bearer {self.server.key if key is None else key}"}
        try:
            connection.request(method, path, text, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()


@pytest.fixture
def desk():
    with Desk() as made:
        yield made


def turn(text):
    return {"model": "student", "messages": [{"role": "user", "content": text}], "temperature": 0}


def test_only_who_knows_the_key_is_answered(desk):
    assert desk.ask("/v1/models", key="x", method="GET")[0] == 401
    assert desk.ask(CHAT, turn("a"), key="")[0] == 401
    status, models = desk.ask("/v1/models", method="GET")
    assert (status, models["data"][0]["id"], models["data"][0]["max_model_len"]) == (200, "student", 99)


def test_a_chat_is_answered(desk):
    status, body = desk.ask(CHAT, turn("hi"))
    choice = body["choices"][0]
    assert status == 200 and choice["message"]["content"] == "HI 0" and choice["finish_reason"] == "stop"
    assert choice["message"]["reasoning_content"] == "thought" and body["usage"]["total_tokens"] == 7


def test_a_text_is_answered(desk):
    assert desk.ask("/v1/completions", {"prompt": "go on"})[1]["choices"][0]["text"] == "GO ON 0"


def test_a_failed_request_has_no_content(desk):
    status, body = desk.ask(CHAT, turn("fail"))
    assert (status, body["choices"][0]["message"]["content"]) == (200, None)


def test_echo_says_how_likely_each_token_is(desk):
    body = {"prompt": [5, 6], "echo": True, "logprobs": 1, "max_tokens": 1}
    found = desk.ask("/v1/completions", body)[1]["choices"][0]["logprobs"]
    assert found["token_logprobs"] == [None, -1.0, -0.5]
    assert found["top_logprobs"] == [None, {"likeliest": -0.25}, {"likeliest": -0.5}]
    assert len(found["tokens"]) == 3


def test_wrong_bodies_and_paths_are_refused(desk):
    assert desk.ask(CHAT, b"{")[1]["error"]["message"] == "the body is no JSON"
    assert desk.ask(CHAT, b"[" * 100_000)[0] == 400
    assert desk.ask(CHAT, b"\xff")[0] == 400
    status, body = desk.ask(CHAT, {"messages": 3})
    assert status == 400 and "expected a list of messages" in body["error"]["message"]
    assert desk.ask(CHAT, b" " * (MOST_BYTES + 1))[0] == 413
    assert desk.ask("/v1/embeddings", {})[0] == 404
    assert desk.batches == []


def test_what_is_no_http_is_refused_without_a_word(desk, capfd):
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {desk.server.key}\r\n"
    for sent in ("\x1b[31m\r\n\r\n", f"{head}Content-Length: -5\r\n\r\n", f"{head}Content-Encoding: gzip\r\n"
                 "Content-Length: 5\r\n\r\nabcde"):  # fmt: skip
        with socket.create_connection(("127.0.0.1", desk.server.port), timeout=30) as connection:
            connection.sendall(sent.encode())
            assert connection.recv(100).split()[1] == b"400"
    assert desk.ask(CHAT, turn("hi"))[0] == 200
    assert capfd.readouterr() == ("", "")


def test_a_task_that_the_engine_lacks_is_refused():
    with Desk() as desk:
        desk.server.served.tasks = frozenset({"generate"})
        status, body = desk.ask("/v1/completions", {"prompt": [1], "echo": True, "logprobs": 1, "max_tokens": 1})
    assert status == 400 and "has no 'tokens'" in body["error"]["message"]


def test_equal_sampled_requests_are_samples(desk):
    sampled = turn("a") | {"temperature": 1.0, "seed": 3}
    texts = [desk.ask(CHAT, sampled)[1]["choices"][0]["message"]["content"] for _ in range(3)]
    assert texts == ["A 0", "A 1", "A 2"]
    assert [desk.ask(CHAT, turn("a"))[1]["choices"][0]["message"]["content"] for _ in range(2)] == ["A 0", "A 0"]


def test_many_at_once_all_get_their_own_answer(desk):
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda i: desk.ask(CHAT, turn(f"w{i}")), range(40)))
    assert [body["choices"][0]["message"]["content"] for _, body in answers] == [f"W{i} 0" for i in range(40)]
    assert sum(desk.batches) == 40


def test_closing_drops_who_still_waits():
    server = ModelServer(Served("student", "m@1", TASKS))
    with server, ThreadPoolExecutor(1) as pool:
        desk = Desk()
        desk.server = server
        asked = pool.submit(lambda: desk.ask(CHAT, turn("a")))
        while not server.take(0.05):
            pass
        server.close()
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            asked.result(timeout=30)
