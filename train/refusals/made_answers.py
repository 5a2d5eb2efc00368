"""Answers to a training's own prompts, made without a model: to see what a reward says before anything is sampled."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from curate.models.model_ref import ModelRef
from curate.pipeline.scorer import Scorer
from curate.score._reference_answers import VERIFIERS, own_answer
from train.answer_scorers import AnswerScorer, prompt_columns
from train.references import reference_values

PROMPTS, PROGRAMS = 40, 6  # prompts that answers are made for, at equal distances; of ``code``, whose answers are run
FINER = 4  # so many times as many prompts are looked at next, where too few of the first have a value
LONG = 400  # words of a long answer
# Forms that rewards for a format look for, around a reference; a verifier reads the answer in any.
SHAPES = (
    "<think>\nSo.\n</think>\n\n{}",
    "<think>\nSo.\n</think>\n<answer>{}</answer>",
    "<answer>\n{}\n</answer>",
    "\\boxed{{{}}}",
    "```python\n{}\n```",
    '{{"answer": "{}"}}',
    "- {}\n- so",
)
LOCAL = "run"  # the task of a program in the sandbox, which asks no model
ANSWERED = ("response", "completion", "reasoning_content", "finish_reason")


def asks_models(scorer: AnswerScorer) -> bool:
    """Return whether a scorer's values cost requests to a model, or load one."""
    asked: list[tuple[ModelRef, str]] = [pair for one in scorer.scorers for pair in one.models]
    return any(task != LOCAL for _, task in asked)


def verifier_of(scorer: AnswerScorer) -> str | None:
    """Return the name of the verifier that gives a scorer its value, or None where it is none."""
    step = _last(scorer).step.name
    return step if step in VERIFIERS else None


def reading_of(scorer: AnswerScorer) -> str:
    """Return where ``math`` looks for an answer, by its settings."""
    return str(_last(scorer).settings.get("reading", "auto"))


def unanswered(rows: pl.DataFrame) -> pl.DataFrame:
    """Return dataset rows as prompts without an answer: what a scorer reads of a prompt, and ``ANSWERED`` null."""
    nothing = [pl.lit(None, pl.String).alias(name) for name in ANSWERED]
    return prompt_columns(rows).with_columns(*nothing, prompt_id="row_id", place="row_id")


def probe(rows: pl.DataFrame, scorer: AnswerScorer, seed: int) -> pl.DataFrame:
    """Return a few prompts with answers as a scorer reads them.

    The prompts are those that the scorer has a value for, such as the ones with unit tests for ``code``, at equal
    distances; of all prompts where it has none. Each has its own reference (where there is one), the reference of
    another prompt, no text, its own text, and a long text; for a scorer that is no verifier also its reference in some
    forms (``SHAPES``).

    Args:
        rows: Rows of type 'prompt'.
        scorer: The scorer; its verifier says how a reference is written.
        seed: The recipe's seed.

    Returns:
        The columns that a fresh answer has, and ``kind``: ``reference`` or ``made``.

    Raises:
        OneLine: The scorer cannot be run, such as without a sandbox.
    """
    verifier = verifier_of(scorer)
    most = PROGRAMS if verifier == "code" else PROMPTS
    prompts = _prompts(rows, _readable(rows, scorer, most, seed))
    references = _references(prompts, scorer)
    made: list[tuple[int, str, str]] = []
    for row, (reference, text) in enumerate(zip(references, prompts["prompt"], strict=True)):
        other = next((one for one in references[row + 1 :] + references[:row] if one not in (None, reference)), None)
        long = " ".join(f"{text or 'so'} and then".split()) + " and so on" * (LONG // 3)
        answers = [("reference", reference), ("made", other), ("made", ""), ("made", text or ""), ("made", long)]
        if verifier is None:
            answers += [("made", shape.format(reference or "so")) for shape in SHAPES]
        made += [(row, kind, answer) for kind, answer in answers if answer is not None]
    schema = {"row": pl.Int64, "kind": pl.String, "response": pl.String}
    answered = pl.DataFrame(made, schema=schema, orient="row")
    return _answered(prompts[answered["row"].to_list()], answered["response"]).with_columns(answered["kind"])


def _readable(rows: pl.DataFrame, scorer: AnswerScorer, most: int, seed: int) -> list[int]:
    """Return the places of the prompts to probe: those for which a scorer has a value, else of all.

    Each prompt is scored with one answer, its reference; a program is not run, as its tests are read all the same.
    """
    found: list[int] = []
    for places in _finer(rows.height, most):
        prompts = _prompts(rows, places)
        blank = verifier_of(scorer) == "code"
        texts = [("" if blank else text) or "" for text in _references(prompts, scorer)]
        values = reference_values(scorer, _answered(prompts, pl.Series("response", texts, pl.String)), seed)["value"]
        found += [place for place, value in zip(places, values, strict=True) if value is not None]
        if len(found) >= most:
            break
    found = sorted(found) or [*range(rows.height)]
    return [found[at] for at in np.linspace(0, max(len(found) - 1, 0), min(most, len(found))).astype(int)]


def _finer(height: int, most: int) -> Iterator[list[int]]:
    """Yield places at equal distances, then those between them, until all are there."""
    seen: set[int] = set()
    count = min(most, height)
    while len(seen) < height:
        grid = range(height) if count >= height else np.linspace(0, height - 1, count).astype(int).tolist()
        places = [place for place in dict.fromkeys(grid) if place not in seen]
        yield places
        seen.update(places)
        count *= FINER


def _prompts(rows: pl.DataFrame, places: list[int]) -> pl.DataFrame:
    return prompt_columns(rows[places]).with_columns(prompt_id="row_id")


def _references(prompts: pl.DataFrame, scorer: AnswerScorer) -> list[str | None]:
    columns = prompts.select("ground_truth", "prompt", "metadata", "tools").iter_rows()
    return [_reference(verifier_of(scorer), *column, reading_of(scorer)) for column in columns]


def _answered(prompts: pl.DataFrame, responses: pl.Series) -> pl.DataFrame:
    """Return prompts with the columns of a fresh answer each."""
    turns = [json.dumps([{"role": "assistant", "content": text}], ensure_ascii=False) for text in responses]
    return prompts.with_columns(
        responses,
        pl.Series("completion", turns, pl.String),
        pl.lit(None, pl.String).alias("reasoning_content"),
        pl.lit("stop").alias("finish_reason"),
        pl.lit(None, pl.Int64).alias("prompt_tokens"),
        completion_tokens=responses.str.split(" ").list.len().cast(pl.Int64),
    )


def _last(scorer: AnswerScorer) -> Scorer:
    return scorer.scorer


def _reference(
    verifier: str | None, truth: str | None, prompt: str | None, metadata: str | None, tools: str | None, reading: str
) -> str | None:
    """Return a prompt's reference as an answer's text: for a scorer that is no verifier, its ground truth."""
    if verifier is None:
        return truth
    own: Any = own_answer(verifier, truth, prompt, metadata, tools, reading)
    return own.text if own else None
