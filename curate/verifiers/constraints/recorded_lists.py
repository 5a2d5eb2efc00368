"""Read the constraints of a prompt as public sets record them: IFEval's, open-instruct's and RLVR-IFEval's forms.

IFEval: ``{"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}`` (``instruction_id`` in open-instruct),
also with names and kwargs as JSON text, or as Python, NumPy or pandas print them. RLVR-IFEval:
``{"func_name": "verify_paragraph_count", "N": 2, "quantifier": null}``. Parameters that are null or NaN are left out.
"""

import math
from typing import Any

from curate.algorithms.text.written_lists import written_value
from schemas.errors import UserError

NAMES = ("instruction_id_list", "instruction_id", "instruction_ids")
FUNCTION = "func_name"


def as_constraints(truth: object) -> object:
    """Return a recorded form, or a list of such, as a list of constraints; anything else is returned unchanged.

    Raises:
        UserError: If names and kwargs do not fit each other.
    """
    forms = truth if isinstance(truth, list) else [truth]
    forms = [written_value(form) if isinstance(form, str) else form for form in forms]
    if len(forms) == 1 and isinstance(forms[0], list):
        forms = forms[0]
    if not any(isinstance(form, dict) and any(key in form for key in (*NAMES, FUNCTION)) for form in forms):
        return truth
    return [constraint for form in forms for constraint in _constraints(form)]


def _constraints(form: Any) -> list[Any]:
    """Return the constraints of one form; something else is left to be refused."""
    if not isinstance(form, dict):
        return [form]
    if FUNCTION in form:
        return [{"kind": form[FUNCTION], **_given({key: value for key, value in form.items() if key != FUNCTION})}]
    found = next((form[key] for key in NAMES if key in form), None)
    if found is None:
        return [form]
    names = _list(found)
    kwargs = _kwargs(form.get("kwargs"), names)
    if names is None or kwargs is None or len(names) != len(kwargs):
        raise UserError("instruction_id and kwargs do not go together; expected two lists of the same length")
    for given in kwargs:
        if not isinstance(given, dict):
            raise UserError(f"kwargs holds {str(given)[:60]!r}; expected objects")
    return [{"kind": name, **_given(given)} for name, given in zip(names, kwargs, strict=True)]


def _list(value: Any) -> list | None:
    """Return a list that may be written as text; one name alone is a list of one."""
    if isinstance(value, str):
        written = written_value(value)
        value = written if isinstance(written, list) else [value]
    return value if isinstance(value, list) else None


def _kwargs(value: Any, names: list | None) -> list[Any] | None:
    """Return the parameters of each name, as mappings where they are such."""
    value = written_value(value) if isinstance(value, str) and value.strip() else value
    count = 0 if names is None else len(names)
    if _is_missing(value) or value == "":
        return [{}] * count
    if isinstance(value, dict):
        columns = count > 1 and all(isinstance(column, list) and len(column) == count for column in value.values())
        value = [{key: column[n] for key, column in value.items()} for n in range(count)] if columns else [value]
    if not isinstance(value, list):
        return None
    return [_mapping(one) for one in value]


def _mapping(value: Any) -> Any:
    """Return the parameters of one name, as a mapping where they are one, written as text or missing."""
    if _is_missing(value) or value == "":
        return {}
    written = written_value(value) if isinstance(value, str) else None
    return value if written is None else written


def _given(parameters: dict) -> dict:
    return {key: value for key, value in parameters.items() if not _is_missing(value)}


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
