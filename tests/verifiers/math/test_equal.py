"""Answers are compared in worker processes: verdicts, time-outs, crashes, and no worker left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from curate.verifiers.math.comparison.workers import SHARE, Worker
from curate.verifiers.math.equal import compare

ROOT = Path(__file__).parents[3]
BUSY = """
import sys
sys.path.insert(0, {root!r})
from curate.verifiers.math.equal import compare
print("ready", flush=True)
def roots(n, form):
    return "+".join(form.replace("N", str(20 * n + k)) for k in range(15))

compare([(roots(n, "\\\\sqrt{{x+N}}"), roots(n, "\\\\sqrt{{N+x}}")) for n in range(400)])
"""


def children(pid: int) -> list[int]:
    """The processes that a process has started, by any of its threads."""
    found = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for some in found for child in some]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.slow
def test_verdicts_of_several_workers_are_in_order_with_repeats():
    pairs = [(f"\\frac{{{n}}}{{2}}", f"{n}/2" if n % 3 else f"{n}/3") for n in range(1, 3 * SHARE)] * 2
    assert compare(pairs) == [(float(n % 3 > 0), None) for n in range(1, 3 * SHARE)] * 2
    assert compare([]) == []


def test_what_is_not_compared_says_why():
    assert compare([("9^{9^9}", "1"), ("x", "9^{9^9}"), ("Paris", "x")]) == [
        (None, "ground_truth is too costly to check: '9^{9^9}'"),
        (None, "answer is too costly to check"),
        (None, "ground_truth is no mathematical answer: 'Paris'"),
    ]


@pytest.mark.slow
def test_a_worker_that_hangs_in_c_code_is_killed_with_a_reason():
    worker = Worker("sys.stdin.readline(); 9 ** 9 ** 9")  # one instruction, which no signal interrupts
    started = time.monotonic()
    value, error = worker.ask("1", "1", seconds=1)
    assert value is None and error and "its process was ended" in error
    assert time.monotonic() - started < 5 and not is_alive(worker.process.pid)


@pytest.mark.slow
def test_a_worker_ends_itself_where_its_owner_cannot():
    watched = (
        "from curate.verifiers.math.comparison import workers; "
        "workers.SECONDS = 1; workers.decide = lambda *_: 9 ** 9 ** 9"
    )
    worker = Worker(f"{watched}; workers.serve()")
    assert worker.process.stdin
    worker.process.stdin.write(b'["1", "1"]\n')
    worker.process.stdin.flush()
    assert worker.process.wait(10) == 1
    worker.end()


def test_a_worker_that_dies_or_talks_nonsense_gives_no_verdict():
    for code in ("raise SystemExit(3)", "sys.stdin.readline(); print('hello', flush=True); sys.stdin.readline()"):
        value, error = Worker(code).ask("1", "1", seconds=10)
        assert value is None and error and error.startswith("answer took more than")


@pytest.mark.slow
def test_a_slow_pair_times_out_also_in_another_thread():
    found = []
    slow = "+".join(f"\\sqrt{{x+{n}}}" for n in range(1, 20)), "+".join(f"\\sqrt{{y+{n}}}" for n in range(1, 20))
    thread = threading.Thread(target=lambda: found.extend(compare([slow, ("2", "1+1")])))
    thread.start()
    thread.join(60)
    assert len(found) == 2 and found[1] == (1.0, None)
    assert found[0][0] in (0.0, None) and (found[0][1] is None) == (found[0][0] == 0.0)


@pytest.mark.parametrize(
    "answer",
    [
        *("9^{9^{9^{9}}}", "9**9**9**9", "((9^{99})^{99})^{99}", "2^{39999}" * 20, "3000!" * 50, "(x!)!!", "x!^{x!}"),
        *("\\sin(10^{9999})", "e^{e^{e^{e^{e}}}}", "x^{x^{x^{x^{x^x}}}}", "\\binom{9999}{4999}" * 12, "(x+1)^{10000}"),
        *(
            "\\sum_{n=1}^{100} n^n",
            "\\int_0^1 x dx",
            "(" * 100 + "1" + ")" * 100,
            "\\frac{1}" * 99,
            "[(" * 70,
            "{" * 150,
        ),
        *("1," * 149 + "1", "\\pm " * 70 + "1", "x=1 or " * 40 + "x=2", "\\text{" * 200, "|" * 299, "-" * 290 + "1"),
        *(
            "\\begin{pmatrix}" * 15,
            "\\arcsin(x)^{\\arccos(x)}" * 10,
            "f(" * 12 + "x" + ")" * 12,
            "\\log_{x}" * 30 + "x",
        ),
    ],
)
def test_hostile_answers_have_a_verdict_or_a_reason(answer):
    pairs = [
        pair for other in ("12", "x+1", "(1,2)", "y=2x+1", "x>2", "B") for pair in ((other, answer), (answer, other))
    ]
    for value, error in compare(pairs):
        assert value != 1.0 and (value is None) == bool(error) and "Error" not in (error or "")
    assert compare([(answer, answer)]) == [(1.0, None)]


def test_only_what_has_no_bound_needs_a_worker():
    before = children(os.getpid())
    pairs = [("\\frac{1}{2}", "0.5"), ("(1, 2]", "[1,2]"), ("5 cm", "50 mm"), ("May 14", "14 May"), ("Clara", "Maria")]
    assert [value for value, _ in compare(pairs)] == [1.0, 0.0, 1.0, 1.0, 0.0]
    assert children(os.getpid()) == before


@pytest.mark.slow
def test_neither_ctrl_c_nor_a_kill_leaves_a_worker_behind():
    for how in (signal.SIGINT, signal.SIGKILL):
        owner = subprocess.Popen(
            [sys.executable, "-c", BUSY.format(root=str(ROOT))], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert owner.stdout
        owner.stdout.readline()
        deadline = time.monotonic() + 20
        while not (workers := children(owner.pid)) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        assert workers and all(map(is_alive, workers))
        os.kill(owner.pid, how)
        owner.wait(10)
        owner.stdout.close()
        while any(map(is_alive, workers)) and time.monotonic() < deadline + 20:
            time.sleep(0.1)
        assert not any(map(is_alive, workers))
