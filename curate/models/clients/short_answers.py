"""The likeliest tokens in the place of each short answer (a judge's number or letter), as ``Reply.top_logprobs``."""

import json
import re
from collections.abc import Iterable

SHORT = re.compile(r"\s*(?:[0-9]{1,3}|[A-Z])\s*")


def is_short(token: str) -> bool:
    """Whether a token's text, stripped, is a number of at most three digits or one capital letter."""
    return SHORT.fullmatch(token) is not None


def told(tokens: Iterable[tuple[str, Iterable[tuple[str, float]]]]) -> str:
    """Write tokens, each with those likely in its place and their log-probabilities, as JSON text.

    Those that are no short answers are left out. Of two tokens with the same text (vocabularies have such) the likelier
    counts.
    """
    found = []
    for token, chances in tokens:
        if is_short(token):
            top: dict[str, float] = {}
            for text, chance in sorted(chances, key=lambda one: -one[1]):
                top.setdefault(text, chance)
            found.append({"token": token, "top": top})
    return json.dumps(found, ensure_ascii=False)
