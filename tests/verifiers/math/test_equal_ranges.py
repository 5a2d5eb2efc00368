"""Ranges, scores and numbers with hyphens are no subtractions; spaces between equations are no part of one."""

from tests.verifiers.math.verdict_lines import judged_otherwise

SAME = r"""
5-10 | 5 - 10
5-10 | 5–10
5-10 | 5 \text{ to } 10
2-3 \text{ weeks} | 2-3
1914-1918 | 1914--1918
\$5-\$10 | $5 - $10
2-1/2 | 1.5
2 | 3-1=2
5-2i | -2i+5
2^{3-1} | 4
(3-1, 4) | (2, 4)
1-3, 5-7 | 5-7, 1-3
5 \pm 2 | 3, 7
x=1 \quad y=2 | x=1, y=2
x=1,\qquad y=2 | y=2 \text{ and } x=1
x=1 \\ y=2 | x=1, y=2
y=\frac{cx^2}{1-cx} \quad y=-x | y=\frac{cx^2}{1-cx}, y=-x
x=1 \quad \text{or} \quad x=2 | 1, 2
(x,y)=(1,2) | (1,2)
x = 5 m = 500 cm | 500 cm
t = 2 \text{ hours} = 120 \text{ minutes} | 2 \text{ hours}
A = \frac{1}{2} b h = 6 | 6
\begin{pmatrix}1\\2\end{pmatrix} | (1,2)
"""
DIFFERENT = r"""
5-10 | 10-15
(5-10) | (10-15)
2-3 weeks | 4-5 weeks
1914-1918 | 1939-1943
555-1234 | 556-1235
10-20\% | 30-40\%
1,000-2,000 | 2,000-3,000
1-3, 5-7 | 2-4, 6-8
5-10 | 7
5-10 | 10
x=1 \quad y=2 | x=5 \quad y=2
x=1 \\ y=2 | x=5 \\ y=2
y=\frac{cx^2}{1-cx} \quad y=-x | y=-x
"""
UNSURE = r"""
2-1 | 3-2
16-9 | 17-10
5-10 minutes | -5 minutes
1/2/3 | 1/6
123-45-6789 | 124-45-6790
5-10 | -5
3-2 | 1
5-10 | [5,10]
x=1 \; y=2 | x=5 \; y=2
x=1~y=2 | x=5~y=2
x=1 y=2 | x=5 y=2
A=1\ B=2 | A=5\ B=2
x=1 y_1=2 | x=5 y_1=2
y=2x y=3 | y=4x y=3
(x,y,z)=(-1,-1,2) | (x,z)=(-1,-1,2)
"""


def test_equal_ranges():
    assert judged_otherwise(SAME, 1.0) == []


def test_different_ranges():
    assert judged_otherwise(DIFFERENT, 0.0) == []


def test_ranges_that_cannot_be_judged_are_null():
    assert judged_otherwise(UNSURE, None) == []
