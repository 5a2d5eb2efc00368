"""The Pydantic models of a recipe, one for each section of the YAML file.

``schemas.load_recipe`` reads a file into a ``Recipe``. Whether a step, a setting or a column that a recipe names exists
is checked by ``curate.pipeline`` against the step files themselves.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from schemas.evaluation import Evaluation
from schemas.rounds import RoundsSection
from schemas.sections import Open, Strict

SPLIT_SETTINGS = ("by", "near_duplicates")  # keys of ``split`` that are no splits
NEAR_DUPLICATES = 0.8  # the least similarity of prompts that a split keeps on one side, where none is set


class Model(Open):
    """A model (a built-in name, a hub id or a local folder), the engine that runs it, and the engine's settings."""

    model: str
    engine: str = "transformers"


class Step(Strict):
    """One step of ``prompts:`` or ``completions:``: ``- score: {use: length, as: chars, unit: words}``.

    ``line`` is its line in the file, or its number in its section where the recipe is not from a file.
    """

    verb: str
    use: str | None = None
    settings: dict[str, Any] = {}
    line: int = 0

    @property
    def name(self) -> str:
        """The name of the step's result: its ``as``, else the last part of the name of what it uses."""
        return self.settings.get("as") or (self.use or self.verb).rsplit(".", 1)[-1]


Control = Literal["random"] | dict[Literal["random"], Literal["all"]]


class Dataset(Open):
    """A dataset made from the candidates. Further keys are settings of its ``select`` step, such as ``margin``.

    Attributes:
        type: The kind of rows: SFT rows, preference pairs, unpaired answers that are good or bad, or RL prompts.
        learn: SFT rows only: whether the assistant's turns of the prompt are learnt beside the completion (``all``, the
            default), or the completion alone (``last``).
        select: The step that chooses the rows or pairs.
        by: The score that the step ranks by.
        where: An SQL condition that the candidates must fulfil.
        threshold: Unpaired only: an answer whose score ``by`` is at least this is good.
        max_pairs: Preference only: the most pairs of one prompt (``curate.datasets.pairs``).
        length_band: Preference only: the smallest ratio of the shorter to the longer response.
        models: Preference only: whether the two responses must be of different models or of the same.
        max_similarity: Preference only: the largest similarity of the two responses.
        decontaminate: The settings of ``decontaminate`` for the chosen rows.
        dedup: A ``dedup`` step for the chosen rows.
        diverse: A subset step for the chosen rows.
        control: ``random`` adds a dataset NAME_random, to compare with; ``{random: all}`` adds NAME_random_all, whose
            rows are of any prompt. A list adds several (``schemas.controls``).
        match: Whether the control has as many rows as this dataset (the default) or as many tokens.
        control_of: In a control that gristmill added, the name of the dataset it belongs to.
        control_over: In such a control, ``all`` where its rows are drawn over all prompts.
    """

    type: Literal["sft", "preference", "unpaired", "prompt"]
    learn: Literal["all", "last"] | None = None
    select: str | None = None
    by: str | None = None
    where: str | None = Field(default=None, min_length=1)
    threshold: float | None = Field(default=None, allow_inf_nan=False)
    max_pairs: int | None = Field(default=None, ge=1)
    length_band: float | None = Field(default=None, gt=0, le=1)
    models: Literal["different", "same"] | None = None
    max_similarity: float | None = Field(default=None, ge=0, le=1)
    decontaminate: dict[str, Any] | None = None
    dedup: str | dict[str, Any] | None = None
    diverse: str | dict[str, Any] | None = None
    control: list[Control] = []
    match: Literal["rows", "tokens"] | None = None
    control_of: str | None = None
    control_over: Literal["all"] | None = None

    @field_validator("control", mode="before")
    @classmethod
    def _controls(cls, value: Any) -> Any:
        """Read one control as a list of one."""
        given = [] if value is None else value if isinstance(value, list) else [value]
        if any(one not in ("random", {"random": "all"}) for one in given):
            raise ValueError("expected 'random', '{random: all}', or a list of both")
        return given


class EarlyStopping(Strict):
    """When a training ends early.

    Attributes:
        patience: The number of evaluations in a row that may be no better than the best.
        threshold: An evaluation is better if it is by more than this.
    """

    patience: int = Field(default=3, ge=1)
    threshold: float = Field(default=0.0, ge=0, allow_inf_nan=False)


class Launch(Strict):
    """The processes of a training.

    Attributes:
        processes: How many there are in all; each takes ``per_device_train_batch_size`` rows of a batch.
        config: A configuration of ``accelerate``: a file, or the name of one of TRL's presets, such as ``fsdp2``.
        machines: How many machines they are on, as many on each.
        address: The name or IPv4 address that the other machines reach the first one by.
        port: The first machine's port for torch's own connections.
    """

    processes: int | None = Field(default=None, ge=1, le=1024)
    config: str | None = None
    machines: int | None = Field(default=None, ge=1, le=256)
    address: str | None = Field(default=None, max_length=253)
    port: int | None = Field(default=None, ge=1, le=65535)


