"""Read the parameters of constraints as files hold them: 3.0, "3" and " 3 " are the whole number 3."""

import math
import re
from collections.abc import Callable
from typing import Any

from curate.algorithms.text.written_lists import written_value
from curate.verifiers.constraints import forms

WHOLE = re.compile(r"\s*\+?(\d{1,18})(?:\.0*)?\s*")
RELATIONS = {
    "fewer than": "less than",
    "no less than": "at least",
    "not less than": "at least",
    "no more than": "at most",
    "not more than": "at most",
    "greater than": "more than",
    "exact": "exactly",
    "equal": "exactly",
    "equal to": "exactly",
}


def read_settings(constraint: Any, kinds: dict[str, forms.Kind]) -> Any:
    """Return a constraint with its parameters as their kind takes them; what cannot be read stays as it is.

    Parameters that are null or NaN are left out. A value that is neither valid nor a way to write a valid one is left
    to ``forms.check_constraint``, which says what was expected.
    """
    if not isinstance(constraint, dict) or not isinstance(constraint.get("kind"), str):
        return constraint
    parameters = forms.parameters_of(kinds[constraint["kind"]]) if constraint["kind"] in kinds else {}
    read = {"kind": constraint["kind"]}
    for name, value in constraint.items():
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        reader = READERS.get(parameters[name].annotation) if name in parameters else None
        read[name] = reader(value) if reader and name != "kind" else value
    return read


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        found = WHOLE.fullmatch(value)
        return int(found[1]) if found else value
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if whole else value


def _phrase(value: Any) -> Any:
    """Return a number as its text, as 2024 may be a keyword, and the item of a list of one."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _phrases(value: Any) -> Any:
    """Return a list that may be written as text; a phrase alone is a list of one."""
    if isinstance(value, str):
        written = written_value(value, numbers_as_text=True) if value.lstrip().startswith(("[", "(")) else None
        value = written if isinstance(written, list) else [value]
    return [_phrase(one) for one in value] if isinstance(value, list) else value


def _character(value: Any) -> Any:
    value = _phrase(value)
    return value.strip() or value if isinstance(value, str) else value


def _relation(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    value = " ".join(re.split(r"[\s_-]+", value.strip().lower()))
    return RELATIONS.get(value, value)


def _language(value: Any) -> Any:
    return value.strip().replace("_", "-") if isinstance(value, str) else value


def _how(value: Any) -> Any:
    value = _relation(value)
    return value.replace(" ", "_") if isinstance(value, str) else value


READERS: dict[object, Callable[[Any], Any]] = {
    forms.Letter: _character,
    forms.Character: _character,
    forms.Language: _language,
    **dict.fromkeys((forms.Quantifier, forms.QuantifierValue), _relation),
    **dict.fromkeys((forms.Whole, forms.WholeValue), _whole),
    **dict.fromkeys((forms.Phrase, forms.PhraseValue, forms.Long, forms.LongValue), _phrase),
    **dict.fromkeys((forms.Phrases, forms.PhraseValues), _phrases),
    **dict.fromkeys((forms.How, forms.HowValue), _how),
    **dict.fromkeys((forms.Relation, forms.RelationValue), _relation),
}
