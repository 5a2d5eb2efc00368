"""What a judge finds likely in the place of its score or verdict, from the log-probabilities of a reply's tokens.

The mean over a scale's scores, weighted by their probabilities (G-Eval, arXiv 2303.16634), has fewer ties and less
noise than the one score that is written. ``top_logprobs`` holds the tokens of a reply that are short answers, in order,
each with the likely ones in its place (``schemas.requests.Reply``).
"""

import json
import math
import re


def weighted_score(top_logprobs: str | None, reply: str, start: int, score: str, low: int, high: int) -> float | None:
    """Return the mean score, weighted, of the scale's whole numbers in the place of the score at ``start`` of a reply.

    None where that is not known: no log-probabilities, a score that is no whole number or that several tokens make up.
    The one exception is the 10 of tokenizers that write each digit on its own: it is "1" and then "0", and as likely as
    the product. Where such a tokenizer's judge writes another digit, a likely "1" may be 1 or begin 10: it is taken for
    the one that is nearer to the score that is written, and a "1" that is written alone is 1. On a scale beyond 10,
    only tokens of whole numbers are weighted.
    """
    entries = [entry for entry in _entries(top_logprobs) if entry[0].isascii() and entry[0].isdigit()]
    place = _place([token for token, _ in entries], reply, start)
    if place is None or low < 0:
        return None
    shares = {token: share for token, share in entries[place][1].items() if token.isascii() and token.isdigit()}
    digits = all(len(token) == 1 for token in shares)  # as far as can be seen, a token is a digit
    token = entries[place][0]
    if digits and high > 9:
        shares = _digits(entries, place, score) if high == 10 else None
    elif token != score:
        return None
    if not shares:
        return None
    within = {int(token): share for token, share in shares.items() if low <= int(token) <= high}
    total = sum(within.values())
    return sum(number * share for number, share in within.items()) / total if total > 0 else None


def letter_shares(top_logprobs: str | None, reply: str, start: int) -> dict[str, float]:
    """Return how likely A, B and C are in the place of the letter at ``start`` of a reply; empty where not known."""
    entries = [entry for entry in _entries(top_logprobs) if entry[0] in ("A", "B", "C")]
    # Words hold such letters too, but their tokens are not among the entries.
    alone = re.sub(r"[^\W_]{2,}", lambda word: " " * len(word[0]), reply)
    place = _place([token for token, _ in entries], alone, start)
    likely = {} if place is None else entries[place][1]
    shares = {letter: likely[letter] for letter in ("A", "B", "C") if letter in likely}
    return shares if sum(shares.values()) > 0 else {}


def _digits(entries: list[tuple[str, dict[str, float]]], place: int, score: str) -> dict[str, float] | None:
    """The shares of 0 to 10 where each digit is a token; None where the score is not in the place."""
    shares = dict(entries[place][1])
    one = shares.pop("1", 0.0)
    if score == "10":
        following = entries[place + 1] if place + 1 < len(entries) else ("", {})
        if (entries[place][0], following[0]) != ("1", "0"):
            return None
        ten = min(following[1].get("0", 0.0), 1.0)
        shares |= {"10": one * ten, "1": one * (1 - ten)}
    elif entries[place][0] == score:
        shares["10" if score != "1" and 10 - int(score) < int(score) - 1 else "1"] = one
    else:
        return None
    return {token: share for token, share in shares.items() if token.isascii() and token.isdigit()}


def _entries(top_logprobs: str | None) -> list[tuple[str, dict[str, float]]]:
    """The tokens that are short answers, each with the probabilities of the likely ones, white space aside."""
    found = []
    for entry in json.loads(top_logprobs) if top_logprobs else []:
        shares: dict[str, float] = {}
        for token, logprob in entry["top"].items():
            shares[token.strip()] = shares.get(token.strip(), 0.0) + math.exp(min(logprob, 0.0))
        found.append((entry["token"].strip(), shares))
    return found


def _place(tokens: list[str], reply: str, start: int) -> int | None:
    """Which of the tokens stands at ``start``; None where none does. The last token is the last that the reply has."""
    end = len(reply)
    for place in range(len(tokens) - 1, -1, -1):
        end = reply.rfind(tokens[place], 0, end)
        if end <= start:
            return place if end == start else None
    return None
