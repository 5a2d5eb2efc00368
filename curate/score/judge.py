"""A model's score of the response by a rubric (LLM as a judge), or the mean score of a panel of models.

``rubric`` is ``quality`` (1 to 10, as MT-Bench grades; arXiv 2306.05685), one or a list of UltraFeedback's aspects (1
to 5, arXiv 2310.01377): ``helpfulness``, ``honesty``, ``instruction_following``, ``truthfulness``, or
``ultrafeedback``, the mean of these four; or your own text, with its ``scale``. The value stays on the rubric's scale.
The judge sees the ``ground_truth``, unless ``reference: false`` or where it is no answer but JSON for another scorer.

``explain: false`` asks for the score at once: cheaper, and what a small model can do. Where a model gives
log-probabilities the score is the mean of the likely ones (G-Eval, arXiv 2303.16634); ``weighted: false`` keeps the one
that was written. A judge that reasons first needs more ``max_tokens`` than the default.

Of a panel, more than half must have given a score. ``detail`` is JSON: ``by_judge`` and ``by_rubric`` (where there are
several), ``spread`` (the panel's highest less its lowest), and in ``replies`` each reply with what was read in it.
"""

import json
from statistics import fmean, median
from typing import Any, Literal

import polars as pl

from curate.score._judges import judges, said, sampling
from curate.score._likely import weighted_score
from curate.score._rubrics import Rubric, ask_score, rubrics
from curate.score._verdicts import read_score
from curate.steps.model_calls import ModelCalls, Scoring
from curate.steps.quoting import turns_of

PANELS = {"mean": fmean, "median": median, "min": min}


def score(
    response: pl.Series,
    messages: pl.Series,
    ground_truth: pl.Series,
    *,
    model: str | list[str],
    rubric: str | list[str] = "quality",
    scale: list[int] | None = None,
    panel: Literal["mean", "median", "min"] = "mean",
    reference: bool = True,
    explain: bool = True,
    weighted: bool = True,
    temperature: float = 0.0,
    max_tokens: int | None = None,
) -> Scoring:
    """Return ``value`` (on the rubric's scale, null where there is no score), ``detail`` and ``error``.

    Asks every model of the panel by every rubric. ``max_tokens`` is 1024, or 32 where nothing is explained. Raises
    ``UserError`` for settings that fit nothing.
    """
    models, asked_by = judges(model), rubrics(rubric, scale)
    how = sampling(explain=explain, weighted=weighted, temperature=temperature, max_tokens=max_tokens)
    truth = ground_truth.cast(pl.String).str.strip_chars()
    shown = truth.set(truth.str.contains(r"^(?:\[\s*)?\{|^$"), None) if reference else truth.clear(len(truth))
    rows = list(zip(response.cast(pl.String), map(turns_of, messages.cast(pl.String)), shown, strict=True))
    missing = ["no response" if text is None else None if turns else "no prompt" for text, turns, _ in rows]
    replies: list[list[dict[str, Any]]] = [[] for _ in rows]
    for by in asked_by:
        asks = [
            None if why else ask_score(by, turns, text, truth, explain=explain)
            for (text, turns, truth), why in zip(rows, missing, strict=True)
        ]
        for name in models:
            answers = yield ModelCalls(pl.Series("asks", asks, dtype=pl.String), name, sampling=how)
            for row, answer in enumerate(said(answers, how, explain=explain)):
                if not missing[row]:
                    replies[row].append({"judge": name, "rubric": by.name} | _read(by, *answer, last=explain))
    found = [
        (None, None, why) if why else _together(each, models, asked_by, panel)
        for why, each in zip(missing, replies, strict=True)
    ]
    kinds = {"value": pl.Float64, "detail": pl.String, "error": pl.String}
    return pl.DataFrame(found, schema=kinds, orient="row")


def _read(by: Rubric, reply: str | None, likely: str | None, error: str | None, *, last: bool) -> dict[str, Any]:
    """What a reply says: the score that is written (``plain``), the ``weighted`` one, and which of them is ``used``."""
    read = {"score": None, "used": None, "plain": None, "weighted": None, "error": error or None, "reply": reply}
    if error or reply is None:
        return read | {"error": error or "no reply"}
    found = read_score(reply, by.low, by.high, last=last)
    if found.value is None:
        return read | {"error": found.problem}
    mean = weighted_score(likely, reply, found.start, found.text, by.low, by.high)
    used = {"score": found.value, "used": "plain"} if mean is None else {"score": mean, "used": "weighted"}
    return read | used | {"plain": found.value, "weighted": mean}


def _together(
    replies: list[dict[str, Any]], models: list[str], asked_by: list[Rubric], panel: str
) -> tuple[float | None, str, str | None]:
    """A row's value, detail and error from what its judges said."""
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
    detail["replies"] = replies
    error = (
        None
        if value is not None
        else "; ".join(
            dict.fromkeys(_whose(reply, models, asked_by) + reply["error"] for reply in replies if reply["error"])
        )
    )
    return value, json.dumps(detail, ensure_ascii=False), error


def _whose(reply: dict[str, Any], models: list[str], asked_by: list[Rubric]) -> str:
    """Whose error it is, where several could have made it."""
    names = [reply["judge"]] * (len(models) > 1) + [reply["rubric"]] * (len(asked_by) > 1)
    return f"{', '.join(names)}: " if names else ""
