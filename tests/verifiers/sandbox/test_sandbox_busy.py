"""Programs for which the machine has no time or no room: they wait, are run again alone, and have no verdict else."""

import json
import shutil
import threading
from typing import cast

import pytest

from curate.api.run import run
from curate.models.clients import sandbox as client
from curate.models.clients.sandbox import SandboxEngine
from curate.storage.store import Store
from curate.verifiers.sandbox import memory
from curate.verifiers.sandbox.clock import Busy, Clock, Late
from curate.verifiers.sandbox.judge import judge
from curate.verifiers.sandbox.memory import SharedMemory, most_needed
from curate.verifiers.sandbox.sandbox import Sandbox
from schemas.progress import Progress
from tests.asking import Asked
from tests.verifiers.sandbox.programs import code_request

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")]
SLEEPING = "import time\ndef f(n):\n    time.sleep(n)\n    return n"
ENDLESS = "def f(x):\n    while True: pass"


class Said(Progress):
    """Keeps what is said, and the result lines of stages."""

    def __init__(self):
        self.lines, self.ended = [], {}

    def say(self, message):
        self.lines.append(message)

    def warn(self, warning):
        self.lines.append(str(warning))

    def end(self, label, result, *, reused=False):
        self.ended[label] = (result, reused)


def one_test(test="assert f(0.3) == 0.3"):
    return {"how": "checks", "setup": "", "tests": [test]}


def too_busy(monkeypatch, runs):
    """The machine has no time for the first runs of programs that sleep; return the patience that each run has had."""
    patiences = []

    def counted(ask, spares, patience=0):
        if ask["code"].strip() == SLEEPING:
            patiences.append(patience)
            if len(patiences) <= runs:
                raise Busy("the machine was too busy: so it is said here")
        return judge(ask, spares, patience)

    monkeypatch.setattr(client, "judge", counted)
    return patiences


def test_a_program_without_a_processor_runs_again_alone(monkeypatch):
    patiences = too_busy(monkeypatch, 1)
    asks = [code_request(SLEEPING, one_test()), code_request(ENDLESS, one_test("f(1)"), seconds=1, total=600)]
    engine = SandboxEngine()
    try:
        asked = Asked([[one] for one in asks])
        replies = asked.by(engine)
    finally:
        engine.close()
    assert [reply.error for reply in replies.values()] == [None, None] and patiences == [0, 3]
    assert list(replies) == [asks[1].key, asks[0].key], "it comes last"
    assert json.loads(replies[asks[0].key].text or "") == {"tests": [["0", None]]}


@pytest.mark.parametrize(("patience", "ends"), [(0.0, 10.0), (30.0, 40.0)])
def test_patience_is_for_waiting_alone(monkeypatch, patience, ends):
    now, computed = [0.0], [0.0]

    class Waiting:
        def times(self):
            return computed[0], now[0] - computed[0]

    def end(error):
        with pytest.raises(error) as found:
            while True:
                now[0] += clock.left()
        return str(found.value)

    monkeypatch.setattr("curate.verifiers.sandbox.clock.time.monotonic", lambda: now[0])
    clock = Clock(100, 10, patience)
    clock.restart(cast("Sandbox", Waiting()))
    assert end(Busy) == f"the machine was too busy: the program waited for a processor for {ends:.1f} s of {ends:g}"
    assert now[0] == pytest.approx(ends)

    class Computing(Waiting):
        def times(self):
            return now[0], 0.0

    now[0] = 0.0
    clock = Clock(100, 10, patience)
    clock.restart(cast("Sandbox", Computing()))
    assert end(Late) == "the whole run took more than 10 s" and now[0] == pytest.approx(10)


def test_a_machine_that_stays_busy_is_said_and_asked_again(tmp_path, monkeypatch):
    rows = [{"prompt": "p", "ground_truth": '["assert f(60) == 60"]', "completions": [f"```python\n{SLEEPING}\n```"]}]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    recipe = tmp_path / "r.yaml"
    scored = "completions:\n  - score: {use: code, seconds: 0.5, total: 60, max_failed: 1}\n"
    recipe.write_text(f"name: r\nprompts:\n  - source: rows.jsonl\n{scored}", "utf-8")
    store, lines = Store(tmp_path / "store"), []
    for runs in (2, 0, 0):
        said = Said()
        with monkeypatch.context() as patch:
            patiences = too_busy(patch, runs)
            run(recipe, store, progress=said)
        lines.append((*said.ended["completions.score.code"], patiences, " ".join(said.lines)))
    (first, _, twice, why), (second, _, once, _), (third, reused, never, _) = lines
    assert "1 failed request may succeed when run again" in first and twice == [0, 3]
    assert "the machine was too busy: so it is said here, also alone" in why
    assert second.startswith("1 scored, mean 0.000") and once[0] == 0
    assert third == second and reused and never == []


def test_a_sandbox_that_can_not_start_is_tried_again(monkeypatch):
    begin, starts = Sandbox.__init__, []

    def failing(self, role, link=None, stderr=-3):
        starts.append(role)
        if len(starts) == 1:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        begin(self, role, link, stderr)

    engine = SandboxEngine()
    monkeypatch.setattr(Sandbox, "__init__", failing)
    try:
        (reply,) = Asked([[code_request(SLEEPING, one_test())]]).by(engine).values()
    finally:
        engine.close()
    assert reply.error is None and json.loads(reply.text or "") == {"tests": [["0", None]]}


def test_programs_that_need_too_much_together_wait(monkeypatch):
    inside, most, lock = [0], [0], threading.Lock()

    def counted(ask, spares, patience=0):
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        try:
            return judge(ask, spares, patience)
        finally:
            with lock:
                inside[0] -= 1

    monkeypatch.setattr(client, "judge", counted)
    monkeypatch.setattr(client.os, "sched_getaffinity", lambda pid: range(4))
    asks = [code_request(SLEEPING, one_test(), total=20 + n) for n in range(4)]
    need = most_needed(json.loads(asks[0].messages))
    for room, at_once in ((1, 1), (2 * need, 2)):
        said = Said()
        engine = SandboxEngine(said)
        engine.memory, most[0] = SharedMemory(room), 0
        try:
            replies = Asked([[one] for one in asks]).by(engine)
        finally:
            engine.close()
        assert all(json.loads(reply.text or "") == {"tests": [["0", None]]} for reply in replies.values())
        assert most[0] <= at_once and most[0] >= 1
        assert said.lines == [
            f"sandboxes: {at_once} of 4 programs at once, as one may take 648 MB and all of them {room >> 20:,}; "
            "a lower memory of the scorer (here 256) lets more run"
        ]


def test_the_share_is_of_what_is_free(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 4 << 30)
    shared = SharedMemory()
    ask = {"tests": {"how": "stdio"}, "memory": 956}  # 1 GB with what it writes
    assert shared.most == 3 << 30 and shared.at_once(ask, 8) == 3
    assert shared.at_once(ask | {"memory": 9000}, 8) == 1
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    assert SharedMemory().at_once(ask, 8) == 8


def test_free_memory_is_that_of_the_container(tmp_path, monkeypatch):
    machine = memory.free_memory()
    assert machine is None or machine > 1 << 20
    for name, text in (("max", str(3 << 20)), ("now", str(1 << 20))):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(memory, "GROUPS", ((str(tmp_path / "max"), str(tmp_path / "now")),))
    assert memory.free_memory() == 2 << 20
    (tmp_path / "max").write_text("max")
    assert memory.free_memory() != 2 << 20
