"""What all pages share: the store, the snapshot, the sets of ids, and how a page is rendered."""

import getpass
from pathlib import Path
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from cli.pages.conversation import conversation, parsed
from cli.pages.templating import environment
from cli.pages.texts import UNSEEN
from cli.viewing.current import Current
from cli.viewing.listings import LISTINGS
from cli.viewing.selections import Selections
from curate.storage.store import Store

HERE = Path(__file__).parent
# The pages in the bar at the top, beside the tables: address, title.
PAGES = (("/map", "Map"), ("/answers", "Before and after"), ("/runs", "Runs"), ("/sql", "SQL"), ("/labels", "Labels"))


class Viewer:
    """The state of the viewer.

    Attributes:
        store: The store that is looked at.
        current: The snapshot of it.
        selections: Sets of ids that a page chose.
        pages: The entries of the bar beside the tables.
    """

    def __init__(self, store: Store) -> None:
        """Look at a store."""
        self.store, self.current, self.selections = store, Current(store), Selections()
        self.pages = [*PAGES]
        self._templates = environment(HERE / "templates")
        self._templates.filters |= {"plain": plain, "turns": turns}

    @property
    def person(self) -> str:
        """The name under which labels are given."""
        try:
            return getpass.getuser()[:200]
        except (KeyError, OSError):  # an account without a name
            return "unknown"

    def page(
        self, request: Request, name: str, *, status: int = 200, part: str | None = None, **values: Any
    ) -> Response:
        """Return a page.

        Args:
            request: What asks for it.
            name: The template.
            status: The status of the answer.
            part: The template to take instead where htmx asks for a part of the page.
            values: What the template needs beside what all need.
        """
        is_part = part is not None and request.headers.get("hx-request") == "true"
        is_part = is_part and request.headers.get("hx-history-restore-request") != "true"
        template = self._templates.get_template(part if is_part and part else name)
        shared = {"tables": LISTINGS.values(), "pages": self.pages, "here": request.url.path, "store": self.store.path,
                  "behind": self.current.is_behind}  # fmt: skip
        answer = HTMLResponse(template.render({**shared, **values}), status)
        answer.headers["vary"] = "HX-Request"  # a part is no page for the browser's history
        return answer


def plain(value: Any, most: int = 60) -> str:
    """Return a value as a short text for an attribute or an option, with a name for each character that is not seen."""
    text = " ".join(str(value)[: 4 * most].split())
    text = text[: most - 1] + "…" if len(text) > most or len(str(value)) > 4 * most else text
    return UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def turns(messages: Any, role: str, learnt: bool | None = None) -> Markup:
    """Return messages as HTML; a text that is none as a turn of this role."""
    if isinstance(messages, str) and not isinstance(parsed(messages), list):
        messages = [{"role": role, "content": messages}]
    return conversation(messages, learnt=learnt)
