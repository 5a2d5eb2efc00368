"""The Pydantic model of the section ``evaluate.benchmark`` of a recipe."""

from typing import Any

from pydantic import Field, field_validator

from schemas.sections import Strict


class Benchmark(Strict):
    """The benchmarks of others that ``evaluate`` runs, by lm-evaluation-harness.

    Attributes:
        tasks: Names of its tasks, groups or tags, or files of tasks (``./mine.yaml``, relative to the recipe).
        limit: The most rows of each task; all without.
        num_fewshot: The examples in each prompt; the task's own number without.
        apply_chat_template: Whether prompts are turns of a chat. Without: for tasks whose answers are written, where
            the model has a chat template; not for those that compare the likelihoods of given answers.
        fewshot_as_multiturn: Whether each example is a turn of its own; by default where prompts are turns of a chat.
        system_instruction: A system message, or a first line.
        gen_kwargs: Sampling settings in place of the task's, such as ``{max_gen_toks: 256}``.
        python: The Python that has lm-evaluation-harness, if not the one that ``make lm-eval`` makes.
    """

    tasks: list[str] = Field(min_length=1)
    limit: int | None = Field(default=None, ge=1)
    num_fewshot: int | None = Field(default=None, ge=0, le=1000)
    apply_chat_template: bool | None = None
    fewshot_as_multiturn: bool | None = None
    system_instruction: str | None = None
    gen_kwargs: dict[str, Any] = {}
    python: str | None = None

    @field_validator("tasks", mode="before")
    @classmethod
    def _one_task(cls, value: Any) -> Any:
        """Expand the short form: one name instead of a list."""
        return [value] if isinstance(value, str) else value

    @field_validator("tasks")
    @classmethod
    def _named_once(cls, value: list[str]) -> list[str]:
        """Refuse names that lm-evaluation-harness would read as several, and a name given twice."""
        for name in value:
            if not name.strip() or set(name) & set("*?[],") or not name.isprintable():
                raise ValueError("expected names of tasks or files, without * ? [ ] and commas")
            if value.count(name) > 1:
                raise ValueError(f"expected each task once, {name} is there twice")
        return value
