"""A model's score of the response by a rubric (LLM as a judge), or the mean score of a panel of models.

``rubric`` is ``quality`` (1 to 10, as MT-Bench grades; arXiv 2306.05685), one or a list of UltraFeedback's aspects (1
to 5, arXiv 2310.01377): ``helpfulness``, ``honesty``, ``instruction_following``, ``truthfulness``, or
``ultrafeedback``, the mean of these four; or your own text, with its ``scale``. The value is on the rubric's scale. The
judge is shown the ``ground_truth`` as a reference, unless ``reference: false`` or where it is a mapping (JSON or
Python's) or unit tests, for another scorer: ``detail`` says so in ``reference``. It is shown the prompt's tools and all
tool calls and results, but no reasoning traces, as the user is not: they hold drafts, and a verdict is on the answer.
``reasoning: true`` shows them.

``explain: false`` asks for the score alone: it is cheaper, and small models manage it. If a model gives
log-probabilities, the score is the mean of the likely scores (G-Eval, arXiv 2303.16634); ``weighted: false`` takes the
written score. A model that reasons before it replies needs more ``max_tokens`` than the default.

More than half of a panel must have given a score. ``detail`` is JSON: ``by_judge`` and ``by_rubric`` (if there are
several), ``spread`` (the panel's highest score less its lowest), and in ``replies`` each reply with the score read in
it.
"""

import json
from statistics import fmean, median
from typing import Any, Literal

import polars as pl

from curate.score._judge_calls import judge_answers, judge_models, sampling
from curate.score._judge_prompts import Context, ask_score
from curate.score._parse_verdicts import read_score
from curate.score._rubrics import Rubric, rubrics
from curate.score._shown_references import NOT_SHOWN, is_for_another_scorer
from curate.score._shown_turns import shown_responses
from curate.score._token_probabilities import weighted_score
from curate.steps.model_calls import ModelCalls, Scoring
from curate.steps.quoting import turns_of

PANELS = {"mean": fmean, "median": median, "min": min}


def score(
    response: pl.Series,
    messages: pl.Series,
    ground_truth: pl.Series,
    completion: pl.Series,
    tools: pl.Series,
    reasoning_content: pl.Series,
    *,
    model: str | list[str],
    rubric: str | list[str] = "quality",
    scale: list[int] | None = None,
    panel: Literal["mean", "median", "min"] = "mean",
    reference: bool = True,
    reasoning: bool = False,
    explain: bool = True,
    weighted: bool = True,
    temperature: float = 0.0,
    max_tokens: int | None = None,
) -> Scoring:
    """Ask every model of the panel by every rubric; return ``value`` (on the rubric's scale), ``detail`` and ``error``.

    Args:
        response: The responses.
        messages: The prompts, as JSON text.
        ground_truth: Reference answers, or null.
        completion: The responses' turns, as JSON text, or null.
        tools: The prompts' tools, as JSON text, or null.
        reasoning_content: The responses' reasoning traces, or null.
        model: The judge, or the judges of a panel.
        rubric: Name or names of rubrics, or the user's own texts.
        scale: Lowest and highest score of the user's own rubrics.
        panel: How the scores of a panel are joined.
        reference: Whether the judge is shown the ``ground_truth``.
        reasoning: Whether it is shown reasoning traces, those of earlier turns too.
        explain: Whether it explains itself before the score.
        weighted: Whether to average the likely scores by their probabilities, if a model gives them.
        temperature: Temperature of the judge.
        max_tokens: Limit of a reply; None for 1024, or for 32 without an explanation.

    Raises:
        UserError: For a rubric, scale or number that is not valid.
    """
    models, asked_by = judge_models(model), rubrics(rubric, scale)
    how = sampling(explain=explain, weighted=weighted, temperature=temperature, max_tokens=max_tokens)
    responses = shown_responses(response, completion, reasoning_content if reasoning else None)
    shown, hidden = _references(ground_truth, reference)
    rows = list(zip(responses, _contexts(messages, tools, reasoning), shown, strict=True))
    missing = [given.problem or (None if context else "no prompt") for given, context, _ in rows]
    replies: list[list[dict[str, Any]]] = [[] for _ in rows]
    for by in asked_by:
        asks = [
            ask_score(by, context, given.text, truth, explain=explain) if given.text is not None and context else None
            for given, context, truth in rows
        ]
        for name in models:
            answers = yield ModelCalls(pl.Series("asks", asks, dtype=pl.String), name, sampling=how)
            for row, answer in enumerate(judge_answers(answers, how, explain=explain)):
                if not missing[row]:
                    replies[row].append({"judge": name, "rubric": by.name} | _read(by, *answer, last=explain))
    return _table(missing, replies, hidden, models, asked_by, panel)


