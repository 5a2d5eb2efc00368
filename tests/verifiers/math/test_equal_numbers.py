"""Numbers, units, money, dates and expressions: which are equal, which differ, which are not judged."""

from tests.verifiers.math.verdict_lines import judged_otherwise

SAME = r"""
May 14 | 14 May
May 14 | 14th of May
12 | \text{12 cm}
42 | B. 42
1011_2 | 1011_{2}
1011_2 | 1011_{\text{two}}
2 \text{ hours } 30 \text{ minutes} | 150 minutes
2 \text{ hours } 30 \text{ minutes} | 2.5 hours
3 \text{ feet } 5 \text{ inches} | 41 inches
1 m | 100 cm
50 | 50\%
0.5 | 50\%
50% | 0.5
\$5 | 5
\$5 | 5 dollars
\$5 | $5
\$0.50 | 50 cents
11,\!111 | 11111
11,\! 111,\! 111 | 11111111
三百二十 | 320
١٢٣ | 123
１２ | 12
2\frac{1}{2} | 2.5
2\frac{1}{2} | \frac{5}{2}
2 1/2 | 5/2
5½ | 5.5
5² | 25
1.5 \times 10^3 | 1500
1.5e3 | 1500
90^\circ | 90
90^\circ | 90 degrees
90^\circ | \frac{\pi}{2}
3:30 pm | 15:30
3:4 | 6:8
\frac{1}{2} | 0.5
(x+1)^2 | x^2+2x+1
2\sqrt{2} | \sqrt{8}
6 | 3!
864 \mbox{ inches}^2 | 864
864 \mbox{ inches}^2 | 864 square inches
15\mbox{ cm}^2 | 15 cm^2
5.4 \text{ cents} | 5.4
\frac{270}7\text{ degrees} | \frac{270}{7}
\$32,\!348 | 32348
\$18.90 | 18.9
10,\!080 | 10080
137 \frac{1}{2} | 137.5
6 - 5i | -5i+6
\frac13 | 0.333333
18 | 18 dollars per day
12 apples | 12
60 mph | 60 miles per hour
5 m/s | 18 km/h
x^{10}+1 | 1+x^{10}
\sin^2 x + \cos^2 x | 1
\log_2 8 | 3
\frac{\pi}{3} | 60^\circ
x^5 - x^4 + x^3 - x^2 + x - 1 | (x-1)(x^4+x^2+1)
9^{9^9} | 9^{9^{9}}
0.\overline{3} | \frac{1}{3}
2020-05-14 | 14 May 2020
\sqrt{3} | √3
12 | √144
e^{x} | \exp(x)
\overrightarrow{AB} | \overrightarrow{AB}
12 | 12.0
\frac{x}{2} | 0.5x
10:00 a.m. | 10:00 am
10:00 a.m. | 10 AM
12 | twelve apples
5'3" | 63 inches
\frac{3}{4} | 3/4
\frac 34 | .75
8\% | 0.08
\log_{10} 100 | 2
\frac{x}{2} | 1/2x
12.5\% | \frac{1}{8}
33\frac{1}{3}\% | \frac{1}{3}
20^\circ C | 20
20 °C | 20^\circ\text{C}
5 cm^2 | 5 \text{ square centimeters}
1/3 | 0.3333333
1/3 | 0.3333334
0.3333 | 1/3
2.5 | 5/2
-\frac{1}{2} | \frac{-1}{2}
-\frac{1}{2} | \frac{1}{-2}
\frac{a}{b} | a/b
a^2+2ab+b^2 | (a+b)^2
x_1 + x_2 | x_2+x_1
\sqrt[3]{8} | 2
\sqrt[3]{-8} | -2
8^{1/3} | 2
\left|x-1\right| | |1-x|
e^{i\pi} | -1
\frac{1+i}{2} | \frac12+\frac{i}{2}
\cos(2x) | 2\cos^2 x - 1
\cos 2x | 1-2\sin^2x
\tan^{-1}(1) | \frac{\pi}{4}
\arctan 1 | 45^\circ
n! | n(n-1)!
\binom{n}{2} | \frac{n(n-1)}{2}
2^{n}-1 | 2^n - 1
100 | 10^2
1000000 | 10^6
3.0 \times 10^8 \text{ m/s} | 3e8 m/s
3.0 \times 10^8 \text{ m/s} | 3.0 \times 10^8
Yes | \text{yes}
\text{A, B} | \text{B, A}
1 \text{ hour} | 60 \text{ minutes}
1 \text{ hour} | 1
1.5 hours | 1 hour 30 minutes
90 | 90 minutes
12/5 | 2 2/5
2-1/2 | 1.5
-2\frac12 | -2.5
0.1 + 0.2 | 0.3
1{,}234 | 1234
\frac{40}{3} \approx 13.33 | \frac{40}{3}
x \approx 3.14 | 3.14
\frac{40}{3} | \frac{40}{3} \approx 13.33
-\frac{\ln 2}{\ln 5} | -\frac{\log 2}{\log 5}
x^{1/3} | \sqrt[3]{x}
x^{2/3} | \sqrt[3]{x^2}
(-8)^{1/3} | -2
\$18 | 18 dollars per day
1~234 | 1234
3 \cdot 10^{-5} | 0.00003
7:00 PM | 7 pm
Monday, July 4 | July 4
1st | 1
\text{100 km/h} | 100 \text{ km/hr}
\text{E} | E
42^{\circ} | 42
\$5.00 | 5
5 \text{ dollars} | \$5
€5 | 5 euros
50¢ | 0.50 dollars
FF_{16} | ff_{16}
2\pi r | 2r\pi
\lceil 2.1 \rceil | 3
π/2 | \frac{\pi}{2}
x^{2}y | x^2 y
1.234.567 | 1234567
1٬234٫5 | 1234.5
一百二十三 | 123
3万 | 30000
百分之五十 | 50\%
二分之一 | 0.5
\approx 3.14 | 3.14
5. | 5
**5** | 5
\(5\) | 5
\[ 5 \] | 5
\boxed{5} | 5
5\sqrt{2} cm | 5\sqrt{2}
"""
DIFFERENT = r"""
\text{May 14} | \text{May 15}
42 | B. 43
\frac{1}{2^{99}} | \frac{1}{2^{98}}
10^{-21} | 10^{-20}
12_{10} | 12_8
1011_3 | 1011_2
0.00002 | 0.00001
2 \text{ hours } 30 \text{ minutes} | 30
3 \text{ feet } 5 \text{ inches} | 5
5 \text{ miles south} | 5 \text{ miles north}
5 cm | 5 m
51 | 50\%
\$5 | €5
2\frac{1}{2} | 1
a | b
a | A
3:30 pm | 3:30 am
3:4 | 4:3
(x+1)^2 | x^2+2x+2
5 | 5x
5 | 5\pi
5 | 5 pi
3.14 | \pi
\frac13 | 0.33
60 km/h | 60 miles per hour
-5 | 5
x+C | x+D
\triangle ABC | \triangle ABD
20^\circ C | 20^\circ F
5 cm | 5 cm^2
12 am | 12 pm
1/3 | 0.333335
0.33 | 1/3
(a+b)^2 | a^2+b^2
x_1 | x_2
100 | 100!
yes | no
2-1/2 | 2 1/2
\frac{40}{3} | \frac{41}{3} \approx 13.67
60 km | 60 miles per hour
60 miles per hour | 60 miles
€5 | \$5
1011_2 | 1011_{10}
52_8 | 17
\overline{AB} | \overline{AC}
\mathbf{v} | \mathbf{w}
12:30 | 12.5
5 \sqrt{2}\text{ cm} | 5\sqrt{3}\text{ cm}
"""
UNSURE = r"""
1011_2 | 11
3:30 | 3:30 pm
AB | BA
9^{9^9} | 1
\int_0^1 x dx | 1/2
\log 2 | \ln 2
\log 100 | 2
\frac{1}{2x} | 1/2x
(-1)^n | \cos(n\pi)
5 \text{ apples} | 5 \text{ oranges}
5 | not 5
1 \text{ hour } 30 \text{ minutes} | 90
1011_2 | 1011
52_8 | 42
2 \text{ to } 3 | 2:3
"""


def test_equal_numbers():
    assert judged_otherwise(SAME, 1.0) == []


def test_different_numbers():
    assert judged_otherwise(DIFFERENT, 0.0) == []


def test_numbers_that_cannot_be_judged_are_null():
    assert judged_otherwise(UNSURE, None) == []
