"""The engine of a model behind several servers: those of a list ``base_url``, or several vLLM servers of our own."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

from curate.models.clients.http.chat import ChatEngine
from curate.models.clients.http.many_workers import ManyWorkers
from curate.models.clients.http.run_async import run_async
from curate.models.clients.http.servers import Servers
from curate.models.clients.http.transport import session
from schemas.progress import Progress
from schemas.requests import Give, Take


class ManyServers:
    """Asks several servers of one model, each over a pool of connections of its own."""

    def __init__(self, engines: Sequence[ChatEngine], progress: Progress) -> None:
        """Take an engine for each server; no connection is opened yet."""
        self.servers, self.progress = Servers(engines, progress), progress
        self.open = True

    def answer(self, take: Take, give: Give) -> None:
        """Answer requests until there are none left. Ctrl-C ends it at once; only requests in flight are lost.

        Raises ``UserError``, with what is wrong with each server, where none can be asked.
        """
        run_async(self._answer(take, give))

    async def _answer(self, take: Take, give: Give) -> None:
        async with AsyncExitStack() as stack:
            pools = []
            for engine in self.servers.engines:
                engine.limits.begin()
                opened = session(engine.base_url, engine.headers(), engine.timeout)
                pools.append(await stack.enter_async_context(opened))
            await ManyWorkers(self.servers, pools, take, give).run()

    def close(self) -> None:
        """Say how many requests each server answered; end the servers that are our own. May be called twice."""
        if self.open and self.servers.seen:
            self.progress.say(self.servers.summary())
        self.open = False
        close_all(self.servers.engines)


def close_all(engines: Sequence[ChatEngine]) -> None:
    """Close engines at once: a vLLM server of our own takes seconds to end."""
    with ThreadPoolExecutor(max(1, len(engines))) as threads:
        list(threads.map(lambda engine: engine.close(), engines))
