"""The JSON records of a store: a stage's manifest (``stage.json``) and the record of a run (``runs/*.json``)."""

from typing import Any, NotRequired, Required, TypedDict


class TableFiles(TypedDict):
    """A table of a stage: its number of rows, its Parquet files in order, and a hash of their content once whole."""

    rows: int
    files: list[str]
    content: NotRequired[str]


class WrittenFile(TypedDict):
    """A file in a folder of a stage: its bytes, and a hash of its content."""

    bytes: int
    content: str


class Manifest(TypedDict):
    """The content of a finished stage's ``stage.json``.

    Attributes:
        stage_id: A hash of ``what``.
        label: The stage's name in its recipe, such as ``completions.score.math``.
        tables: The tables that it holds, by name.
        what: All that the stage depends on.
        number: Counts the stages of the store up from 1, in the order in which they were made, whatever the clock says;
            stages of earlier versions have none.
        files: Of a stage that has folders, such as a training's ``model``: the size and the hash of each file in them
            as it was written.
        result: Its result in a line.
        rows_in: How many rows it was made of, where that says something.
        warnings: What a user should look at in its rows, each with what to set.
        truths_alone: Of a source: its prompts with a ground truth and no candidate
            (``curate.sources.source_summary.truths_alone``).
        leftovers: Of a source: what to search datasets for, of control tokens and placeholders
            (``curate.sources.source_summary.leftover_searches``).
        unanswered: Of a source: its prompts whose last turn nothing answers, with answered turns before it.
        unanswered_truths: Of a source: further such prompts, which have a ground truth.
        learnt: Of an SFT dataset: how many turns of the assistant are learnt or context (``curate.datasets.learnt``).
        name: Of a training: its name in the recipe.
        source: Of a source: its name for people, such as ``seeds.jsonl``.
        adapter: Of a training: whether it made a LoRA adapter rather than full weights.
        benchmark: Of a benchmark: its tasks with their versions, and the harness's own figures
            (``train.benchmarks.benchmark``).
    """

    stage_id: str
    label: str
    tables: dict[str, TableFiles]
    seconds: float
    made_at: str
    version: str
    what: dict[str, Any]
    result: str
    number: NotRequired[int]
    files: NotRequired[dict[str, WrittenFile]]
    rows_in: NotRequired[int]
    warnings: NotRequired[list[str]]
    truths_alone: NotRequired[dict[str, Any]]
    leftovers: NotRequired[dict[str, dict[str, list[str]]]]
    unanswered: NotRequired[int]
    unanswered_truths: NotRequired[int]
    learnt: NotRequired[dict[str, int]]
    name: NotRequired[str]
    source: NotRequired[str]
    adapter: NotRequired[bool]
    benchmark: NotRequired[dict[str, Any]]


class RunStage(TypedDict):
    """A stage that a run made or reused: a row of the table ``stages``.

    ``rows_out`` counts the rows that the stage gives (``curate.pipeline.run_record.rows_out``); in records of earlier
    versions it counts the rows of all tables.
    """

    stage_id: str
    stage: str
    position: int
    reused: bool
    rows_in: int | None
    rows_out: int
    seconds: float
    made_at: str
    path: str
    settings: dict[str, Any]
    inputs: Any


class Doing(TypedDict):
    """What a run that goes on does now, and how far it is, as of the last note of it; ``total`` may not be known."""

    stage: str
    done: int
    total: int | None
    unit: str


class RunInfo(TypedDict, total=False):
    """A run: a row of the table ``runs``, with its stages and the recipe as it was read (``resolved``).

    ``recipe`` is the recipe's name. Of a run with a limit (a smoke run) it is ``demo.limit20``, and ``limit_of`` is the
    recipe's own name, ``demo``. ``number`` counts the runs of the store up from 1.
    """

    run_id: Required[str]
    recipe: Required[str]
    command: Required[str]
    status: Required[str]
    stages: Required[list[RunStage]]
    number: int
    started_at: str
    seconds: float
    version: str
    error: str | None
    requests: int
    requests_reused: int
    prompt_tokens: int
    completion_tokens: int
    cost: float
    limit_of: str | None
    resolved: dict[str, Any]
    doing: Doing | None
