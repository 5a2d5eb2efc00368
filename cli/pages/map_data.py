"""A map of embeddings as bytes: what the viewer sends, and what the report has within it in base64.

4 bytes   "GMAP"
4 bytes   the length of the header (unsigned, little-endian); spaces fill it up to a multiple of 4
header    JSON in UTF-8:
            points   how many points
            total    how many the store has
            notes    sentences for the reader
            fields   what points may be coloured by: {name, title, kind: "category", values} or
                     {name, title, kind: "score", low, high}
            sets     the datasets, each with its bit in the array "sets": {name, points}
            arrays   {name, type: "u8" | "u16" | "u32", at, length}: at counts bytes from the end of the header
arrays    each begins at a multiple of 4: "x" and "y" (u16, of the square that all points are in), one for each field
          (u8: the number of a value, or a score in 254 steps from low to high; 255 is none), "sets" (u32)
"""

import base64
import json
import struct
from typing import Any

import numpy as np

from cli.pages.map_points import Points
from cli.pages.texts import UNSEEN

MAGIC = b"GMAP"
STEPS, NONE = 254, 255
SIDE = 65_535


def map_bytes(points: Points, places: np.ndarray, key: str = "") -> bytes:
    """Return a map as bytes.

    Args:
        points: The points.
        places: The place of each (rows x 2), in any unit.
        key: The name of this map, where it has one.
    """
    arrays: dict[str, np.ndarray] = dict(zip("xy", _square(places), strict=True))
    fields: list[dict[str, Any]] = []
    for one in points.categories:
        fields.append({"name": one.name, "title": one.title, "kind": "category", "values": [*map(plain, one.values)]})
        arrays[one.name] = one.codes.astype(np.uint8)
    for score in points.scores:
        low, high = float(np.nanmin(score.numbers)), float(np.nanmax(score.numbers))
        name = f"score {score.name}"
        fields.append({"name": name, "title": plain(score.name), "kind": "score", "low": low, "high": high})
        arrays[name] = _steps(score.numbers, low, high)
    bits = np.zeros(len(points.ids), np.uint32)
    for place, held in enumerate(points.sets.values()):
        bits |= held.astype(np.uint32) << np.uint32(place)
    arrays["sets"] = bits
    header = {
        "points": len(points.ids), "total": points.total, "notes": [*map(plain, points.notes)], "key": key,
        "fields": fields,
        "sets": [{"name": plain(name), "points": int(held.sum())} for name, held in points.sets.items()],
    }  # fmt: skip
    return _packed(header, arrays)


def in_base64(data: bytes) -> str:
    """Return bytes in base64, for an element of a page."""
    return base64.b64encode(data).decode("ascii")


def _packed(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    body, listed = bytearray(), []
    for name, array in arrays.items():
        listed.append({"name": name, "type": f"u{8 * array.itemsize}", "at": len(body), "length": len(array)})
        body += array.astype(array.dtype.newbyteorder("<")).tobytes()
        body += bytes(-len(body) % 4)
    text = json.dumps({**header, "arrays": listed}, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    encoded = text.encode("utf-8", "replace")
    encoded += b" " * (-len(encoded) % 4)
    return MAGIC + struct.pack("<I", len(encoded)) + encoded + bytes(body)


def _square(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return places as whole numbers from 0 to ``SIDE``, with the same scale for both axes, centred."""
    low, high = places.min(axis=0), places.max(axis=0)
    extent = float((high - low).max()) or 1.0
    scaled = (places - (low + high) / 2) / extent + 0.5
    numbers = np.rint(scaled * SIDE).clip(0, SIDE).astype(np.uint16)
    return numbers[:, 0], numbers[:, 1]


def _steps(numbers: np.ndarray, low: float, high: float) -> np.ndarray:
    scaled = np.rint((numbers - low) / ((high - low) or 1.0) * STEPS)
    return np.where(np.isfinite(scaled), scaled, NONE).astype(np.uint8)


def plain(text: str) -> str:
    """Return a text with a name for each character that is not seen: the page shows it as text, without markup."""
    return UNSEEN.sub(lambda found: f"<U+{ord(found[0]):04X}>", " ".join(text.split()))
