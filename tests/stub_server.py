"""A small OpenAI-compatible server for tests and benchmarks: answers by rule, with the faults that it is given.

By hand: ``python tests/stub_server.py --port 8000 --delay 0.005``; from a test::

    with Stub(faults={"429": {"every": 5, "retry_after": 0.2}}, delay=0.005) as stub:
        ...  # stub.url is the base_url (http://127.0.0.1:PORT/v1)
        stub.kill(); stub.restart(); assert max(stub.stats()["answered"].values()) == 1

What it answers is a function of the messages (or prompt), the sampling settings, the seed (unless greedy) and the index
of the choice. ``say exactly: X`` in the last turn is answered by X; a last turn with ``think`` gets a trace
(``think aloud``: within the content, in ``<think>``); tools are called whenever a user asks otherwise
(``call exactly: X``: with the arguments X); ``response_format`` gets JSON that fits the schema.

Faults: a mapping of a fault's name to whom it hits and how. Whom: ``every: N`` (one request in N, by its content),
``match: TEXT`` (requests that hold the text), ``first: N`` (the first N to arrive); without any of them, all. Each
request is hit ``times`` times (1; 0 is always). Names: a status such as ``"429"`` (with ``retry_after``, ``message``,
``code``, ``param``, ``echo: true`` to give away the request's headers), ``context`` (always a 400), ``half_json``,
``close`` (in mid-body), ``drop`` (before a byte), ``hang``, ``choices`` (as many as ``count``), ``empty``, ``null`` (no
content), ``types`` (of the wrong type), ``raw`` (its ``body`` is the answer), ``bad_utf8``, ``huge`` (says it will send
a gigabyte), ``redirect`` (``to``); and for all requests, always: ``lacks`` (refuses the parameters ``names`` with a
``status``, in the ``shape`` of openai, pydantic or words), ``refuse_n``, ``ignore_n``, ``max_completion_tokens``
(refuses ``max_tokens``), ``refuse_logprobs``, ``busy`` (429 while more than ``above`` requests are in flight).

It classifies too (``POST /classify``, as vLLM's pooling server): the longer a text or conversation, the higher its one
output; with ``labels`` (a fault's name, ``{count: N}``) it has several, which add up to 1 once activated.
"""

import argparse
import asyncio
import hashlib
import json
import math
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

WORDS = """amber birch cedar delta ember fjord grove heron iris juniper kelp lark maple nectar olive pearl quartz reed
saffron thistle umber violet willow yarrow zephyr""".split()
EVERYONE = ("lacks", "refuse_n", "ignore_n", "max_completion_tokens", "refuse_logprobs", "labels", "busy")


