"""--push, against a stub of the hub's API on loopback: commits, a failure half-way, what is refused, no token shown."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from curate.export import push
from curate.sources.remote import hub_connection
from tests.command import call, mistake
from tests.exporting import of_kind

pytestmark = pytest.mark.slow  # makes stores: seconds for the file

TOKEN = "hf_secretsecretsecret"


class Hub:
    """The hub: one data set, in memory. ``fail_at`` is the number of the commit that fails, once."""

    def __init__(self):
        self.files, self.commits, self.private, self.made = {}, [], False, False
        self.fail_at, self.allowed, self.tokens = None, True, set()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format, *args):
                pass

            def do_GET(self):
                hub.tokens.add(self.headers.get("Authorization"))
                self.answer(*hub.get(urlsplit(self.path).path))

            def do_POST(self):
                hub.tokens.add(self.headers.get("Authorization"))
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.answer(*hub.post(urlsplit(self.path).path, body))

            def answer(self, status, value):
                text = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def get(self, path):
        if not self.allowed:
            return 403, {"error": f"{TOKEN} may not read"}
        if "/tree/" in path:
            return 200, [{"type": "file", "path": name, "size": len(text), "oid": git_hash(text)}
                         for name, text in self.files.items()]  # fmt: skip
        return 200, {"id": "me/data", "private": self.private, "sha": "0" * 40, "siblings": []}

    def post(self, path, body):
        if path == "/api/repos/create":
            if not self.allowed:
                return 403, {"error": f"{TOKEN} may not write"}
            if not self.made:
                self.made, self.private = True, b"private" in body and b"false" not in body
            return 200, {"url": f"{self.url}/datasets/me/data", "id": "me/data"}
        if "/preupload/" in path:
            how = {"uploadMode": "regular", "shouldIgnore": False}
            return 200, {"files": [{"path": one["path"], **how} for one in json.loads(body)["files"]]}
        if "/commit/" in path:
            if len(self.commits) + 1 == self.fail_at:
                self.fail_at = None
                return 400, {"error": "the commit failed"}
            return self.commit([json.loads(line) for line in body.splitlines()])
        return 200, {"errors": [], "warnings": []}

    def commit(self, lines):
        names = []
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                self.files[value["path"]] = base64.b64decode(value["content"])
                names.append(value["path"])
            elif line["key"] == "deletedFile":
                self.files.pop(value["path"])
        self.commits.append(names)
        return 200, {"commitUrl": f"{self.url}/datasets/me/data/commit/{'a' * 40}", "commitOid": "a" * 40}


def git_hash(text):
    return hashlib.sha1(b"blob %d\0" % len(text) + text, usedforsecurity=False).hexdigest()


@pytest.fixture
def hub(monkeypatch):
    found = Hub()
    monkeypatch.setenv("HF_ENDPOINT", found.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(push, "FILES", 2)
    hub_connection.unreachable.cache_clear()
    yield found
    found.server.shutdown()


def pushed(folder, *more):
    return call(folder, "export", "d", "out", "--store", "kept/store", "--push", "me/data", *more)


def test_a_folder_is_pushed_in_commits_with_the_card_last(tmp_path, hub):
    of_kind(tmp_path / "kept", "sft")
    done = pushed(tmp_path, "--private")
    assert done.code == 0 and done.out.endswith("pushed: me/data\n"), done
    sent = {name: (tmp_path / "out" / name).read_bytes() for name in hub.files}
    assert hub.files == sent and ".gristmill.json" in hub.commits[0] and hub.commits[-1][-1] == "README.md"
    assert hub.private and len(hub.commits) == 2 and hub.tokens == {f"Bearer {TOKEN}"}
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert TOKEN not in done.out + done.err and TOKEN.encode() not in written


def test_a_push_that_failed_goes_on_where_it_was(tmp_path, hub):
    of_kind(tmp_path / "kept", "sft")
    hub.fail_at = 2
    failed = pushed(tmp_path)
    assert failed.code == 1 and "run the same command again" in failed.err and len(hub.commits) == 1
    before = set(hub.files)
    done = pushed(tmp_path)
    assert done.code == 0 and "has these rows already" in done.out
    assert not before & {name for names in hub.commits[1:] for name in names} and "README.md" in hub.files
    assert pushed(tmp_path).code == 0 and len(hub.commits) == 2  # all is there


def test_a_person_s_files_are_not_pushed(tmp_path, hub):
    of_kind(tmp_path / "kept", "sft")
    export = tmp_path / "out"
    call(tmp_path, "export", "d", "out", "--store", "kept/store")
    (export / ".env").write_text("a password")
    assert "did not write ('.env')" in mistake(pushed(tmp_path)) and not hub.files
    (export / ".env").unlink()
    (export / "host").symlink_to("/etc/hostname")
    assert "did not write ('host')" in mistake(pushed(tmp_path)) and not hub.files


def test_damaged_rows_are_not_pushed(tmp_path, hub):
    of_kind(tmp_path / "kept", "sft")
    call(tmp_path, "export", "d", "out", "--store", "kept/store", "--format", "jsonl")
    (tmp_path / "out/data/train.jsonl").write_text("{}\n")
    assert "is not as gristmill wrote it" in mistake(pushed(tmp_path, "--format", "jsonl")) and not hub.files
    assert pushed(tmp_path, "--format", "jsonl", "--force").code == 0 and len(hub.files["data/train.jsonl"]) > 99


def test_an_edited_card_is_pushed(tmp_path, hub):
    of_kind(tmp_path / "kept", "sft")
    call(tmp_path, "export", "d", "out", "--store", "kept/store")
    (tmp_path / "out/README.md").write_text("my own words")
    assert pushed(tmp_path).code == 0 and hub.files["README.md"] == b"my own words"


def test_what_is_no_more_is_removed(tmp_path, hub):
    of_kind(tmp_path / "kept", "sft")
    pushed(tmp_path)
    hub.files["data/train-00001-of-00002.parquet"] = b"old"
    pushed(tmp_path)
    assert "data/train-00001-of-00002.parquet" not in hub.files and "README.md" in hub.files


def test_a_data_set_of_others_is_left_alone(tmp_path, hub):
    of_kind(tmp_path / "kept", "sft")
    hub.files["precious.parquet"] = b"1"
    assert "holds files that gristmill did not push" in pushed(tmp_path).err
    assert hub.files == {"precious.parquet": b"1"} and not hub.commits


def test_private_rows_do_not_go_to_a_public_data_set(tmp_path, hub):
    of_kind(tmp_path / "kept", "sft")
    hub.made = True
    assert "is public already" in pushed(tmp_path, "--private").err and not hub.commits


def test_no_error_shows_the_token(tmp_path, hub):
    of_kind(tmp_path / "kept", "sft")
    hub.allowed = False
    done = pushed(tmp_path)
    assert done.code == 2 and "HF_TOKEN" in done.err and TOKEN not in done.err


@pytest.mark.parametrize("name", ("data", "me/../data", "me/da ta", "me/data/more", "/data", "me/", "me/-a", "me/a\n"))
def test_names_that_are_no_data_set_are_refused(tmp_path, name):
    of_kind(tmp_path / "kept", "sft")
    done = call(tmp_path, "export", "d", "out", "--store", "kept/store", "--push", name)
    assert "expected owner/name" in mistake(done) and not (tmp_path / "out").exists()
