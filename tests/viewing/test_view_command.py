"""The command: a busy port, a missing store or package, and embedding-atlas are one line each."""

import socket
import sys

import polars as pl
import pytest

from curate.storage.store import Store
from tests.command import call
from tests.optional import Lazy, needs
from tests.viewing.tiny_store import fill

pytestmark = needs("starlette", "httpx2", "jinja2", "uvicorn")
atlas = Lazy("cli.viewing.atlas")


def test_a_busy_port_is_a_line(tmp_path):
    Store(tmp_path / "store")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        done = call(tmp_path, "view", "--port", port)
    assert done.code == 2 and done.out == "" and f"port {port} of 127.0.0.1" in done.err and "--port" in done.err
    assert "Traceback" not in done.err and done.err.count("error:") == 1


def test_the_browser_is_given_an_address_that_opens_once(tmp_path, monkeypatch):
    Store(tmp_path / "store")
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: None)
    done = call(tmp_path, "view", "--open")
    address = done.out.split()[-1]
    assert done.code == 0 and len(opened) == 1 and opened[0] != address and len(opened[0]) == len(address) > 60


def test_no_store_is_a_line(tmp_path):
    done = call(tmp_path, "view", "--store", "nothing")
    assert done.code == 2 and done.err.count("\n") == 1 and not (tmp_path / "nothing").exists()


def test_a_missing_package_names_its_extra(tmp_path, monkeypatch):
    Store(tmp_path / "store")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "cli.viewing.serving", raising=False)
    done = call(tmp_path, "view")
    assert done.code == 2 and "gristmill[view]" in done.err and "bug" not in done.err


def test_atlas_says_how_to_get_it(tmp_path, monkeypatch):
    Store(tmp_path / "store")
    monkeypatch.setenv("PATH", str(tmp_path))
    done = call(tmp_path, "view", "--atlas")
    assert done.code == 2 and "pip install embedding-atlas" in done.err and done.err.count("\n") == 1


@pytest.mark.parametrize("code", [0, 3])
def test_atlas_is_given_the_candidates(tmp_path, monkeypatch, code):
    fill(Store(tmp_path / "store"))
    program = tmp_path / "embedding-atlas"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n/bin/cp "$1" {tmp_path}/given.parquet\nexit {code}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    done = call(tmp_path, "view", "--atlas", "--port", "5055")
    assert done.code == (1 if code else 0) and ("code 3" in done.err) == bool(code)
    asked = (tmp_path / "asked").read_text()
    assert "--text response" in asked and "--host 127.0.0.1 --port 5055" in asked and "--vector" not in asked
    rows = pl.read_parquet(tmp_path / "given.parquet")
    assert rows.height == 6 and {"prompt", "response", "quality", "model"} <= set(rows.columns)


def test_atlas_gets_stored_embeddings_where_there_are_any(store, tmp_path):
    import hashlib

    fill(store)
    folder = store.path / "embeddings" / "small-1a2b"
    folder.mkdir()
    key = hashlib.sha256(b"The Rhine.").hexdigest()[:32]
    pl.DataFrame({"text_hash": [key], "value": [[0.5, 0.5]]}).write_parquet(folder / "0.parquet")
    assert atlas.write_candidates(store, tmp_path / "out.parquet")
    assert pl.read_parquet(tmp_path / "out.parquet").select("completion_id", "vector").rows() == [("c_10", [0.5, 0.5])]
