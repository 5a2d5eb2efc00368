"""Pairs of answers as lines of text, and those whose verdict is not the expected one."""

from curate.verifiers.math.equal import compare


def judged_otherwise(lines: str, want: float | None) -> list[tuple]:
    """The pairs that get another verdict than ``want``, or are not themselves; a null must have its reason."""
    pairs = [(truth, answer) for truth, _, answer in (line.partition(" | ") for line in lines.strip().splitlines())]
    verdicts = zip(pairs, compare(pairs), strict=True)
    wrong = [
        (*pair, *verdict) for pair, verdict in verdicts if verdict[0] != want or (want is None) != bool(verdict[1])
    ]
    alone = [(answer, answer) for pair in pairs for answer in pair]
    return wrong + [pair for pair, (value, _) in zip(alone, compare(alone), strict=True) if value != 1.0]


def judged_right(lines: str) -> list[tuple]:
    """The pairs of different answers that get 1.0, or whose answers are not themselves."""
    pairs = [(truth, answer) for truth, _, answer in (line.partition(" | ") for line in lines.strip().splitlines())]
    right = [pair for pair, (value, _) in zip(pairs, compare(pairs), strict=True) if value == 1.0]
    alone = [(answer, answer) for pair in pairs for answer in pair]
    return right + [pair for pair, (value, _) in zip(alone, compare(alone), strict=True) if value != 1.0]
