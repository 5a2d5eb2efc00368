"""Helpers for tests of the sandbox: requests to its engine, one-line programs, and the processes of this machine."""

import json
import os
from pathlib import Path

from curate.models.model_ref import ModelRef
from curate.verifiers.sandbox import sandbox
from schemas.requests import Sampling, make_request
from tests.sandboxed import LIMITS, stdio

ROOT = Path(__file__).resolve().parents[3]
REF = ModelRef("sandbox", sandbox.identity(), "", engine="sandbox")


def inside(*lines, **limits):
    """The last line that a program prints in the sandbox, as the judge shows it when it is not the expected one."""
    (why,) = stdio("\n".join(lines), ("", "nothing like it"), **limits)
    return why.partition("found ")[2] or why


def children():
    """The processes that this one has started and that still run."""
    text = "".join(file.read_text() for file in Path(f"/proc/{os.getpid()}/task").glob("*/children"))
    return set(text.split())


def code_request(code, tests, **limits):
    """The request to the engine that runs some code against tests."""
    body = {"kind": "code", "code": code, "tests": tests} | LIMITS | limits
    return make_request("sandbox", json.dumps(body), None, Sampling(), 0, "run")
