"""Debian's Chromium without a window, for the tests of pages; a test without it, or without Playwright, is skipped."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None or find_spec("playwright") is None, reason="no Chromium or no Playwright: make browser"
)


@contextmanager
def browser() -> Generator[Any]:
    """Yield a browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def page(opened: Any, address: str, width: int = 1200, height: int = 900, **more: Any) -> Generator[Any]:
    """Yield a page of a browser at an address; at the end it has written no error to the console, and raised none."""
    context = opened.new_context(viewport={"width": width, "height": height}, **more)
    said: list[str] = []
    made = context.new_page()
    made.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    made.on("pageerror", lambda error: said.append(str(error)))
    made.goto(address)
    try:
        yield made
    finally:
        context.close()
    assert said == []
