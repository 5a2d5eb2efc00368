"""The names of numpy that EvalPlus's tests use are there for them; tests that need more of it can't be run."""

import ast
import shutil

import pytest

from curate.verifiers.sandbox import numpy_parts
from curate.verifiers.sandbox.numpy_parts import allclose, array_equal, isclose, suffices
from tests.sandboxed import checks

needs_bwrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
ASSERTION = (
    "import numpy as np\n"
    "def assertion(out, exp, atol):\n"
    "    if atol == 0 and isinstance(exp, (float, np.ndarray)): atol = 1e-6\n"
    "    if out != exp and atol != 0:\n"
    "        assert np.allclose(out, exp, rtol=1e-07, atol=atol)\n"
    "    else:\n"
    "        assert out == exp\n"
)
HALF = "def f(x):\n    return x / 2"


@needs_bwrap
def test_tests_compare_by_allclose():
    assert checks(HALF, ["assertion(f(3), 1.5000000001, 0)", "assertion(f(3), 1.6, 0)"], ASSERTION) == [
        None,
        "AssertionError",
    ]


@needs_bwrap
def test_other_names_of_numpy_are_missing():
    assert "numpy" in checks(HALF, ["assert f(np.array([2]))"], "import numpy as np")
    assert "numpy" in checks(HALF, ["assert f(2) == 1"], "import numpy as np\nx = np.allclose(1, 1), np.array")


@pytest.mark.parametrize(
    ("text", "enough"),
    [
        ("import numpy as np\nnp.allclose(1, 2)", True),
        ("from numpy import isclose", True),
        ("import numpy\nnumpy.inf", True),
        ("import numpy as np", False),
        ("import numpy as np\nnp.array([1])", False),
        ("from numpy.linalg import norm", False),
        ("import numpy.linalg\nnumpy.linalg", False),
        ("x = 1", False),
    ],
)
def test_what_tests_use_of_numpy_is_known_ahead(text, enough):
    assert suffices([ast.parse(text)]) is enough
    assert all(hasattr(numpy_parts, name) for name in numpy_parts.NAMES)


@pytest.mark.parametrize(
    ("found", "expected", "close"),
    [
        (1.0, 1.0 + 1e-9, True),
        (1, 2, False),
        ([1.0, 2.0], (1.0, 2.0 + 1e-9), True),
        ([[1.0], [2.0]], [[1.0], [3.0]], False),
        ([1.0, 1.0], 1.0, True),
        (float("inf"), float("inf"), True),
        (float("inf"), 1.0, False),
        (1.0, float("inf"), False),
        (float("nan"), float("nan"), False),
        (1 + 1j, 1 + 1j, True),
        ([], [], True),
    ],
)
def test_close_is_what_it_is_in_numpy(found, expected, close):
    assert allclose(found, expected) is close


def test_other_values_are_not_compared():
    for found in ("1", None, object()):
        with pytest.raises(TypeError):
            isclose(found, 1.0)
    with pytest.raises(ValueError, match="shapes"):
        allclose([1.0], [1.0, 2.0])
    assert array_equal([1, [2]], (1, [2])) and not array_equal([1], [1, 2]) and not array_equal([1], 1)
