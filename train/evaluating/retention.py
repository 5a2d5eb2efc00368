"""Asks the models of an evaluation what shows damage: general prompts, and the losses of texts.

The start model is the first model of ``evaluate.models`` whose engine gives losses here. Each model answers the general
prompts, and reads the start model's answers to them, the general texts, and recorded answers of the recipe's own; the
start model reads every model's answers to some held-out prompts. All of it is greedy or a loss, so the log of replies
answers it for every later evaluation.
"""

from typing import Any

import polars as pl

from curate.models.engine import engine_of
from curate.models.failures import Failures
from curate.models.gateway import Gateway
from curate.models.model_ref import ModelRef
from curate.models.scorer_requests import ScorerRequests
from curate.score.perplexity import score as perplexity
from curate.steps.model_calls import ModelCalls
from schemas.errors import Stopped
from train.evaluating.general.general_set import General, as_messages, item_id
from train.evaluating.own_rows import ANSWERS, RECORDED, SPLIT, START_ANSWERS, START_LOSS, TEXTS

MAX_TOKENS = 32  # of an answer to a general prompt
READ = 32  # held-out prompts whose answers the start model reads


def gives_losses(ref: ModelRef) -> bool:
    """Return whether a model can be asked for losses here."""
    return "loss" in engine_of(ref).tasks


def start_model(refs: dict[str, ModelRef]) -> str | None:
    """Return the name of the start model; None where no engine gives losses."""
    return next((name for name, ref in refs.items() if gives_losses(ref)), None)


def about_damage(refs: dict[str, ModelRef], general: General | None) -> dict[str, Any]:
    """Return what an evaluation's manifest keeps: the start model, and the engines of models that give no losses."""
    if general is None:
        return {"start": None, "without": {}}
    return {"start": start_model(refs), "without": {n: ref.engine for n, ref in refs.items() if not gives_losses(ref)}}


class Retention:
    """Asks the models of one evaluation; does nothing where no general set is given.

    Attributes:
        transient: The keys of requests that failed but may succeed on another day.
    """

    def __init__(self, general: General | None, refs: dict[str, ModelRef], gateway: Gateway, label: str) -> None:
        """Prepare to ask; ``label`` is that of the evaluation's stage."""
        self.general, self.refs, self.gateway, self.label = general, refs, gateway, label
        self.start = start_model(refs) if general else None
        self.start_answers: list[str | None] = []
        self.found: dict[str, list[pl.DataFrame]] = {name: [] for name in refs}
        self.transient: list[str] = []

    def ask(self, name: str) -> None:
        """Ask a model for its answers and losses; the models before it in the evaluation were asked already.

        Raises:
            Stopped: A budget is used up; the message also says how to do without.
        """
        if self.general is None or self.start is None or not gives_losses(self.refs[name]):
            return
        try:
            self._ask(name, self.general)
        except Stopped as stopped:
            raise Stopped(f"{stopped}; or do without general prompts: evaluate: {{retention: false}}") from None

    def _ask(self, name: str, general: General) -> None:
        ref = self.refs[name]
        messages = [as_messages(text) for text in general.prompts]
        how = {"temperature": 0.0, "max_tokens": MAX_TOKENS}
        label = f"{self.label} {name}, general prompts"
        answers = self.gateway.ask(ref, messages, n=1, sampling=how, seed=0, label=label)
        self.transient += answers.filter(pl.col("transient"))["key"].to_list()
        if name == self.start:
            self.start_answers = answers["response"].to_list()
        columns = {"response": answers["response"], "finish_reason": answers["finish_reason"]}
        tokens = {"tokens": answers["completion_tokens"], "error": answers["error"]}
        value = {"value": answers["completion_tokens"].cast(pl.Float64)}
        self._add(name, ANSWERS, general.prompts, columns | tokens | value)
        self.gateway.unload_except([])  # the weights are loaded once more, to read
        shown = pl.Series(self.start_answers, dtype=pl.String)
        read = self._read(ref, shown, pl.Series(messages), given_prompt=True)
        self._add(name, START_ANSWERS, general.prompts, {"response": shown, **read}, blank=False)
        texts = pl.Series(general.texts)
        read = self._read(ref, texts, pl.Series(["[]"] * len(texts)), given_prompt=False)
        self._add(name, TEXTS, general.texts, {"response": texts, **read})
        if general.answers:
            prompts, recorded = [*general.answers], pl.Series(list(general.answers.values()))
            read = self._read(ref, recorded, pl.Series(map(as_messages, prompts)), given_prompt=True)
            self._add(name, RECORDED, prompts, {"response": recorded, **read})

    def read_answers(self, answers: dict[str, pl.DataFrame]) -> None:
        """Have the start model read the answers of all models to some held-out prompts, evenly spaced.

        Args:
            answers: The answers of each model, as ``evaluation`` gives them to the scorers.
        """
        if self.start is None:
            return
        self.gateway.unload_except([self.refs[self.start]])
        for name, table in answers.items():
            first = table.filter(pl.col("sample_index") == 0)
            count = min(READ, first.height)
            rows = first[[i * first.height // count for i in range(count)]]
            columns = (rows["response"], rows["messages"], rows["completion"], rows["tools"])
            read = self._ask_losses(self.refs[self.start], next(perplexity(*columns, model=self.start)))
            kept = rows.select("split", "row_id", "prompt_id", "sample_index", "prompt", "response", "finish_reason")
            self.found[name].append(kept.with_columns(**read, scorer=pl.lit(START_LOSS)).filter(_has_text()))

    def rows(self, name: str) -> pl.DataFrame:
        """Return the rows of ``evaluations`` that were found of a model; none where it was not asked."""
        found = self.found[name]
        return pl.concat(found, how="diagonal_relaxed").with_columns(model=pl.lit(name)) if found else pl.DataFrame()

    def _read(
        self, ref: ModelRef, texts: pl.Series, messages: pl.Series, *, given_prompt: bool
    ) -> dict[str, pl.Series]:
        """Return the loss that each text has to a model, after its messages or alone."""
        none = pl.Series([None] * len(texts), dtype=pl.String)
        calls = perplexity(texts, messages, none, none, model=ref.name, given_prompt=given_prompt)
        return self._ask_losses(ref, next(calls))

    def _ask_losses(self, ref: ModelRef, call: ModelCalls) -> dict[str, pl.Series]:
        label = f"{self.label}, losses"
        requests = ScorerRequests(self.gateway, lambda name: ref, 0, label=label, failures=Failures(label, 0))
        read = requests.answer(call)
        assert isinstance(read, pl.DataFrame)  # the reply to ``ModelCalls``
        self.transient += requests.transient
        return {"value": read["value"], "tokens": read["completion_tokens"], "error": read["error"]}

    def _add(
        self, name: str, scorer: str, items: list[str], columns: dict[str, pl.Series], *, blank: bool = True
    ) -> None:
        """Keep the rows of a model: one for each general prompt or text; ``blank``: also of answers without text."""
        ids = [item_id(text) for text in items]
        prompts = items if scorer != TEXTS else [None] * len(items)
        table = pl.DataFrame(
            {"row_id": ids, "prompt_id": ids, "prompt": pl.Series(prompts, dtype=pl.String), **columns}
        )
        table = table.with_columns(scorer=pl.lit(scorer), split=pl.lit(SPLIT), sample_index=pl.lit(0, pl.Int64))
        self.found[name].append(table if blank else table.filter(_has_text()))


def _has_text() -> pl.Expr:
    """Return whether there is an answer to read: a request did not fail, and the answer is not empty."""
    return pl.col("response").fill_null("").str.strip_chars() != ""
