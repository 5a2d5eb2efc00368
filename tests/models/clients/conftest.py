"""The stub server that answers well, its answers, and short waits after a failure."""

from collections.abc import Iterator

import pytest

from curate.models.clients.http import limits
from tests.models.clients.openai_desk import ask, groups, texts
from tests.stub_server import Stub


@pytest.fixture(scope="session")
def good() -> Iterator[Stub]:
    """A server without faults."""
    with Stub() as stub:
        yield stub


@pytest.fixture(scope="session")
def undisturbed(good: Stub) -> dict[str, str]:
    """The texts of ``groups(n=3)``, by key, from a server without faults."""
    return texts(ask(good.url, groups(n=3)))


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engines wait for hundredths of a second after a failure, not for tenths."""
    monkeypatch.setattr(limits, "FIRST_WAIT", 0.02)
