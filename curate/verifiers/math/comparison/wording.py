"""Compare answers of words: with each other, and with numbers and other mathematics."""

import re

from curate.verifiers.math.expressions.exact import rational
from curate.verifiers.math.reading.kinds import NO_MATHEMATICS, Choice, Group, Node, Plain, Unsure, Words
from curate.verifiers.math.reading.moments import Moment
from curate.verifiers.math.reading.numerals import SCALES, WORDS, read_numeral
from curate.verifiers.math.reading.phrases import same_case
from curate.verifiers.math.reading.units import NUMBER_PARTS, singular

LONG = 8  # words from which a text is prose, of which equality can't be told
ANSWERS = set(  # words that are the whole answer of a mathematical question, so that a number is not it
    (
        "yes no true false even odd neither both none undefined always never sometimes north south east west "
        "infinite finite ellipse circle parabola hyperbola line point positive negative rational irrational "
        "convergent divergent increasing decreasing monday tuesday wednesday thursday friday saturday sunday "
        "january february march april june july august september october november december impossible exist "
        "solution solutions heads tails prime composite infinitely"
    ).split()
)
CHANGES = set(  # words that change what a number beside them says
    (
        "not no non never less more most least fewer greater than over under above below between except half "
        "quarter quarters third thirds and or to times plus minus squared cubed divided root remainder from "
        "until up version either neither nor isn't without about "
        "halves factorial zero par negative reciprocal doubled tripled fold square cube"
    ).split()
)
PARTS = {"half", "halves", "third", "thirds", "quarter", "quarters"}
HOLDS = "one answer holds the words of the other"
FORMULA = re.compile(r"(?<!\\)\$([^$]+)(?<!\\)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
EXACT_NUMBER = re.compile(r"-?(?:\d+(?:[.,]\d+)*|\.\d+)")
CURRENCIES = {"\\$", *"€£¥₹₩₽"}
DAYS = "monday tuesday wednesday thursday friday saturday sunday"
MONTHS = "january february march april june july august september october november december"
SHORTENED = {name[:3]: name for name in f"{DAYS} {MONTHS}".split()}
SHORTENED |= {"tues": "tuesday", "thur": "thursday", "thurs": "thursday", "sept": "september"}


def same_words(truth: Words, answer: Words) -> bool:
    """Tell whether two texts say the same, of which only the same words are sure.

    Raises:
        Unsure: If one holds the words of the other, they differ in the case of short words, or they are prose.
    """
    texts = (truth.words, answer.words)
    if not all(set(words) & CURRENCIES for words in texts):  # a currency that only one has is no difference
        texts = tuple(tuple(word for word in words if word not in CURRENCIES) for words in texts)
    left, right = ([_numbered(word) for word in words] for words in texts)
    if len(left) == len(right) == 1:
        left, right = ([SHORTENED.get(word, word) for word in words] for words in (left, right))
    if left == right or ("".join(left) == "".join(right) and "".join(left).isalpha()):
        if len(truth.short) == len(answer.short) and not all(map(same_case, truth.short, answer.short)):
            raise Unsure("the answers differ in the case of letters")
        return True
    if _but_numbers(left) == _but_numbers(right) and left != right and sorted(left) == sorted(right):
        return False  # Alice: 5, Bob: 7
    numbers = [[word for word in words if EXACT_NUMBER.fullmatch(word)] for words in (left, right)]
    if numbers[0] and numbers[1] and sorted(numbers[0]) != sorted(numbers[1]):
        return False
    if max(len(left), len(right)) > LONG:
        raise Unsure("the answers are prose that differs")
    if sorted(left) == sorted(right):
        raise Unsure("the words are the same in another order")
    shorter, longer = sorted((left, right), key=len)
    if set(shorter) <= set(longer) and not (set(longer) - set(shorter)) & CHANGES:
        raise Unsure(HOLDS)
    return False


def words_against(truth: Node, answer: Node) -> bool:
    """Tell whether words and another kind of answer are the same, which they are only by a number among the words.

    Raises:
        Unsure: If that can't be told.
    """
    if isinstance(truth, Words):
        return _truth_of_words(truth.words, answer)
    assert isinstance(answer, Words)
    words = [_numbered(word) for word in answer.words]
    numbers = [word for word in words if EXACT_NUMBER.fullmatch(word)]
    if isinstance(truth, Group):
        raise Unsure("the answer is words, and ground_truth is not")
    if isinstance(truth, Moment) and len(answer.words) <= LONG:
        return False
    if not isinstance(truth, Plain) or (value := rational(truth.head)) is None:
        if numbers or len(words) > LONG:
            raise Unsure("the answer is words, and ground_truth is not")
        return False
    values = [numeral.value for word in numbers if (numeral := read_numeral(word.lstrip("-")))]
    if abs(value) not in values:
        if set(words) & PARTS:
            raise Unsure("the answer is words with a part of a number")
        return False
    after_a_name = len(words) <= 2 and words[-1] in numbers
    if (
        len(numbers) > 1
        or after_a_name
        or value < 0
        or any(word.startswith("-") for word in words)
        or set(words) & {*CHANGES, *NUMBER_PARTS, "+", "*", "/"}
        or (truth.unit and truth.unit.extra)
    ):
        raise Unsure("the answer is words with the number among them")
    return True


def _truth_of_words(words: tuple[str, ...], answer: Node) -> bool:
    numbers = [word for word in words if EXACT_NUMBER.fullmatch(word)]
    if len(words) > LONG:
        raise Unsure(NO_MATHEMATICS)
    if not isinstance(answer, Plain | Choice):
        nothing = isinstance(answer, Group) and not answer.items
        if not numbers and not nothing and set(words) & ANSWERS:
            return False
        raise Unsure("ground_truth is words, and the answer is not")
    if (numbers and not set(words) & PARTS) or set(words) & ANSWERS:
        return False
    if set(words) & (set(WORDS) | set(SCALES)) or not numbers:
        raise Unsure(NO_MATHEMATICS)
    raise Unsure("ground_truth is words, and the answer is not")


def only_formula(text: str) -> str | None:
    """Return the formula of a sentence that has one, in dollars or LaTeX's brackets, and no word that denies it."""
    formulas = FORMULA.findall(text)
    words = set(re.findall(r"[a-z]+", FORMULA.sub(" ", text.lower())))
    return "".join(formulas[0]) if len(formulas) == 1 and not words & CHANGES else None


def _but_numbers(words: list[str]) -> list[str]:
    return [word for word in words if not EXACT_NUMBER.fullmatch(word)]


def _numbered(word: str) -> str:
    """Return a word, with digits for the name of a number."""
    if singular(word) in ANSWERS:
        return singular(word)
    return str(WORDS[word]) if word in WORDS else {"r": "remainder"}.get(word, word)
