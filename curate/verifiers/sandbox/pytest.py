"""What tests use of pytest, for the sandbox, which has the standard library alone: raises, approx, parametrize, skip.

Imported as ``pytest`` there. Stdlib only; runs inside.
"""

import inspect
import itertools
import math
import re
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any


class Skipped(Exception):
    """A test that says it is not to be run, or wants what is not here."""


class Failed(AssertionError):
    """A test that says it has failed."""


class raises:  # noqa: N801 (pytest's own name)
    """A block, or a call, that must raise one of the exceptions, with a message that ``match`` is found in."""

    def __init__(self, expected: Any, *call: Any, match: str | None = None, **named: Any) -> None:
        self.expected, self.match = expected, match
        self.value: BaseException | None = None
        if call:
            with self:
                call[0](*call[1:], **named)

    def __enter__(self) -> "raises":
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: TracebackType | None) -> bool:
        if error is None:
            raise Failed(f"did not raise {self.expected}")
        if not isinstance(error, self.expected):
            return False
        self.value = error
        if self.match is not None and not re.search(self.match, str(error)):
            raise Failed(f"raised {error!r}, which does not match {self.match!r}")
        return True


class approx:  # noqa: N801
    """Equal to a number (or to each in a list, tuple or mapping) within 1e-6 of it or 1e-12, unless said otherwise."""

    def __init__(self, expected: Any, rel: float | None = None, abs: float | None = None) -> None:  # noqa: A002
        self.expected, self.rel, self.abs = expected, 1e-6 if rel is None else rel, 1e-12 if abs is None else abs

    def __eq__(self, found: Any) -> bool:
        return self._near(self.expected, found)

    __hash__ = None

    def _near(self, wanted: Any, found: Any) -> bool:
        if isinstance(wanted, dict):
            return (
                isinstance(found, dict)
                and wanted.keys() == found.keys()
                and all(self._near(wanted[k], found[k]) for k in wanted)
            )
        if isinstance(wanted, list | tuple):
            return isinstance(found, list | tuple) and len(found) == len(wanted) and all(map(self._near, wanted, found))
        if isinstance(wanted, int | float) and isinstance(found, int | float):
            return math.isclose(wanted, found, rel_tol=self.rel, abs_tol=self.abs)
        return wanted == found


def skip(reason: str = "") -> None:
    """End a test without a verdict."""
    raise Skipped(reason)


def fail(reason: str = "", pytrace: bool = True) -> None:
    """Fail a test."""
    raise Failed(reason)


def fixture(*given: Any, **named: Any) -> Any:
    """Mark a function as a fixture; one that takes no fixtures itself can be used."""

    def mark(function: Callable) -> Callable:
        function.is_fixture = True
        return function

    return mark(given[0]) if given and callable(given[0]) else mark


class _Mark:
    """Marks do nothing here, but for ``parametrize``."""

    def __getattr__(self, name: str) -> Any:
        def mark(*given: Any, **named: Any) -> Any:
            return given[0] if len(given) == 1 and not named and inspect.isfunction(given[0]) else lambda test: test

        return mark

    def parametrize(self, names: Any, values: Any, ids: Any = None) -> Any:
        names = [n.strip() for n in names.split(",")] if isinstance(names, str) else list(names)

        def mark(test: Callable) -> Callable:
            rows = [dict(zip(names, v if len(names) > 1 else [v], strict=True)) for v in values]
            test.parameters = [*getattr(test, "parameters", []), rows]
            return test

        return mark


mark = _Mark()


def param(*values: Any, id: Any = None, marks: Any = ()) -> Any:  # noqa: A002
    """A row of parameters."""
    return values if len(values) > 1 else values[0]


def cases(name: str, function: Callable, kind: type | None = None) -> Iterator[tuple[str, Callable]]:
    """A test function (or a method of the class ``kind``) as named tests, one a combination of its parameters."""
    found = list(itertools.product(*getattr(function, "parameters", [])))
    for number, parts in enumerate(found):
        given = {key: value for part in parts for key, value in part.items()}
        yield f"{name}[{number}]" if len(found) > 1 else name, lambda given=given: _run(function, given, kind)


def _run(function: Callable, given: dict[str, Any], kind: type | None) -> Any:
    instance = () if kind is None else (kind(),)
    for before in ("setup_method", "setUp"):
        if instance and hasattr(kind, before):
            getattr(instance[0], before)(*[function] * (len(inspect.signature(getattr(kind, before)).parameters) - 1))
    for wanted in list(inspect.signature(function).parameters.values())[len(instance) :]:
        if wanted.name not in given and wanted.default is wanted.empty:
            made = function.__globals__.get(wanted.name)
            if not getattr(made, "is_fixture", False) or inspect.signature(made).parameters:
                raise Skipped(f"the fixture {wanted.name!r} is not here")
            value = made()
            given = given | {wanted.name: next(value) if inspect.isgenerator(value) else value}
    return function(*instance, **given)
