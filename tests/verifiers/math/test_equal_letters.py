"""Degree signs inside expressions, letters that may be units or variables, and remainders."""

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
20t | 20 t
-9.8 t | -9.8t
3t | 3\cdot t
4s^2 | (2s)^2
y = 9.8 t | y = 9.8t
m | 1\cdot m
a/b | 1\cdot(a/b)
1 m | 100 cm
2 h | 120 min
5 | 5 m
15 | 15 m^2
10 m/s | 10
5 \text{ t} | 5
12 V | 12 volts
12 \text{ units}^2 | 12
12 \text{ units}^2 | 12 square units
3 \pmod 7 | 10 \pmod{7}
3 \pmod 7 | 3 (mod 7)
x \equiv 3 \pmod 7 | 3 \pmod 7
(1,2) \bigcup (3,4) | (1,2)\cup(3,4)
"""
DIFFERENT = r"""
\tan 45^\circ | 45
60^\circ+30^\circ | 60
\sin 80^\circ | \cos 20^\circ
9.8 t | 9.7
20 t | 20t^2
5 m | 50 cm
3 \pmod 7 | 4 \pmod 7
3 \pmod 7 | 3 \pmod 8
"""
UNSURE = r"""
2\cos 20^\circ | 2\cos 20
(90-\alpha)^\circ | 90^\circ-\alpha
9.8 t | 9.8
9.8 | 9.8 t
16t^2 | 16
4m^2 | 4
12m^2n | 12nm^2
5am | 5ma
5m | 500 cm
3 \pmod 7 | 3
"""


def test_equal_letters():
    assert judged_otherwise(SAME, 1.0) == []


def test_different_letters():
    assert judged_otherwise(DIFFERENT, 0.0) == []


def test_letters_that_cannot_be_judged_are_null():
    assert judged_otherwise(UNSURE, None) == []
