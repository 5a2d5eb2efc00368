"""A map as bytes: what the script reads is what there is."""

import json
import struct

import numpy as np

from cli.pages.map_data import NONE, STEPS, in_base64, map_bytes
from cli.pages.map_points import Category, Points, Score


def points(count=3, score=(0.0, 1.0, np.nan), value="kept"):
    codes = np.arange(count, dtype=np.uint8) % 2
    return Points(
        [f"c_{i}" for i in range(count)], ["t"] * count, np.zeros((count, 2), np.float32),
        (Category("fate", "Kept or dropped", (value, "dropped"), codes),), (Score("x", np.array(score)),),
        {"d": codes == 0, "e": codes == 1}, "mini", 9, ("A note.",),
    )  # fmt: skip


def read(data):
    """The header and the arrays, read as the script does."""
    assert data[:4] == b"GMAP"
    size = struct.unpack("<I", data[4:8])[0]
    header = json.loads(data[8 : 8 + size])
    kinds = {"u8": np.uint8, "u16": np.dtype("<u2"), "u32": np.dtype("<u4")}
    arrays = {
        one["name"]: np.frombuffer(data, kinds[one["type"]], one["length"], 8 + size + one["at"])
        for one in header["arrays"]
    }
    assert all((8 + size + one["at"]) % 4 == 0 for one in header["arrays"])
    return header, arrays


def test_a_map_says_what_its_points_are():
    header, arrays = read(map_bytes(points(), np.array([[0, 0], [4, 2], [2, 1]]), "key"))
    assert (header["points"], header["total"], header["notes"], header["key"]) == (3, 9, ["A note."], "key")
    assert header["fields"] == [
        {"name": "fate", "title": "Kept or dropped", "kind": "category", "values": ["kept", "dropped"]},
        {"name": "score x", "title": "x", "kind": "score", "low": 0.0, "high": 1.0},
    ]
    assert header["sets"] == [{"name": "d", "points": 2}, {"name": "e", "points": 1}]
    assert arrays["fate"].tolist() == [0, 1, 0] and arrays["sets"].tolist() == [1, 2, 1]
    assert arrays["score x"].tolist() == [0, STEPS, NONE]


def test_places_fill_a_square_with_one_scale():
    _, arrays = read(map_bytes(points(), np.array([[10, 0], [14, 2], [12, 1]])))
    assert arrays["x"].tolist() == [0, 65535, 32768] and arrays["y"].tolist() == [16384, 49151, 32768]
    _, arrays = read(map_bytes(points(), np.ones((3, 2))))
    assert len(set(arrays["x"].tolist() + arrays["y"].tolist())) == 1


def test_names_are_plain_text():
    header, _ = read(map_bytes(points(value="a\u202eb</script>\n\nc"), np.zeros((3, 2))))
    assert header["fields"][0]["values"][0] == "a<U+202E>b</script> c"
    read(map_bytes(points(value="half \ud800"), np.zeros((3, 2))))


def test_a_report_of_2000_points_is_under_300_kilobytes():
    data = map_bytes(points(2000, np.linspace(0, 1, 2000)), np.random.default_rng(0).random((2000, 2)))
    texts = json.dumps({"data": in_base64(data), "ids": ["c_" + "0" * 20] * 2000, "texts": ["t" * 100] * 2000})
    assert len(texts) < 300_000
