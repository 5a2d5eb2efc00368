"""Running steps that ask several times (generators, see ``curate.steps.model_calls``) over rows that may not fit into memory.

One pass over the rows an exchange: each batch's generator is run from its start with the replies that are there, up to
its first question without one; what it asks then is answered, and the next pass comes one exchange further. Running a
pure function again costs little; no reply is ever asked for twice.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import polars as pl

from curate.models.engine import engine_of
from curate.models.gateway import Failures, replies_frame
from curate.models.model_ref import ModelRef
from curate.pipeline.generate.generate_step import Generation, lacking, shown
from curate.steps.model_calls import Ask
from curate.storage.reply_log import ReplyLog
from curate.storage.store import StageWriter
from schemas.errors import UserError
from schemas.requests import Reply, Request, make_request, writes_user_turn


class Exchanges:
    """The exchanges of one ``generate`` step. Each row is taken ``n`` times, with ``__sample`` from 0 to n - 1."""

    def __init__(self, generation: Generation, carried: tuple[str, ...]) -> None:
        """``carried`` are columns that the results need beside those the step reads."""
        self.generation, self.carried = generation, carried
        self.walk = generation.walk
        self.others = {k: v for k, v in generation.settings.items() if k.endswith("_model") and v is not None}
        self.refs = {name: self.walk.model(value, generation.where) for name, value in self.others.items()}

    def key(self) -> dict[str, Any]:
        """What the stage depends on beside the generation's own key: the step's further models."""
        return {"others": {name: ref.identity for name, ref in self.refs.items()}}

    def ask(self) -> str:
        """Answer exchange after exchange; say what is missing if a budget ended it or requests failed for now."""
        answers, failures = self.walk.answers, self.generation.failures(0)
        number, transient = 0, []
        while True:
            goes_on, total, refs = self._frontier(number)
            if not goes_on:
                return lacking(0, transient)
            failures.allowed += self.generation.failures(total).allowed
            self.walk.progress.begin(f"{self.generation.label}, exchange {number + 1}", total, "replies")
            whole = True
            for ref in refs:
                answers.unload_except([ref])
                whole &= answers.answer_all(ref, self._groups(number, ref), failures)
            if not whole:
                unasked = sum(r.key not in held for r, held in self._asked(number))
                return f"{lacking(unasked, transient)} in exchange {number + 1}"
            transient += [r.key for r, held in self._asked(number) if held[r.key].transient]
            number += 1

    def results(self, writer: StageWriter) -> Iterator[tuple[pl.DataFrame, Any, pl.DataFrame]]:
        """Of each batch: its rows, what the step returned, and the last replies as columns (key, model, tokens ...).

        A row whose reply is missing (a budget is used up) is to the step as one whose request failed. What failed is
        counted in the ``info`` of ``writer``.
        """
        failures = Failures(self.generation.label, 0, writer.info.setdefault("failed", Counter()))
        occurrences: Counter = Counter()
        for rows in self._rows():
            steps = self._steps(rows)
            replies: list[Reply | None] = [None] * rows.height
            models: list[str | None] = [None] * rows.height
            try:
                asked = next(steps)
                while True:
                    requests = self._requests(asked, rows, occurrences)
                    found = self.walk.answers.read(r.key for _, r in requests if r)
                    failures.count(reply.error for reply in found.values() if reply.error is not None)
                    for place, (ref, one) in enumerate(requests):
                        # Who criticises a candidate, or plays the user, has not made what comes of it.
                        if one and one.key in found and not self._other(asked):
                            replies[place], models[place] = found[one.key], shown(ref)
                    asked = steps.send(_texts(asked, requests, found))
            except StopIteration as end:
                made_by = pl.Series(models, dtype=pl.String)
                yield rows, end.value, replies_frame(replies).with_columns(model=made_by, error=pl.lit(None, pl.String))

    def _rows(self) -> Iterator[pl.DataFrame]:
        generation = self.generation
        more = [name for name in self.carried if name not in generation.reads]
        for batch in generation.read_batches(*more):
            samples = pl.Series("__sample", list(range(generation.ask.n)) * batch.height, dtype=pl.Int64)
            rows = pl.int_range(batch.height, eager=True).repeat_by(generation.ask.n).explode() if batch.height else []
            yield batch[rows].with_columns(samples)

    def _steps(self, rows: pl.DataFrame) -> Any:
        found = self.generation.found
        columns = {name: rows["__sample" if name not in rows.columns else name] for name in found.reads}
        return self._told(found.call(columns, self.generation.settings))

    def _told(self, steps: Any) -> Any:
        """The step's generator, whose own errors are told as such."""
        try:
            return (yield from steps)
        except UserError:
            raise
        except Exception as error:
            what = f"{self.generation.where}: generate {self.generation.found.name!r} failed"
            raise UserError(f"{what}: {type(error).__name__}: {error}") from error

    def _other(self, asked: Any) -> bool:
        """Whether it is one of the step's further models that is asked, and it is set."""
        return isinstance(asked, Ask) and asked.model in self.refs

    def _requests(self, asked: Any, rows: pl.DataFrame, occurrences: Counter) -> list[tuple[ModelRef, Request | None]]:
        """The request of every row, None where nothing is asked."""
        asked = asked if isinstance(asked, Ask) else Ask(asked)
        messages, setting = self.generation.checked(asked.messages, rows.height), asked.model
        ask, id_column = self.generation.ask, self.generation.rows.id
        made = []
        for text, row_id, sample in zip(messages, rows[id_column], rows["__sample"], strict=True):
            ref = self.refs.get(setting) or ask.models[ask.who(row_id, sample) if len(ask.models) > 1 else 0][0]
            if text is None:
                made.append((ref, None))
                continue
            index = sample
            if writes_user_turn(text):
                # A user's turn is asked for in the same words for many rows: each wants a sample of its own.
                if not engine_of(ref).writes_user_turn(ref):
                    raise UserError(
                        f"{self.generation.where}: generate {self.generation.found.name!r} lets the model "
                        f"write the user's turn: set models.{ref.name}.user_prefix to what comes before it "
                        f"in the model's chat template, such as '<|im_start|>user\\n'"
                    )
                index = occurrences[text]
                occurrences[text] += 1
            made.append((ref, make_request(ref.identity, text, None, ask.how(index), index)))
        return made

    def _asked(self, number: int) -> Iterator[tuple[Request, dict[str, Reply]]]:
        """Every request of exchange ``number``, with the replies there are to its batch's."""
        for _, made in self._exchange(number):
            held = self.walk.answers.read(r.key for _, r in made if r)
            for _, one in made:
                if one:
                    yield one, held

    def _exchange(self, number: int, log: Any = None) -> Iterator[tuple[pl.DataFrame, list]]:
        """Each batch's requests of exchange ``number``; a batch that has come to its end before is left out."""
        log = log or self.walk.answers
        occurrences: Counter = Counter()
        for rows in self._rows():
            steps = self._steps(rows)
            try:
                asked = next(steps)
                for _ in range(number):
                    made = self._requests(asked, rows, occurrences)
                    held = log.read(r.key for _, r in made if r)
                    asked = steps.send(_texts(asked, made, held))
                yield rows, self._requests(asked, rows, occurrences)
            except StopIteration:
                continue

    def _frontier(self, number: int) -> tuple[bool, int, list[ModelRef]]:
        """Whether any batch comes as far as exchange ``number``, how many requests it has then, and of which models."""
        goes_on, total, refs = False, 0, {}
        for _, made in self._exchange(number):
            goes_on = True
            for ref, one in made:
                if one:
                    total += 1
                    refs[ref.name] = ref
        return goes_on, total, list(refs.values())

    def _groups(self, number: int, wanted: ModelRef) -> Iterator[list[Request]]:
        for _, made in self._exchange(number):
            for ref, one in made:
                if one and ref is wanted:
                    yield [one]


