"""The command that shows a store in a browser: view."""

from typing import Annotated

import typer

from cli.options import STORE, StoreFolder, open_store
from cli.terminal import say


def view(
    store: StoreFolder = STORE,
    port: Annotated[int, typer.Option("--port", help="The port on 127.0.0.1; 0 is a free one.", min=0, max=65535)] = 0,
    open: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    atlas: Annotated[
        bool,
        typer.Option("--atlas", help="Hand the candidates over to embedding-atlas instead, where it is installed."),
    ] = False,
) -> None:
    """Look at the store in a browser, and label rows by hand.

    The page is for you alone: it is served on this machine, to whoever has the address that is printed. Labels are
    written into the store, and the places of the map; nothing else of it is changed.
    """
    opened = open_store(store)
    if atlas:
        from cli.viewing.atlas import hand_over

        hand_over(opened, port)
        return
    from cli.viewing.serving import serve
    from cli.viewing.viewer import Viewer

    def ready(address: str, once: str) -> None:
        say(f"{store} at {address}")
        say("Ctrl-C ends it.", err=True)
        if open:
            import webbrowser

            webbrowser.open(once)  # others on this machine may see a program's command line

    say(f"reading {store} ...", err=True)
    serve(Viewer(opened), port, ready)


COMMANDS = (view,)
