"""An engine whose model is held by other processes: it hands them windows of requests (``held_model``)."""

from collections.abc import Iterator

from curate.models.held_model import RequestsTask, answer_requests
from curate.models.model_ref import ModelRef
from curate.models.windows import window
from curate.spread.spread import Runner, spread
from schemas.progress import Progress
from schemas.requests import Give, Request, Take


class SpreadEngine:
    """Answers requests of one task by the workers of a runner, each of which loads the model.

    The replies of a window are stored when all of it is answered, so a kill loses a window a worker.
    """

    def __init__(self, ref: ModelRef, progress: Progress, runner: Runner) -> None:
        self.ref, self.progress, self.runner = ref, progress, runner
        self.said: set[str] = set()

    def answer(self, take: Take, give: Give) -> None:
        """Answer requests until there are none left."""
        while first := window(take):  # what is handed out after a reply is asked for again, when all have come
            for answered in spread(answer_requests, self._tasks(first, take), runner=self.runner):
                for line in answered.said:
                    if line not in self.said:
                        self.said.add(line)
                        self.progress.say(line)
                for batch in answered.batches:
                    give(batch.replies, batch.spent)

    def close(self) -> None:
        """Free nothing: the workers are gone when all is answered."""

    def _tasks(self, first: list[Request], take: Take) -> Iterator[RequestsTask]:
        requests = first
        while requests:
            yield RequestsTask(self.ref, requests)
            requests = window(take)
