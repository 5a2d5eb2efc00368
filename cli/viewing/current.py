"""The snapshot that pages read now, made anew when a run has added to the store, and the labels beside it."""

import contextlib
import json
import threading
import time

import duckdb

from cli.viewing.snapshot import Snapshot, make_snapshot
from curate.storage.hand_labels import HandLabel, labels_path, read_labels
from curate.storage.store import Store
from schemas.errors import OneLine

OFTEN = 1.0  # seconds between two looks at whether the store has changed
PATIENCE = 2.0  # seconds that a page waits for a snapshot that is being made, rather than show what was
REST = 4  # times the time that a snapshot took, at least, between two of them


class Current:
    """The newest snapshot of a store. A new one is made in the background.

    Pages wait for it a little, and then read the old one, and say so, until it is there.
    """

    def __init__(self, store: Store) -> None:
        """Take a store; the first snapshot is made when it is first asked for."""
        self.store = store
        self._snapshot: Snapshot | None = None
        self._state: object = None
        self._looked = self._made = self._took = 0.0
        self._lock, self._labels_lock = threading.RLock(), threading.Lock()
        self._worker: threading.Thread | None = None
        self._labelled: object = None
        self._labelled_in: Snapshot | None = None
        self.labels: list[HandLabel] = []

    def get(self) -> Snapshot:
        """Return the snapshot, with the labels as they are now."""
        with self._lock:
            if self._snapshot is None:
                self._make()
            elif self._is_old():
                self._worker = threading.Thread(target=self._make_again, daemon=True)
                self._worker.start()
        self.wait(PATIENCE)
        with self._lock:
            snapshot = self._snapshot
        assert snapshot is not None
        self._read_labels(snapshot)
        return snapshot

    @property
    def is_behind(self) -> bool:
        """Whether a newer snapshot is being made."""
        return self._worker is not None and self._worker.is_alive()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until the snapshot that is being made is there, or for so many seconds."""
        if self._worker is not None:
            self._worker.join(seconds)

    def interrupt(self) -> None:
        """End all queries that are going on."""
        if self._snapshot is not None:
            self._snapshot.interrupt()

    def _is_old(self) -> bool:
        """Return whether the store has changed, and it is time to read it again."""
        now = time.monotonic()
        if self.is_behind or now - self._looked < OFTEN or now - self._made < REST * self._took:
            return False
        self._looked = now
        return self._store_state() != self._state

    def _store_state(self) -> object:
        """Return what changes when a run adds a stage or ends."""
        return [(run["run_id"], run["status"], [s["path"] for s in run["stages"]]) for run in self.store.runs()]

    def _make(self) -> None:
        state, started = self._store_state(), time.monotonic()
        made = make_snapshot(self.store)
        self._made = time.monotonic()
        self._took = self._made - started
        with self._lock:
            self._snapshot, self._state = made, state

    def _make_again(self) -> None:
        with contextlib.suppress(OneLine, OSError, duckdb.Error):  # the next look tries again; the pages show what was
            self._make()

    def _read_labels(self, snapshot: Snapshot) -> None:
        """Read the labels into the snapshot's table, if the file or the snapshot is another one than last time."""
        path = labels_path(self.store)
        try:
            held = path.stat()
            state = (held.st_mtime_ns, held.st_size, held.st_ino)
        except OSError:
            state = (0, 0, 0)
        with self._labels_lock:
            if self._labelled == state and self._labelled_in is snapshot:
                return
            self.labels = read_labels(path)
            rows = json.dumps([{"label_id": key, "by_hand": word} for key, word in _words(self.labels).items()])
            with snapshot.cursor() as cursor:
                cursor.execute("BEGIN")
                cursor.execute("DELETE FROM memory.main.by_hand")
                cursor.execute(
                    "INSERT INTO memory.main.by_hand SELECT unnest(from_json(?::JSON, ?), recursive := true)",
                    [rows, '[{"label_id": "VARCHAR", "by_hand": "VARCHAR"}]'],
                )
                cursor.execute("COMMIT")
            self._labelled, self._labelled_in = state, snapshot


def _words(labels: list[HandLabel]) -> dict[str, str]:
    """Return the labels of each row in words; of a pair, by both ids in order, the id of the better one."""
    found: dict[str, list[str]] = {}
    for label in labels:
        if label.label == "prefer":
            found[" ".join(sorted((label.row_id, label.over or "")))] = [label.row_id]
        else:
            found.setdefault(label.row_id, []).append(label.label)
    return {key: ", ".join(sorted(words)) for key, words in found.items()}
