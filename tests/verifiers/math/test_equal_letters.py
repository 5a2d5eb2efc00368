"""Degree signs inside expressions, and letters that may be units or variables."""

from tests.verifiers.math.verdict_lines import judged_otherwise

SAME = r"""
1 | \tan 45^\circ
\frac12 | \cos 60^\circ
\sin 80^\circ | \cos 10^\circ
2-\sqrt3 | \tan 15^\circ
60^\circ+30^\circ | 90^\circ
180^\circ-60^\circ | 120
\frac{4}{\sqrt3}\sin^2 80^\circ | \frac{4}{\sqrt3}\cos^2 10^\circ
\cos 60 \text{ degrees} | \frac{1}{2}
\frac{360}{7}^\circ | \frac{360}{7}
90^\circ-\alpha | \frac{\pi}{2}-\alpha
"""
DIFFERENT = r"""
\tan 45^\circ | 45
60^\circ+30^\circ | 60
\sin 80^\circ | \cos 20^\circ
"""
UNSURE = r"""
2\cos 20^\circ | 2\cos 20
(90-\alpha)^\circ | 90^\circ-\alpha
"""


def test_equal_letters():
    assert judged_otherwise(SAME, 1.0) == []


def test_different_letters():
    assert judged_otherwise(DIFFERENT, 0.0) == []


def test_letters_that_cannot_be_judged_are_null():
    assert judged_otherwise(UNSURE, None) == []
