"""Runs each prompt's own reference through the recipe's verifiers, so that a broken ground truth is found first."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from curate.models.gateway import Gateway
from curate.pipeline.scorer import no_model_calls
from curate.score._doubtful_truths import doubts
from curate.score._reference_answers import VERIFIERS
from curate.storage.store import Store
from schemas.errors import OneLine
from schemas.progress import Progress
from schemas.recipe import Recipe
from train.answer_scorers import AnswerScorer, answer_scorers, requests_for
from train.reference_answers import RECORDED, reference_answers, unmarked

PROGRAMS = 50  # references of ``code`` that are run for each source, at equal distances, in the sandbox
LISTED = 200  # rows that are kept for each verifier and source
SHOWN = ["place", "reference", "response", "ground_truth"]


@dataclass(frozen=True)
class FailedReference:
    """A reference that does not pass, a suspicious ground truth, or a prompt that no answer can be judged for.

    Attributes:
        place: The prompt's file and line.
        reference: Where the reference is from: ``recorded answer``, ``ground_truth``, ``metadata.code``; or ``none``.
        text: The reference, as an answer.
        truth: The ground truth.
        why: The score and the scorer's detail, or why there is none.
        unjudged: Whether there is no score.
        suspicious: Whether it passes all the same.
    """

    place: str
    reference: str
    text: str
    truth: str
    why: str
    unjudged: bool = False
    suspicious: bool = False


@dataclass
class CheckedReferences:
    """The verdicts of one verifier on the references of one source's prompts.

    Attributes:
        verifier: The verifier's name in the recipe.
        source: The source.
        prompts: How many prompts were looked at.
        kinds: Where the references that were run are from, with their number.
        passed: How many references have the full score, and a ground truth that is not suspicious.
        failed: How many have less.
        unjudged: How many prompts no answer can be judged for, though they have a ground truth.
        reasons: Why, with the number of prompts.
        suspicious: How many references pass, though their ground truth seems broken.
        doubts: Why, with their number.
        unmarked: How many recorded answers mark no answer, or hold no program: the ground truth is judged by itself.
        without_truth: How many prompts have no ground truth.
        without_reference: How many ground truths can be read, but have no reference to run.
        skipped: How many references were not run, because programs take long.
        rows: The first failing rows.
        problem: Why nothing was run, or empty.
    """

    verifier: str
    source: str
    prompts: int
    kinds: Counter = field(default_factory=Counter)
    passed: int = 0
    failed: int = 0
    unjudged: int = 0
    reasons: Counter = field(default_factory=Counter)
    suspicious: int = 0
    doubts: Counter = field(default_factory=Counter)
    unmarked: int = 0
    without_truth: int = 0
    without_reference: int = 0
    skipped: int = 0
    rows: list[FailedReference] = field(default_factory=list)
    problem: str = ""


def verifiers_of(recipe: Recipe) -> dict[str, str]:
    """Return the verifiers of a recipe by their names there: of ``score`` steps, of rewards, and of ``evaluate``."""
    steps = {step.name: step.use or "" for step in recipe.completions if step.verb == "score"}
    named = [name for training in recipe.train.values() for name in training.rewards]
    named += recipe.evaluate.by if recipe.evaluate else []
    found = steps | {name: name for name in named if name not in steps}
    return {name: use for name, use in found.items() if use in VERIFIERS}


def check_references(recipe: Recipe, rows: pl.DataFrame) -> Iterator[CheckedReferences]:
    """Yield what each verifier says of the references of each source.

    Args:
        recipe: The recipe.
        rows: Prompts with their recorded right answers, as ``curate.api.reference_rows`` returns them.
    """
    verifiers = verifiers_of(recipe)
    if not verifiers or rows.is_empty():
        return
    scorers = answer_scorers(recipe, list(verifiers), recipe.where("completions"))
    for name, scorer in scorers.items():
        for (source,), part in rows.group_by("source", maintain_order=True):
            yield _check(scorer, verifiers[name], name, str(source), part, recipe.seed)


def _check(
    scorer: AnswerScorer, verifier: str, name: str, source: str, rows: pl.DataFrame, seed: int
) -> CheckedReferences:
    found = CheckedReferences(name, source, rows.height)
    reading = str(scorer.scorer.settings.get("reading", "auto"))
    answers = reference_answers(verifier, rows, reading)
    if verifier == "code":
        found.skipped, answers = some_programs(answers)
    try:
        scored = _scored(scorer, answers, seed)
        again = unmarked(verifier, scored, reading)
        if again.any():  # such a recorded answer says nothing: the ground truth is judged by itself
            found.unmarked = int(again.sum())
            alone = rows.filter(again).with_columns(pl.lit(None, rows.schema[one]).alias(one) for one in RECORDED)
            own = _scored(scorer, reference_answers(verifier, alone, reading), seed)
            rank = pl.Series("rank", np.arange(rows.height))
            parts = [scored.with_columns(rank).filter(~again), own.with_columns(rank.filter(again))]
            scored = pl.concat(parts).sort("rank").drop("rank")
    except OneLine as error:  # such as a sandbox that cannot be started
        found.problem = str(error)
        return found
    _count(found, scored.with_columns(doubt=_doubts(verifier, scored)))
    found.without_reference -= min(found.skipped, found.without_reference)
    return found


def some_programs(answers: pl.DataFrame) -> tuple[int, pl.DataFrame]:
    """Return how many programs are not run, and the answers without these; their tests are read all the same.

    ``PROGRAMS`` at equal distances are run.
    """
    present = answers["reference"].is_not_null()
    count = int(present.sum())
    run = np.linspace(0, max(count - 1, 0), min(PROGRAMS, count)).astype(int)
    skip = present & ~(present.cum_sum() - 1).is_in(run)
    answers = answers.with_columns(
        response=pl.when(skip).then(pl.lit("")).otherwise("response"),
        completion=pl.when(~skip).then("completion"),
        reference=pl.when(skip).then(pl.lit(None)).otherwise("reference"),
    )
    return int(skip.sum()), answers


def _scored(scorer: AnswerScorer, answers: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return references with their values: ``SHOWN`` and ``value``, ``error`` and ``detail``."""
    return pl.concat([answers.select(SHOWN), reference_values(scorer, answers, seed)], how="horizontal")


