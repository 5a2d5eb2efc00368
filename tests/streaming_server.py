"""A server that answers each request with the next of its scripted responses, in parts, as a streamed completion is."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Server(ThreadingHTTPServer):
    """A server that is found by all who come at once: one that is turned away tries again after seconds."""

    request_queue_size = 256


class Response(NamedTuple):
    """A response: its status, its body in the parts that it is sent in, and further headers.

    ``hang`` is whether the server then waits until the client has gone, ``broken`` whether the body lacks its end.
    """

    parts: list[bytes]
    status: int = 200
    headers: dict[str, str] = {}
    kind: str = "text/event-stream"
    hang: bool = False
    broken: bool = False


def event(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> bytes:
    """An event of a streamed completion."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: " + json.dumps({"choices": choices, **more}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def streamed(*texts: str, finish: str = "stop", **how: Any) -> Response:
    """The response that streams these texts."""
    usage = event(usage={"prompt_tokens": 7, "completion_tokens": len(texts)})
    events = [event({"role": "assistant", "content": ""}), *(event({"content": text}) for text in texts)]
    return Response([*events, event({}, finish), usage, DONE], **how)


def refused(status: int, message: str, **headers: str) -> Response:
    """The response that refuses a request."""
    body = json.dumps({"error": {"message": message}}).encode()
    return Response([body], status, headers, "application/json")


class Scripted:
    """The server, as a context manager: ``url`` is its base_url, ``asked`` the bodies of the requests so far."""

    def __init__(self, *responses: Response) -> None:
        self.responses, self.asked, self.headers = list(responses), list[dict[str, Any]](), list[dict[str, str]]()
        self.gone = threading.Event()  # set once a client that was kept waiting has gone

    def __enter__(self) -> "Scripted":
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                script.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                script.headers.append(dict(self.headers))
                script.answer(self, script.responses.pop(0))

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def answer(self, handler: BaseHTTPRequestHandler, response: Response) -> None:
        """Send a response, in chunks."""
        handler.send_response(response.status)
        handler.send_header("Content-Type", response.kind)
        handler.send_header("Transfer-Encoding", "chunked")
        for name, value in response.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        for part in response.parts:
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            handler.wfile.flush()
        if response.hang:
            handler.connection.recv(1)  # nothing, once the client has gone
            self.gone.set()
        if response.hang or response.broken:
            handler.close_connection = True
        else:
            handler.wfile.write(b"0\r\n\r\n")
