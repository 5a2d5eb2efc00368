"""Compressed sources: by their first bytes, whatever their names end with; damaged ones, and bombs."""

import bz2
import gzip
import json
import lzma

import pyarrow as pa
import pytest

from curate.sources.files import compressed, raw_row, unpack
from curate.sources.read_source import read_source
from schemas.errors import UserError

ROWS = [{"prompt": f"question {i}"} for i in range(3)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
CSV = b"prompt\nquestion 0\nquestion 1\nquestion 2\n"


def zstd(data):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


PACK = {".gz": gzip.compress, ".zst": zstd, ".bz2": bz2.compress, ".xz": lzma.compress}


def refusal(path):
    with pytest.raises(UserError) as caught:
        read_source(path)
    return str(caught.value).removeprefix(str(path))


@pytest.mark.parametrize("ending", PACK)
def test_every_text_may_be_compressed(tmp_path, ending):
    texts = {".jsonl": LINES, ".json": json.dumps(ROWS).encode(), ".csv": CSV, ".tsv": CSV, ".NDJSON": LINES}
    for name, content in texts.items():
        path = tmp_path / f"rows{name}{ending.upper() if name == '.NDJSON' else ending}"
        path.write_bytes(PACK[ending](content))
        assert read_source(path).prompts["prompt"].to_list() == [row["prompt"] for row in ROWS], path.name
    parts = [LINES[:20], LINES[20:]]  # as parallel writers and cat make them
    (tmp_path / f"parts.jsonl{ending}").write_bytes(b"".join(PACK[ending](part) for part in parts))
    assert read_source(tmp_path / f"parts.jsonl{ending}").prompts.height == 3


def test_first_bytes_say_the_compression(tmp_path):
    for name, content in {"a.jsonl": gzip.compress(LINES), "b.jsonl.gz": zstd(LINES), "c.csv": zstd(CSV)}.items():
        (tmp_path / name).write_bytes(content)
        assert read_source(tmp_path / name).prompts.height == 3
    (tmp_path / "d.csv.zst").write_bytes(CSV)
    assert refusal(tmp_path / "d.csv.zst").startswith(
        ": not compressed with Zstandard although its name ends with .zst"
    )
    (tmp_path / "e.jsonl").write_bytes(b"PAR1 and more")
    assert "holds the data of a .parquet file" in refusal(tmp_path / "e.jsonl")
    (tmp_path / "f.json").write_bytes(b"PK\x03\x04 and more")
    assert "unpack it first" in refusal(tmp_path / "f.json")


@pytest.mark.parametrize("ending", PACK)
def test_compressed_data_that_is_cut_off(tmp_path, ending):
    lines = "".join(json.dumps({"prompt": f"{i * 7919} {i}"}) + "\n" for i in range(5000)).encode()
    for name in (f"a.jsonl{ending}", f"a.csv{ending}"):
        (tmp_path / name).write_bytes(PACK[ending](lines)[:-40])
        assert "the file looks cut off: its compressed data ends early or is damaged" in refusal(tmp_path / name)


def test_unknown_formats_have_a_remedy(tmp_path):
    for name, words in {
        "a.zip": "'.zip'; unpack it first",
        "a.txt": "'.txt'; make it .jsonl",
        "a.parquet.gz": "unpack it first: a .parquet file is compressed within",
        "a.xlsx": "save it as .csv",
        "a.foo": "no source format '.foo' (there are: .arrow, .csv",
        "a.foo.gz": "no source format '.foo.gz'",
    }.items():
        (tmp_path / name).write_bytes(b"x")
        assert words in refusal(tmp_path / name), name


def test_what_unpacks_without_end_is_bounded(tmp_path, monkeypatch):
    (tmp_path / "a.json.gz").write_bytes(
        gzip.compress(b"{" + b" " * 3_000_000 + b"}")
    )  # a list is no text that is held
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(LINES + b" " * 3_000_000 + b"\n" + LINES))
    assert read_source(tmp_path / "a.jsonl.gz").prompts.height == 3
    monkeypatch.setattr(compressed, "MOST_UNPACKED", 2_000_000)
    assert "unpacks to more than 2,000,000 bytes" in refusal(tmp_path / "a.json.gz")
    monkeypatch.setattr(compressed, "LONGEST_LINE", 1_000_000)
    monkeypatch.setattr("curate.sources.files.json_files.LONGEST_LINE", 1_000_000)
    assert ":4: the line is longer than 1,000,000 bytes" in refusal(tmp_path / "a.jsonl.gz")
    assert raw_row.CHUNK < 2_000_000


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz"])
def test_parts_padding_and_other_data_behind(tmp_path, monkeypatch, ending):
    one, two = PACK[ending](LINES[:20]), PACK[ending](LINES[20:])
    texts = {
        "a.jsonl": one + two + b"\0" * 4000,
        "b.csv": PACK[ending](CSV) + b"\0" * 8,
        "c.jsonl": one + b"\0" * 4 + two,
    }
    for part in (2**18, 7):
        monkeypatch.setattr(unpack, "PART", part)
        for name, content in texts.items():
            (tmp_path / f"{name}{ending}").write_bytes(content)
            found = read_source(tmp_path / f"{name}{ending}")
            assert (found.prompts.height, found.facts.warnings) == (3, ()), name
            (tmp_path / f"{name}{ending}").write_bytes(content + b"garbage")
            found = read_source(tmp_path / f"{name}{ending}")
            assert found.prompts.height == 3, name
            assert found.facts.warnings == (
                f"{name}{ending}: all that is compressed with {compressed.ENDINGS[ending]} is read; other data that "
                "follows it in the file is not",
            )
    (tmp_path / f"a.jsonl{ending}").write_bytes(one + two[: len(two) // 2])
    assert "the file looks cut off" in refusal(tmp_path / f"a.jsonl{ending}")


def test_other_data_behind_zstandard_is_the_reason(tmp_path):
    (tmp_path / "a.jsonl.zst").write_bytes(zstd(LINES) + b"garbage garbage")
    assert "other data follows what is compressed with Zstandard" in refusal(tmp_path / "a.jsonl.zst")


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.parquet", "a.arrow", "a.jsonl.gz"])
def test_a_git_lfs_pointer_is_no_data(tmp_path, name):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n"
    (tmp_path / name).write_bytes(pointer)
    assert refusal(tmp_path / name) == ": is a Git LFS pointer, and not the data; run: git lfs pull"


def test_columnar_names_over_other_data(tmp_path):
    for content, words in {
        LINES: "it holds JSON text; rename it to end with .jsonl",
        b"[1, 2]": "it holds JSON text; rename it to end with .json",
        b"prompt,id\na,1\n": "it holds text such as CSV; rename it to end with .csv",
        b"just words": "a damaged one",
    }.items():
        for name in ("a.parquet", "a.arrow"):
            (tmp_path / name).write_bytes(content)
            assert words in refusal(tmp_path / name)
    (tmp_path / "a.arrow").write_bytes(b"PAR1 and more")
    assert "holds the data of a .parquet file" in refusal(tmp_path / "a.arrow")