def _doubts(verifier: str, scored: pl.DataFrame) -> pl.Series:
    """Return why ground truths whose references pass are suspicious; null where they are not."""
    doubt = pl.Series("doubt", [None], dtype=pl.String).new_from_index(0, scored.height)
    passed = (
        (scored["value"] >= 1).fill_null(False).arg_true() if verifier == "math" else pl.Series([], dtype=pl.UInt32)
    )
    if not len(passed):
        return doubt
    return doubt.scatter(passed, pl.Series(doubts(scored["ground_truth"].gather(passed)), dtype=pl.String))


def reference_values(scorer: AnswerScorer, answers: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return a row for each answer: ``value``, ``error`` and ``detail``; programs run in the sandbox."""
    if not scorer.models:
        return scorer.values(answers, no_model_calls)
    with (
        tempfile.TemporaryDirectory(prefix="gristmill-") as folder,
        Gateway(Store(folder), Progress()) as gateway,
    ):
        return scorer.values(answers, requests_for({"": scorer}, gateway, seed, "references").answer)


def _count(found: CheckedReferences, scored: pl.DataFrame) -> None:
    """Count the scores, and keep the first rows that fail."""
    for place, reference, text, truth, value, error, detail, doubt in scored.iter_rows():
        if reference is not None:
            found.kinds[reference] += 1
        if value is None and (truth is None or not truth.strip()):
            found.without_truth += 1
            continue
        if value is None:
            found.unjudged += 1
            found.reasons[str(error)] += 1
            why = f"can't be judged: {error}"
        elif reference is None:
            found.without_reference += 1
            continue
        elif value >= 1 and doubt is not None:
            found.suspicious += 1
            found.doubts[doubt] += 1
            why = f"passes, but {doubt}"
        elif value >= 1:
            found.passed += 1
            continue
        else:
            found.failed += 1
            why = f"scored {value:.3g}" + (f": {detail}" if detail else "")
        if len(found.rows) < LISTED:
            row = (place, reference or "none", text or "", truth or "", why, value is None, doubt is not None)
            found.rows.append(FailedReference(*row))
