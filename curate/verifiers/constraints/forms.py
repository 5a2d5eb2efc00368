"""Define a kind of constraint: the types of its parameters, its verdicts, and the validation of constraints.

A kind is a function ``kind(texts, parameters) -> (holds, found)`` over a column: ``texts`` and each parameter are
Series with one row per response (a list parameter is a list of Series, one for each of its items), ``holds`` is
Boolean, ``found`` is a count (Int64), a text (String), a list of words (List), or None. The annotations below say which
values a parameter takes. The docstring of a kind is the condition that holds, or the count that is compared. A check
that Polars cannot express is written for one text and wrapped by ``each``.
"""

import inspect
from collections.abc import Callable
from functools import cache, reduce, wraps
from typing import Annotated

import polars as pl

from curate.algorithms.text.language import languages
from schemas.errors import UserError, unknown

LONGEST = 200  # characters of a phrase: long ones make a search slow
LONG = 20_000  # of a whole request to be repeated
MOST = 50  # phrases in a list

RELATIONS = ("less than", "at least", "at most", "more than", "exactly")
WHOLE = "a whole number, 0 or more"
PHRASE = f"a text of 1 to {LONGEST} characters"
PHRASES = f"a list of 1 to {MOST} texts of 1 to {LONGEST} characters"
HOW = '"exactly", "at_least" or "at_most"'
RELATION = '"less than" or "at least" (or "at most", "more than", "exactly")'
QUANTIFIER = '"at least", "around", "at most" or "exactly"'
# A parameter of a kind: a column with a value for each text.
Whole = Annotated[pl.Series, WHOLE]
Phrase = Annotated[pl.Series, PHRASE]
Long = Annotated[pl.Series, f"a text of 1 to {LONG:,} characters"]
Letter = Annotated[pl.Series, "one letter"]
Character = Annotated[pl.Series, "one character"]
Phrases = Annotated[list[pl.Series], PHRASES]
How = Annotated[pl.Series | str, HOW]  # a str is the same for all texts: the default
Relation = Annotated[pl.Series, RELATION]
Quantifier = Annotated[pl.Series, QUANTIFIER]
Language = Annotated[pl.Series, 'the code of a language that can be recognised, such as "en"']
# A parameter of a check of one text, which ``each`` makes a kind of.
WholeValue = Annotated[int, WHOLE]
PhraseValue = Annotated[str, PHRASE]
LongValue = Annotated[str, f"a text of 1 to {LONG:,} characters"]
PhraseValues = Annotated[list[str], PHRASES]
HowValue = Annotated[str, HOW]
RelationValue = Annotated[str, RELATION]
QuantifierValue = Annotated[str, QUANTIFIER]

Found = int | str | list[str] | None
Verdicts = tuple[pl.Series, pl.Series | None]
Kind = Callable[..., Verdicts]


def compare(found: pl.Series, n: pl.Series, how: pl.Series | str) -> Verdicts:
    """Return whether counts are ``exactly``, ``at_least`` or ``at_most`` ``n``, and the counts."""
    found = found.cast(pl.Int64)
    if isinstance(how, str):
        how = pl.Series([how]).new_from_index(0, len(found))
    exactly, at_least, at_most = (how == name for name in ("exactly", "at_least", "at_most"))
    return exactly & (found == n) | at_least & (found >= n) | at_most & (found <= n), found


def related(found: pl.Series, n: pl.Series, relation: pl.Series) -> Verdicts:
    """Return whether counts are ``less than`` or ``at least`` ``n`` (IFEval's relations), and the counts."""
    found = found.cast(pl.Int64)
    holds = (relation == "less than") & (found < n) | (relation == "at least") & (found >= n)
    holds |= (relation == "at most") & (found <= n) | (relation == "more than") & (found > n)
    return holds | (relation == "exactly") & (found == n), found


def is_related(found: int, n: int, relation: str) -> bool:
    """Return whether one count is ``less than``, ``at least`` ... ``n``, as ``related`` does."""
    return {
        "less than": found < n,
        "at least": found >= n,
        "at most": found <= n,
        "more than": found > n,
        "exactly": found == n,
    }[relation]


def missing(wrong: list[pl.Series], words: list[pl.Series]) -> Verdicts:
    """Return whether no word is wrong, and the wrong words in order.

    Args:
        wrong: For each word, whether it is wrong in each text.
        words: The words.
    """
    holds = ~reduce(pl.Series.__or__, wrong)
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(holds))
    listed = [word.zip_with(bad, nothing).alias(str(i)) for i, (bad, word) in enumerate(zip(wrong, words, strict=True))]
    return holds, pl.DataFrame(listed).select(pl.concat_list(pl.all()).list.drop_nulls()).to_series()