class Stub:
    """The server in a process of its own, as a context manager. It ends with the process that started it.

    ``url`` is its base_url, ``stats()`` what it has seen, which outlives ``kill()`` and ``restart()`` on the same port:
    ``requests`` (count), ``seen`` and ``answered`` (by content: how often asked, how often answered well),
    ``choices`` (handed out), ``max_concurrent``, ``authorized`` and ``unauthorized`` (was the key right),
    ``faults`` (how often each hit), ``last`` (the last body).
    """

    def __init__(self, *, faults=None, delay=0.0, key=None, model=None):
        import tempfile  # here, as the server itself should start fast

        self.folder = tempfile.TemporaryDirectory()
        self.faults, self.delay, self.key, self.model, self.port = faults or {}, delay, key, model, 0

    def __enter__(self):
        self.restart()
        return self

    def __exit__(self, *_):
        self.kill()
        self.folder.cleanup()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def restart(self, faults=None):
        """Start the server, on the port it had if it was killed; its count of what it has seen goes on."""
        self.faults = self.faults if faults is None else faults
        command = [
            sys.executable,
            __file__,
            "--port",
            str(self.port),
            "--delay",
            str(self.delay),
            "--with-parent",
            "--faults",
            json.dumps(self.faults),
            "--log",
            str(Path(self.folder.name) / "log"),
        ]
        command += ["--key", self.key] if self.key else []
        command += ["--model", self.model] if self.model else []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.port = json.loads(self.process.stdout.readline())["port"]

    def reset(self, *, faults=None, delay=0.0, key=None, model=None):
        """Make the server as if just started with these settings, without starting a process."""
        import urllib.request

        self.faults, self.delay, self.key, self.model = faults or {}, delay, key, model
        settings = {"faults": self.faults, "delay": delay, "key": key, "model": model}
        body = json.dumps({**settings, "log": str(Path(self.folder.name) / "log")}).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/reset", body, timeout=30) as answer:
            answer.read()

    def kill(self):
        """End it as kill -9 does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def stats(self):
        import urllib.request

        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stats", timeout=30) as answer:
            return json.load(answer)


class State:
    """The server's settings, and counts of what it has seen."""

    def __init__(self, settings):
        self.settings, self.faults = settings, settings.faults
        self.seen, self.answered, self.hits, self.hit_once = Counter(), Counter(), Counter(), Counter()
        self.requests = self.choices = self.now = self.most = self.authorized = self.unauthorized = 0
        self.last = self.successor = None
        self.log = None
        if settings.log:
            if Path(settings.log).exists():
                for line in Path(settings.log).read_text().splitlines():
                    self.count(*json.loads(line))
            self.log = os.open(settings.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def newest(self):
        """The state after the last reset. Connections from before it keep theirs."""
        state = self
        while state.successor is not None:
            state = state.successor
        return state

    def reset(self, settings):
        if self.log is not None:
            os.close(self.log)
        self.log = None
        Path(settings["log"]).unlink()
        self.successor = State(argparse.Namespace(**settings))

    def note(self, *event):
        self.count(*event)
        if self.log is not None:
            os.write(self.log, (json.dumps(event) + "\n").encode())

    def count(self, kind, key, value):
        if kind == "seen":
            self.requests += 1
            self.seen[key] += 1
            self.authorized += bool(value)
            self.unauthorized += not value
        elif kind == "answered":
            self.answered[key] += 1
            self.choices += value
        else:
            self.hits[value] += 1
            self.hit_once[key, value] += 1

    def stats(self):
        return {
            "requests": self.requests,
            "seen": self.seen,
            "answered": self.answered,
            "choices": self.choices,
            "max_concurrent": self.most,
            "authorized": self.authorized,
            "unauthorized": self.unauthorized,
            "faults": self.hits,
            "last": self.last,
        }

    def fault(self, key, raw):
        """The fault that hits this request now, as (name, settings), or None."""
        for name, how in self.faults.items():
            if name in EVERYONE:
                continue
            times = how.get("times", 0 if name == "context" else 1)
            if times and self.hit_once[key, name] >= times:
                continue
            if "every" in how and int(hashlib.sha256(f"{name}{key}".encode()).hexdigest(), 16) % how["every"]:
                continue
            if "match" in how and how["match"].encode() not in raw:
                continue
            if "first" in how and self.requests > how["first"]:
                continue
            self.note("fault", key, name)
            return name, how
        return None


class Connection(asyncio.Protocol):
    """One connection: requests in, answers out, one after another."""

    def __init__(self, state):
        self.state, self.buffer, self.pending = state.newest(), b"", None

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, exc):
        if self.pending:  # the client has given up
            self.pending.cancel()
            self.state.now -= 1
            self.pending = None

    def data_received(self, data):
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        method, path, _ = lines[0].split(" ", 2)
        if method == "GET":
            self.get(path)
        elif path == "/reset":
            self.state.reset(msgspec.json.decode(rest[:length]))
            self.send(200, b"{}")
        else:
            self.post(path, headers, rest[:length])

    def get(self, path):
        if path == "/stats":
            self.send(200, msgspec.json.encode(self.state.stats()))
        elif path in ("/health", "/v1/models"):
            self.send(200, msgspec.json.encode({"data": [{"id": self.state.settings.model or "stub"}]}))
        else:
            self.send(404, error("no such page", code="not_found"))

    def post(self, path, headers, raw):
        state, settings = self.state, self.state.settings
        body = state.last = msgspec.json.decode(raw)
        right = settings.key is None or headers.get("authorization") == f"Bearer {settings.key}"
        about = body.get("messages") or body.get("prompt") or body.get("input")
        asked = [about, body.get("seed"), body.get("n"), body.get("temperature")]
        key = hashlib.sha256(msgspec.json.encode(asked)).hexdigest()[:16]
        state.note("seen", key, right)
        state.now += 1
        state.most = max(state.most, state.now)
        fault = state.fault(key, raw)
        name, how = fault or (None, {})
        if name and not name.isdigit() and name != "context":
            status, answer = 200, good(settings, path, body, how.get("count", body.get("n") or 1))
        elif name:
            status, answer = refusal(name, how, headers)
        elif not right:
            status, answer = 401, error("the key is wrong", code="invalid_api_key")
        else:
            status, answer = unsupported(settings, path, body, state.now) or (200, good(settings, path, body))
        delay = 86_400 if name == "hang" else settings.delay
        loop = asyncio.get_running_loop()
        self.pending = loop.call_later(delay, self.answer, name, how, status, answer, key)

    def answer(self, name, how, status, answer, key):
        self.pending = None
        self.state.now -= 1
        if status == 200 and name in (None, "choices"):
            self.state.note("answered", key, len(answer.get("choices") or answer["data"]))
        if isinstance(answer, dict):
            answer = spoil(name, how, answer)
        if name == "drop":
            self.transport.close()
        elif name == "close":
            self.send(200, answer, length=len(answer) + 100, end=True)
        elif name == "huge":
            self.send(200, answer, length=1 << 30)
        elif name == "redirect":
            self.send(307, b"", [f"Location: {how.get('to', '/elsewhere')}"])
        else:
            wait = [f"Retry-After: {how['retry_after']}"] if "retry_after" in how else []
            self.send(status, answer, wait)

    def send(self, status, body, more=(), length=None, end=False):
        lines = [
            f"HTTP/1.1 {status} X",
            "Content-Type: application/json",
            f"Content-Length: {len(body) if length is None else length}",
            *more,
            "",
            "",
        ]
        self.transport.write("\r\n".join(lines).encode() + body)
        if end:
            self.transport.close()


