"""The content hash of a source file: as the store names content, read once, and made again after a change."""

import hashlib
import os

from curate.sources.files import file_formats
from curate.sources.files.file_formats import content_hash


def test_content_hash_is_the_sha256_of_the_content_as_it_is_now(tmp_path):
    path = tmp_path / "a.jsonl"
    for text in (b"one", b"two", b"longer"):
        path.write_bytes(text)
        os.utime(path, ns=(0, len(text) + text[0]))  # a file system may count time in steps longer than this test
        assert content_hash(path) == hashlib.sha256(text).hexdigest()[:20]


def test_a_file_is_hashed_once(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"one")
    monkeypatch.chdir(tmp_path)
    before = file_formats._content_hash.cache_info()
    assert content_hash(path) == content_hash(path) == content_hash(path.relative_to(tmp_path))
    after = file_formats._content_hash.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (1, 2)
