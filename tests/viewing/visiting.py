"""A visitor of the viewer: an app over a tiny store, and a client that has its token."""

import contextlib
from html import unescape

from tests.optional import Lazy
from tests.viewing.tiny_store import fill

app = Lazy("cli.viewing.app")
viewer = Lazy("cli.viewing.viewer")
testclient = Lazy("starlette.testclient")
TOKEN, TICKET, PORT = "t" * 40, "o" * 40, 8000
HERE = f"http://127.0.0.1:{PORT}"


@contextlib.contextmanager
def visited(store, *, filled=True):
    """Yield a client that has the cookie, over a store that is filled first."""
    if filled:
        fill(store)
    with stranger(store) as client:
        client.cookies.set(f"gristmill_{PORT}", TOKEN)
        yield client


@contextlib.contextmanager
def stranger(store):
    """Yield a client without the token."""
    made = app.make_app(viewer.Viewer(store), TOKEN, PORT, TICKET)
    with testclient.TestClient(made, base_url=HERE, follow_redirects=False) as client:
        yield client


def text(answer):
    """Return the text of a page without its tags, in one line."""
    import re

    return " ".join(unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())


def give(client, **fields):
    """Post a label as a page of ours does."""
    return client.post(
        "/label", data=fields, headers={"Origin": HERE, "Sec-Fetch-Site": "same-origin", "HX-Request": "true"}
    )
