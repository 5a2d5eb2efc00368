"""The stand-in for pytest in the sandbox, in this process: it agrees with real pytest on every check."""

from collections.abc import Callable
from types import ModuleType

import pytest

from curate.verifiers.sandbox import pytest as stand_in


def outcome(test: Callable[[], object]) -> str:
    """Return whether a test function passes, fails or is skipped."""
    try:
        test()
    except (stand_in.Skipped, pytest.skip.Exception):
        return "skipped"
    except (AssertionError, pytest.fail.Exception):
        return "failed"
    return "passed"


def same(found: ModuleType, expected: object, value: object) -> None:
    assert value == found.approx(expected)


def no_error(found: ModuleType) -> None:
    with found.raises(ValueError):
        int("1")


def other_message(found: ModuleType) -> None:
    with found.raises(ValueError, match="^no such"):
        int("x")


# a check, which takes pytest or the stand-in; its outcome
CHECKS = [
    (lambda found: found.raises(ValueError, int, "x"), "passed"),
    (lambda found: found.raises(ValueError, int, "x", base=16), "passed"),
    (lambda found: found.raises(ValueError, int, "1"), "failed"),
    (lambda found: found.raises((KeyError, ValueError), int, "x"), "passed"),
    (no_error, "failed"),
    (other_message, "failed"),
    (lambda found: same(found, 0.3, 0.1 + 0.2), "passed"),
    (lambda found: same(found, 0.3, 0.31), "failed"),
    (lambda found: same(found, [0.3, 1], [0.1 + 0.2, 1]), "passed"),
    (lambda found: same(found, [0.3], [0.1 + 0.2, 1]), "failed"),
    (lambda found: same(found, {"a": 0.3}, {"a": 0.1 + 0.2}), "passed"),
    (lambda found: same(found, {"a": 0.3}, {"b": 0.3}), "failed"),
    (lambda found: same(found, {"a": 0.3}, 0.3), "failed"),
    (lambda found: found.skip("later"), "skipped"),
    (lambda found: found.fail("broken"), "failed"),
]


def test_it_agrees_with_pytest_on_every_check():
    for place, (check, expected) in enumerate(CHECKS):
        found = [outcome(lambda check=check, module=module: check(module)) for module in (stand_in, pytest)]
        assert found == [expected, expected], f"check {place}"


def test_another_error_than_the_expected_one_goes_on():
    with pytest.raises(ValueError, match="invalid literal"), stand_in.raises(KeyError):
        int("x")


def test_the_error_is_kept_for_the_test_to_look_at():
    with stand_in.raises(ValueError, match="invalid") as caught:
        int("x")
    assert "invalid literal" in str(caught.value)


@stand_in.fixture
def number():
    """A fixture that returns."""
    return 3


@stand_in.fixture(scope="module")
def letter():
    """A fixture that yields."""
    yield "a"


def needs_fixtures(number, letter, other=5):
    return number, letter, other


def needs_another(tmp_path):
    return tmp_path


def needs_a_function_that_is_no_fixture(outcome):
    return outcome


def test_fixtures_of_the_module_are_given():
    ((name, test),) = stand_in.cases("needs_fixtures", needs_fixtures)
    assert (name, test()) == ("needs_fixtures", (3, "a", 5))


@pytest.mark.parametrize("function", [needs_another, needs_a_function_that_is_no_fixture])
def test_a_fixture_that_is_not_here_skips_the_test(function):
    ((_, test),) = stand_in.cases("test", function)
    with pytest.raises(stand_in.Skipped, match="the fixture '(tmp_path|outcome)' is not here"):
        test()


@stand_in.mark.slow
@stand_in.mark.parametrize("a, b", [(1, 2), stand_in.param(3, 4, id="second")])
@stand_in.mark.skipif(False, reason="never")
@stand_in.mark.parametrize(["c"], [5, stand_in.param(6)])
def takes_rows(a, b, c):
    return a, b, c


def test_every_combination_of_rows_is_a_case():
    made = dict(stand_in.cases("takes_rows", takes_rows))
    assert list(made) == [f"takes_rows[{number}]" for number in range(4)]
    assert {test() for test in made.values()} == {(1, 2, 5), (1, 2, 6), (3, 4, 5), (3, 4, 6)}


class Prepared:
    """Tests whose instance is prepared before each, in both styles."""

    def setup_method(self, method):
        self.name = method.__name__

    def setUp(self):  # noqa: N802 (unittest's own name)
        self.ready = True

    def look(self, number):
        return self.name, self.ready, number


def test_a_class_is_prepared_before_each_test():
    ((_, test),) = stand_in.cases("look", Prepared.look, Prepared)
    assert test() == ("look", True, 3)
