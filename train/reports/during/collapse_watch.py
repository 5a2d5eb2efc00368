"""Tells a person of a collapse of the sampled answers while a model trains: once each kind, and beside the figures."""

from typing import Any

from schemas.progress import StageWarning
from train.damage.signs import Sign
from train.job import TrainingJob
from train.reports.during.collapse import AnswerWatch, LengthWatch, collapse_text


class Collapse:
    """Watches the answers of one training; says nothing of a training that samples none."""

    def __init__(self, job: TrainingJob, trainer: Any) -> None:
        """Watch a trainer that is about to start; ``trainer.rollouts`` are its answers, where they are recorded."""
        self.job = job
        self.rollouts = getattr(trainer, "rollouts", None)
        self.answers = AnswerWatch(self.rollouts.rows) if self.rollouts is not None else None
        self.lengths = LengthWatch()
        self.told: list[dict[str, Any]] = []

    def see_answers(self) -> None:
        """Look at the answers that were sampled since the last call, and warn of each sign once."""
        if self.rollouts is None or self.answers is None:
            return
        unseen = self.rollouts.take_unseen()
        try:
            self._tell(self.answers.take(unseen) if unseen is not None else [])
        except Exception as error:  # advice is worth less than a training
            self.rollouts = None
            reason = f"{type(error).__name__}: {error}"
            self.job.progress.say(f"train {self.job.name}: its answers are not watched for a collapse: {reason}")

    def see_logs(self, step: int, logs: dict[str, Any]) -> None:
        """Look at what TRL logs of a step, where the answers themselves are not recorded."""
        if self.answers is None:
            self._tell(self.lengths.take(step, logs))

    def beside(self, shown: str) -> str:
        """Return a step's figures with the signs that its answers show."""
        now = (self.lengths if self.answers is None else self.answers).now
        return ", ".join([*([shown] if shown else []), *(one.short for one in now)]) if shown else shown

    def metrics(self) -> dict[str, Any]:
        """Return the warnings for the table ``trainings``; nothing where there are none."""
        return {"damage": self.told} if self.told else {}

    def _tell(self, found: list[tuple[int, Sign, str]]) -> None:
        for at, sign, reward in found:
            text = collapse_text(at, sign, reward)
            self.told.append({"step": at, "kind": sign.kind, "short": sign.short, "text": text})
            self.job.progress.warn(StageWarning(f"train.{self.job.name}", text))
