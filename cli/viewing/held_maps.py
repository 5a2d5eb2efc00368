"""The maps of embeddings that pages show: made once for each state of the store, and held in memory."""

import base64
import binascii
import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from cli.pages.map_data import map_bytes
from cli.pages.map_points import map_points
from curate.algorithms.vectors.layout import VERSION, positions
from curate.storage.kept_positions import kept_positions
from curate.storage.sql_views import connect
from curate.storage.store import Store
from schemas.errors import UserError

MOST_POINTS = 100_000
MOST_MAPS = 2  # pages that were opened before a run ended still show the map of then
SEED = 7
NO_EMBEDDINGS = (
    "This store has no embeddings of its texts. A step that compares texts by meaning (dedup: semantic, "
    "diverse: k_center, score: similarity) stores those of its rows."
)
OLD = "This map is not held any more: load the page again."


@dataclass(frozen=True)
class HeldMap:
    """A map: the ids and texts of its points, and what is sent to a page."""

    ids: list[str]
    texts: list[str]
    data: bytes


class HeldMaps:
    """The last maps of a store, by key."""

    def __init__(self, store: Store) -> None:
        """Begin with none."""
        self.store = store
        self._maps: OrderedDict[str, HeldMap] = OrderedDict()
        self._lock = threading.Lock()  # one map is made at a time

    def newest(self) -> HeldMap:
        """Return the map of the store as it is now.

        Raises:
            UserError: It has no embeddings, or a part of it is damaged.
        """
        with self._lock:
            key = self._state()
            if key not in self._maps:
                self._maps[key] = self._make(key)
                while len(self._maps) > MOST_MAPS:
                    self._maps.popitem(last=False)
            return self._maps[key]

    def get(self, key: str) -> HeldMap:
        """Return a map by its key.

        Raises:
            UserError: It is not held any more.
        """
        found = self._maps.get(key)
        if found is None:
            raise UserError(OLD)
        return found

    def chosen(self, key: str, bits: str) -> list[str]:
        """Return the ids of the points whose bits are set, in base64, the first point's the lowest of the first byte.

        Raises:
            UserError: The map is not held any more, or these are no bits of its points.
        """
        held = self.get(key)
        try:
            sent = base64.b64decode(bits, validate=True)
        except (binascii.Error, ValueError):
            sent = b""
        if len(sent) != -(-len(held.ids) // 8):
            raise UserError("expected a bit for each point of the map")
        flags = np.unpackbits(np.frombuffer(sent, np.uint8), bitorder="little")[: len(held.ids)]
        return [held.ids[place] for place in np.flatnonzero(flags)]

    def _state(self) -> str:
        """Return a hash of what changes when a run adds a stage or ends."""
        state = [(run["run_id"], run["status"], [s["path"] for s in run["stages"]]) for run in self.store.runs()]
        return hashlib.sha256(repr(state).encode("utf-8", "replace")).hexdigest()[:16]

    def _make(self, key: str) -> HeldMap:
        with connect(self.store) as con:
            points = map_points(con, MOST_POINTS)
        if points is None:
            raise UserError(NO_EMBEDDINGS)
        version = f"{VERSION} {SEED}"
        places = kept_positions(self.store, points.model, points.ids, version, lambda: positions(points.vectors, SEED))
        return HeldMap(points.ids, points.texts, map_bytes(points, places, key))