def error(message, code=None, param=None):
    return msgspec.json.encode({"error": {"message": message, "type": "stub", "code": code, "param": param}})


def refusal(name, how, headers):
    """The answer of a fault that is a status."""
    if name == "context":
        return 400, error("This model's maximum context length is 4096 tokens", code="context_length_exceeded")
    message = how.get("message", f"fault {name}") + (f" {headers}" if how.get("echo") else "")
    return int(name), error(message, how.get("code"), how.get("param"))


def unsupported(settings, path, body, now):
    """A 4xx for what this server does not have, or None."""
    if now > settings.faults.get("busy", {}).get("above", now):
        return 429, error("too many at once")
    if path not in ("/v1/chat/completions", "/v1/completions", "/classify"):
        return 404, error(f"no such path: {path}")
    if settings.model and body.get("model") != settings.model:
        return 404, error(f"The model `{body.get('model')}` does not exist.", code="model_not_found")
    if "max_completion_tokens" in settings.faults and "max_tokens" in body:
        return 400, error("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
    if "refuse_n" in settings.faults and body.get("n", 1) > 1:
        return 400, error("'n' : number must be at most 1", param="n")
    lacks = settings.faults.get("lacks", {})
    for name in set(lacks.get("names", ())) & set(body):
        return lacks.get("status", 400), lacking(name, lacks.get("shape", "openai"))
    if "refuse_logprobs" in settings.faults and "top_logprobs" in body:
        return 400, error("logprobs are not supported", param="top_logprobs")
    return None


def lacking(name, shape):
    """The words of a server that does not take a parameter."""
    if shape == "openai":
        return error(f"Unsupported parameter: '{name}'", code="unsupported_parameter", param=name)
    if shape == "pydantic":
        found = {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted"}
        return msgspec.json.encode({"object": "error", "message": {"detail": [found]}})
    return f"this model does not support the parameter '{name}'".encode()


def good(settings, path, body, count=None):
    if path == "/classify":
        return classes(settings.faults.get("labels", {}).get("count", 1), body)
    if count is None:
        count = 1 if "ignore_n" in settings.faults else body.get("n") or 1
    return answers(path, body, count)


def classes(count, body):
    """The body of a classification's answer."""
    length = len(json.dumps(body.get("messages") or body["input"]))
    outputs = [length / 100 + i for i in range(count)]
    if body.get("use_activation", True):
        outputs = [1 / (1 + math.exp(-outputs[0]))] if count == 1 else [o / sum(outputs) for o in outputs]
    best = {"index": 0, "label": f"LABEL_{count - 1}", "probs": outputs, "num_classes": count}
    return {"object": "list", "data": [best], "usage": {"prompt_tokens": length, "completion_tokens": 0}}


def spoil(name, how, answer):
    """The body of an answer, broken in the way that ``name`` says."""
    if name == "raw":
        return msgspec.json.encode(how["body"])
    if name == "null":
        answer["choices"][0]["message"] = {"role": "assistant", "content": None}
    if name == "types":
        answer["choices"][0]["message"]["content"] = 17
    raw = msgspec.json.encode(answer)
    if name == "half_json":
        return raw[: len(raw) // 2]
    if name == "bad_utf8":
        return raw.replace(b'"content":"', b'"content":"\xff\xfe', 1)
    return b"" if name == "empty" else raw


def answers(path, body, count):
    """The body of a good answer, of ``count`` choices."""
    chat = path.endswith("chat/completions")
    seed = None if body.get("temperature") == 0 else body.get("seed")
    settings = [body.get(k) for k in ("temperature", "top_p", "top_k", "stop", "response_format", "tools")]
    about = msgspec.json.encode([body.get("messages") or body.get("prompt"), seed, settings])
    limit = body.get("max_tokens") or body.get("max_completion_tokens") or 16
    made = [choice(chat, body, hashlib.sha256(about + b"%d" % i).digest(), limit, i) for i in range(count)]
    written = sum(tokens for _, tokens in made)
    usage = {"prompt_tokens": len(about) // 4, "completion_tokens": written, "total_tokens": written + len(about) // 4}
    return {
        "id": "stub",
        "object": "chat.completion",
        "model": body.get("model"),
        "choices": [c for c, _ in made],
        "usage": usage,
    }


def choice(chat, body, drawn, limit, index):
    """One choice and the number of its tokens (words)."""
    turn = body["messages"][-1] if chat else {"content": body["prompt"]}
    last, _, exactly = str(turn.get("content") or "").partition("say exactly: ")
    words = [WORDS[byte % len(WORDS)] for byte in drawn[: 4 + drawn[31] % 8]]
    if exactly:
        words = exactly.split(" ")
    ended, words = ("stop" if len(words) <= limit else "length"), words[:limit]
    message = {"role": "assistant", "content": " ".join(words)}
    if "response_format" in body:
        message["content"] = json.dumps(fitting(body["response_format"]["json_schema"]["schema"], drawn))
    if "think aloud" in last:
        message["content"] = f"<think>so {words[0]}</think>\n{message['content']}"
    elif "think" in last:
        message["reasoning_content"] = f"so {words[0]}"
    if body.get("tools") and turn.get("role") == "user" and not exactly:
        function = body["tools"][0]["function"]
        arguments = json.dumps(fitting(function.get("parameters", {}), drawn))
        arguments = last.partition("call exactly: ")[2] or arguments
        called = {"id": "call_1", "type": "function", "function": {"name": function["name"], "arguments": arguments}}
        message, ended = {"role": "assistant", "content": None, "tool_calls": [called]}, "tool_calls"
    log = [-(byte + 1) / 64 for byte in drawn[: len(words)]]
    if chat:
        content: list[dict[str, Any]] = [{"token": w, "logprob": p} for w, p in zip(words, log, strict=False)]
        lines = {"content": content}
        for line in content:
            rest = [{"token": str(n), "logprob": line["logprob"] - 1 - n} for n in range(body.get("top_logprobs", 0))]
            line["top_logprobs"] = [{"token": line["token"], "logprob": line["logprob"]}, *rest][: len(rest)]
        made = {"index": index, "message": message, "finish_reason": ended}
    else:
        lines = {"tokens": words, "token_logprobs": log}
        made = {"index": index, "text": message["content"], "finish_reason": ended}
    return made | ({"logprobs": lines} if body.get("logprobs") not in (None, False) else {}), len(words)


def fitting(schema, drawn):
    """A value that fits a JSON schema: its first allowed value, or one drawn for its type."""
    if "enum" in schema:
        return schema["enum"][drawn[0] % len(schema["enum"])]
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if kind == "object":
        return {k: fitting(v, drawn[1:] + drawn[:1]) for k, v in schema.get("properties", {}).items()}
    if kind == "array":
        return [fitting(schema.get("items", {}), drawn)]
    low, high = schema.get("minimum", 0), schema.get("maximum", 10)
    return {
        "integer": low + drawn[0] % (high - low + 1),
        "number": float(low),
        "boolean": bool(drawn[0] % 2),
        "null": None,
    }.get(kind, WORDS[drawn[0] % len(WORDS)])


async def serve(settings):
    loop = asyncio.get_running_loop()
    state = State(settings)
    server = await loop.create_server(lambda: Connection(state), "127.0.0.1", settings.port, backlog=1024)
    sys.stdout.write(json.dumps({"port": server.sockets[0].getsockname()[1]}) + "\n")
    sys.stdout.flush()
    if settings.with_parent:  # whoever started it holds the other end of its standard input
        loop.add_reader(0, lambda: os.read(0, 1) or os._exit(0))
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--faults", type=json.loads, default={}, help="JSON; see the top of this file")
    parser.add_argument("--key", help="the key that Authorization must carry")
    parser.add_argument("--model", help="the only model there is")
    parser.add_argument("--log", help="a file that keeps the counts, also over a kill")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input ends")
    try:
        asyncio.run(serve(parser.parse_args()))
    except KeyboardInterrupt:
        pass
