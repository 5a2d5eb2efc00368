"""Keeps TRL's own bars off the display, which has one of ours."""

import contextlib
import os
from collections.abc import Generator

NAME = "TQDM_DISABLE"  # TRL's trainers of pairs and labels read it as they compute a reference's log-probabilities


@contextlib.contextmanager
def without_bars() -> Generator[None]:
    """Let TRL show no bar of its own."""
    before = os.environ.get(NAME)
    os.environ[NAME] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[NAME]
        else:
            os.environ[NAME] = before
