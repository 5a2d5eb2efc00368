"""The ways to learn from a source: pure functions of what ``read_source`` found in it.

A file may be learnt in several ways: pairs by DPO, or the preferred answers alone by SFT. ``jobs_of`` returns them all,
the one that most people mean first.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from cli.first_recipe.verifier import verifier_for
from curate.datasets.recorded_verdicts import VERDICT_VALUES, column_in_sql, is_bad_name
from curate.sources.rows.layout_names import RANKS, RATINGS, VERDICTS
from curate.sources.source_summary import truths_alone
from curate.sources.source_tables import Source

PREFERENCE = "preference"  # the score of recorded pairs
GOOD = "good"  # a score that we add where the least of the recorded one is the best
SEVERAL = 0.5  # the share of answered prompts that must have several answers, for these to be compared
MOST = 0.5  # the share of answered prompts that must have a verdict or a rating, for the recipe to learn of it
REWARD_WORDS = {
    "math": "the right number or formula",
    "exact_match": "the very text of the ground truth",
    "constraints": "the constraints that an answer keeps",
    "code": "the unit tests that pass, in the sandbox",
    "tool_call": "the expected tool calls",
}


@dataclass(frozen=True)
class Job:
    """One way to learn from a source.

    Attributes:
        trainer: The trainer: ``sft``, ``dpo``, ``kto`` or ``grpo``.
        dataset: The entry of ``datasets``.
        learns: What is learnt, in plain words.
        note: Why the dataset is as it is, for a comment; empty where nothing was chosen.
        reward: The verifier that rewards answers, of ``grpo``.
        steps: Steps of ``completions`` that the dataset needs.
        fields: The ``fields`` of the source that this way needs.
    """

    trainer: str
    dataset: dict[str, Any]
    learns: str
    note: str = ""
    reward: str = ""
    steps: tuple[dict[str, Any], ...] = ()
    fields: dict[str, str] = field(default_factory=dict)


def jobs_of(source: Source, fields: dict[str, Any] | None) -> list[Job]:
    """Return the ways to learn from a source, the usual one first; of each trainer one, and none where there is none.

    Args:
        source: What was read.
        fields: The names of keys that it was read with.
    """
    answered, truths = [*_answered(source)], [*_from_truths(source, fields)]
    if answered and source.facts.alone > source.completions["prompt_id"].n_unique():  # most have a ground truth alone
        answered[:0] = truths[:1]
    found = [*answered, *truths]
    first: dict[str, Job] = {}
    for job in found:
        first.setdefault(job.trainer, job)
    return list(first.values())


def scores_of(source: Source) -> tuple[list[str], list[str]]:
    """Return the names of the recorded scores that are verdicts (good or bad), and of those that order the answers."""
    values = {str(name): part["value"].drop_nulls() for (name,), part in source.scores.group_by("scorer")}
    verdicts = [name for name, held in values.items() if _is_verdict(held)]
    order = {name: place for place, name in enumerate((*VERDICTS, *RATINGS))}
    ratings = [name for name, held in values.items() if name not in verdicts and held.n_unique() > 1]

    def place_of(name: str) -> tuple[int, str]:
        return order.get(name, len(order)), name

    return sorted(verdicts, key=place_of), sorted(ratings, key=place_of)


def _is_verdict(values: pl.Series) -> bool:
    return bool(values.is_in(VERDICT_VALUES).all()) and bool((values == 1).any()) and bool((values < 1).any())


def _answered(source: Source) -> Iterator[Job]:
    """Yield the ways to learn from recorded answers."""
    if source.completions.is_empty():
        return
    verdicts, ratings = scores_of(source)
    score = next(iter([*verdicts, *ratings]), None)
    scored = _scored_answers(source, score)
    several = _have_several(scored)
    judged: list[Job] = []
    if several and PREFERENCE in verdicts:
        judged = [Job("dpo", {"type": "preference"}, "pairs of a preferred and a rejected answer")]
        judged.append(_best(PREFERENCE, "= 1", "the preferred answers alone"))
    elif verdicts:
        judged = [*_judged(verdicts[0], several)]
    elif ratings and several:
        judged = [*_rated(ratings[0])]
    plain = Job("sft", {"type": "sft"}, _plain_words(source, _have_several(source.completions)))
    if not judged or scored["prompt_id"].n_unique() > MOST * source.completions["prompt_id"].n_unique():
        yield from (*judged, plain)
        return
    yield _unjudged(score, plain) if score in verdicts else plain
    yield from judged


def _scored_answers(source: Source, score: str | None) -> pl.DataFrame:
    """Return the answers that have a value of a score; all where there is no score."""
    if score is None:
        return source.completions
    values = source.scores.filter(pl.col("scorer") == score, pl.col("value").is_not_null())
    return source.completions.join(values, left_on="completion_id", right_on="row_id", how="semi")


def _have_several(answers: pl.DataFrame) -> bool:
    """Return whether most prompts of these answers have more than one of them."""
    counts = answers.group_by("prompt_id").len()["len"]
    return (counts > 1).sum() > SEVERAL * len(counts)


def _unjudged(score: str, plain: Job) -> Job:
    """Return the plain way to learn without the answers that a verdict, which few rows have, calls bad."""
    name, good = column_in_sql(score), 0 if is_bad_name(score) else 1
    return replace(
        plain,
        dataset={**plain.dataset, "where": f"{name} IS NULL OR {name} = {good}"},
        learns=f"{plain.learns}; of those that have {score} the good ones",
    )


def _plain_words(source: Source, several: bool) -> str:
    words = "conversations" if _has_turns(source) else "prompts with their answers"
    return f"{words}, all answers of a prompt" if several else words


def _has_turns(source: Source) -> bool:
    return bool(source.prompts["messages"].str.contains('"role":"assistant"', literal=True).any())


def _judged(score: str, several: bool) -> Iterator[Job]:
    """Yield what answers that are good or bad teach: single ones by KTO, several of one prompt by pairs."""
    bad = is_bad_name(score)
    by, steps = (GOOD, (_combined(f"1 - {column_in_sql(score)}"),)) if bad else (score, ())
    note = f"{score} says which answers are bad" if bad else f"{score} says which answers are good"
    pairs = Job(
        "dpo",
        {"type": "preference", "select": "best_vs_worst", "by": by},
        f"a good answer of each prompt over a bad one, by {score}",
        note,
        steps=steps,
    )
    single = Job(
        "kto", {"type": "unpaired", "by": by}, f"answers that are good or bad each, by {score}", note, "", steps
    )
    yield from (pairs, single) if several else (single,)
    yield _best(score, "= 0" if bad else "= 1", f"the good answers alone, by {score}")


def _rated(score: str) -> Iterator[Job]:
    """Yield what answers with a rating or a rank teach, several to a prompt."""
    least_is_best = score in RANKS or is_bad_name(score)
    by, steps = (GOOD, (_combined(f"- {column_in_sql(score)}"),)) if least_is_best else (score, ())
    note = f"the least {score} is the best" if least_is_best else f"the highest {score} is the best"
    best, worst = "best_vs_worst", f"the best answer of each prompt over the worst, by {score}"
    yield Job("dpo", {"type": "preference", "select": best, "by": by}, worst, note, steps=steps)
    alone = f"the best answer of each prompt alone, by {score}"
    yield Job("sft", {"type": "sft", "select": "best_of_n", "by": by}, alone, note, steps=steps)


def _combined(sql: str) -> dict[str, Any]:
    return {"score": {"use": "combine", "as": GOOD, "sql": sql}}


def _best(score: str, condition: str, learns: str) -> Job:
    return Job("sft", {"type": "sft", "where": f"{column_in_sql(score)} {condition}"}, learns)


def _from_truths(source: Source, fields: dict[str, Any] | None) -> Iterator[Job]:
    """Yield what prompts with a ground truth teach: sampled answers, rewarded; or the ground truth as the answer."""
    if source.prompts["ground_truth"].is_null().all():
        return
    reward = verifier_for(source.prompts)
    learns = f"its own answers to the prompts, rewarded for {REWARD_WORDS[reward]}"
    yield Job("grpo", {"type": "prompt", "by": reward}, learns, reward=reward)
    alone = truths_alone(source.facts, fields)
    if alone and len(alone["keys"]) == 1 and not fields:
        (prompt, name), (key,) = alone["prompt_field"].split(": ", 1), alone["keys"]
        wanted = {prompt: name, "completion": key}
        yield Job("sft", {"type": "sft"}, f"{key!r} as the answer to learn", fields=wanted)
