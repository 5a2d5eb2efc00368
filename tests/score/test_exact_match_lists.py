"""Ground truths that are lists of numbers, truth values, lists, spans and dates: alternatives, or one answer."""

import pytest

from tests.score.test_exact_match import match

GRID, BACK = "[[0,1],[1,0]]", "[[0, 1],\n [1, 0]]"


@pytest.mark.parametrize(
    ("response", "truth"),
    [
        ("True", "[True, False]"),
        ("true", "[true, false]"),
        ("False", '[False, "maybe"]'),
        ("True", "[1, True]"),
        ("True", "[True, True]"),
        ("5", "[5, 5]"),
        ("5", "[4, 5]"),
        ("5", "array([4, 5])"),
        ("0", GRID),
        ("[1, 0]", GRID),
        ("a", '[["a", "b"], ["c"]]'),
        ("a and c", '[["a", "b"], ["c"]]'),
        ('["a", "c"]', '[["a", "b"], ["c"]]'),
        ("Bob", '{"number": "", "spans": ["Bob", "Al"]}'),
        ("Bob and Al", '{"number": "", "spans": ["Bob", "Al"]}'),
    ],
)
def test_a_part_that_may_be_an_answer_is_not_judged(response, truth):
    value, error = match(response, truth)
    assert value is None and error.startswith("ground_truth")


@pytest.mark.parametrize(
    ("response", "truth", "right"),
    [
        ("True", '["True", "yes"]', True),
        ("true", "[true]", True),
        ("maybe", "[True, False]", False),
        ("[true, false]", "[True, False]", True),
        ("[False, True]", "[True, False]", False),
        (BACK, GRID, True),
        ("[[0 1]\n [1 0]]", GRID, True),
        (GRID, "[[0 1]\n [1 0]]", True),
        ("[[0,0],[1,0]]", GRID, False),
        ("[[0,1,1,0]]", GRID, False),
        ("[0, 1, 1, 0]", GRID, False),
        ("[[0, 1], [1], 0]", GRID, False),
        ("foo", GRID, False),
        ("7", GRID, False),
        ("[[1.5, -2]]", "[[1.5,-2]]", True),
        ("[[1.50, -2]]", "[[1.5,-2]]", False),
        ("[[1, 2], [3, 4]]", "[[1,2],[3,4]]", True),
        ("[[[1], [2]]]", "[[[1],[2]]]", True),
        ("[(1, 2)]", "[[1, 2]]", False),
        ("[['a', 'b'], ['c']]", '[["a", "b"], ["c"]]', True),
        ("foo", '[["a", "b"], ["c"]]', False),
        ("Zed", '{"number": "", "spans": ["Bob", "Al"]}', False),
    ],
)
def test_the_whole_or_nothing_of_a_list_is_judged(response, truth, right):
    assert match(response, truth) == (float(right), None)


def test_a_list_that_is_the_answer_equals_itself():
    for response, truth in (("[1,2]", "[1, 2]"), ('["a", "b"]', "['a', 'b']"), (BACK, GRID), ("[ ]", "[]")):
        assert match(response, truth, several=False) == (1.0, None)
    for response, truth in (("1", "[1, 2]"), ("a", "['a', 'b']"), ("['a']", "['a', 'b']"), ("0", GRID), ("x", "[]")):
        assert match(response, truth, several=False) == (0.0, None)


def test_several_says_that_parts_are_alternatives():
    assert match("True", "[True, False]", several=True) == match("[1, 0]", GRID, several=True) == (1.0, None)
    assert match("[0, 0]", GRID, several=True) == match("x", "[True, False]", several=True) == (0.0, None)


def test_a_date_of_drop_is_an_answer():
    date = '{"number": "", "date": {"day": "%s", "month": "%s", "year": "%s"}, "spans": []}'
    for response in ("3 May 1999", "3 may 1999.", "May 3, 1999", "May 3 1999"):
        assert match(response, date % ("3", "May", "1999")) == (1.0, None)
    for response in ("3 May 1998", "May 1999", "1999", "3"):
        assert match(response, date % ("3", "May", "1999")) == (0.0, None)
    assert match("May 1999", date % ("", "May", "1999")) == match("1999", date % ("", "", "1999")) == (1.0, None)
    assert match("May 3", date % ("3", "May", "")) == (1.0, None)
    assert match("x", date % ("", "", "")) == (None, "ground_truth holds no answer")


@pytest.mark.parametrize(
    ("response", "truth", "verdict"),
    [
        ("x", "[" * 3000 + "]" * 3000, 0.0),
        ("(1, 2)", "(1, 2)", 1.0),
        ("[{'a': 1}]", "[1, 2]", 0.0),
        ("array(1)", "[1, 2]", 0.0),
        ("[1, 2", "[1, 2]", 0.0),
        ("x", '{"answers": [{"foo": 1}]}', 0.0),
        ('{"answers": [{"foo": 1}]}', '{"answers": [{"foo": 1}]}', 1.0),
        ("a", '[["a", {"b": 1}], ["c", {"d": 2}]]', None),
    ],
)
def test_texts_that_are_hardly_lists_of_answers(response, truth, verdict):
    assert match(response, truth)[0] == verdict
