"""Hypothesis strategies of answers: for each kind a value, and the ways in which people write it."""

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from hypothesis import strategies as st

NAMES = "Ada Bela Chandra Dmitri Evelyn Farid Grace Hiro Ines Jonas Kwame Li Maria Navin Olga Pedro".split()
WORDS = "even odd ellipse parabola east north red blue Monday Friday undefined hyperbola isosceles".split()
MONTHS = "January February March April May June July August September October November December".split()
LENGTHS = {"mm": Fraction(1, 1000), "cm": Fraction(1, 100), "m": Fraction(1), "km": Fraction(1000)}
SIGNS = {"$": "dollars", "€": "euros", "£": "pounds sterling", "¥": "yen"}


class Made(NamedTuple):
    """A value, which tells two answers of a kind apart, and some of its spellings."""

    value: object
    spellings: list[str]


def kind(values: st.SearchStrategy, spell: Callable[..., list[str]], value: Callable[..., object] = lambda made: made):
    """Make the strategy of a kind: ``spell`` writes a drawn value, ``value`` returns what is compared of it."""
    return values.map(lambda made: Made(value(made), spell(made)))


def integer(value: int) -> list[str]:
    plain, grouped = str(value), f"{value:,}"
    latex = grouped.replace(",", ",\\!")
    return [
        plain,
        grouped,
        latex,
        f"{plain}.",
        f"{plain}.0",
        f"${plain}$",
        f"\\boxed{{{plain}}}",
        f"\\text{{{plain}}}",
        f"**{plain}**",
    ]


def digits(value: int) -> list[str]:
    """The digits of other scripts."""
    return [str(value), *("".join(chr(zero + int(digit)) for digit in str(value)) for zero in (0xFF10, 0x660, 0x966))]


def thousands(made: tuple[int, int]) -> list[str]:
    whole, part = made
    english = f"{whole:,}.{part:02}"
    dots, spaces = english.replace(",", "_").replace(".", ",").replace("_", "."), english.replace(",", " ")
    return [f"{whole}.{part:02}", english, dots, spaces, spaces.replace(".", ","), english.replace(",", "'")]


def fraction(value: Fraction) -> list[str]:
    top, bottom = value.numerator, value.denominator
    if bottom == 1:
        return [str(top)]
    sign, size = ("-" if top < 0 else ""), abs(top)
    made = [
        f"{top}/{bottom}",
        f"{sign}\\frac{{{size}}}{{{bottom}}}",
        f"\\dfrac{{{top}}}{{{bottom}}}",
        f"{sign}\\tfrac {{{size}}} {{{bottom}}}",
    ]
    if size < 10 and bottom < 10:
        made += [f"{sign}\\frac{size}{bottom}", f"{sign}\\frac {size}{bottom}"]
    if size > bottom:
        made += [
            f"{sign}{size // bottom}\\frac{{{size % bottom}}}{{{bottom}}}",
            f"{sign}{size // bottom} {size % bottom}/{bottom}",
        ]
    return [*made, f"\\frac{{{2 * top}}}{{{2 * bottom}}}"]


def scientific(made: tuple[int, int, int]) -> list[str]:
    whole, part, power = made
    mantissa = f"{whole}.{part}"
    return [
        f"{mantissa} \\times 10^{{{power}}}",
        f"{mantissa}\\cdot 10^{{{power}}}",
        f"{mantissa}e{power}",
        f"{mantissa} × 10^{power}",
    ]


def money(made: tuple[str, int]) -> list[str]:
    sign, cents = made
    amount = f"{cents // 100}.{cents % 100:02}"
    latex = f"\\{sign}" if sign == "$" else sign
    return [f"{latex}{amount}", f"{latex} {amount}", f"{amount} {SIGNS[sign]}" if sign in "$€¥" else f"{latex}{amount}"]


def length(made: tuple[int, str]) -> list[str]:
    size, unit = made
    return [f"{size} {unit}", f"{size}\\text{{ {unit}}}", f"{size}~\\mathrm{{{unit}}}", f"{size} \\mbox{{ {unit}}}"]


