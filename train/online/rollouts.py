"""Records every answer that a model samples in online RL, as the table ``rollouts`` keeps it.

The reward functions of ``train.online.rewards`` give the rewards, ``RecordedRollouts`` the advantages that TRL computes
of them, at no extra pass. Importing this module does not import torch.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from schemas.rows import ROLLOUTS
from train.launch.ranks import gathered, processes, rank, without_fillers
from train.tables import empty_table

if TYPE_CHECKING:

    class TRLTrainer:
        """The parts of TRL's trainers for online RL that are used here."""

        args: Any
        model: Any
        state: Any
        processing_class: Any
        eos_token_ids: list[int]
        num_iterations: int
        _step: int
        _buffered_inputs: list[dict[str, Any]] | None

        def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]: ...

        def _save_checkpoint(self, *args: Any) -> None: ...

        def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None: ...
else:
    TRLTrainer = object

# In a checkpoint between two steps that learn from the same sampled answers: these answers.
SAMPLED = "sampled_answers.pt"


class Rollouts:
    """Records the answers that a model samples, the values that the rewards give them, and their advantages.

    Attributes:
        rows: The prompts' rows, in the order of the dataset's ``row_index``.
        ends: The tokens that end an answer; known once the trainer is built.
        evaluated: How many answers to a held-out prompt an evaluation samples; known once the trainer is built.
        unseen: The answers to train on since ``take_unseen`` was called, with the values of the first reward.
    """

    def __init__(self, rows: pl.DataFrame, say: Callable[[str], None] = lambda message: None) -> None:
        """Start with no answers; ``say`` is told at once of a reward that has no value for any of the first ones."""
        self.rows, self._say = rows, say
        self.ends: frozenset[int] = frozenset()
        self.evaluated: int | None = None
        self._batches: list[pl.DataFrame] = []
        self.unseen: list[pl.DataFrame] = []
        self._open: list[pl.DataFrame] = []  # a frame for each reward, of the answers without advantages so far

    def add(self, step: int, answers: pl.DataFrame, reward: str, scored: pl.DataFrame) -> None:
        """Record a batch of answers with the values that one reward gave them.

        Args:
            step: The training step that samples them, from 1 up.
            answers: A table with ``row_id``, ``response``, ``finish_reason`` and ``completion_tokens``.
            reward: The reward's name.
            scored: A row for each answer with ``value`` and ``error``.
        """
        columns = [answers[name] for name in ("row_id", "response", "finish_reason")]
        columns += [answers["completion_tokens"].alias("tokens"), scored["value"], scored["error"]]
        none = pl.Series("advantage", [None], pl.Float64)
        same = pl.Series("step", [step]), pl.Series("reward", [reward]), pl.Series("phase", ["train"]), none
        self._open.append(pl.DataFrame([*columns, *(one.new_from_index(0, answers.height) for one in same)]))

    def end_batch(self, phase: str, advantages: list[float]) -> None:
        """Complete the answers that were recorded since the last call.

        Args:
            phase: 'train', or 'eval' for answers to held-out prompts after a step.
            advantages: Their advantages.
        """
        if not self._batches:
            self._say_without_value()
        values = pl.Series("advantage", advantages, pl.Float64)
        phases = pl.Series("phase", [phase]).new_from_index(0, len(advantages))
        for batch in self._open:
            step = batch["step"] - (phase == "eval")  # of the last step done
            completed = {"step": step, "phase": phases, "advantage": values}
            self._batches.append(pl.DataFrame({name: batch[name] for name in batch.columns} | completed))
        self.unseen += self._open[:1] if phase == "train" else []
        self._open = []

    def take_unseen(self) -> pl.DataFrame | None:
        """Return the answers to train on that were sampled by this process since the last call, or None."""
        found, self.unseen = self.unseen, []
        return pl.concat(found, how="diagonal_relaxed") if found else None

    def _say_without_value(self) -> None:
        for batch in self._open:
            if batch.height and batch["value"].null_count() == batch.height:
                reason = shortened(batch["error"][0] or "no value")
                reward, count = batch["reward"][0], f"{batch.height:,}"
                self._say(f"the reward {reward} has no value for any of the first {count} answers: {reason}")

    def recorded(self) -> pl.DataFrame:
        """Return all rows recorded so far: ``schemas.rows.ROLLOUTS`` without the training's id.

        ``sample_index`` counts the answers to a prompt at a step, ``tokens`` those of the answer. Of several processes
        the first one has the answers of all, without those that only filled the last batch of an evaluation.
        """
        nothing = empty_table(ROLLOUTS)
        found = pl.concat([nothing, *self._batches, *self._open], how="diagonal_relaxed")
        if processes() > 1:
            found, self._open = self._of_all(gathered(found)), []
        if not self._open:
            self._batches = [found]  # at the next checkpoint there are fewer to join
        nth = pl.int_range(pl.len()).over("step", "row_id", "reward")
        if "prompt_id" in self.rows.columns:
            prompts = self.rows.select("row_id", "prompt_id").unique("row_id")
            found = found.drop("prompt_id").join(prompts, on="row_id", how="left", maintain_order="left")
        return found.with_columns(sample_index=nth).select(pl.col(c).cast(kind) for c, kind in nothing.schema.items())

    def _of_all(self, found: pl.DataFrame) -> pl.DataFrame:
        """Return the answers of all processes without those that filled the last batch of an evaluation."""
        if self.evaluated is None:
            return found
        trained = found.filter(pl.col("phase") == "train")
        evaluated = found.filter(pl.col("phase") == "eval")
        times = dict.fromkeys(evaluated["row_id"], self.evaluated)
        kept = without_fillers(evaluated, times, pl.struct("step", "reward"))
        return pl.concat([trained, kept]).sort("step", maintain_order=True)

    def restore(self, rows: pl.DataFrame) -> None:
        """Start from the rows that an interrupted training recorded."""
        self._batches, self._open = [rows], []
        reward = rows["reward"][0] if rows.height else None
        self.unseen = [rows.filter((pl.col("phase") == "train") & (pl.col("reward") == reward))]


