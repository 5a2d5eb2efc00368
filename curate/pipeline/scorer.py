"""A ``score`` step of a recipe, checked and ready: the same for candidates, for fresh answers and for rewards.

A scorer is a function of columns, or (where it needs a model, embeddings or the sandbox) a generator that yields what
it wants to know; whoever calls it passes ``meet``, which gets that (``curate.models.scorer_requests``).
"""

import inspect
from collections.abc import Callable, Generator
from dataclasses import dataclass, fields, replace
from typing import Any, get_args

import polars as pl

from curate.models.embeddings import makes_embeddings
from curate.models.engine_settings import check_task
from curate.models.gateway import replies_frame
from curate.models.model_ref import ModelRef
from curate.steps import sql_conditions as conditions
from curate.steps.model_calls import Embed, ModelCalls
from curate.steps.registry import Step, find_step
from schemas import recipe as recipes
from schemas.errors import UserError, unknown
from schemas.requests import Sampling, Task

OURS = ("as", "by", "max_failed")  # settings of the verb; the others are the scorer's own
Meet = Callable[[ModelCalls | Embed], pl.DataFrame | pl.Series]
# What an ask looks like, a conversation's and the others'; engines read them in earnest.
SHAPES = {"generate": r'(?s)^\s*\[\s*\{.*"role".*\}\s*\]\s*$', "": r"(?s)^\s*\{.*\}\s*$"}


class ScorerFailed(UserError):
    """A scorer's own code raised, or gave something that is no score."""


@dataclass(frozen=True)
class Scorer:
    """A scorer with its settings. ``reads`` has the columns that each of its parameters stands for.

    ``models`` are the models that it asks, each with the task; None while it is being asked which these are.
    """

    name: str
    step: Step
    settings: dict[str, Any]
    reads: dict[str, tuple[str, ...]]
    where: str
    models: tuple[tuple[ModelRef, str], ...] | None = ()

    @property
    def columns(self) -> list[str]:
        """All columns that it reads."""
        return list(dict.fromkeys(name for names in self.reads.values() for name in names))

    @property
    def asks(self) -> bool:
        """Whether it needs someone to meet what it wants."""
        return inspect.isgeneratorfunction(self.step.function)

    @property
    def scope(self) -> str:
        """What it must see at once: single ``rows``, all rows of a prompt (``prompts``), or the whole ``table``."""
        return "table" if "scores" in self.reads else "prompts" if "prompt_id" in self.reads else "rows"

    def key(self) -> list[Any]:
        """What its values depend on beside the rows."""
        models = [[ref.identity, task] for ref, task in self.models]
        return [self.step.name, self.settings, self.step.source, {k: [*v] for k, v in self.reads.items()}, models]

    def values(self, rows: pl.DataFrame, meet: Meet) -> pl.DataFrame:
        """Score rows: ``value``, ``error`` (why there is no value), ``detail``, ``note`` (a line on the rows together).

        A NaN is null with an error. Raises ``ScorerFailed`` if the scorer raises or returns another number of rows.
        """
        columns = {p: rows.select(names) if p == "scores" else rows[names[0]] for p, names in self.reads.items()}
        result = self._own(self.step.call, columns, self.settings)
        if isinstance(result, Generator):
            result = self._told(result, meet)
        found = self._own(_table, result)
        if found.height != rows.height or "value" not in found.columns:
            raise ScorerFailed(
                f"{self.where}: score {self.step.name!r} returned {found.height} rows with the columns "
                f"{', '.join(found.columns)}; expected {rows.height} with 'value'"
            )
        bad = pl.col("value").is_nan().fill_null(False) | pl.col("value").is_infinite().fill_null(False)
        missing = (
            pl.when(bad)
            .then(pl.lit("not a number"))
            .when(pl.col("value").is_null())
            .then(pl.coalesce("error", pl.lit("no value")))
            .otherwise(pl.col("error"))
        )
        value = pl.when(bad).then(None).otherwise(pl.col("value"))
        return found.select(value=value, error=missing, detail="detail", note="note")

    def _told(self, steps: Generator, meet: Meet) -> Any:
        """What a generator returns once all it wants is met."""
        answer = None
        while True:
            try:
                want = self._own(steps.send, answer)
            except StopIteration as end:
                return end.value
            self._own(_check_want, want)
            known = None if self.models is None else [(ref.name, task) for ref, task in self.models]
            asked = want.model, "embed" if isinstance(want, Embed) else want.task
            if known is not None and asked not in known:
                raise ScorerFailed(
                    f"{self.where}: score {self.step.name!r} asks the model {asked[0]!r} (task "
                    f"{asked[1]!r}), but not when it is called on no rows, as it must"
                )
            answer = meet(want)

    def _own(self, call: Callable[..., Any], *given: Any) -> Any:
        """Call the scorer's own code, whose errors are told as such."""
        try:
            return call(*given)
        except StopIteration:
            raise
        except UserError as error:
            raise ScorerFailed(f"{self.where}: score {self.step.name!r}: {error}") from error
        except Exception as error:
            said = f"{self.where}: score {self.step.name!r} failed: {type(error).__name__}: {error}"
            raise ScorerFailed(said) from error


