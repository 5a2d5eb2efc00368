"""Sets of row ids that a page chose, such as by a lasso on the map: kept in memory, and named in an address."""

import hashlib
import threading
from collections import OrderedDict

MOST_SETS, MOST_IDS, LONGEST_ID = 50, 200_000, 200


class Selections:
    """The last sets of ids, by name."""

    def __init__(self) -> None:
        """Begin with no set."""
        self._sets: OrderedDict[str, list[str]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, ids: list[str]) -> str:
        """Keep a set of ids, and return its name, for ``?set=NAME`` in the address of a table.

        Raises:
            ValueError: There are too many, or one is too long to be an id.
        """
        if len(ids) > MOST_IDS:
            raise ValueError(f"over {MOST_IDS:,} ids")
        if any(len(one) > LONGEST_ID for one in ids):
            raise ValueError(f"an id has over {LONGEST_ID} characters")
        name = hashlib.sha256("\n".join(ids).encode("utf-8", "replace")).hexdigest()[:16]
        with self._lock:
            self._sets[name] = ids
            self._sets.move_to_end(name)
            while len(self._sets) > MOST_SETS:
                self._sets.popitem(last=False)
        return name

    def get(self, name: str) -> list[str] | None:
        """Return the ids of a set, or None for a set that is not held any more."""
        with self._lock:
            return self._sets.get(name)
