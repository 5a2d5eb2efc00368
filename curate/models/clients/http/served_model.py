"""The protocol that ``Workers`` use of an engine behind a server: its settings, the server's state, its requests."""

from typing import Protocol

from curate.models.clients.http.adapting import Adapting
from curate.models.clients.http.complaint import Complaint
from curate.models.clients.http.limits import Limits
from schemas.errors import UserError
from schemas.progress import Progress
from schemas.requests import Reply, Request, Spent


class ServedModel(Protocol):
    """A model behind a server. ``chat.ChatEngine`` says what each attribute and method means."""

    PATIENCE: float
    model: str
    progress: Progress
    base_url: str
    concurrency: int
    retries: int
    max_wait: float
    limits: Limits
    short: set[str]
    reached: bool
    answered: int
    fruitless: int
    refused: set[str]
    adapting: Adapting

    def request_of(self, asked: list[Request]) -> tuple[str, bytes]:
        """Return the address and the body of a request."""
        ...

    def read(self, asked: list[Request], raw: bytes, size: int) -> tuple[list[Reply], Spent]:
        """Return the replies in a response."""
        ...

    def most_written(self, asked: list[Request]) -> int:
        """Return the most tokens that the server writes."""
        ...

    def adapt(self, asked: list[Request], status: int, body: bytes, complaint: Complaint) -> bool:
        """Return whether to ask again, otherwise, after a refusal."""
        ...

    def together(self, asked: list[Request]) -> int:
        """Return how many samples to ask for in one request."""
        ...

    def error(self, message: str) -> UserError:
        """Return the error of a server that cannot be worked with."""
        ...

    def redact(self, text: str) -> str:
        """Return text without the key."""
        ...

    def without_key(self, raw: bytes) -> bytes:
        """Return a response without the key."""
        ...
