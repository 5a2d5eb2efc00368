"""The unit tests that were read from a ground truth."""

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class UnitTests:
    """Unit tests, with what is known of the code that they are for.

    Attributes:
        run: The tests as the sandbox takes them (``curate/models/clients/sandbox.py``).
        names: The names that the response has to define for them; none where the response is a program.
        given: Code of the data set that the response may rely on: imports, helpers, the head of the function.
        environment: Whether the public evaluators of such tests import common names ahead (APPS, LiveCodeBench).
    """

    run: dict[str, Any]
    names: frozenset[str] = frozenset()
    given: str = ""
    environment: bool = False

    def having(self, given: str) -> "UnitTests":
        """Return the same tests with the code that the data set gives."""
        return replace(self, given=given)