def hours(minutes: int) -> list[str]:
    whole, rest = divmod(minutes, 60)
    return [
        f"{whole} \\text{{ hours }} {rest} \\text{{ minutes}}",
        f"{whole} hours {rest} minutes",
        f"{whole} h {rest} min",
        f"{minutes} minutes",
    ]


def date(made: tuple[int, int]) -> list[str]:
    month, day = made
    name = MONTHS[month]
    return [f"{name} {day}", f"{day} {name}", f"\\text{{{name} {day}}}", f"{name[:3]} {day}"]


def clock(minutes: int) -> list[str]:
    hour, minute = divmod(minutes, 60)
    half = "pm" if hour >= 12 else "am"
    twelve = (hour - 1) % 12 + 1
    whole_day = [] if 10 <= hour <= 12 else [f"{hour:02}:{minute:02}"]  # 10:30 may be in the evening
    return [*whole_day, f"{twelve}:{minute:02} {half}", f"\\text{{{twelve}:{minute:02} {half[0]}.m.}}"]


def matrix(rows: tuple[tuple[int, ...], ...]) -> list[str]:
    def written(name: str, row: str, cell: str, before: str = "") -> str:
        inside = row.join(cell.join(map(str, some)) for some in rows)
        return f"\\begin{{{name}}}{before}{inside}\\end{{{name}}}"

    bare = written("array", " \\\\ ", " & ", "{" + "c" * len(rows[0]) + "}")
    return [
        *(written(name, row, " & ") for name in ("pmatrix", "bmatrix") for row in (" \\\\ ", "\\\\[4pt]")),
        written("pmatrix", "\\\\", "&"),
        f"\\left[{bare}\\right]",
    ]


def system(made: tuple[int, int]) -> list[str]:
    x, y = made
    return [
        f"\\begin{{cases}} x = {x} \\\\ y = {y} \\end{{cases}}",
        f"\\left\\{{\\begin{{array}}{{l}} x={x} \\\\ y={y} \\end{{array}}\\right.",
        f"x={x}, y={y}",
        f"y = {y} \\text{{ and }} x = {x}",
    ]


def interval(made: tuple[int, int, bool, bool]) -> list[str]:
    low, width, left, right = made
    inside = f"{low}, {low + width}"
    less = ["<" if is_open else "\\le" for is_open in (left, right)]
    plain = f"{'(' if left else '['}{inside}{')' if right else ']'}"
    wide = f"\\left{plain[0]} {inside} \\right{plain[-1]}"
    return [plain, wide, f"x \\in {plain}", f"{low} {less[0]} x {less[1]} {low + width}"]


def union(made: tuple[int, int, int, int]) -> list[str]:
    start, one, gap, other = made
    left, right = f"({start},{start + one})", f"[{start + one + gap}, {start + one + gap + other})"
    return [f"{left} \\cup {right}", f"{right}\\cup{left}", f"x \\in {left} ∪ {right}"]


def several(values: frozenset[int]) -> list[str]:
    forward, back = sorted(values), sorted(values, reverse=True)
    return [f"\\{{{', '.join(map(str, some))}\\}}" for some in (forward, back)] + [", ".join(map(str, back))]


def point(values: tuple[int, ...]) -> list[str]:
    inside = ", ".join(map(str, values))
    return [f"({inside})", f"\\left({inside}\\right)", f"({inside.replace(' ', '')})", f"$({inside})$"]


def phrase(text: str) -> list[str]:
    return [text, f"\\text{{{text}}}", text.lower(), f"**{text}**", f"{text}.", f"\\boxed{{\\text{{{text}}}}}"]


def choice(letter: str) -> list[str]:
    marks = [
        "{}",
        "({})",
        "{}.",
        "\\text{{({})}}",
        "\\textbf{{({}) }} 42",
        "{}) 42",
        "{}. 42",
        "\\boxed{{{}}}",
        "**({})**",
    ]
    return [mark.format(letter) for mark in marks]


def surd(made: tuple[int, int, int]) -> list[str]:
    whole, times, under = made
    return [
        f"{whole} + {times}\\sqrt{{{under}}}",
        f"{times} \\sqrt {{{under}}}+{whole}",
        f"{whole}+{times}*sqrt({under})",
    ]


