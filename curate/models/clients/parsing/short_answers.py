"""The likeliest tokens in the place of each short answer (a judge's number or letter), as ``Reply.top_logprobs``."""

import json
import re
from collections.abc import Iterable

SHORT = re.compile(r"\s*(?:[0-9]{1,3}|[A-Z])\s*")


def is_short(token: str) -> bool:
    """Return whether a token's text, stripped, is a number of at most three digits or one capital letter."""
    return SHORT.fullmatch(token) is not None


def as_json(tokens: Iterable[tuple[str, Iterable[tuple[str, float]]]]) -> str:
    """Return ``Reply.top_logprobs`` as JSON text.

    Of two likely tokens with the same text (vocabularies have such) the likelier counts.

    Args:
        tokens: The tokens of a reply, each with the tokens likely in its place and their log-probabilities. Those
            that are no short answers are left out.
    """
    found = []
    for token, likely in tokens:
        if is_short(token):
            top: dict[str, float] = {}
            for text, logprob in sorted(likely, key=lambda pair: -pair[1]):
                top.setdefault(text, logprob)
            found.append({"token": token, "top": top})
    return json.dumps(found, ensure_ascii=False)