def each(check: Callable[..., tuple[bool, Found]]) -> Kind:
    """Return a kind made from a check of one text: ``check(text, parameters) -> (holds, found)``."""

    @wraps(check)
    def kind(texts: pl.Series, **parameters: pl.Series | list[pl.Series]) -> Verdicts:
        names = list(parameters)
        columns = [
            [list(row) for row in zip(*column, strict=True)] if isinstance(column, list) else column
            for column in parameters.values()
        ]
        verdicts = [
            check(text, **dict(zip(names, given, strict=True))) for text, *given in zip(texts, *columns, strict=True)
        ]
        found = pl.Series([found for _, found in verdicts], strict=False)
        return pl.Series([holds for holds, _ in verdicts], dtype=pl.Boolean), None if found.dtype == pl.Null else found

    return kind


def only_where(likely: pl.Series, kind: Kind, texts: pl.Series, **parameters: pl.Series | list[pl.Series]) -> Verdicts:
    """Check only the texts that are ``likely`` to hold; the others do not hold, and nothing is found in them."""
    some = {
        name: [c.filter(likely) for c in column] if isinstance(column, list) else column.filter(likely)
        for name, column in parameters.items()
    }
    held, found = kind(texts.filter(likely), **some)
    rows = likely.arg_true()
    holds = pl.Series([False]).new_from_index(0, len(texts)).scatter(rows, held)
    nothing = pl.Series([None], dtype=pl.Int64).new_from_index(0, len(texts))
    return holds, None if found is None else nothing.scatter(rows, found)


def check_constraint(constraint: object, kinds: dict[str, Kind]) -> None:
    """Raise ``UserError`` unless a constraint is of a known kind and has exactly its parameters, each valid."""
    if not isinstance(constraint, dict) or not isinstance(constraint.get("kind"), str):
        raise UserError(f'found {short(constraint)}; expected an object with a "kind"')
    kind = constraint["kind"]
    if kind not in kinds:
        raise unknown("kind of constraint", kind[:LONGEST], kinds)
    parameters = parameters_of(kinds[kind])
    for name in constraint:
        if name != "kind" and name not in parameters:
            raise unknown(f"parameter of {kind}", name[:LONGEST], parameters)
    for name, parameter in parameters.items():
        expected = parameter.annotation.__metadata__[0]
        if name not in constraint and parameter.default is inspect.Parameter.empty:
            raise UserError(f"{kind} needs {name!r}: {expected}")
        if name in constraint and not FITS[parameter.annotation](constraint[name]):
            raise UserError(f"{kind}: {name!r} is {short(constraint[name])}; expected {expected}")
    if kind == "words_between" and constraint["least"] > constraint["most"]:
        raise UserError(f"{kind}: 'least' is {constraint['least']}, more than 'most', {constraint['most']}")


@cache
def parameters_of(kind: Kind) -> dict[str, inspect.Parameter]:
    """Return the parameters of a kind, by name."""
    return dict(list(inspect.signature(kind).parameters.items())[1:])


def is_phrase(value: object, longest: int = LONGEST) -> bool:
    """Return whether a value is a text that is neither blank nor longer than ``longest``."""
    return isinstance(value, str) and 0 < len(value) <= longest and not value.isspace()


def short(value: object) -> str:
    """Return a value of any size and depth as a short text."""
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    shown = repr(value[:LONGEST] if isinstance(value, str) else value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def is_whole(value: object) -> bool:
    """Return whether a value is a whole number from 0 up that fits into 64 bits."""
    return type(value) is int and 0 <= value < 2**63


def is_phrases(value: object) -> bool:
    """Return whether a value is a list of 1 to ``MOST`` phrases."""
    return isinstance(value, list) and 0 < len(value) <= MOST and all(map(is_phrase, value))


# Annotation of a parameter -> whether a value is valid.
FITS: dict[object, Callable[[object], bool]] = {
    **dict.fromkeys((Long, LongValue), lambda v: is_phrase(v, LONG)),
    Letter: lambda v: isinstance(v, str) and len(v) == 1 and v.isalpha(),
    Character: lambda v: isinstance(v, str) and len(v) == 1 and not v.isspace(),
    Language: lambda v: isinstance(v, str) and v.lower().split("-")[0] in languages(),
    **dict.fromkeys((Whole, WholeValue), is_whole),
    **dict.fromkeys((Phrase, PhraseValue), is_phrase),
    **dict.fromkeys((Phrases, PhraseValues), is_phrases),
    **dict.fromkeys((How, HowValue), lambda v: v in ("exactly", "at_least", "at_most")),
    **dict.fromkeys((Relation, RelationValue), lambda v: v in RELATIONS),
    **dict.fromkeys((Quantifier, QuantifierValue), lambda v: v in ("at least", "around", "at most", "exactly")),
}
