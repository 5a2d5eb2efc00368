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

DEPTHS_AND_OTHERS = r"""
if x: # note\n    a\n    b | if x: # note\n    a\nb
- item\n  - sub | - item\n- sub
1. one\n   2. two\n3. three | 1. one\n   2. two\n   3. three
2\u20623 | 23 | 2 3
"a" or "b" | a" or "b
""".strip().split("\n")

PROSE_MARKS = """
Is it so ? | Is it so?
Quoi ? Il dort ! | Quoi? Il dort!
The dogs' tails wag. | The dogs tails wag
He said 'stop it' and left. | He said stop it and left
I like it. Do you? Yes! | I like it, Do you. Yes
Wait — what? | Wait, what? | wait what
James' bag is here | James bag is here
THE FARMERS' MARKET | the farmers' market | the farmers market
what is it? how is it! | what is it, how is it
"x + 1 = 3, is it 5?" | x + 1 = 3, is it 5?
«x + 1» | x + 1
'Find x in 5' | Find x in 5
""".strip().split("\n")

CAPITALS = r"""
How many capital letters are in the word PARIS? | How many capital letters are in the word Paris?
Sort by ASCII order: Banana, apple, Cherry | Sort by ASCII order: banana, Apple, cherry
Is it internet or Internet? | Is it Internet or internet?
The password is ABCD | The password is abcd
from Queue import Queue | from queue import queue
int Foo, foo; | int foo, Foo;
return True | return true
return "Yes" | return "yes"
class Node:\n    x = 1 | class node:\n    x = 1
Let ABC be a triangle and abc a number | Let abc be a triangle and ABC a number
Is the keyword case-sensitive: While? | Is the keyword case-sensitive: while?
Capitalise it: Paris | Capitalise it: paris
def f(x):\n    print Foo | def f(x):\n    print foo
Say "Yes" now | Say "yes" now
Let I be a set | Let i be a set
Let V = I when open | Let V = i when open
x = "A test" | x = "a test"
the current I through it | the current i through it
Is matrix A singular now | Is matrix a singular now
X is a number | x is a number
Δ is a number | δ is a number
5 Pa | 5 PA | 5 pa
A'B'C' | a'b'c'
""".strip().split("\n")

PROSE_CAPITALS = """
What can I do today? | what can i do today? | WHAT CAN I DO TODAY? | What Can I Do Today?
What's a good day? Don't ask | what's a good day? don't ask | What'S A Good Day? Don'T Ask
Sell 3/4 of it for $90 to her | SELL 3/4 OF IT FOR $90 TO HER
"I like it" she said "I do" | "i like it" she said "i do"
В городе тихо. Я иду домой | в городе тихо. я иду домой
É um dia | é um dia
What is the capital of France? | what is the capital of france?
He has a 12 inch pen in a box | He Has A 12 Inch Pen In A Box
Read this. In case of fire | read this. in case of fire
Answer the following Question: | answer the following question:
""".strip().split("\n")


def level(line, how):
    texts = [text.replace("\\n", "\n").replace("\\u2062", "\u2062") for text in line.split(" | ")]
    return levelled(pl.Series(texts), how).to_list()


@pytest.mark.parametrize("line", OPERATORS + PRIMES + CAPITALS + DEPTHS_AND_OTHERS)
def test_what_carries_meaning_counts(line):
    for how in (UNITS, MARKED, BARE):
        found = level(line, how)
        assert len(set(found)) == len(found), found


@pytest.mark.parametrize("line", PROSE_MARKS)
def test_marks_of_prose_are_left_out(line):
    for how in (UNITS, BARE):
        assert len(set(level(line, how))) == 1, level(line, how)


@pytest.mark.parametrize("line", PROSE_CAPITALS)
def test_capitals_of_prose_are_small_letters(line):
    for how in (UNITS, MARKED, BARE):
        assert len(set(level(line, how))) == 1, level(line, how)
