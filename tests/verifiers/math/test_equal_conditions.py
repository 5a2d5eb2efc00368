"""Functions by pieces, systems, inequalities, sequences with dots: which are equal, which differ, which are unsure."""

from tests.verifiers.math.verdict_lines import judged_otherwise, judged_right

SAME = r"""
\begin{cases}1&x>0\\2&x<0\end{cases} | \begin{cases}2&x<0\\1&x>0\end{cases}
\begin{cases}1,&x>0\\2,&x<0\end{cases} | \begin{cases}1&\text{if }x>0\\2&\text{if }x<0\end{cases}
\begin{cases}1&x>0\\2&\text{otherwise}\end{cases} | \begin{cases}1 \text{ if } x>0\\2 \text{ otherwise}\end{cases}
f(x)=\begin{cases}1&x>0\\2&x<0\end{cases} | \begin{cases}1&x>0\\2&x<0\end{cases}
\begin{aligned}x&=1\\y&=2\end{aligned} | x=1,y=2
\begin{array}{rcl}x&=&1\\y&=&2\end{array} | x=1,y=2
\begin{cases}x+y&=3\\x&-y=1\end{cases} | \begin{cases}x+y=3\\x-y=1\end{cases}
\begin{cases}x=1\\y=2\end{cases} | (1,2)
(1,2) | \begin{cases}x=1\\y=2\end{cases}
|x|<1 | -1<x<1
(-1,1) | |x|<1
a<b<c | c>b>a
a\le b<c | c>b\ge a
x\neq1,2 | x\neq2,1
x\neq 1, x\neq 2 | x\neq 2, 1
\begin{pmatrix}1&2\\3&4\end{pmatrix} | [[1,2],[3,4]]
[[1,2],[3,4]] | \begin{pmatrix}1&2\\3&4\end{pmatrix}
\{1,2,\ldots,10\} | \{1,2,\dots,10.0\}
\begin{pmatrix}1&2\end{pmatrix} | [[1,2]]
x=1,y=2 | 1,2
\angle ABC | \angle CBA
\triangle ABC | \triangle CBA
Monday | Mon
Sept | September
"""
DIFFERENT = r"""
\begin{cases}1&x>0\\2&x<0\end{cases} | \begin{cases}2&x>0\\1&x<0\end{cases}
f(x)=\begin{cases}1,&x>0\\2,&x<0\end{cases} | f(x)=\begin{cases}2,&x>0\\1,&x<0\end{cases}
\begin{cases}x&x>0\\-x&x\le0\end{cases} | x
\begin{cases}1&n\text{ even}\\2&n\text{ odd}\end{cases} | \begin{cases}2&n\text{ even}\\1&n\text{ odd}\end{cases}
\begin{cases}x=1\\y=2\end{cases} | (2,1)
|x|<1 | -2<x<2
a<b<c | a<c<b
a<b\le c | a\le b<c
x\neq1,2 | x\neq1,3
\begin{pmatrix}1&2\\3&4\end{pmatrix} | [[1,3],[2,4]]
\{1,2,\ldots,10\} | \{1,2,\ldots,11\}
\{1,2,\ldots,10\} | \{1,10\}
1,3,\ldots | 1,2,\ldots
Monday | Tue
"""
UNSURE = r"""
\begin{cases}x&x>0\\-x&x\le0\end{cases} | |x|
|x| | \begin{cases}x&x>0\\-x&x\le0\end{cases}
\begin{cases}1&n\text{ even}\\-1&n\text{ odd}\end{cases} | (-1)^n
\begin{cases}x&x>0\\-x&x\le0\end{cases} | \begin{cases}x&x\ge0\\-x&x<0\end{cases}
\begin{cases}y=2\\x=1\end{cases} | (1,2)
x^2<1 | -1<x<1
[0,1) | x\ge0 \text{ and } x<1
\{1,2,\ldots,10\} | \{1,2,3,\ldots,10\}
1,2,3,\dots | 1,2,3,4,\dots
1,2,\ldots,5 | 1,2,3,4,5
"""
NEVER = r"""
\begin{cases}x=1&y=2\\x=3&y=4\end{cases} | \begin{cases}x=1&y=4\\x=3&y=2\end{cases}
\begin{cases}x=1\\y=2\end{cases} | \{1,2\}
\angle ABC | \angle ACB
\begin{cases}1&\text{otherwise}\\2&x<0\end{cases} | \begin{cases}2&\text{otherwise}\\1&x<0\end{cases}
[0,1) | x\ge0 \text{ and } x<2
"""


def test_equal_conditions():
    assert judged_otherwise(SAME, 1.0) == []


def test_different_conditions():
    assert judged_otherwise(DIFFERENT, 0.0) == []
    assert judged_right(NEVER) == []


def test_conditions_in_other_forms_are_null():
    assert judged_otherwise(UNSURE, None) == []
