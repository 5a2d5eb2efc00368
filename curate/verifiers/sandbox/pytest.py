"""A small replacement of pytest for tests in the sandbox: raises, approx, fixture, parametrize, skip, fail.

Tests import it as ``pytest``. Stdlib only; runs inside.
"""

import inspect
import itertools
import math
import re
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any


class Skipped(Exception):
    """A test that is not to be run, or that needs something missing here."""


class Failed(AssertionError):
    """A test that has failed."""


class raises:  # noqa: N801 (pytest's own name)
    """A block, or a call, that must raise one of the expected exceptions; ``match`` must be found in its message."""

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
    """Equal to numbers that differ by at most 1e-6 of the expected one or by 1e-12, also in lists, tuples, mappings."""

    def __init__(self, expected: Any, rel: float | None = None, abs: float | None = None) -> None:  # noqa: A002
        self.expected, self.rel, self.abs = expected, 1e-6 if rel is None else rel, 1e-12 if abs is None else abs

    def __eq__(self, found: Any) -> bool:
        return self._near(self.expected, found)

    __hash__ = None

    def _near(self, expected: Any, found: Any) -> bool:
        if isinstance(expected, dict):
            return (
                isinstance(found, dict)
                and expected.keys() == found.keys()
                and all(self._near(expected[k], found[k]) for k in expected)
            )
        if isinstance(expected, list | tuple):
            return (
                isinstance(found, list | tuple)
                and len(found) == len(expected)
                and all(map(self._near, expected, found))
            )
        if isinstance(expected, int | float) and isinstance(found, int | float):
            return math.isclose(expected, found, rel_tol=self.rel, abs_tol=self.abs)
        return expected == found


def skip(reason: str = "") -> None:
    """End a test without a verdict."""
    raise Skipped(reason)


def fail(reason: str = "", pytrace: bool = True) -> None:
    """Fail a test."""
    raise Failed(reason)


def fixture(*given: Any, **named: Any) -> Any:
    """Mark a function as a fixture. Only fixtures without parameters are supported."""

    def mark(function: Any) -> Any:
        function.is_fixture = True
        return function

    return mark(given[0]) if given and callable(given[0]) else mark


class _Mark:
    """Marks: all but ``parametrize`` do nothing here."""

    def __getattr__(self, name: str) -> Any:
        def mark(*given: Any, **named: Any) -> Any:
            return given[0] if len(given) == 1 and not named and inspect.isfunction(given[0]) else lambda test: test

        return mark

    def parametrize(self, names: Any, values: Any, ids: Any = None) -> Any:
        names = [n.strip() for n in names.split(",")] if isinstance(names, str) else list(names)

        def mark(test: Any) -> Any:
            rows = [dict(zip(names, v if len(names) > 1 else [v], strict=True)) for v in values]
            test.parameters = [*getattr(test, "parameters", []), rows]
            return test

        return mark


mark = _Mark()


def param(*values: Any, id: Any = None, marks: Any = ()) -> Any:  # noqa: A002
    """Return one row of parameters; ``id`` and ``marks`` are ignored."""
    return values if len(values) > 1 else values[0]


def cases(name: str, function: Callable, kind: type | None = None) -> Iterator[tuple[str, Callable]]:
    """Yield a test function (or a method of the class ``kind``) as named tests, one for each row of parameters."""
    combinations = list(itertools.product(*getattr(function, "parameters", [])))
    for number, parts in enumerate(combinations):
        given = {key: value for part in parts for key, value in part.items()}
        yield f"{name}[{number}]" if len(combinations) > 1 else name, lambda given=given: _run(function, given, kind)


def _run(function: Any, given: dict[str, Any], kind: type | None) -> Any:
    instance = () if kind is None else (kind(),)
    for before in ("setup_method", "setUp"):
        if instance and hasattr(kind, before):
            getattr(instance[0], before)(*[function] * (len(inspect.signature(getattr(kind, before)).parameters) - 1))
    for parameter in list(inspect.signature(function).parameters.values())[len(instance) :]:
        if parameter.name not in given and parameter.default is parameter.empty:
            made = function.__globals__.get(parameter.name)
            if not getattr(made, "is_fixture", False) or inspect.signature(made).parameters:
                raise Skipped(f"the fixture {parameter.name!r} is not here")
            value = made()
            given = given | {parameter.name: next(value) if inspect.isgenerator(value) else value}
    return function(*instance, **given)
