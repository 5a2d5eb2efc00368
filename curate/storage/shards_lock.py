"""The lock of a store's shards: one run at a time posts calls for them."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager

from curate.storage.store import Store
from schemas.errors import UserError

LOCK = "shards.lock"


@contextmanager
def shards_of(store: Store) -> Generator[None]:
    """Hold a store's shards in the body of a ``with``; the kernel lets go of them however the process ends.

    Raises:
        UserError: Another process holds them.
    """
    with open(store.path / "work" / LOCK, "a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{store.path}: another run with --shards works in this store; wait for its end, or use another store"
            ) from None
        yield
