"""Levelled texts: copies are equal, and texts that mean something else are not."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.algorithms.text import level_loops
from curate.algorithms.text.folded_forms import fold_forms
from curate.algorithms.text.level_rules_loops import ONLY_RULES
from curate.algorithms.text.levels import Level, levelled, tables, without_slow
from curate.algorithms.text.utf8 import utf8

UNITS, WHOLE = Level(), Level(units=False, punctuation=False)


def level(*texts, how=UNITS):
    return levelled(pl.Series(texts, dtype=pl.String), how).to_list()


OTHER = """
12 - 7 | 12 * 7 | 12 / 7 | 12 + 7 | 12 7 | 12 = 7 | 12 -7 | 127
Compute 3.14 times 2. | Compute 3/14 times 2. | Compute 314 times 2. | Compute 3 14 times 2. | Compute 3,14 times 2.
Write it in C. | Write it in C#. | Write it in C++. | Write it in c.
Does ^a*$ match? | Does [^a]$ match? | Does ^a+$ match? | Does a match?
x² | x2 | x₂ | x | 2x
½ cup | 1/2 cup | 12 cup | 1 2 cup
① | 1 | (1)
10⁻³ | 10-3 | 103 | 10 3
a<b | a>b | a=b | a b | a<=b
if !x | if x | if x! | if ~x
5% | 5 | $5 | €5 | 5$ | -5 | +5 | .5 | 5! | #5
It is so. | It isn't so. | It is not so. | Is it so?
1,000 | 1.000 | 1000 | 1, 000 | 1;000
x_1 | x 1 | x1 | x-1 | x^1 | x.1
I am 🙂 | I am 🙁 | I am
print(X) | print(x) | print("X") | print X | Print(X)
(a + b) * c | a + (b * c) | a + b * c | [a + b] * c
f(x) | f'(x) | f(-x) | f x
10:30 | 1030 | 10 30 | 10.30
getName | getname | get_name | get name
US law | us law
5 Mb | 5 MB | 5 mb
3 in | 3" | 3' | 3
a.b | a->b | a::b | a:b | a b
"3" is | 3 is | '3' is
1…5 | 1 5 | 15
三个苹果 | 四个苹果 | 三个 - 苹果
ls -a | ls -A | ls a | ls --a
R² = 0.9 | R = 0.9 | R2 = 0.9
ℝ | R
∑ x | ∏ x
`Foo` | `foo`
x = Foo | x = foo
foo.Bar | foo.bar
""".strip().split("\n")

SAME = """
What is it? | what is it | What  is it?! | WHAT IS IT? | “What is it?” | What is it…
“It’s so,” she said. | "It's so", she said | it’s so she said!
12 − 7 | 12 - 7 | 12-7 | 12 – 7 | 12－7
Ｆｕｌｌ　ｗｉｄｔｈ | full width
ﬁve ﬂats | five flats | Five flats.
A train leaves. A man waits. | a train leaves; a man waits
Wait — what? | Wait, what? | wait what
I ate 3 apples; then 4 pears. | I ate 3 apples. Then 4 pears | i ate 3 apples, then 4 pears
小明有三个苹果，他又买了五个。 | 小明有三个苹果 他又买了五个 | 小明有三个苹果,他又买了五个.
Bonjour ! Ça va ? | bonjour! ça va?
ΣΟΦΟΣ ΛΟΓΟΣ | σοφος λογος
e\u0301te\u0301 | été
a\u200db | ab
THIS IS A TEST OF IT | this is a test of it
""".strip().split("\n")


@pytest.mark.parametrize("line", OTHER)
def test_texts_that_mean_something_else_stay_different(line):
    texts = [text.strip() for text in line.split(" | ")]
    for how in (UNITS, WHOLE, UNITS._replace(units=False)):
        found = level(*texts, how=how)
        assert len(set(found)) == len(found), found


@pytest.mark.parametrize("line", SAME)
def test_copies_are_equal(line):
    texts = line.encode().decode("unicode_escape").encode("latin-1").decode() if "\\u" in line else line
    found = level(*[text.strip() for text in texts.split(" | ")])
    assert len(set(found)) == 1, found


@pytest.mark.parametrize(
    ("one", "two", "part"),
    [
        ("ＡＢＣ １２", "ABC 12", "forms"),
        ("Polish it", "polish it", "case"),
        ("Hello, world!", "Hello world", "punctuation"),
        ("if x:\n    go\nstop", "if x:\n    go\n    stop", "indents"),
    ],
)
def test_each_part_is_an_option(one, two, part):
    off = Level(forms=False, case=False, punctuation=False, indents=False)
    one, two = (level(one, two, how=off._replace(**{part: on})) for on in (False, True))
    assert (one[0] == one[1]) is (part == "indents") and (two[0] == two[1]) is (part != "indents")


def test_depth_counts_however_it_is_written():
    same = ["for x in y:\n    go\nstop", "for x in y:\n  go\nstop", "for x in y:  \n\tgo\n\n\nstop\n"]
    assert len(set(level(*same))) == 1
    assert len(set(level(same[0], "for x in y:\n    go\n    stop", "for x in y: go stop"))) == 3
    assert len(set(level("Hello\n    there", "Hello there"))) == 1  # no line that opens a block


def test_white_space_stays_where_it_counts():
    how = Level(white_space=False, units=False)
    assert level("a  b\n c ", how=how) == ["a  b\n c "]


def test_units_are_words_with_the_signs_before_them():
    assert level("What is 12 - 7?", "Isn't it so?", "It costs $5.50 (or 5%).", None, "", "?!", "C++") == [
        "what is 12 -7",
        "isn 't it so",
        "it costs $5 .50 (or 5%)",
        None,
        "",
        "",
        "C++",
    ]


def content(text):
    """The letters, digits and signs of a text."""
    marks = r"[\s\p{Z}\p{C}.,;:!?¿¡。、，；：！？؟،؛۔।॥\"'«»‹›「」『』《》〈〉—―⸺⸻]|\p{Sentence_Terminal}"
    return pl.Series([text]).str.replace_all(marks, "")[0].lower().replace("ς", "σ")


@settings(deadline=None)
@given(st.text(max_size=40) | st.text("aAbB .,!?'\"()[]`-+=<_01:\n é春🙂", max_size=30))
def test_letters_digits_and_signs_are_never_lost(text):
    (folded,) = fold_forms(pl.Series([text]))
    for how in (UNITS, WHOLE, UNITS._replace(units=False)):
        (found,) = level(text, how=how)
        assert content(found) == content(folded)
        assert "  " not in found and found == found.strip(" ")
        flat = how._replace(indents=False)
        assert level(f" {text}\n", how=flat) == level(" ".join(text.split()), how=flat)


@settings(deadline=None)
@given(st.text(max_size=30) | st.text("aAbB .,!?'\"()[]`-+=<_01:\n é春🙂Word", max_size=40))
def test_the_fast_path_writes_what_the_rules_say(text):
    data, ends = utf8(without_slow(pl.Series([text]), UNITS))
    forms, classes, lower = tables(True)
    codes, kinds = np.empty(len(data) + 4, np.int32), np.empty(len(data) + 4, np.uint16)
    level_loops.read_text(data, ends[0], ends[1], forms, classes, codes, kinds)
    state = np.zeros(level_loops.STATE, np.int64)
    for how in (UNITS, UNITS._replace(units=False), WHOLE):
        out, state[0] = np.empty(3 * len(data) + 8, np.uint8), 0
        count = level_loops.level_text(codes, kinds, how.flags() | ONLY_RULES, lower, out, state)
        (found,) = level(text, how=how)
        assert out[: state[0]].tobytes().decode() == found
        assert not how.units or count == len([unit for unit in found.split(" ") if unit])


def test_long_runs_take_linear_time():
    for run in (".", " ", '"', "A", "(", "a.", "A ", "`", "-", "é.", "\n", ":\n "):
        assert level(run * 200_000)[0] is not None
