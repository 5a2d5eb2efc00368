"""Which Python has vLLM, for the tests that run a real server."""

import os
from pathlib import Path

import pytest

PYTHON = os.environ.get("GRISTMILL_VLLM_PYTHON") or str(Path(__file__).parent.parent / ".venv-vllm" / "bin" / "python")


def with_vllm(test):
    """Marks a test that runs a real server."""
    missing = pytest.mark.skipif(not Path(PYTHON).exists(), reason=f"no vLLM at {PYTHON}: make vllm")
    return pytest.mark.slow(pytest.mark.vllm(missing(test)))
