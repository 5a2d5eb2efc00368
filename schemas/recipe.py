"""The models of a recipe: one Pydantic class a section of the YAML file.

``schemas.load_recipe`` reads a file into a ``Recipe``. Whether a step, a setting or a column that a recipe names exists
is checked by ``curate.pipeline`` against the step files themselves.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Strict(BaseModel):
    """A section whose unknown keys are errors and whose values are taken as they are (no silent conversion)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


class Open(Strict):
    """A section whose further keys belong to someone else: a step's settings, an engine's, TRL's."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, populate_by_name=True)

    @property
    def settings(self) -> dict[str, Any]:
        """The keys that are not this section's own."""
        return dict(self.__pydantic_extra__ or {})


class Model(Open):
    """A model: a built-in name, a hub id or a local folder, the engine that runs it, and that engine's settings."""

    model: str
    engine: str = "transformers"


class Step(Strict):
    """One step of ``prompts:`` or ``completions:``: ``- score: {use: length, as: chars, unit: words}``."""

    verb: str
    use: str | None = None
    settings: dict[str, Any] = {}
    line: int = 0

    @property
    def name(self) -> str:
        """What the step's result is called: its ``as``, else the last part of the step's name."""
        return self.settings.get("as") or (self.use or self.verb).rsplit(".", 1)[-1]


class Dataset(Open):
    """A view over the candidates. Further keys are settings of its ``select`` rule, such as ``margin``.

    ``max_pairs``, ``length_band``, ``models`` and ``max_similarity`` say which pairs any rule of a preference dataset
    may make (``curate.datasets.pairs``). ``control: random`` adds a dataset NAME_random: as many rows (``match: tokens``: as
    many tokens) drawn at random from the same candidates (``curate.datasets.random_control``); ``control_of`` is how that one is known.
    """

    type: Literal["sft", "preference", "prompt"]
    select: str | None = None
    by: str | None = None
    where: str | None = Field(default=None, min_length=1)
    max_pairs: int | None = Field(default=None, ge=1)
    length_band: float | None = Field(default=None, gt=0, le=1)
    models: Literal["different", "same"] | None = None
    max_similarity: float | None = Field(default=None, ge=0, le=1)
    dedup: str | dict[str, Any] | None = None
    diverse: str | dict[str, Any] | None = None
    control: Literal["random"] | None = None
    match: Literal["rows", "tokens"] | None = None
    control_of: str | None = None


class Training(Open):
    """One training. Further keys go to TRL's own config class, unchanged."""

    trainer: str
    dataset: str
    model: str
    lora: bool | dict[str, Any] | None = None
    rewards: list[str] = []


class Evaluation(Strict):
    """Which models answer which held-out prompts, and which scorers judge the answers."""

    models: list[str]
    dataset: str
    by: list[str]
    split: str | list[str] | None = None
    n: int = Field(default=1, ge=1)
    temperature: float = Field(default=0.0, ge=0)
    max_tokens: int = Field(default=256, ge=1)


class Budget(Strict):
    """What all runs of the recipe together may spend: dollars, tokens, requests, seconds of asking."""

    max_cost: float | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, ge=0)
    max_requests: int | None = Field(default=None, ge=0)
    max_seconds: float | None = Field(default=None, ge=0)


class Recipe(Strict):
    """A whole job. ``path`` is the file it came from; source paths are relative to its folder."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    seed: int = Field(default=0, ge=0)
    models: dict[str, Model] = {}
    budget: Budget = Budget()
    prompts: list[Step]
    completions: list[Step] = []
    datasets: dict[str, Dataset] = {}
    split: dict[str, float | str] = {}
    train: dict[str, Training] = {}
    evaluate: Evaluation | None = None
    path: Path = Field(default=Path("recipe.yaml"), exclude=True)
    lines: dict[str, int] = Field(default={}, exclude=True)

    def where(self, *keys: str | int) -> str:
        """Return ``file:line`` of a key, such as ``recipe.where("datasets", "sft", "by")``."""
        for end in range(len(keys), -1, -1):
            line = self.lines.get("/".join(map(str, keys[:end])))
            if line:
                return f"{self.path}:{line}"
        return str(self.path)

    def step_where(self, step: Step) -> str:
        """Return ``file:line`` of a step of this recipe."""
        return f"{self.path}:{step.line}"

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, data: Any) -> Any:
        """Expand the short forms: a model given by name, a step given by name."""
        if isinstance(data, dict) and isinstance(data.get("models"), dict):
            models = {k: {"model": v} if isinstance(v, str) else v for k, v in data["models"].items()}
            data = {**data, "models": models}
        return data
