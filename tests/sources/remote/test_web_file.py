"""Files on the web, from a server on this machine: formats, redirects, bounds, secrets, and nothing left behind."""

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from curate.api.run import run
from curate.sources.read_source import read_source
from curate.sources.remote import web_file
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.load_recipe import load_recipe

LINES = b'{"prompt": "a"}\n{"prompt": "b"}\n'
# The answer to each path: the code, headers, the body.
ANSWERS = {
    "/a.jsonl": (200, {}, LINES),
    "/typed": (200, {"Content-Type": "text/csv; charset=utf-8"}, b"prompt\na\nb\n"),
    "/named": (200, {"Content-Disposition": 'attachment; filename="rows.tsv"'}, b"prompt\ttext\na\tx\nb\ty\n"),
    "/starts": (200, {"Content-Type": "application/octet-stream"}, b'[{"prompt": "a"}, {"prompt": "b"}]'),
    "/moved": (302, {"Location": "/a.jsonl"}, b""),
    "/away": (302, {"Location": "http://example.com/a.jsonl"}, b""),
    "/gone.jsonl": (404, {}, b""),
    "/locked.jsonl": (401, {}, b""),
    "/page.jsonl": (200, {}, b"<!DOCTYPE html><html></html>"),
    "/unknown": (200, {"Content-Type": "application/octet-stream"}, b"no rows"),
    "/short.jsonl": (200, {"Content-Length": "9999"}, LINES),
    "/huge.jsonl": (200, {"Content-Length": str(10**14)}, b""),
    "/empty.jsonl": (200, {}, b""),
    "/bad.jsonl": (200, {}, b"{bad\n"),
    "/bad.json": (200, {}, b"5"),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.partition("?")[0]
        code, headers, body = ANSWERS[path]
        if self.headers.get("Authorization") == "Basic dXNlcjpzM2NyZXQ=" and path == "/locked.jsonl":  # user:s3cret
            code, body = 200, LINES
        self.server.asked.append(self.path)  # ty: ignore[missing-attribute] (set by the fixture)
        self.send_response(code)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


@pytest.fixture(scope="module")
def server():
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.asked = []  # ty: ignore[missing-attribute] (the paths that were asked for)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def url_of(server, path):
    return f"http://127.0.0.1:{server.server_port}{path}"


def refusal(url):
    with pytest.raises(UserError) as caught:
        read_source(url)
    assert "s3cret" not in str(caught.value) and web_file._downloads().name not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("path", ["/a.jsonl", "/typed", "/named", "/starts", "/moved"])
def test_name_type_or_first_bytes_say_the_format(server, path):
    found = read_source(url_of(server, path)).prompts
    assert found["prompt"].to_list() == ["a", "b"]


def test_a_url_is_read_once_a_process(server):
    url = url_of(server, "/a.jsonl?v=once&key=s3cret")
    assert read_source(url).prompts["file"].to_list() == ["a.jsonl"] * 2
    assert read_source(url).prompts.height == 2
    assert server.asked.count("/a.jsonl?v=once&key=s3cret") == 1


def test_a_password_is_sent_and_never_shown(server):
    url = url_of(server, "/locked.jsonl").replace("127.", "user:s3cret@127.")
    assert read_source(url).prompts.height == 2
    assert "/gone.jsonl?...: the server says 404 Not Found; check the URL" in refusal(
        url_of(server, "/gone.jsonl?k=s3cret")
    )
    with pytest.raises(UserError) as caught:
        read_source(url, on_error="drp")
    assert "s3cret" not in str(caught.value)


REFUSED = [
    ("/away", "leads to http://example.com/a.jsonl, which is not https"),
    ("/locked.jsonl", "the server says 401 Unauthorized; it needs a permission"),
    ("/page.jsonl", "is a web page and no data file"),
    ("/unknown", "neither its name nor its type (application/octet-stream) says a format"),
    ("/short.jsonl", "the download was cut off after 32 of 9,999 bytes"),
    ("/huge.jsonl", "holds 100,000,000,000,000 bytes; at most"),
    ("/empty.jsonl", "/empty.jsonl: the file is empty"),
    ("/bad.jsonl", "/bad.jsonl:1:2: not JSON"),
    ("/bad.json", "/bad.json: expected a list of rows, found a number"),
]


@pytest.mark.parametrize(("path", "words"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_is_not_read_says_why(server, path, words):
    text = refusal(url_of(server, path))
    assert text.startswith("http://127.0.0.1:") and words in text
    kept = {
        name for name in ANSWERS if name.startswith(("/empty", "/bad", "/locked"))
    }  # whole, or read by another test
    held = {f"/{file.name}" for file in Path(web_file._downloads().name).rglob("*") if file.is_file()}
    assert path in kept or path not in held


def test_bounds_of_size_and_time(server, monkeypatch):
    monkeypatch.setattr(web_file, "MOST_SECONDS", -1.0)
    assert "took more than -1 seconds" in refusal(url_of(server, "/a.jsonl?v=slow"))
    monkeypatch.setattr(web_file, "MOST_BYTES", 10)
    assert "holds 32 bytes; at most 10 are downloaded" in refusal(url_of(server, "/a.jsonl?v=large"))


def test_urls_that_are_not_asked_for(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    assert "http://example.com/a.jsonl: is not read: over http" in refusal("http://example.com/a.jsonl")
    assert "expected a URL such as" in refusal("https:///a.jsonl")
    assert "the connection is refused" in refusal("http://127.0.0.1:9/a.jsonl")
    text = refusal("https://no-such-host.invalid/a.jsonl?key=s3cret")
    assert "no network, or no such host" in text and "download the file where there is a network" in text


INTERRUPTED = """
import sys
from curate.api.run import run
from curate.sources.remote import web_file
def stop(*_):
    raise KeyboardInterrupt
web_file._copy = stop
try:
    web_file.download(sys.argv[1])
except KeyboardInterrupt:
    print(web_file._downloads().name)
    raise
"""


def test_an_interrupted_download_leaves_nothing(server):
    command = [sys.executable, "-c", INTERRUPTED, url_of(server, "/a.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=Path(__file__).parents[3])
    assert done.returncode != 0 and "KeyboardInterrupt" in done.stderr
    assert done.stdout.strip() and not Path(done.stdout.strip()).exists()


def test_a_run_keeps_no_secret_of_a_url(server, tmp_path):
    other = url_of(server, "/named?key=s3cret").replace("127.", "me:s3cret@127.")
    recipe = {
        "name": "r",
        "prompts": [
            {"source": url_of(server, "/a.jsonl?key=s3cret")},
            {
                "dedup": {
                    "use": "exact",
                    "against": other,
                }
            },
        ],
        "datasets": {"rl": {"type": "prompt"}},
    }
    result = run(load_recipe(recipe), Store(tmp_path / "store"))
    assert result is not None
    kept = [file for file in (tmp_path / "store").rglob("*") if file.is_file()]
    assert len(kept) > 3 and [file for file in kept if b"s3cret" in file.read_bytes()] == []
    (record,) = Store(tmp_path / "store").runs()
    assert record["resolved"]["prompts"][0]["settings"]["path"].endswith("/a.jsonl?...")