def read_scorer(
    step: recipes.Step, columns: dict[str, pl.DataType], where: str, seed: int, model: Callable[[str, str], ModelRef]
) -> Scorer:
    """Check a ``score`` step against the scorer's signature, the columns there are and the models it asks.

    ``model`` finds a model by its name in the recipe (and where that is said). Raises ``UserError``.
    """
    found = find_step("score", step.use, where)
    given = {k: v for k, v in step.settings.items() if k not in OURS or (k == "by" and "score" not in found.reads)}
    settings = found.settings(given, where, seed)
    reads: dict[str, tuple[str, ...]] = {}
    for name in found.reads:
        if name == "scores":
            reads[name] = _named(settings, list(columns), where)
        else:
            reads[name] = (_by(step, columns, where) if name == "score" else name,)
    for name in (name for names in reads.values() for name in names):
        if name not in columns:
            raise unknown(f"column (which score {found.name!r} reads) called", name, list(columns), where)
    scorer = Scorer(step.name, found, settings, reads, where)
    if scorer.asks:
        return replace(scorer, models=_models(replace(scorer, models=None), columns, model))
    if "scores" in reads:
        _try_settings(scorer, columns)
    return scorer


def _by(step: recipes.Step, columns: dict[str, pl.DataType], where: str) -> str:
    """The score that a scorer goes by."""
    by = step.settings.get("by")
    numbers = [name for name, kind in columns.items() if kind.is_numeric()]
    if by is None:
        raise UserError(
            f"{where}: score {step.use!r} goes by another score; name it with 'by' (there are: {', '.join(numbers)})"
        )
    if by not in numbers:
        raise unknown(f"score (for {step.use!r} to go by) called", str(by), numbers, where)
    return by


def _named(settings: dict[str, Any], columns: list[str], where: str) -> tuple[str, ...]:
    """The columns that a scorer's settings name: those its SQL mentions, and those that are named outright."""
    texts = [
        text
        for value in settings.values()
        for text in (value if isinstance(value, list) else [value])
        if isinstance(text, str)
    ]
    found = conditions.mentioned("\n".join(texts), columns)
    if not found:
        raise UserError(f"{where}: score: no score is named in {texts[0]!r}; there are: {', '.join(columns)}")
    return tuple(found)


def _models(
    scorer: Scorer, columns: dict[str, pl.DataType], model: Callable[[str, str], ModelRef]
) -> tuple[tuple[ModelRef, str], ...]:
    """Whom the scorer asks, as it says when it is called on no rows at all."""
    found: dict[tuple[str, str], ModelRef] = {}

    def meet(want: ModelCalls | Embed) -> pl.DataFrame | pl.Series:
        task = "embed" if isinstance(want, Embed) else want.task
        found[want.model, task] = ref = model(want.model, scorer.where)
        if task == "embed":
            if not makes_embeddings(ref):
                raise UserError(
                    f"{scorer.where}: the engine {ref.engine!r} of the model {ref.name!r} makes no "
                    f"embeddings; 'transformers' does"
                )
            return pl.Series("embedding", [], dtype=pl.Array(pl.Float32, 1))
        check_task(ref, task, scorer.where)
        return replies_frame([])

    scorer.values(pl.DataFrame(schema={name: columns[name] for name in scorer.columns}), meet)
    return tuple((ref, task) for (_, task), ref in found.items())


def no_model_calls(want: ModelCalls | Embed) -> pl.DataFrame:
    """Meets what a scorer wants that is no generator, so wants nothing."""
    raise AssertionError(f"a scorer that is no generator wants {want}")


def _try_settings(scorer: Scorer, columns: dict[str, pl.DataType]) -> None:
    """Raise what a scorer finds wrong with its settings, such as its SQL, before any row is there."""
    try:
        scorer.values(pl.DataFrame(schema={name: columns[name] for name in scorer.columns}), no_model_calls)
    except ScorerFailed as error:
        if isinstance(error.__cause__, UserError):  # another error may be of having no rows
            raise


def _check_want(want: Any) -> None:
    """Raise ``TypeError`` or ``UserError`` for what no_model_calls can meet: a mistake of a scorer's own code."""
    if not isinstance(want, ModelCalls | Embed):
        raise TypeError(f"it yields {want!r:.80}; expected a ModelCalls or an Embed")
    asks = want.texts if isinstance(want, Embed) else want.asks
    if not isinstance(asks, pl.Series) or asks.dtype not in (pl.String, pl.Null):
        kind = asks.dtype if isinstance(asks, pl.Series) else type(asks).__name__
        raise TypeError(f"it asks a {kind}; expected a polars Series of texts")
    if isinstance(want, Embed):
        return
    if want.task not in get_args(Task):
        raise unknown("task", str(want.task), get_args(Task))
    known = [field.name for field in fields(Sampling) if field.name != "seed"]
    for name in want.sampling:
        if name not in known:
            raise unknown("sampling setting", str(name), known)
    asks = asks.cast(pl.String)
    bad = asks.filter(~asks.str.contains(SHAPES.get(want.task, SHAPES[""])))
    if bad.len():
        shape = "a list of messages" if want.task == "generate" else "an object"
        raise TypeError(f"it asks {bad[0]!r:.80}; expected {shape} as JSON text")


def _table(result: Any) -> pl.DataFrame:
    """What a scorer returned as the columns ``value`` (a number), ``error``, ``detail`` and ``note``."""
    if result is None:
        raise TypeError("it returns nothing; expected a value for each row")
    table = result if isinstance(result, pl.DataFrame) else pl.DataFrame({"value": result})
    if "value" in table.columns:
        table = table.with_columns(pl.col("value").cast(pl.Float64))
    missing = [name for name in ("error", "detail", "note") if name not in table.columns]
    return table.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)
