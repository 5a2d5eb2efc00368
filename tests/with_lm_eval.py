"""Which Python has lm-evaluation-harness, for the tests that run it."""

import os
from pathlib import Path

import pytest

PYTHON = os.environ.get("GRISTMILL_LM_EVAL_PYTHON") or str(
    Path(__file__).parent.parent / ".venv-lm-eval" / "bin" / "python"
)


def with_lm_eval(test):
    """Marks a test that runs the harness."""
    missing = pytest.mark.skipif(not Path(PYTHON).exists(), reason=f"no lm-eval at {PYTHON}: make lm-eval")
    return pytest.mark.slow(pytest.mark.lm_eval(missing(test)))
