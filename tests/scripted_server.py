"""An OpenAI-compatible server whose answers a test writes: a function of the model's name and the messages."""

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Script = Callable[[str, list[dict], dict], str]


class Server(ThreadingHTTPServer):
    """A server that is found by all who come at once: one that is turned away tries again after seconds."""

    request_queue_size = 256


class Scripted:
    """The server, as a context manager: ``url`` is its base_url, ``asked`` the model's name of each request."""

    def __init__(self, script: Script) -> None:
        self.script, self.asked = script, []

    def __enter__(self) -> "Scripted":
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                scripted.asked.append(body["model"])
                texts = [
                    scripted.script(body["model"], body["messages"], body | {"at": i})
                    for i in range(body.get("n") or 1)
                ]
                choices = [
                    {"index": i, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
                    for i, text in enumerate(texts)
                ]
                usage = {"prompt_tokens": 7, "completion_tokens": 3 * len(texts), "total_tokens": 7 + 3 * len(texts)}
                self._send({"object": "chat.completion", "model": body["model"], "choices": choices, "usage": usage})

            def do_GET(self) -> None:
                self._send({"data": []})

            def _send(self, answer: dict) -> None:
                raw = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads, self.server.block_on_close = True, False  # a client may keep its connection
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def compared(messages: list[dict]) -> tuple[str, str] | None:
    """Return the two responses that a judge is asked to compare; None where it is no such request."""
    text = messages[-1]["content"]
    found = [re.search(rf"<response_{one}>\n(.*?)\n</response_{one}>", text, re.DOTALL) for one in "ab"]
    return (found[0][1], found[1][1]) if found[0] and found[1] else None
