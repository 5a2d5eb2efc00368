"""Serves the viewer on 127.0.0.1, until Ctrl-C."""

import socket
from collections.abc import Callable

import uvicorn

from cli.viewing.app import make_app
from cli.viewing.guard import new_token
from cli.viewing.viewer import Viewer
from schemas.errors import UserError

HOST = "127.0.0.1"
PATIENCE = 1  # seconds for answers that are on their way when the program ends


def listen(port: int) -> socket.socket:
    """Return a socket on a port of this machine; 0 is any free one.

    Raises:
        UserError: The port is taken, or is not for this user.
    """
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
        found.listen(128)
    except OSError as error:
        found.close()
        raise UserError(f"port {port} of {HOST}: {error.strerror}; choose another one with --port, or leave it out for "
                        "a free one") from None  # fmt: skip
    return found


def serve(viewer: Viewer, port: int, ready: Callable[[str, str], None]) -> None:
    """Serve a viewer until Ctrl-C, which raises ``KeyboardInterrupt``.

    Args:
        viewer: What is served.
        port: The port; 0 is a free one.
        ready: Called with the address once it can be opened, and with one that opens once only.
    """
    with listen(port) as held:
        chosen, token, ticket = held.getsockname()[1], new_token(), new_token()
        app = make_app(viewer, token, chosen, ticket)
        config = uvicorn.Config(
            app, log_level="critical", access_log=False, server_header=False, date_header=False, lifespan="on",
            timeout_graceful_shutdown=PATIENCE, ws="none", proxy_headers=False, h11_max_incomplete_event_size=32_768,
        )  # fmt: skip
        viewer.current.get()  # once, so that the first page is there at once
        ready(*(f"http://{HOST}:{chosen}/?token={one}" for one in (token, ticket)))
        uvicorn.Server(config).run(sockets=[held])