class Training(Open):
    """One training. Further keys go unchanged to TRL's config class.

    Attributes:
        trainer: The trainer's name.
        dataset: The dataset to train on.
        model: The model, or the training, to start from.
        lora: Whether to train a LoRA adapter, or PEFT's options of it; full weights without.
        rewards: Online RL only: the scorers that reward answers, or the trainings of reward models.
        teacher: Distillation only: the model, or the training, whose answers' probabilities are learnt.
        allow: The refusals that are taken back: what is refused by default is trained on (``train.refusals``).
        quantize: The precision that the frozen weights are loaded in, under LoRA (QLoRA): 4 bits (NF4) or 8.
        early_stopping: End when evaluations get no better, and keep the best model; a number is the patience.
        eval_split: The split to evaluate on; by default the first one by name.
        merge: Whether the model's folder gets whole weights, the adapter merged into them.
        launch: The processes to train in, if more than this one.
        unshown: What becomes of rows with something that the model's chat template does not print, such as tool calls:
            refuse them, leave the rows out, write reasoning traces into the text (and refuse all else), or train on
            what it prints of them.
    """

    trainer: str
    dataset: str
    model: str
    lora: bool | dict[str, Any] | None = None
    rewards: list[str] = []
    teacher: str | None = None
    allow: list[Literal["shared_prompts", "constant_reward", "unaccepted_truths"]] = []
    quantize: Literal["4bit", "8bit"] | None = None
    early_stopping: EarlyStopping | None = None
    eval_split: str | None = None
    merge: bool = False
    launch: Launch | None = None
    unshown: Literal["refuse", "leave_out", "in_text", "ignore"] = "refuse"

    @field_validator("early_stopping", mode="before")
    @classmethod
    def _patience(cls, value: Any) -> Any:
        """Expand the short form: a number is the patience."""
        if value is True:
            raise ValueError("expected how many evaluations may be no better, such as early_stopping: 3")
        return {"patience": value} if isinstance(value, int) and not isinstance(value, bool) else value


class Budget(Strict):
    """The most that all runs of the recipe together may spend: cost, tokens, requests, seconds of model calls."""

    max_cost: float | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, ge=0)
    max_requests: int | None = Field(default=None, ge=0)
    max_seconds: float | None = Field(default=None, ge=0)


class Recipe(Strict):
    """A whole recipe.

    ``path`` is the file it was read from, to whose folder source paths are relative; ``lines`` maps keys joined by
    slashes (``datasets/sft/by``) to their line in that file, and is empty where the recipe is not from a file.
    ``limit`` is the most rows that each source gives: a smoke run, which is kept apart from the run of the whole recipe
    (``run_name``). ``by_hand`` says whether labels by hand count: those of the store, or of a file of such labels.
    ``values`` stand in its texts by now (``schemas.recipe_values``).
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    seed: int = Field(default=0, ge=0)
    limit: int | None = Field(default=None, ge=1, le=1_000_000_000)
    values: dict[str, str | bool | int | float] = Field(default={}, exclude=True)
    models: dict[str, Model] = {}
    budget: Budget = Budget()
    prompts: list[Step]
    completions: list[Step] = []
    datasets: dict[str, Dataset] = {}
    split: dict[str, float | str] = {}
    by_hand: bool | str = False
    train: dict[str, Training] = {}
    evaluate: Evaluation | None = None
    rounds: RoundsSection = None
    path: Path = Field(default=Path("recipe.yaml"), exclude=True)
    lines: dict[str, int] = Field(default={}, exclude=True)

    @property
    def run_name(self) -> str:
        """The name that its runs are recorded under: its own, or with a limit ``demo.limit20``."""
        return self.name + self.limit_suffix

    @property
    def splits(self) -> dict[str, float | str]:
        """The splits: a share or an SQL condition for each; without the settings ``SPLIT_SETTINGS``."""
        return {name: value for name, value in self.split.items() if name not in SPLIT_SETTINGS}

    @property
    def split_by(self) -> str | None:
        """The column, or the key of the metadata, whose equal values a split keeps on one side."""
        by = self.split.get("by")
        return by if isinstance(by, str) else None

    @property
    def split_near(self) -> float:
        """The least similarity of near-duplicates that a split keeps on one side; 0 for none."""
        return float(self.split.get("near_duplicates", NEAR_DUPLICATES))

    @property
    def limit_suffix(self) -> str:
        """``.limit20`` where the sources are limited, else nothing: what tells stages of a smoke run apart."""
        return "" if self.limit is None else f".limit{self.limit}"

    @property
    def argument(self) -> str:
        """The recipe as an argument of a command: ``demo.yaml``, or with a limit ``demo.yaml --limit 20``."""
        return str(self.path) if self.limit is None else f"{self.path} --limit {self.limit}"

    def where(self, *keys: str | int) -> str:
        """Return ``file:line`` of a key, such as ``recipe.where("datasets", "sft", "by")``.

        A key that the file does not have has the line of the nearest section around it that the file has. Without a
        file it is ``recipe: datasets.sft.by``.
        """
        if keys and not self.lines:
            return f"{self.path}: {'.'.join(map(str, keys))}"
        for end in range(len(keys), -1, -1):
            line = self.lines.get("/".join(map(str, keys[:end])))
            if line:
                return f"{self.path}:{line}"
        return str(self.path)

    def step_where(self, step: Step) -> str:
        """Return ``file:line`` of a step of this recipe; without a file, ``recipe: completions[2]``."""
        if self.lines:
            return f"{self.path}:{step.line}"
        section = "prompts" if any(step is one for one in self.prompts) else "completions"
        return f"{self.path}: {section}[{step.line - 1}]"

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, data: Any) -> Any:
        """Expand the short forms: a model's name instead of a mapping, a split's share instead of ``{test: share}``."""
        if isinstance(data, dict) and isinstance(data.get("models"), dict):
            models = {k: {"model": v} if isinstance(v, str) else v for k, v in data["models"].items()}
            data = {**data, "models": models}
        if (
            isinstance(data, dict)
            and isinstance(data.get("split"), float | int)
            and not isinstance(data["split"], bool)
        ):
            data = {**data, "split": {"test": data["split"]}}
        return data
