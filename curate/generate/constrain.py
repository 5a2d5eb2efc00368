"""New prompts: each seed with format constraints, in words and as the ``ground_truth`` that a verifier checks.

``constraints`` lists what may be asked for, each as ``score: constraints`` checks it: ``{kind: max_words, n: 10}``. A
list stands for several values, of which one is drawn: ``{kind: max_words, n: [6, 8, 10]}``. The words are those of
``curate/verifiers/constraints/phrases.py``; ``say`` gives others, or those of a kind that has none there. It asks no
model. A new prompt keeps its seed's metadata.
"""

import itertools
import random
from typing import Any

import polars as pl

from curate.generate._new_prompts import NewPrompt, check_counts, ends_with_user, prompt_table
from curate.generate._reply_text import texts
from curate.steps.quoting import turns_of
from curate.verifiers.constraints.forms import Phrases, PhraseValues, check_constraint, parameters_of
from curate.verifiers.constraints.kinds import KINDS
from curate.verifiers.constraints.phrases import PHRASES, clash, in_words
from schemas.errors import UserError
from schemas.json_text import dump, parse
from schemas.messages import Message, dump_turns

MOST = 1_000  # values of one constraint


def write_prompts(
    messages: pl.Series,
    metadata: pl.Series,
    *,
    constraints: list[dict[str, Any]],
    each: int = 1,
    most: int = 1,
    seed: int = 0,
) -> pl.DataFrame:
    """Return the new prompts, with their ``row``, ``messages``, ``note`` (the kinds asked for) and ``ground_truth``.

    Args:
        messages: The seeds, as JSON text. One that does not end with a user turn gives no prompt.
        metadata: Their metadata, as JSON text.
        constraints: What may be asked for.
        each: Prompts made of each seed, 1 or more; equal ones are made once.
        most: The most constraints of a prompt, 1 or more: as many, or fewer, each as likely.
        seed: Seed of the draws. They depend on the seed prompt's text, not on its place.

    Raises:
        UserError: For a constraint that is unknown or not valid, one without words, or a number below 1.
    """
    check_counts("constrain", each=each, most=most)
    choices = [_choices(place, given) for place, given in enumerate(constraints)]
    if not choices:
        raise UserError("generate constrain: constraints: expected a list of constraints, found []")
    made = []
    for row, (text, more) in enumerate(zip(texts(messages), texts(metadata), strict=True)):
        turns = turns_of(text)
        if not ends_with_user(turns):
            continue
        for number in range(each):
            draw = random.Random(f"{seed}/{number}/{text}")  # noqa: S311 (a choice of data, no secret)
            chosen = _draw(draw, choices, draw.randint(1, most))
            truth = [constraint for constraint, _ in chosen]
            said = " ".join(in_words(draw.choice(phrases), constraint) for constraint, phrases in chosen)
            last: Message = {**turns[-1], "content": f"{turns[-1]['content'].rstrip()} {said}"}
            note = {**(parse(more) if more else {}), "kinds": [constraint["kind"] for constraint in truth]}
            made.append(
                NewPrompt(
                    row,
                    dump_turns([*turns[:-1], last], "messages"),
                    note,
                    ground_truth=dump(truth, "constraints"),
                )
            )
    return prompt_table(made)


Choice = tuple[list[dict[str, Any]], tuple[str, ...]]  # the values of one constraint, and its phrases


def _draw(draw: random.Random, choices: list[Choice], count: int) -> list[tuple[dict[str, Any], tuple[str, ...]]]:
    """Draw up to ``count`` constraints that can be kept together."""
    chosen: list[tuple[dict[str, Any], tuple[str, ...]]] = []
    for values, phrases in draw.sample(choices, len(choices)):
        if len(chosen) < count and not any(clash(values[0]["kind"], one["kind"]) for one, _ in chosen):
            chosen.append((draw.choice(values), phrases))
    return chosen


def _choices(place: int, given: dict[str, Any]) -> Choice:
    """Return the constraints that one entry of the list stands for, each checked, and their phrases."""
    where = f"generate constrain: constraints[{place}]"
    asked = {name: value for name, value in given.items() if name != "say"}
    kind = KINDS.get(str(asked.get("kind")))
    of_phrases = {name for name, one in (parameters_of(kind) if kind else {}).items() if _is_list(one.annotation)}
    options = [value if _is_several(name, value, of_phrases) else [value] for name, value in asked.items()]
    combined = list(itertools.islice(itertools.product(*options), MOST + 1))
    if not 0 < len(combined) <= MOST:
        raise UserError(f"{where}: expected 1 to {MOST:,} values, found {'more' if combined else 'an empty list'}")
    values = [dict(zip(asked, one, strict=True)) for one in combined]
    for value in values:
        try:
            check_constraint(value, KINDS)
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
    said = given.get("say", PHRASES.get(values[0]["kind"]))
    phrases = (said,) if isinstance(said, str) else tuple(said or ())
    if not phrases or not all(isinstance(one, str) and one.strip() for one in phrases):
        raise UserError(f"{where}: {values[0]['kind']!r} has no words of its own; add 'say', a text or a list of texts")
    return values, phrases


def _is_list(annotation: object) -> bool:
    return annotation in (Phrases, PhraseValues)


def _is_several(name: str, value: object, of_phrases: set[str]) -> bool:
    """Return whether a value stands for several: a list, and of a parameter that is a list itself a list of lists."""
    if not isinstance(value, list):
        return False
    return name not in of_phrases or all(isinstance(one, list) for one in value)
