"""A launcher and its processes without torch, for ``test_processes``: each process does what its part says.

``python acting.py ADDRESS PART PART`` starts a process for each part, in a session of its own as accelerate does, and
fails if one of them does.
"""

import os
import sys
import time

import polars as pl

from schemas.errors import UserError
from train.launch.channel import connect
from train.launch.worker import Starter, ToldProgress

NOTHING = pl.DataFrame({"row_id": ["r_0"]})


def act(part: str, rank: int, address: str) -> None:
    """Do what a part says."""
    starter = Starter(connect(address))
    starter.tell("hello", rank=rank, pid=os.getpid())
    if rank == 0:
        progress = ToldProgress(starter)
        progress.begin("train t", 2, "steps")
        progress.advance(1, "loss 1.0")
        progress.say("one line\nwith \x1b[31mred")
    if part == "killed":
        os.kill(os.getpid(), 9)
    elif part == "wrong":
        starter.tell("failed", error="UserError", line=str(UserError("t: a row is wrong")), known=True)
    elif part == "lost contact":
        starter.tell("failed", error="RuntimeError", line="RuntimeError: [gloo] Connection closed by peer", known=False)
    elif part == "crashed":
        starter.tell("failed", error="ValueError", line="ValueError: no such thing", known=False)
    elif part.startswith("score"):
        answers = pl.DataFrame({"response": [f"{rank}{i}" for i in range(2 + rank)]})
        for _ in range(2):
            print(starter.scores("length", answers)["value"].to_list(), file=open(f"scores-{rank}", "a"), flush=True)
    if part in ("done", "score"):
        starter.over = True
        starter.tell(
            "done", {"fates": NOTHING} if rank == 0 else {}, **({"steps": 2, "metrics": {}} if rank == 0 else {})
        )
        return
    time.sleep(600)  # it is ended


def main(address: str, *parts: str) -> int:
    """Start the processes; return 1 if one fails."""
    if parts == ("no start",):
        sys.stderr.write("accelerate: no such option\n")
        return 1
    started = []
    for rank, part in enumerate(parts):
        child = os.fork()
        if not child:
            os.setsid()
            act(part, rank, address)
            os._exit(0)
        started.append(child)
    return int(any([os.waitpid(child, 0)[1] for child in started]))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
