"""A stub of the Hugging Face hub's API on loopback: one repository, whose files may be large ones (Git LFS)."""

import base64
import hashlib
import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

TOKEN = "hf_secretsecretsecret"
SIGNED = "?X-Amz-Signature=signedsignedsigned"  # what signs an address to upload to


class Hub:
    """The hub: one repository, in memory.

    Attributes:
        files: The content of each file; of a large one too.
        objects: The content of large files by SHA-256.
        commits: The names of the files of each commit.
        puts: How often each object was sent.
        large: The names of files that are sent as objects end so.
        fail_at: The number of the commit that fails, once.
        cut_at: The number of the object whose connection is cut while it is sent, once.
        refuse: A status with which every object is refused, until it is None.
        allowed: Whether the user may do anything.
    """

    def __init__(self, large=()):
        self.files, self.commits, self.private, self.made = {}, [], False, False
        self.objects, self.pointers, self.puts, self.large = {}, {}, Counter(), large
        self.fail_at, self.cut_at, self.refuse, self.allowed = None, None, None, True
        self.tokens, self.asked = set(), []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def get(self, path, token):
        if not self.allowed:
            return 403, {"error": f"{token} may not read"}
        if "/tree/" in path:
            return 200, [self.entry(name, text) for name, text in self.files.items()]
        if "/xet-" in path:
            return 404, {"error": "no such page"}
        return 200, {"id": "me/data", "private": self.private, "sha": "0" * 40, "siblings": []}

    def entry(self, name, text):
        whole = {"type": "file", "path": name, "size": len(text), "oid": git_hash(text)}
        oid = self.pointers.get(name)
        lfs = {"oid": oid, "size": len(text), "pointerSize": 130}
        return whole | ({"oid": "1" * 40, "lfs": lfs} if oid else {})

    def post(self, path, body, token):
        if not self.allowed:
            return 403, {"error": f"Authorization: {token} may not write"}
        if path == "/api/repos/create":
            if not self.made:
                self.made, self.private = True, b"private" in body and b"false" not in body
            return 200, {"url": f"{self.url}/datasets/me/data", "id": "me/data"}
        if "/preupload/" in path:
            return 200, {"files": [self.mode(one["path"]) for one in json.loads(body)["files"]]}
        if path.endswith(".git/info/lfs/objects/batch"):
            return 200, {"transfer": "basic", "objects": [self.object(one) for one in json.loads(body)["objects"]]}
        if "/commit/" in path:
            if len(self.commits) + 1 == self.fail_at:
                self.fail_at = None
                return 400, {"error": f"the commit failed for {token}"}
            return self.commit([json.loads(line) for line in body.splitlines()])
        return 200, {"errors": [], "warnings": []}

    def mode(self, name):
        large = name.endswith(tuple(self.large)) if self.large else False
        return {"path": name, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}

    def object(self, one):
        known = {"oid": one["oid"], "size": one["size"], "authenticated": True}
        upload = {"upload": {"href": f"{self.url}/objects/{one['oid']}{SIGNED}"}}
        return known if one["oid"] in self.objects else known | {"actions": upload}

    def put(self, oid, body, token):
        self.puts[oid] += 1
        if self.refuse:
            return self.refuse, {"error": f"no object is taken of {token}"}
        if hashlib.sha256(body).hexdigest() != oid:
            return 400, {"error": "another content"}
        self.objects[oid] = body
        return 200, {}

    def commit(self, lines):
        names = []
        for line in lines:
            value = line["value"]
            name = value.get("path")
            if line["key"] == "file":
                self.files[name] = base64.b64decode(value["content"])
                self.pointers.pop(name, None)
            elif line["key"] == "lfsFile":
                self.files[name], self.pointers[name] = self.objects[value["oid"]], value["oid"]
            elif line["key"] == "deletedFile":
                self.files.pop(name)
                continue
            else:
                continue
            names.append(name)
        self.commits.append(names)
        return 200, {"commitUrl": f"{self.url}/datasets/me/data/commit/{'a' * 40}", "commitOid": "a" * 40}


def handler_of(hub):
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format, *args):
            pass

        def token(self):
            hub.asked.append(f"{self.command} {urlsplit(self.path).path}")
            found = self.headers.get("Authorization")
            hub.tokens |= set() if self.command == "PUT" else {found}
            return found

        def do_GET(self):
            self.answer(*hub.get(urlsplit(self.path).path, self.token()))

        def do_POST(self):
            token, body = self.token(), self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.answer(*hub.post(urlsplit(self.path).path, body, token))

        def do_PUT(self):
            token, oid = self.token(), urlsplit(self.path).path.rpartition("/")[2]
            if len(hub.puts) + 1 == hub.cut_at:
                hub.cut_at = None
                self.rfile.read(10)
                self.connection.close()
                return
            self.answer(*hub.put(oid, self.rfile.read(int(self.headers.get("Content-Length") or 0)), token))

        def answer(self, status, value):
            text = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    return Handler


def git_hash(text):
    return hashlib.sha1(b"blob %d\0" % len(text) + text, usedforsecurity=False).hexdigest()
