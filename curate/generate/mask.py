"""A new candidate: an old one with its personal items and secrets masked: <EMAIL>, <PHONE>, <SECRET> ...

It masks what ``score: pii`` and ``score: secrets`` count (``curate/algorithms/text/personal_items.py``,
``secret_items.py``). Drop the old candidates by those scores, or tell them apart by ``parent_id``, which masked ones
have.
"""

import re
from itertools import pairwise

import polars as pl

from curate.algorithms.text import personal_items, secret_items
from curate.algorithms.text.found_items import Item, check_kinds, possible_kinds, without_overlaps

SECRET = "secret"  # noqa: S105 (the kind, not one)
KINDS = (*personal_items.FORMS, SECRET)
# The rest of a private key after its first line: its other lines, and the line that ends it.
REST_OF_KEY = re.compile(r"(?:[A-Za-z0-9+/=]|\\{1,4}[nr]|\s)*(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?")


def write(response: pl.Series, *, kinds: list[str] | None = None, region: str = "US") -> pl.Series:
    """Return each response with a placeholder for each item; null (no new candidate) where there is none.

    Args:
        response: The old candidates.
        kinds: Kinds to mask, of ``email``, ``credit_card``, ``iban``, ``ssn``, ``ip``, ``phone``, ``secret``; None for
            all.
        region: Region (ISO 3166, such as "DE") of phone numbers without a country code.

    Raises:
        UserError: For a kind or region that does not exist.
    """
    kinds = check_kinds(kinds, list(KINDS), "item")
    personal = [kind for kind in personal_items.kinds_to_find(None, region) if kind in kinds]
    text = response.cast(pl.String)
    likely = secret_items.likely(text, secret_items.kinds_to_find(None)) if SECRET in kinds else {}
    maybe = possible_kinds(likely | personal_items.likely(text, personal))
    rows = (maybe.list.len() > 0).arg_true()
    new = [
        _masked(one, some.to_list(), region) for one, some in zip(text.gather(rows), maybe.gather(rows), strict=True)
    ]
    nothing = pl.Series("response", [None], dtype=pl.String).new_from_index(0, len(text))
    return nothing.scatter(rows, pl.Series(new, dtype=pl.String))


def _masked(text: str, kinds: list[str], region: str) -> str | None:
    """Return the text with its items masked, None if it has none.

    It is searched again until nothing is found, as an item may be recognised only once its neighbour is masked.
    """
    new = text
    while found := _items(new, kinds, region):
        between = pairwise([0, *(place for start, end, _ in found for place in (start, end)), len(new)])
        kept = [new[low:high] for low, high in list(between)[::2]]
        marks = [f"<{kind.upper()}>" for *_, kind in found]
        new = "".join(part for pair in zip(kept, [*marks, ""], strict=True) for part in pair)
    return None if new == text else new


def _items(text: str, kinds: list[str], region: str) -> list[Item]:
    """Return the items to mask, in order. Secrets come first, so that digits in a key are no phone number as well."""
    secrets = secret_items.items(text, [kind for kind in kinds if kind in secret_items.FORMS])
    whole = [
        (start, rest.end() if kind == "private_key" and (rest := REST_OF_KEY.match(text, end)) else end, SECRET)
        for start, end, kind in secrets
    ]
    personal = [kind for kind in kinds if kind in personal_items.FORMS]
    return sorted(without_overlaps(whole + personal_items.items(text, personal, region)))
