"""A small hub: it answers what ``huggingface_hub`` asks in order to list and download the files of a data set."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """Serves data sets, each a mapping of file names to bytes; a data set whose value is a number answers that."""

    def __init__(self, repos):
        self.repos, self.asked = repos, []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                hub.answer(self)

            def do_HEAD(self):
                hub.answer(self)

            def log_message(self, format, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request):
        """Answer one request."""
        parts = request.path.partition("?")[0].strip("/").split("/")
        self.asked.append(f"{request.command} {request.path}")
        repo = "/".join(
            parts[2:4] if parts[:2] == ["api", "datasets"] else parts[1:3] if parts[0] == "datasets" else []
        )
        files = self.repos.get(repo)
        if repo and not isinstance(files, dict):
            codes = {None: (404, "RepoNotFound"), 403: (403, "GatedRepo")}
            return send(request, codes[files][0], b"{}", {"X-Error-Code": codes[files][1]})
        if parts[:2] == ["api", "datasets"]:
            if len(parts) > 5 and parts[5] not in ("main", COMMIT):
                return send(request, 404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            info = {"id": repo, "sha": COMMIT, "siblings": [{"rfilename": name} for name in files], "tags": []}
            return send(request, 200, json.dumps(info).encode(), {"Content-Type": "application/json"})
        if parts[0] == "datasets" and len(parts) > 5 and "/".join(parts[5:]) in files:
            name = "/".join(parts[5:])
            return send(request, 200, files[name], {"X-Repo-Commit": COMMIT, "ETag": f'"{abs(hash(name))}"'})
        if parts[0] == "datasets":
            return send(request, 404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        return send(request, 200, b"", {})


def send(request, code, body, headers):
    """Send an answer."""
    request.send_response(code)
    for key, value in {**headers, "Content-Length": str(len(body))}.items():
        request.send_header(key, value)
    request.end_headers()
    if request.command == "GET":
        request.wfile.write(body)
