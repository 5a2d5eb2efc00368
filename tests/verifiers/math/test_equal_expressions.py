"""Expressions and equations of which small values, few digits or one variable do not tell whether they are equal."""

from tests.verifiers.math.verdict_lines import judged_otherwise

SAME = r"""
2+3=5 | 5=2+3
2<3 | 3>2
\sqrt{x^2-2x+1} | |x-1|
\max(x,100) | \max(100,x)
\sqrt{2^n} | 2^{n/2}
y=\sqrt{2^n} | y=2^{n/2}
\lfloor x+1\rfloor | \lfloor x\rfloor+1
\lfloor 0.1n\rfloor | \lfloor n/10\rfloor
\frac{\sqrt{4009}}{2^{2004}} | \frac{\sqrt{4009}}{2^{2004}}+3-3
\sqrt{2^{2000}+1} | \sqrt{1+2^{2000}}
(\sqrt2+1)^{1000} | (3+2\sqrt2)^{500}
0 | \sqrt{2}\sqrt{3}-\sqrt{6}
\sqrt{x^{20}+1}-x^{10} | \frac{1}{\sqrt{x^{20}+1}+x^{10}}
(x+1)^{10000}\sqrt2 | \sqrt2(1+x)^{10000}
x(y-2)=0 | 2xy=4x
xy=1 | y=\frac{1}{x}
\frac{x}{y}=2 | x=2y
\frac{y-1}{x}=2 | y-1=2x
n(n-1) | n^2-n
x(2)^2+1 | 1+x(2)^2
P(x)=x^2+1 | P(y)=y^2+1
"""
DIFFERENT = r"""
y=|x-10| | y=10-x
|x-10| | 10-x
|x-10000| | 10000-x
\max(x,100) | 100
\sqrt{(x-7)^2} | 7-x
\lfloor n/100\rfloor | \lfloor n/101\rfloor
\lceil n/10\rceil | \lceil n/20\rceil
\lfloor\frac{2n-1}{5}\rfloor | \frac{1}{\lfloor\frac{2n-1}{5}\rfloor}
\arcsin(\sin\frac{x}{10}) | \frac{x}{10}
|x-50|<1 | 50-x<1
2^{1006}\sqrt{2^{2010}+2}-2^{2011} | 0
\sqrt{10^{200}+1}-10^{100} | 0
\sqrt{2^{500}+1} | 2^{250}
\sqrt{\frac{2^{2009}-1}{3\cdot2^{2008}-1}} | \sqrt{\frac{2^{2009}-2}{3\cdot2^{2008}-1}}
\sqrt{2}+10^{-200} | \sqrt{2}
(\sqrt{2}-1)^{1000}+1 | 1
x(y-2)=0 | x(y-3)=0
(x-1)(y-2)=0 | (x-1)(y-3)=0
ab=0 | a=0
a(b-c)=0 | a(b+c)=0
(x-y)(z^2-1)=0 | x=y
f(0)-1=0 | 2f(0)-1=0
I(0) | 0
I(0)e^{-\frac{t}{RC}} | I(0)x^{-\frac{t}{RC}}
N(0)2^{t/5} | N(0)3^{t/5}
y(t)=y(0)e^{-t} | y(t)=0
x(2) | 3x
"""
UNSURE = r"""
\log_2(32)=5 | 7^{\log_7(3)}=3
20\cos(\frac{\pi}{6})200=3464.1 | 40\cos(\frac{20}{180}\pi)100=3758.8
\log_6(216)=3 | \log_5(216)=3
\cos(\pi)=-1, \sin(\pi)=0 | \cos(\pi)=-1, \cos(\pi)=0
1=2 | 3=4
\sqrt{2}<2 | \sqrt{3}<2
|x+20| | x+20
\ln(x^3) | 3\ln x
k(x^2+1)=0 | k=0
P(1)+P(2) | P(3)
E(2X) | 2E(X)
E(X^2)-E(X)^2 | 0
E[X^2]-E[X]^2 | 0
\frac{A(4)}{A(2)} | 2
x(2)-x(1) | x
"""


def test_equal_expressions():
    assert judged_otherwise(SAME, 1.0) == []


def test_different_expressions():
    assert judged_otherwise(DIFFERENT, 0.0) == []


def test_expressions_that_cannot_be_judged_are_null():
    assert judged_otherwise(UNSURE, None) == []
