"""A ``score`` step of a recipe, checked and ready: the same for candidates, for fresh answers and for rewards.

A scorer is a function of columns, or (where it needs a model, embeddings or the sandbox) a generator that yields the
model calls it needs; its caller passes ``answer``, which makes them (``curate.models.scorer_requests``).
"""

import inspect
from collections.abc import Callable, Generator
from dataclasses import dataclass, fields, replace
from typing import Any, get_args

import polars as pl

from curate.models.embeddings import embedding_engines, makes_embeddings
from curate.models.engine_settings import check_task
from curate.models.gateway import replies_frame
from curate.models.model_ref import ModelRef
from curate.pipeline.answer_columns import answer_columns
from curate.steps import sql_conditions as conditions
from curate.steps.code_hash import code_hash
from curate.steps.find_step import OTHER_NAMES, Step, find_step
from curate.steps.model_calls import Embed, ModelCalls
from curate.steps.settings import check_settings
from schemas import recipe as recipes
from schemas.errors import UserError, unknown
from schemas.requests import Sampling, Task

VERB_SETTINGS = ("as", "by", "max_failed")  # the others are the scorer's own
Answer = Callable[[ModelCalls | Embed], pl.DataFrame | pl.Series]
# A first look at what a scorer asks: a conversation for the task ``generate``, an object for the others.
SHAPES = {"generate": r'(?s)^\s*\[\s*\{.*"role".*\}\s*\]\s*$', "": r"(?s)^\s*\{.*\}\s*$"}


class ScorerFailed(UserError):
    """A scorer's own code raised, or returned something that is no score."""


@dataclass(frozen=True)
class Scorer:
    """A scorer with its settings.

    Attributes:
        name: The name of the score.
        step: The scorer's function and signature.
        settings: Its settings, defaults filled in.
        reads: The columns that each of its parameters stands for.
        where: The recipe's file and line, for errors.
        models: The models that it calls, each with the task.
        models_known: Whether ``models`` is known: False while the scorer is called on no rows to find them.
    """

    name: str
    step: Step
    settings: dict[str, Any]
    reads: dict[str, tuple[str, ...]]
    where: str
    models: tuple[tuple[ModelRef, str], ...] = ()
    models_known: bool = True

    @property
    def columns(self) -> list[str]:
        """All columns that the scorer reads."""
        return list(dict.fromkeys(name for names in self.reads.values() for name in names))

    @property
    def calls_models(self) -> bool:
        """Whether the scorer calls models, embeds texts or runs programs."""
        return inspect.isgeneratorfunction(self.step.function)

    @property
    def scope(self) -> str:
        """Which rows the scorer must see at once: ``rows`` (any), ``prompts`` (all of a prompt) or ``table`` (all)."""
        return "table" if "scores" in self.reads else "prompts" if "prompt_id" in self.reads else "rows"

    def key(self) -> list[Any]:
        """Return what the scores depend on beside the rows."""
        models = [[ref.identity, task] for ref, task in self.models]
        code = code_hash(Scorer, self.step.code)
        return [self.step.name, self.settings, code, {k: [*v] for k, v in self.reads.items()}, models]

    def values(self, rows: pl.DataFrame, answer: Answer) -> pl.DataFrame:
        """Score rows.

        Args:
            rows: The rows, with at least the columns that the scorer reads.
            answer: Makes the model calls that the scorer yields.

        Returns:
            A row for each: ``value`` (NaN and infinity are null), ``error`` (why there is no value), ``detail``, and
            ``note`` (a line on the rows together).

        Raises:
            ScorerFailed: The scorer raised, or returned another number of rows.
        """
        columns = {p: rows.select(names) if p == "scores" else rows[names[0]] for p, names in self.reads.items()}
        result = self._run_own(self.step.call, answer_columns(columns), self.settings)
        if isinstance(result, Generator):
            result = self._run_generator(result, answer)
        found = self._run_own(_table, result)
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

    def _run_generator(self, steps: Generator, answer: Answer) -> Any:
        """Run a scorer that is a generator to its end, answering its calls; return what it returns."""
        replies = None
        while True:
            try:
                calls = self._run_own(steps.send, replies)
            except StopIteration as end:
                return end.value
            self._run_own(_check_calls, calls)
            known = [(ref.name, task) for ref, task in self.models]
            asked = calls.model, "embed" if isinstance(calls, Embed) else calls.task
            if self.models_known and asked not in known:
                raise ScorerFailed(
                    f"{self.where}: score {self.step.name!r} asks the model {asked[0]!r} (task "
                    f"{asked[1]!r}), but not when it is called on no rows, as it must"
                )
            replies = answer(calls)

    def _run_own(self, call: Callable[..., Any], *given: Any) -> Any:
        """Call the scorer's own code; whatever it raises becomes a ``ScorerFailed`` that names the scorer."""
        try:
            return call(*given)
        except StopIteration:
            raise
        except UserError as error:
            raise ScorerFailed(f"{self.where}: score {self.step.name!r}: {error}") from error
        except Exception as error:
            message = f"{self.where}: score {self.step.name!r} failed: {type(error).__name__}: {error}"
            raise ScorerFailed(message) from error


