"""Matrices, systems, sets, intervals, lists and relations: which are equal, which differ, which are not judged."""

from tests.verifiers.math.verdict_lines import judged_otherwise

SAME = r"""
\begin{pmatrix} 1 \\ 2 \end{pmatrix} | \begin{pmatrix}1\\2\end{pmatrix}
\begin{bmatrix} 1 \\ 2 \end{bmatrix} | \begin{pmatrix}1\\[4pt]2\end{pmatrix}
\begin{cases} x = 1 \\ y = 2 \end{cases} | x=1, y=2
\begin{cases} x = 1 \\ y = 2 \end{cases} | y=2 \text{ and } x=1
1,234,567 | 1234567
1.234,56 | 1234.56
1 234,56 | 1234.56
1,23,456 | 123456
\{1,2\} | \{2,1\}
1, 2 | 2, 1
x=1 \text{ or } x=2 | 1, 2
x=1 or x=2 | x = 2, x = 1
x = 1, 2 | 1 and 2
x \in [-2,7] | [-2,7]
-2 \le x \le 7 | [-2,7]
x > 2 | (2,\infty)
x<1 \text{ or } x>2 | (-\infty,1) \cup (2,\infty)
(2,12) \cup (12,102) | (12,102)\cup(2,12)
1 \pm \sqrt{19} | 1+\sqrt{19}, 1-\sqrt{19}
\{1\pm\sqrt{5},-2\} | \{-2, 1+\sqrt5, 1-\sqrt5\}
y = 2x+1 | 2x - y + 1 = 0
y = 2x+1 | y - 1 = 2x
y = 2x+1 | 2x+1
xy = 1 | y = 1/x
x = 3 | 3
\emptyset | \varnothing
\infty | infinity
f(x) = 2x | 2x
(3, \frac{\pi}{2}) | \left( 3, \frac{\pi}{2} \right)
5 million | 5,000,000
5/14/2020 | May 14, 2020
(A), (C) | A and C
2k\pi, k \in \mathbb{Z} | 2\pi k, k\in\mathbb Z
5x+3y-1>0 | 5x+3y>1
\langle 1,2\rangle | (1,2)
\begin{pmatrix}1\\2\end{pmatrix} | (1,2)
\begin{array}{cc}1&2\\3&4\end{array} | \begin{pmatrix}1&2\\3&4\end{pmatrix}
\left[\begin{array}{cc}1&2\\3&4\end{array}\right] | \begin{pmatrix}1&2\\3&4\end{pmatrix}
(5, 7) | x=5, y=7
(x,y)=(5,7) | (5,7)
\$1.5 million | 1,500,000
x = 5 \text{ or } 6 | 6, 5
x>2 | 2<x
x > 2 | 2x > 4
\mathbb{R} | (-\infty, \infty)
x \ne 0 | x\neq 0
\{x : x>2\} | x > 2
\{1\} | 1
(1, 2), (3, 4) | (3,4), (1,2)
y=3x | 3x = y
x^2+y^2=1 | y^2 = 1-x^2
\frac{x^2}{4}+y^2=1 | x^2+4y^2=4
x = \frac{40}{3} \approx 13.33 | \frac{40}{3}
\left[0,\pi\right]\cup(4,5)\cup(6,7) | ([0,\pi]\cup(4,5))\cup(6,7)
f(x) = \frac{1}{x} | f{\left(x \right)} = \frac{1}{x}
3.5 | three and a half
July 4, 1776 | 4 July 1776
\vec{v} = (1,2) | (1,2)
+\infty | \infty
\text{(A) and (B)} | A, B
3 \text{ and } 4 | 4, 3
p = 3, q = 4 | q=4, p=3
2x + 3y = 6 | 4x+6y=12
0 < x < 1 | (0,1)
0 < x < 1 | 1 > x > 0
x\ge 1 | [1,\infty)
x \geq 1 | x \geqslant 1
2+3=5 | 5
5 | 2+3=5
12,34,567 | 1234567
$x = \frac{1}{2}$ | 0.5
C_n = 2n | 2n
AB = 5 | 5
\angle ABC = 30^\circ | 30
f(2) = 5 | 5
f(x) = x^2 | f(t) = t^2
\begin{pmatrix}1&0\\0&1\end{pmatrix} | \begin{pmatrix}1.0&0\\0&\frac{2}{2}\end{pmatrix}
\begin{pmatrix}\sqrt{4}\\1\end{pmatrix} | \begin{pmatrix}2\\1\end{pmatrix}
"""
DIFFERENT = r"""
\begin{pmatrix} 2 \\ 1 \end{pmatrix} | \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{pmatrix} 1 \\ 2 \end{pmatrix} | 2
\begin{cases} x = 1 \\ y = 2 \end{cases} | \begin{cases} x = 7 \\ y = 2 \end{cases}
between 3 and 7 | 7
(1,2) | (2,1)
(1,2] | [1,2]
y = 2x+1 | y = 2x+2
x^2+y^2=4 | x^2+y^2=5
x=3 | y=3
-\infty | \infty
\mathbb{R} \setminus \{0\} | \mathbb R\setminus\{1\}
x^2 = 4 | x = 2
5x+3y-1>0 | 5x+3y<1
[1,2] | 1,2
5 or 6 | 5
x>2 | x \ge 2
x>2 | y>2
1,2,3 | 123
A, B | A and C
x \ne 0 | x \ne 1
x=1,y=2 | x=2,y=1
(1, 2), (3, 4) | (2,1), (3,4)
y=3x | y=-3x
\frac{x^2}{4}+y^2=1 | x^2+4y^2=1
1,080 | 1,08
3,600 | 3.6
\infty | -\infty
2x + 3y = 6 | 4x+6y=13
0 < x < 1 | 0 < y < 1
5 | 2+4=5
f(x) = x^2 | f(x) = x^3
\begin{pmatrix}x\\y\end{pmatrix} | \begin{pmatrix}y\\x\end{pmatrix}
\begin{pmatrix}1\\2\end{pmatrix} | \begin{pmatrix}1&2\end{pmatrix}
\begin{vmatrix}1&2\\3&4\end{vmatrix} | \begin{pmatrix}1&2\\3&4\end{pmatrix}
"""
UNSURE = r"""
3.5 | 3,5
\begin{vmatrix}1&2\\3&4\end{vmatrix} | -2
1,234 | (1,234)
1,234 | 1, 234
3 | 3\text{ (since }x>0)
no solution | \emptyset
5 | 5 \text{ or more}
(-\infty, 0) \cup (0, \infty) | x \neq 0
x = \frac{40}{3} \approx 13.33 | 13.33
0,5 | 0.5
July 4 | July 4, 1776
Pr(X=1) | Pr(X=2)
"""


def test_equal_parts():
    assert judged_otherwise(SAME, 1.0) == []


def test_different_parts():
    assert judged_otherwise(DIFFERENT, 0.0) == []


def test_parts_that_cannot_be_judged_are_null():
    assert judged_otherwise(UNSURE, None) == []