def line(made: tuple[int, int]) -> list[str]:
    slope, start = made
    return [
        f"y = {slope}x + {start}",
        f"{slope}x - y + {start} = 0",
        f"y - {start} = {slope} x",
        f"{2 * slope}x - 2y = -{2 * start}",
    ]


def polynomial(roots: tuple[int, int]) -> list[str]:
    one, other = sorted(roots)
    return [f"(x+{one})(x+{other})", f"x^2+{one + other}x+{one * other}", f"{one * other} + {one + other} x + x^{{2}}"]


def based(made: tuple[int, int]) -> list[str]:
    value, base = made
    text = ""
    while value:
        text, value = str(value % base) + text, value // base
    return [f"{text}_{base}", f"{text}_{{{base}}}", f"({text})_{{{base}}}", f"{text}_{{({base})}}"]


def tiny(power: int) -> list[str]:
    return [f"\\frac{{1}}{{2^{{{power}}}}}", f"2^{{-{power}}}", f"1/2^{power}"]


def ratio(made: tuple[int, int]) -> list[str]:
    return [f"{made[0]}:{made[1]}", f"{made[0]} : {made[1]}"]


def room(made: tuple[str, int]) -> list[str]:
    return phrase(f"{made[0]} {made[1]}")


def multiple(value: int) -> list[str]:
    return [f"{value}\\pi", f"{value} \\pi", f"\\pi \\cdot {value}", f"{value}π"]


small, size = st.integers(-99, 99), st.integers(1, 99)
KINDS: dict[str, st.SearchStrategy[Made]] = {
    "integer": kind(st.integers(-(10**9), 10**9), integer),
    "digits": kind(st.integers(0, 10**6), digits),
    "thousands": kind(st.tuples(st.integers(10**6, 10**8), st.integers(1, 99)), thousands),
    "fraction": kind(st.fractions(-20, 20, max_denominator=12), fraction),
    "scientific": kind(st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(-30, 30)), scientific),
    "tiny": kind(st.integers(50, 120), tiny),
    "percent": kind(st.integers(1, 10**4), lambda value: [f"{value}\\%", f"{value}%", f"{value} percent"]),
    "money": kind(st.tuples(st.sampled_from(list(SIGNS)), st.integers(1, 10**6)), money),
    "length": kind(st.tuples(size, st.sampled_from(list(LENGTHS))), length, lambda made: made[0] * LENGTHS[made[1]]),
    "hours": kind(st.integers(61, 600).filter(lambda minutes: minutes % 60), hours),
    "date": kind(st.tuples(st.integers(0, 11), st.integers(1, 28)), date),
    "clock": kind(st.integers(0, 1439), clock),
    "ratio": kind(st.tuples(st.integers(1, 24), st.integers(61, 99)), ratio, lambda made: Fraction(*made)),
    "based": kind(st.tuples(st.integers(40, 5000), st.integers(2, 9)), based),
    "matrix": kind(st.tuples(*[st.tuples(small, small)] * 2), matrix),
    "column": kind(st.tuples(*[st.tuples(small)] * 3), matrix),
    "system": kind(st.tuples(small, small), system),
    "interval": kind(st.tuples(small, size, st.booleans(), st.booleans()), interval),
    "union": kind(st.tuples(small, size, size, size), union),
    "set": kind(st.frozensets(small, min_size=2, max_size=5), several),
    "point": kind(st.tuples(small, small) | st.tuples(small, small, small), point),
    "name": kind(st.sampled_from(NAMES), phrase),
    "word": kind(st.sampled_from(WORDS), phrase),
    "room": kind(st.tuples(st.sampled_from(["Room", "Team", "Gate"]), size), room),
    "choice": kind(st.sampled_from("ABCDE"), choice),
    "surd": kind(st.tuples(size, size, st.sampled_from([2, 3, 5, 7, 11])), surd),
    "line": kind(st.tuples(size, size), line),
    "polynomial": kind(st.tuples(size, size).map(sorted).map(tuple), polynomial),
    "multiple of pi": kind(st.integers(2, 99), multiple),
}  # fmt: skip
