"""Marks, primes and capitals of levelled texts: those that carry meaning count, and those of prose do not."""

import polars as pl
import pytest

from curate.algorithms.text.levels import Level, levelled

UNITS, MARKED, BARE = Level(), Level(units=False, punctuation=False), Level(units=False)

OPERATORS = """
What does git add . do? | What does git add do? | What does git add , do?
cd .. | cd . | cd
What does ; mean in Prolog? | What does , mean in Prolog? | What does : mean in Prolog?
In a regex, what do . and ? match? | In a regex, what do , and ! match?
the ... operator | the operator | the .. operator
What does "." mean? | What does "," mean?
How do I use :wq! in vim? | How do I use :wq in vim?
Explain :wq! | Explain :wq
What does save! do in Rails? | What does save do in Rails? | What does save? do in Rails?
what does sort! do in ruby | what does sort do in ruby
Compare present?, blank? and nil? | Compare present, blank and nil?
Does colors? match it | Does colors match it
Is (foo,) a tuple? | Is (foo) a tuple?
ten : two | ten two
在 Python 中 , 是什么 | 在 Python 中 . 是什么 | 在 Python 中 是什么
""".strip().split("\n")

PRIMES = """
Simplify AB' + A'B | Simplify AB + A'B | Simplify AB' + AB
xy' + z | xy + z
dy' | dy
A'B'C' | A'B'C
Find sin'(x). | Find sin(x). | Find sin''(x)
Find cos' x now | Find cos x now
let xs' = ys | let xs = ys
""".strip().split("\n")

PROSE_MARKS = """
Is it so ? | Is it so?
Quoi ? Il dort ! | Quoi? Il dort!
The dogs' tails wag. | The dogs tails wag
He said 'stop it' and left. | He said stop it and left
I like it. Do you? Yes! | I like it, Do you. Yes
Wait — what? | Wait, what? | wait what
James' bag is here | James bag is here
what is it? how is it! | what is it, how is it
""".strip().split("\n")


def level(line, how):
    texts = [text.replace("\\n", "\n") for text in line.split(" | ")]
    return levelled(pl.Series(texts), how).to_list()


@pytest.mark.parametrize("line", OPERATORS + PRIMES)
def test_what_carries_meaning_counts(line):
    for how in (UNITS, MARKED, BARE):
        found = level(line, how)
        assert len(set(found)) == len(found), found


@pytest.mark.parametrize("line", PROSE_MARKS)
def test_marks_of_prose_are_left_out(line):
    for how in (UNITS, BARE):
        assert len(set(level(line, how))) == 1, level(line, how)
