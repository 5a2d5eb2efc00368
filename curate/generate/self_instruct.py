"""New prompts in the manner of several seeds shown together (Self-Instruct, arXiv 2212.10560).

Each request shows a seed and ``shots`` - 1 others, and asks for ``per_request`` prompts of other kinds. Which others is
drawn from the seed's own text and its sample index: the order of the seeds changes nothing, and one seed more changes
few requests. A new prompt is one user turn, its parents are all seeds shown. What only repeats a seed shown is dropped;
near copies of one another are for ``dedup`` to find, and length and topic for ``filter``.
"""

import polars as pl

from curate.generate._choose import Ring
from curate.generate._prompts import New, at_least_one, single, table, usable
from curate.generate._texts import column, items, same_text, texts
from curate.steps.model_calls import Ask, Asking
from curate.steps.quoting import ask_user, quote
from schemas.messages import blank

REQUEST = """Here are examples of prompts that people send to an AI assistant:

{examples}

Write {count} new prompts of this sort. Each must be about a different task than the examples and than the other new \
prompts, be understood without them, and be answerable in text alone. Vary the wording, the subject, the difficulty \
and the kind of task.
Reply with a numbered list from 1 to {count}, each prompt whole and on one line, and nothing else."""


def prompts(
    prompt: pl.Series, sample_index: pl.Series, *, shots: int = 3, per_request: int = 4, seed: int = 0
) -> Asking:
    """Ask for new prompts once a row and return them (``row``, ``messages``, ``note``, ``parents``).

    A row without text asks nothing. Fewer seeds than ``shots`` are all shown. Raises ``UserError`` for numbers below 1.
    """
    at_least_one("self_instruct", shots=shots, per_request=per_request)
    seeds = [None if text is None or blank(text) else text for text in texts(prompt)]
    shown = _shown(seeds, sample_index.cast(pl.Int64).fill_null(0).to_list(), shots, seed)
    replies = yield Ask(column(_request(group, per_request) if group else None for group in shown), whole=False)
    row_of = {text: row for row, text in reversed(list(enumerate(seeds))) if text}
    made: list[New] = []
    for row, (group, reply) in enumerate(zip(shown, texts(replies), strict=True)):
        if group:
            others = [row_of[text] for text in group[1:]]
            made += [
                single(row, text, {"self_instruct": True}, parents=others)
                for text in _new(group, items(reply, per_request))
            ]
    return table(made)


def _shown(seeds: list[str | None], indices: list[int], shots: int, seed: int) -> list[list[str]]:
    """The seeds shown for each row: its own, then those that follow ``shots`` - 1 points on the ring."""
    ring = Ring([text for text in seeds if text], seed)
    rows = [row for row, text in enumerate(seeds) if text]
    points = [f"{seeds[row]}\0{indices[row]}\0{shot}" for row in rows for shot in range(1, shots)]
    starts = iter(ring.after(points))
    shown: list[list[str]] = [[] for _ in seeds]
    for row in rows:
        group = dict.fromkeys([seeds[row]])
        for _ in range(1, shots):
            place = next(starts)
            while len(group) < len(ring.texts) and ring.texts[place] in group:
                place = (place + 1) % len(ring.texts)
            group[ring.texts[place]] = None
        shown[row] = list(group)
    return shown


def _request(group: list[str], count: int) -> str:
    examples = "\n".join(quote("example", text.strip()) for text in group)
    return ask_user(REQUEST.format(examples=examples, count=count))


def _new(group: list[str], found: list[str]) -> list[str]:
    """The prompts found that are ones, each once, and none of the seeds shown."""
    kept: list[str] = []
    for text in found:
        if usable(text) and not any(same_text(text, other) for other in (*group, *kept)):
            kept.append(text)
    return kept
