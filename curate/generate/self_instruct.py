"""New prompts like several seeds that are shown together (Self-Instruct, arXiv 2212.10560).

Each request shows a seed and ``shots`` - 1 others, and asks for ``per_request`` prompts about other tasks. The seed's
text and sample index choose the others: the order of the seeds has no effect, and an added seed changes few requests. A
new prompt is one user turn; its parents are all seeds shown. Prompts that repeat a shown seed are dropped. Use
``dedup`` for near-duplicates of one another, and ``filter`` for length and topic.
"""

import polars as pl

from curate.generate._new_prompts import NewPrompt, check_counts, one_turn_prompt, prompt_table, usable
from curate.generate._reply_text import column, list_items, same_text, texts
from curate.generate._stable_choice import Ring
from curate.steps.model_calls import Ask, Asking
from curate.steps.quoting import ask_user, quote
from schemas.json_text import blank

REQUEST = """Here are examples of prompts that people send to an AI assistant:

{examples}

Write {count} new prompts of this sort. Each must be about a different task than the examples and than the other new \
prompts, be understood without them, and be answerable in text alone. Vary the wording, the subject, the difficulty \
and the kind of task.
Reply with a numbered list from 1 to {count}, each prompt whole and on one line, and nothing else."""


def prompts(
    prompt: pl.Series, sample_index: pl.Series, *, shots: int = 3, per_request: int = 4, seed: int = 0
) -> Asking:
    """Make one request per row and return the new prompts. A row without text makes none.

    Args:
        prompt: The seeds.
        sample_index: The number of each row among the samples of its seed.
        shots: Seeds shown in a request, 1 or more; all of them if there are fewer.
        per_request: Prompts that a request asks for, 1 or more.
        seed: Seed of the choice of the other seeds.

    Raises:
        UserError: For a number below 1.
    """
    check_counts("self_instruct", shots=shots, per_request=per_request)
    seeds = [None if text is None or blank(text) else text for text in texts(prompt)]
    shown = _shown(seeds, sample_index.cast(pl.Int64).fill_null(0).to_list(), shots, seed)
    replies = yield Ask(column(_request(group, per_request) if group else None for group in shown), whole=False)
    row_of = {text: row for row, text in reversed(list(enumerate(seeds))) if text}
    made: list[NewPrompt] = []
    for row, (group, reply) in enumerate(zip(shown, texts(replies), strict=True)):
        if group:
            others = [row_of[text] for text in group[1:]]
            made += [
                one_turn_prompt(row, text, {"self_instruct": True}, parents=others)
                for text in _new(group, list_items(reply, per_request))
            ]
    return prompt_table(made)


def _shown(seeds: list[str | None], indices: list[int], shots: int, seed: int) -> list[list[str]]:
    """Return the seeds shown for each row: its own, then those that follow ``shots`` - 1 points on the ring."""
    ring = Ring([text for text in seeds if text], seed)
    rows = [(row, text) for row, text in enumerate(seeds) if text]
    points = [f"{text}\0{indices[row]}\0{shot}" for row, text in rows for shot in range(1, shots)]
    starts = iter(ring.after(points))
    shown: list[list[str]] = [[] for _ in seeds]
    for row, text in rows:
        group = dict.fromkeys([text])
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
    """Return the usable prompts, without repeats and without the seeds shown."""
    kept: list[str] = []
    for text in found:
        if usable(text) and not any(same_text(text, other) for other in (*group, *kept)):
            kept.append(text)
    return kept
