"""A visitor of a tiny store, for all tests of a file that change nothing in it."""

import pytest

from tests.viewing.visiting import visited


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A client that has the token, over a filled store."""
    from curate.storage.store import Store

    with visited(Store(tmp_path_factory.mktemp("visited") / "store")) as made:
        yield made
