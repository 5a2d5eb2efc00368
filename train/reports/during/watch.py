"""Shows a person a training: what is known of it before its first step, and how far it is while it runs."""

import time
from typing import Any

from transformers import TrainerCallback

from schemas.progress import StageWarning
from train.job import TrainingJob
from train.reports.before.facts import Facts, fact_lines, too_little_memory
from train.reports.before.given_rows import GivenRows
from train.reports.before.loaded import kind_of, loaded_facts
from train.reports.before.memory import most_held
from train.reports.during.collapse_watch import Collapse
from train.reports.during.live_line import (
    Lines,
    estimate_line,
    evaluation_line,
    figures,
    not_numbers,
    note_of,
    step_line,
)
from train.reports.during.pace import Pace, cycle_of, evaluations_left

NEGLIGIBLE = 20.0  # seconds: a training that takes less needs no estimate


class Watch(TrainerCallback):
    """Reports a training to its display: facts and warnings as lines, each step as a bar or, now and then, as a line.

    Nothing that it does changes the training. A step's time is taken without evaluations and checkpoints.
    """

    def __init__(self, job: TrainingJob, trainer: Any, given: GivenRows) -> None:
        """Watch a trainer that is about to start, with the rows that it is given."""
        self.job, self.trainer, self.given = job, trainer, given
        self.facts: Facts | None = None
        self.estimated = False
        self.warned = False
        self.shown = self.shown_parts = ""
        self.pending = False  # whether a step's end is still to be shown, with its figures
        self.resumed_at, self.told = 0, 0
        self.held: int | None = None  # the most bytes that the process held before the first step
        self.began = self.mark = time.monotonic()
        self.pace = Pace(0, 0)
        self.lines = Lines(self.mark)
        self.evaluated: dict[str, Any] = {}
        self.collapse = Collapse(job, trainer)

    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Say the facts, and show the bar, with the steps of an interrupted training done."""
        progress, name = self.job.progress, f"train.{self.job.name}"
        self.facts = loaded_facts(self.trainer, self.job, self.given, others.get("train_dataloader"))
        for line in fact_lines(self.facts, self.given, kind_of(self.job), args):
            progress.detail(f"{name}: {line}")
        if warning := too_little_memory(self.facts):
            progress.warn(StageWarning(name, warning))
        progress.begin(f"train {self.job.name}", state.max_steps, "steps")
        progress.advance(state.global_step)
        self.held = most_held()
        self.resumed_at = state.global_step
        self.pace = Pace(state.max_steps, state.global_step, cycle_of(args))
        self.began = self.mark = time.monotonic()
        self.lines = Lines(self.mark)

    def on_step_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Show the step before, if TRL logged nothing for it after all."""
        self._show_step(args, state, control)

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Measure the step, and show it: at once, or with the figures that TRL is about to log."""
        now = time.monotonic()
        self.pace.step(now - self.mark)
        self.collapse.see_answers()
        self.mark, self.pending = now, True
        if not control.should_log:
            self._show_step(args, state, control)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **others: Any) -> None:
        """Take TRL's figures of a step, or of an evaluation."""
        found = logs or {}
        if "train_runtime" in found:
            return
        if any(name.startswith("eval_") for name in found):
            self.evaluated |= found
            return
        rewarded = hasattr(args, "num_generations")
        self.shown = figures(found, rewarded=rewarded, parts=False) or self.shown
        self.shown_parts = figures(found, rewarded=rewarded, parts=True) or self.shown_parts
        tokens = found.get("num_tokens")
        if isinstance(tokens, int | float):
            self.pace.count(tokens)
        self.collapse.see_logs(state.global_step, found)
        if wrong := not_numbers(found):
            self._warn(args, state, wrong)
        self._show_step(args, state, control)

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **others: Any) -> None:
        """Say the figures of an evaluation."""
        now = time.monotonic()
        seconds, found = now - self.mark, (metrics or {}) | self.evaluated
        self.pace.evaluated(seconds)
        self.job.progress.detail(evaluation_line(self.job.name, state.global_step, state.max_steps, found, seconds))
        self.mark, self.evaluated = now, {}

    def on_save(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Leave the time of a checkpoint out of the next step's."""
        self.mark = time.monotonic()

    def on_train_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Show the last step, if it is not shown yet, as where a training ends early."""
        self._show_step(args, state, control)
        if self.told != self.pace.done:
            self._tell(0, ended=True)

    def metrics(self) -> dict[str, Any]:
        """Return what the table ``trainings`` keeps: the facts, the peak of memory and the pace, as measured.

        The peak is None where the process held more before the training, so that it is not known.
        """
        if self.facts is None:
            return {}
        peak = most_held()
        is_its_own = peak is not None and self.held is not None and peak > self.held
        measured = {"memory_measured": peak if is_its_own else None, "seconds_a_step": self.pace.seconds_a_step}
        facts = self.facts.as_metrics() | measured | {"tokens_a_second": self.pace.tokens_a_second}
        return {"facts": facts} | self.collapse.metrics()

    def _show_step(self, args: Any, state: Any, control: Any) -> None:
        if not self.pending:
            return
        self.pending = False
        left, pace, progress = evaluations_left(args, state), self.pace, self.job.progress
        shown = self.collapse.beside(self.shown)
        progress.advance(1, note_of(shown, pace, left, ended=control.should_training_stop))
        if not self.estimated and pace.is_known:
            self.estimated = True
            if (pace.left(left) or 0.0) >= NEGLIGIBLE and pace.total - pace.done > 1:
                progress.detail(estimate_line(self.job.name, pace, left))
        ends = pace.done in (self.resumed_at + 1, pace.total) or control.should_training_stop
        if self.lines.is_due(time.monotonic(), always=ends):
            self._tell(left, ended=control.should_training_stop)

    def _tell(self, evaluations: int, *, ended: bool) -> None:
        self.told = self.pace.done
        note = note_of(self.collapse.beside(self.shown_parts), self.pace, evaluations, ended=ended)
        self.job.progress.status(step_line(self.job.name, self.pace, note))

    def _warn(self, args: Any, state: Any, wrong: list[str]) -> None:
        """Warn once of a loss or a gradient that is no number."""
        if self.warned or (args.fp16 and wrong == ["grad_norm"]):  # fp16 skips such a step, and scales it down
            return
        self.warned = True
        what = " and ".join({"loss": "the loss", "grad_norm": "the gradient's norm"}[one] for one in wrong)
        half = ", bf16: true in the place of fp16" if args.fp16 else ""
        clip = "" if args.max_grad_norm else ", max_grad_norm: 1.0"
        self.job.progress.warn(
            StageWarning(
                f"train.{self.job.name}",
                f"{what} at step {state.global_step:,} {'are' if len(wrong) > 1 else 'is'} not a number, so the "
                f"weights are likely lost from here on; stop it (Ctrl-C), and set a lower learning_rate than "
                f"{args.learning_rate:g}{clip}{half}, or more warmup_steps",
            )
        )