def read_scorer(
    step: recipes.Step, columns: dict[str, pl.DataType], where: str, seed: int, model: Callable[[str, str], ModelRef]
) -> Scorer:
    """Check a ``score`` step against the scorer's signature, the columns there are and the models it calls.

    Args:
        step: The recipe's step.
        columns: The columns that the rows have, with their types.
        where: The recipe's file and line, for errors.
        seed: The recipe's seed.
        model: Returns the model of a name in the recipe; its second argument is for errors.

    Raises:
        UserError: A setting, a column or a model is wrong.
    """
    found = find_step("score", step.use or "", where)
    given = {
        k: v for k, v in step.settings.items() if k not in VERB_SETTINGS or (k == "by" and "score" not in found.reads)
    }
    settings = check_settings(found, given, where, seed)
    reads: dict[str, tuple[str, ...]] = {}
    for name in found.reads:
        if name == "scores":
            reads[name] = _named(settings, list(columns), where)
        else:
            reads[name] = (_by(step, columns, where) if name == "score" else OTHER_NAMES.get(name, name),)
    for name in (name for names in reads.values() for name in names):
        if name not in columns:
            raise unknown(f"column (which score {found.name!r} reads) called", name, list(columns), where)
    scorer = Scorer(step.name, found, settings, reads, where)
    if scorer.calls_models:
        return replace(scorer, models=_models(replace(scorer, models_known=False), columns, model))
    if "scores" in reads or (given and "." not in found.name):  # one without settings has none that are wrong
        _try_settings(scorer, columns)
    return scorer


def _by(step: recipes.Step, columns: dict[str, pl.DataType], where: str) -> str:
    """Return the column that stands for the scorer's parameter ``score``: the step's ``by``."""
    by = step.settings.get("by")
    numbers = [name for name, kind in columns.items() if kind.is_numeric()]
    if by is None:
        raise UserError(
            f"{where}: score {step.use!r} reads another score; name it with 'by' (there are: {', '.join(numbers)})"
        )
    if by not in numbers:
        raise unknown(f"score (for {step.use!r} to read) called", str(by), numbers, where)
    return by


def _named(settings: dict[str, Any], columns: list[str], where: str) -> tuple[str, ...]:
    """Return the columns that a scorer's settings name, in SQL or outright."""
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
    """Return the models that a scorer calls, found by calling it on no rows."""
    found: dict[tuple[str, str], ModelRef] = {}

    def answer(calls: ModelCalls | Embed) -> pl.DataFrame | pl.Series:
        task = "embed" if isinstance(calls, Embed) else calls.task
        found[calls.model, task] = ref = model(calls.model, scorer.where)
        if task == "embed":
            if not makes_embeddings(ref):
                raise UserError(
                    f"{scorer.where}: the engine {ref.engine!r} of the model {ref.name!r} makes no "
                    f"embeddings; {embedding_engines()} does"
                )
            return pl.Series("embedding", [], dtype=pl.Array(pl.Float32, 1))
        check_task(ref, task, scorer.where)
        return replies_frame([])

    scorer.values(pl.DataFrame(schema={name: columns[name] for name in scorer.columns}), answer)
    return tuple((ref, task) for (_, task), ref in found.items())


def no_model_calls(calls: ModelCalls | Embed) -> pl.DataFrame:
    """Stand in for a scorer that makes no model calls; raises if called."""
    raise AssertionError(f"a scorer that is no generator calls {calls}")


def _try_settings(scorer: Scorer, columns: dict[str, pl.DataType]) -> None:
    """Raise a scorer's own complaint about its settings, such as its SQL, by calling it on no rows."""
    try:
        scorer.values(pl.DataFrame(schema={name: columns[name] for name in scorer.columns}), no_model_calls)
    except ScorerFailed as error:
        if isinstance(error.__cause__, UserError):  # another error may be of having no rows
            raise


def _check_calls(calls: Any) -> None:
    """Raise ``TypeError`` or ``UserError`` for model calls that cannot be made: a mistake of the scorer's own code."""
    if not isinstance(calls, ModelCalls | Embed):
        raise TypeError(f"it yields {calls!r:.80}; expected a ModelCalls or an Embed")
    requests = calls.texts if isinstance(calls, Embed) else calls.requests
    if not isinstance(requests, pl.Series) or requests.dtype not in (pl.String, pl.Null):
        kind = requests.dtype if isinstance(requests, pl.Series) else type(requests).__name__
        raise TypeError(f"it asks a {kind}; expected a polars Series of texts")
    if isinstance(calls, Embed):
        return
    if calls.task not in get_args(Task):
        raise unknown("task", str(calls.task), get_args(Task))
    known = [field.name for field in fields(Sampling) if field.name != "seed"]
    for name in calls.sampling:
        if name not in known:
            raise unknown("sampling setting", str(name), known)
    requests = requests.cast(pl.String)
    bad = requests.filter(~requests.str.contains(SHAPES.get(calls.task, SHAPES[""])))
    if bad.len():
        shape = "a list of messages" if calls.task == "generate" else "an object"
        raise TypeError(f"it asks {bad[0]!r:.80}; expected {shape} as JSON text")


def _table(result: Any) -> pl.DataFrame:
    """Return a scorer's result as the columns ``value`` (a number), ``error``, ``detail`` and ``note``."""
    if result is None:
        raise TypeError("it returns nothing; expected a value for each row")
    table = result if isinstance(result, pl.DataFrame) else pl.DataFrame({"value": result})
    if "value" in table.columns:
        table = table.with_columns(pl.col("value").cast(pl.Float64))
    missing = [name for name in ("error", "detail", "note") if name not in table.columns]
    return table.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)