def _texts(asked: Any, made: list[tuple[ModelRef, Request | None]], held: dict[str, Reply]) -> pl.Series:
    """What a step is sent: the texts of the replies, null where there is none, or a cut one that should be whole."""
    whole = not isinstance(asked, Ask) or asked.whole
    replies = (held.get(one.key) if one else None for _, one in made)
    texts = [None if reply is None or (whole and reply.finish_reason == "length") else reply.text for reply in replies]
    return pl.Series(texts, dtype=pl.String)


def plan_exchanges(exchanges: Exchanges) -> None:
    """Say in the plan how many requests the first exchange that is not answered yet makes."""
    generation, walk = exchanges.generation, exchanges.walk
    rows = generation.rows
    if not rows.stages or any(rows.scores.get(name) == [] for name in (*generation.reads, *generation.needed)):
        walk.plan[-1].note = "how many requests is known once the steps above are done"
        return
    with ReplyLog.looking(walk.store) as log:
        for number in range(100):
            todo, sample, goes_on = Counter(), [], False
            for _, made in exchanges._exchange(number, log):
                goes_on = True
                for ref, one in made:
                    if one and one.key not in log:
                        todo[ref.name] += 1
                        sample += [one.messages] if len(sample) < 200 else []
            if todo or not goes_on:
                break
    for name, count in todo.items():
        walk.want(walk.model(name, generation.where), sample, count, generation.ask.sampling.max_tokens)
    asks = ", ".join(f"{count:,} requests to {name}" for name, count in todo.items())
    walk.plan[-1].note = f"{asks} in exchange {number + 1}; what follows hangs on the replies" if asks else ""