def sampled_file(checkpoint: Path) -> Path:
    """Return the file of a checkpoint that has this process's sampled answers."""
    return checkpoint / (SAMPLED if processes() == 1 else f"{rank()}_{SAMPLED}")


def shortened(text: str) -> str:
    """Return an error in one line of at most 160 characters."""
    line = " ".join(text.split())
    return line if len(line) <= 160 else f"{line[:157]}..."


class RecordedRollouts(TRLTrainer):
    """A mixin that records a TRL trainer's answers: ``class Recorded(RecordedRollouts, GRPOTrainer)``.

    Where one sampling serves several steps, a checkpoint between them keeps the answers, so that a resumed training
    learns from the same ones; TRL samples anew, and then learns from these once more than it should.

    It relies on these internals of TRL, which ``tests/train/test_trl_contract.py`` checks:
    ``_generate_and_score_completions`` returns the ``advantages`` of its batch's answers in their order, and
    ``_buffered_inputs`` holds the answers of a sampling until ``_step`` (forward passes) has gone through them
    ``num_iterations`` times.
    """

    rollouts: Rollouts

    def start_recording(self, rollouts: Rollouts) -> None:
        """Start recording into ``rollouts``."""
        self.rollouts = rollouts
        rollouts.ends = frozenset([*self.eos_token_ids, self.processing_class.pad_token_id])
        rollouts.evaluated = getattr(self, "num_generations_eval", None)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)
        advantages = output["advantages"]
        if advantages.dim() > 1:  # one for each token
            mask = output["completion_mask"]
            advantages = (advantages * mask).sum(1) / mask.sum(1).clamp(min=1)
        self.rollouts.end_batch("train" if self.model.training else "eval", advantages.tolist())
        return output

    def _save_checkpoint(self, *args: Any) -> None:
        import torch

        super()._save_checkpoint(*args)
        if self._step % (self.args.steps_per_generation * self.num_iterations):
            file = sampled_file(Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}")
            torch.save({"step": self._step, "inputs": self._buffered_inputs}, file)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        import torch

        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint and (file := sampled_file(Path(checkpoint))).exists():
            device = "cpu" if self.args.device.type == "cpu" else self.args.device  # torch knows no "cpu:1" here
            held = torch.load(file, map_location=device, weights_only=True)
            self._step, self._buffered_inputs = held["step"], held["inputs"]