def _contexts(messages: pl.Series, tools: pl.Series, reasoning: bool) -> list[Context | None]:
    """Return the prompts as a judge is shown them, None where the messages cannot be read."""
    rows = zip(map(turns_of, messages.cast(pl.String)), tools.cast(pl.String), strict=True)
    return [Context(turns, offered, reasoning) if turns else None for turns, offered in rows]


def _references(ground_truth: pl.Series, reference: bool) -> tuple[list[str | None], list[bool]]:
    """Return the references that a judge is shown, and which are not shown as they are for another scorer."""
    truths = [(truth or "").strip() or None for truth in ground_truth.cast(pl.String)]
    if not reference:
        return [None] * len(truths), [False] * len(truths)
    hidden = [truth is not None and is_for_another_scorer(truth) for truth in truths]
    return [None if hide else truth for truth, hide in zip(truths, hidden, strict=True)], hidden


def _table(
    missing: list[str | None],
    replies: list[list[dict[str, Any]]],
    hidden: list[bool],
    models: list[str],
    asked_by: list[Rubric],
    panel: str,
) -> pl.DataFrame:
    """Return the value, detail and error of each row: why it was not asked about, or what its replies give."""
    found = [
        (None, None, why) if why else _combine(row_replies, hide, models, asked_by, panel)
        for why, row_replies, hide in zip(missing, replies, hidden, strict=True)
    ]
    kinds = {"value": pl.Float64, "detail": pl.String, "error": pl.String}
    return pl.DataFrame(found, schema=kinds, orient="row")


def _read(by: Rubric, reply: str | None, likely: str | None, error: str | None, *, last: bool) -> dict[str, Any]:
    """Return the scores of a reply: the written one (``plain``), the ``weighted`` one, and which is ``used``."""
    read = {"score": None, "used": None, "plain": None, "weighted": None, "error": error or None, "reply": reply}
    if error or reply is None:
        return read | {"error": error or "no reply"}
    found = read_score(reply, by.low, by.high, last=last)
    if found.value is None:
        return read | {"error": found.problem}
    if found.start < 0:
        likely = None  # the place of its tokens is not known
    mean = weighted_score(likely, reply, found.start, found.text, by.low, by.high)
    used = {"score": found.value, "used": "plain"} if mean is None else {"score": mean, "used": "weighted"}
    return read | used | {"plain": found.value, "weighted": mean}


def _combine(
    replies: list[dict[str, Any]], hide: bool, models: list[str], asked_by: list[Rubric], panel: str
) -> tuple[float | None, str, str | None]:
    """Return a row's value, detail and error from the replies of its judges; ``hide``: its reference was not shown."""
    by_judge: dict[str, float | None] = {}
    for name in models:
        scores = [reply["score"] for reply in replies if reply["judge"] == name]
        by_judge[name] = None if None in scores else fmean(scores)
    given = [value for value in by_judge.values() if value is not None]
    value = PANELS[panel](given) if 2 * len(given) > len(models) else None
    detail: dict[str, Any] = {}
    if len(models) > 1:
        detail = {"by_judge": by_judge, "spread": max(given) - min(given) if given else None}
    if len(asked_by) > 1:
        scores = {
            by.name: [r["score"] for r in replies if r["rubric"] == by.name and r["score"] is not None]
            for by in asked_by
        }
        detail["by_rubric"] = {name: fmean(each) if each else None for name, each in scores.items()}
    detail |= {"reference": NOT_SHOWN} if hide else {}
    detail["replies"] = replies
    error = (
        None
        if value is not None
        else "; ".join(
            dict.fromkeys(_source(reply, models, asked_by) + reply["error"] for reply in replies if reply["error"])
        )
    )
    return value, json.dumps(detail, ensure_ascii=False), error


def _source(reply: dict[str, Any], models: list[str], asked_by: list[Rubric]) -> str:
    """Return the judge and rubric of an error as a prefix, as far as there are several."""
    names = [reply["judge"]] * (len(models) > 1) + [reply["rubric"]] * (len(asked_by) > 1)
    return f"{', '.join(names)}: " if names else ""
