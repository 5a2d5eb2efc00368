"""Several vLLM servers of one model: started, one killed, all ended. Needs `make vllm` or GRISTMILL_VLLM_PYTHON."""

import os
import signal

from curate.models.clients.vllm import SPEC
from curate.models.model_ref import ModelRef
from tests.models.clients.openai_desk import Desk, groups, texts
from tests.said import Said
from tests.with_vllm import PYTHON, with_vllm


def engine(folder, said, servers):
    settings = (("python", PYTHON), ("servers", servers), ("concurrency", 2), ("choices", 1))
    return SPEC.tasks["generate"](ModelRef("tiny", "wide@0", str(folder), "vllm", settings=settings), said)


@with_vllm
def test_two_servers_of_which_one_is_killed(wide):
    said, wanted = Said(), groups(40, n=2, text="the cat sings {}", temperature=0.8)
    made = engine(wide, said, 2)
    assert sum(line.startswith("starting vLLM for tiny") for line in said.lines) == 2
    both = [one.server for one in made.servers.engines]
    assert len({server.port for server in both}) == 2
    try:
        whole = Desk(wanted)
        made.answer(whole.take, whole.give)
        assert all(server.answered for server in made.servers.balancer.servers)

        def kill(desk):
            if len(desk.replies) == 10:
                os.kill(both[0].guard.pid, signal.SIGTERM)

        desk = Desk(wanted, then=kill)
        made.answer(desk.take, desk.give)
        both[0].guard.wait(timeout=30)
        again = Desk(wanted)
        made.answer(again.take, again.give)
    finally:
        made.close()
    for one in (whole, desk, again):
        assert len(one.replies) == 80 and not one.out and None not in texts(one).values()
    (gone,) = [line for line in said.lines if line.endswith("it is not used any more")]
    assert gone.startswith(f"models.tiny: {both[0].url}/v1: vLLM has stopped") and "its log: " in gone
    assert said.lines[-1].startswith("models.tiny: requests by server: ")
    assert not any(server.alive() for server in both)
