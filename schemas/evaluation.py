"""The Pydantic models of the section ``evaluate`` of a recipe."""

from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from schemas.benchmark import Benchmark
from schemas.requests import MOST_SAMPLES
from schemas.sections import Open, Strict


class Retention(Strict):
    """The general prompts and texts that show what a training damaged: files of the recipe's own, else gristmill's.

    Attributes:
        prompts: A JSON Lines file whose rows have a ``prompt``.
        texts: A JSON Lines file whose rows have a ``text``.
        answers: A JSON Lines file whose rows have a ``prompt`` and a ``completion``: held-out answers, whose loss is
            measured too; none by default.
    """

    prompts: str | None = Field(default=None, min_length=1)
    texts: str | None = Field(default=None, min_length=1)
    answers: str | None = Field(default=None, min_length=1)


class AnswerJudge(Open):
    """A model, or several, that compare answers. Further keys are settings of the scorer ``judge_pairwise``."""

    model: str | list[str]


class Evaluation(Strict):
    """The section ``evaluate``: which models answer which held-out prompts, and which scorers judge the answers.

    Attributes:
        models: The models; the others are compared with the first.
        dataset: The dataset whose prompts are asked.
        by: The scorers.
        split: The split or splits that are asked; all but ``train`` by default.
        n: Answers to each prompt.
        temperature: Temperature of the answers; 0 is greedy.
        max_tokens: The most tokens of an answer.
        retention: General prompts and texts; None where the recipe switches them off.
        judge: Who compares each model's answers with the first one's; nobody by default.
        break_down: What the figures are broken down by: ``source``, ``length``, ``metadata.KEY``
            (``train.evaluating.groups``); None for what is found.
        benchmark: Benchmarks of others, beside the prompts; none by default.
    """

    models: list[str] = Field(min_length=1)
    dataset: str
    by: list[str]
    split: str | list[str] | None = None
    n: int = Field(default=1, ge=1, le=MOST_SAMPLES)
    temperature: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    max_tokens: int = Field(default=256, ge=1)
    retention: Retention | None = Retention()
    judge: AnswerJudge | None = None
    break_down: list[str] | None = None
    benchmark: Benchmark | None = None

    @field_validator("retention", mode="before")
    @classmethod
    def _switched(cls, value: Any) -> Any:
        """Read ``false`` as None and ``true`` as the prompts and texts that come with gristmill."""
        if isinstance(value, bool):
            return {} if value else None
        if value is not None and not isinstance(value, dict | Retention):
            raise ValueError("expected false, true or {prompts: FILE, texts: FILE, answers: FILE}")
        return value

    @field_validator("benchmark", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        """Expand the short form: a list of names is ``tasks``."""
        return {"tasks": value} if isinstance(value, str | list) else value

    @field_validator("judge", "break_down", mode="before")
    @classmethod
    def _long_form(cls, value: Any, info: ValidationInfo) -> Any:
        """Expand the short forms: the model, or models, of ``judge``; one key of ``break_down``, or false for none."""
        if info.field_name == "judge":
            return {"model": value} if isinstance(value, str | list) else value
        return [] if value is False else [value] if isinstance(value, str) else value
