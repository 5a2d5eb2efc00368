"""Probabilities of a judge's scores and verdicts, from the log-probabilities of its reply's tokens.

The mean of a scale's scores, weighted by their probabilities (G-Eval, arXiv 2303.16634), has fewer ties and less noise
than the one score that is written. ``top_logprobs`` lists the tokens of a reply that are short answers, in order, each
with the likely tokens at its position (``schemas.requests.Reply``).
"""

import json
import math
import re


def weighted_score(top_logprobs: str | None, reply: str, start: int, score: str, low: int, high: int) -> float | None:
    """Return the mean of the scores that are likely at the position of the written score, weighted by probability.

    A tokenizer that writes each digit on its own writes 10 as "1" and then "0", with the product of their
    probabilities. If a judge with such a tokenizer writes another digit, a likely "1" may be 1 or begin 10: it counts
    as the one nearer to the written score, and a "1" that is written alone is 1. On a scale beyond 10, only tokens of
    whole numbers are weighted.

    Args:
        top_logprobs: The likely tokens of the reply, as JSON text, or None.
        reply: The reply's text.
        start: Where the written score begins in the reply.
        score: The written score.
        low: Lowest score of the scale.
        high: Highest score of the scale.

    Returns:
        The mean, or None if it is not known: there are no log-probabilities, the score is no whole number, or it
        consists of several tokens (except for 10).
    """
    entries = [entry for entry in _entries(top_logprobs) if entry[0].isascii() and entry[0].isdigit()]
    index = _token_at([token for token, _ in entries], reply, start)
    if index is None or low < 0:
        return None
    shares = {token: share for token, share in entries[index][1].items() if token.isascii() and token.isdigit()}
    digits = all(len(token) == 1 for token in shares)  # as far as can be seen, a token is a digit
    token = entries[index][0]
    if digits and high > 9:
        shares = _digits(entries, index, score) if high == 10 else None
    elif token != score:
        return None
    if not shares:
        return None
    within = {int(token): share for token, share in shares.items() if low <= int(token) <= high}
    total = sum(within.values())
    return sum(number * share for number, share in within.items()) / total if total > 0 else None


def letter_shares(top_logprobs: str | None, reply: str, start: int) -> dict[str, float]:
    """Return the probabilities of A, B and C at the letter that begins at ``start`` of a reply; empty if not known."""
    entries = [entry for entry in _entries(top_logprobs) if entry[0] in ("A", "B", "C")]
    # Words hold such letters too, but their tokens are not among the entries.
    alone = re.sub(r"[^\W_]{2,}", lambda word: " " * len(word[0]), reply)
    index = _token_at([token for token, _ in entries], alone, start)
    likely = {} if index is None else entries[index][1]
    shares = {letter: likely[letter] for letter in ("A", "B", "C") if letter in likely}
    return shares if sum(shares.values()) > 0 else {}


def _digits(entries: list[tuple[str, dict[str, float]]], index: int, score: str) -> dict[str, float] | None:
    """Return the probabilities of 0 to 10 if each digit is a token; None if ``score`` is not at ``index``."""
    shares = dict(entries[index][1])
    one = shares.pop("1", 0.0)
    if score == "10":
        following = entries[index + 1] if index + 1 < len(entries) else ("", {})
        if (entries[index][0], following[0]) != ("1", "0"):
            return None
        ten = min(following[1].get("0", 0.0), 1.0)
        shares |= {"10": one * ten, "1": one * (1 - ten)}
    elif entries[index][0] == score:
        shares["10" if score != "1" and 10 - int(score) < int(score) - 1 else "1"] = one
    else:
        return None
    return {token: share for token, share in shares.items() if token.isascii() and token.isdigit()}


def _entries(top_logprobs: str | None) -> list[tuple[str, dict[str, float]]]:
    """Return the tokens that are short answers, each with the probabilities of likely tokens, all stripped."""
    found = []
    for entry in json.loads(top_logprobs) if top_logprobs else []:
        shares: dict[str, float] = {}
        for token, logprob in entry["top"].items():
            shares[token.strip()] = shares.get(token.strip(), 0.0) + math.exp(min(logprob, 0.0))
        found.append((entry["token"].strip(), shares))
    return found


def _token_at(tokens: list[str], reply: str, start: int) -> int | None:
    """Return the index of the token that begins at ``start``, or None.

    The last token is searched from the end of the reply, each earlier one before the next.
    """
    end = len(reply)
    for index in range(len(tokens) - 1, -1, -1):
        end = reply.rfind(tokens[index], 0, end)
        if end <= start:
            return index if end == start else None
    return None
