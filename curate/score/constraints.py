"""Share of a prompt's format constraints that the response keeps, as a program can check them (arXiv 2311.07911)."""

import inspect
import json
import re
from collections.abc import Iterator

import polars as pl

from curate.constraint_kinds import KINDS, How, Letter
from schemas.errors import UserError, unknown

LONGEST = 200


def score(response: pl.Series, ground_truth: pl.Series, *, strict: bool = True) -> pl.DataFrame:
    """Check each response against its row's constraints.

    ``response`` is text. ``ground_truth`` is JSON text, a list such as
    ``[{"kind": "lowercase"}, {"kind": "max_words", "n": 20}]``; ``curate/constraint_kinds.py`` has the kinds and their
    parameters. ``strict`` takes the response as it is; otherwise a constraint also holds if it holds without the first
    line, the last line or both, with or without asterisks (IFEval's loose accuracy).

    Gives ``value`` (0 to 1, the share that hold), ``detail`` (JSON: ``passed`` and ``failed``, each a list of the
    constraints with what was ``found``) and ``error``. Where the constraints or the response are missing or wrong,
    value and detail are null and error says why. A response without a letter or digit keeps no constraint, so that an
    empty one does not pass "no commas".
    """
    parsed: dict[str, list[dict] | str] = {}
    rows = []
    for text, truth in zip(response.cast(pl.String), ground_truth.cast(pl.String), strict=True):
        if truth is not None and truth not in parsed:
            parsed[truth] = constraints_in(truth)
        wanted = "ground_truth is null; expected a JSON list of constraints" if truth is None else parsed[truth]
        if isinstance(wanted, str) or text is None:
            rows.append((None, None, wanted if isinstance(wanted, str) else "response is null"))
            continue
        passed, failed = judge(text, wanted, strict)
        detail = json.dumps({"passed": passed, "failed": failed})
        rows.append((len(passed) / len(wanted), detail, None))
    return pl.DataFrame(rows, {"value": pl.Float64, "detail": pl.String, "error": pl.String}, orient="row")


def judge(text: str, wanted: list[dict], strict: bool) -> tuple[list[dict], list[dict]]:
    """Sort constraints into those the text keeps and those it does not, each with what was found."""
    texts = [t for t in ([text] if strict else loose(text)) if re.search(r"[^\W_]", t)]
    passed, failed = [], []
    for constraint in wanted:
        check = KINDS[constraint["kind"]]
        parameters = {name: value for name, value in constraint.items() if name != "kind"}
        holds, found = False, None
        for i, variant in enumerate(texts):
            verdict = check(variant, **parameters)
            if i == 0 or verdict[0]:
                holds, found = verdict
            if holds:
                break
        (passed if holds else failed).append(constraint if found is None else {**constraint, "found": found})
    return passed, failed


def loose(text: str) -> Iterator[str]:
    """The text, then without its first line, its last line and both, each with and without asterisks."""
    lines = text.strip().split("\n")
    for part in (text, *("\n".join(some).strip() for some in (lines[1:], lines[:-1], lines[1:-1]))):
        yield part
        yield part.replace("*", "")


def constraints_in(truth: str) -> list[dict] | str:
    """Read a row's constraints; return the list, or one line that says what is wrong with it."""
    try:
        wanted = json.loads(truth)
    except (ValueError, RecursionError):
        return f"ground_truth is not JSON: {short(truth)}; expected a list of constraints"
    if not isinstance(wanted, list) or not wanted:
        return f"ground_truth is {short(wanted)}; expected a list of one or more constraints"
    for i, constraint in enumerate(wanted):
        try:
            check_constraint(constraint)
        except UserError as error:
            return f"ground_truth[{i}]: {error}"
    return wanted


def check_constraint(constraint: object) -> None:
    """Raise UserError unless this is a known kind with exactly its parameters, each of its type."""
    if not isinstance(constraint, dict) or not isinstance(constraint.get("kind"), str):
        raise UserError(f'found {short(constraint)}; expected an object with a "kind"')
    kind = constraint["kind"]
    if kind not in KINDS:
        raise unknown("kind of constraint", kind[:LONGEST], KINDS)
    parameters = dict(list(inspect.signature(KINDS[kind]).parameters.items())[1:])
    for name in constraint:
        if name != "kind" and name not in parameters:
            raise unknown(f"parameter of {kind}", name[:LONGEST], parameters)
    for name, parameter in parameters.items():
        expected, fits = FORMS[parameter.annotation]
        if name not in constraint and parameter.default is inspect.Parameter.empty:
            raise UserError(f"{kind} needs {name!r}: {expected}")
        if name in constraint and not fits(constraint[name]):
            raise UserError(f"{kind}: {name!r} is {short(constraint[name])}; expected {expected}")
    if kind == "words_between" and constraint["least"] > constraint["most"]:
        raise UserError(f"{kind}: 'least' is {constraint['least']}, more than 'most', {constraint['most']}")


def is_phrase(value: object) -> bool:
    """Whether a parameter is a text that is neither blank nor long (a long one makes a search slow)."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST and not value.isspace()


def short(value: object) -> str:
    """Show a value of unknown size and depth on one line."""
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    shown = repr(value[:LONGEST] if isinstance(value, str) else value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


# What each annotation in constraint_kinds asks of a parameter: in words, and as a check.
FORMS = {
    int: ("a whole number, 0 or more", lambda v: type(v) is int and v >= 0),
    str: (f"a text of 1 to {LONGEST} characters", is_phrase),
    Letter: ("one letter", lambda v: isinstance(v, str) and len(v) == 1 and v.isalpha()),
    list[str]: (
        f"a list of 1 to 50 texts of 1 to {LONGEST} characters",
        lambda v: isinstance(v, list) and 0 < len(v) <= 50 and all(map(is_phrase, v)),
    ),
    How: ('"exactly", "at_least" or "at_most"', lambda v: v in ("exactly", "at_least", "at_most")),
}
