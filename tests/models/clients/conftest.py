"""The stub server that answers well, its answers, and short waits after a failure."""

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from curate.models.clients.http import limits
from tests.models.clients.openai_desk import answered, groups, texts
from tests.stub_server import Stub


@pytest.fixture(scope="session")
def good() -> Iterator[Stub]:
    """A server without faults."""
    with Stub() as stub:
        yield stub


@pytest.fixture(scope="session")
def undisturbed(good: Stub) -> dict[str, str]:
    """The texts of ``groups(n=3)``, by key, from a server without faults."""
    return texts(answered(good.url, groups(n=3)))


@pytest.fixture(scope="session")
def shared() -> Iterator[Stub]:
    """The server of ``server_with``."""
    with Stub() as stub:
        yield stub


@pytest.fixture
def server_with(shared: Stub) -> Callable[..., AbstractContextManager[Stub]]:
    """Make a server as ``Stub`` does, of a process that is already there: ``with server_with(faults=...) as stub``."""

    @contextmanager
    def made(**settings: Any) -> Generator[Stub]:
        shared.reset(**settings)
        yield shared

    return made


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engines wait for hundredths of a second after a failure, not for tenths."""
    monkeypatch.setattr(limits, "FIRST_WAIT", 0.02)
