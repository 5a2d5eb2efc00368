import importlib.util

import pytest

from tests.optional import needs
from tests.train.arms.test_differences import ARMS, SHARES, cells
from train.arms.differences import Compared, compare_arms
from train.arms.drawing import DARK, drawing, png

MAGIC = b"\x89PNG\r\n\x1a\n"


def picture() -> str:
    return drawing("demo", compare_arms(Compared(ARMS, "student", cells(SHARES))))


def test_a_png_has_the_light_colours():
    svg = picture()
    assert "prefers-color-scheme" in svg and "prefers-color-scheme" not in DARK.sub("", svg)
    assert DARK.sub("", svg).count("{") == DARK.sub("", svg).count("}")


@needs("resvg_py")
def test_the_drawing_is_a_png_where_the_library_is_installed():
    found = png(picture())
    assert found is not None and found.startswith(MAGIC) and len(found) > 10_000


def test_without_the_library_there_is_no_png(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert png(picture()) is None
