"""From a look to another dataset, in real processes and a real browser: filter, lasso, label, run again, report."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from curate.storage.store import Store
from tests.choosing import picks, recipe, recorded
from tests.jobs import query
from tests.optional import needs
from tests.pages.chromium import browser, needs_chromium, page
from tests.pages.embedded import embed

pytestmark = [pytest.mark.slow, needs("altair", "starlette", "uvicorn", "jinja2"), needs_chromium]
ROOT = Path(__file__).parent.parent.parent
HOSTILE = "</script><script>window.pwned = 1</script>"
ROWS = [
    recorded("Name a river.", ("The Nile.", 0.9), ("The Rhine flows north.", 0.2)),
    recorded("Name a tree.", (HOSTILE, 0.8), ("A tree is a tree.", 0.3)),
    recorded("Name a bird.", ("A wren.", 0.7)),
]
TEXTS = ("Name a river.", "Name a tree.", "Name a bird.", "The Nile.", "The Rhine flows north.", HOSTILE, "A wren.")


def gristmill(folder, *arguments, **how):
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "TMPDIR": str(folder)}
    command = [sys.executable, "-m", "cli.main", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, cwd=folder, **how
    )


def done(folder, *arguments):
    process = gristmill(folder, *arguments)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err


def test_a_label_from_a_lasso_changes_the_dataset(tmp_path):
    recipe(tmp_path, ROWS, "sft: {type: sft, select: best_of_n, by: quality}", "by_hand: true\n")
    done(tmp_path, "run", "r.yaml")
    store = Store(tmp_path / "store")
    embed(store, *TEXTS)
    viewer = gristmill(tmp_path, "view", "--store", str(store.path))
    address = viewer.stdout.readline().split()[-1]
    with browser() as opened, page(opened, address) as seen:
        seen.set_default_timeout(90_000)  # on a busy machine
        with seen.expect_navigation():
            seen.click("nav >> text=Map")
        seen.wait_for_selector(".map[data-drawn]", timeout=120_000)
        seen.locator(".map canvas.over").first.hover()  # waits until it moves no more
        box = seen.locator(".map canvas").first.bounding_box()
        left, top, right, bottom = box["x"] + 3, box["y"] + 3, box["x"] + box["width"] - 3, box["y"] + box["height"] - 3
        seen.keyboard.down("Shift")
        seen.mouse.move(left, top)
        seen.mouse.down()
        for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
            seen.mouse.move(x, y, steps=4)
        seen.mouse.up()
        seen.keyboard.up("Shift")
        with seen.expect_navigation():
            seen.click("text=in the table")
        assert "set=" in seen.url
        seen.goto(address.split("/?")[0] + "/candidates")
        seen.fill("input[type=search]", "nile")
        seen.wait_for_url("**q=nile")
        seen.reload()  # no answer to what was typed comes between the keys
        seen.keyboard.press("ArrowDown")
        seen.keyboard.press("d")
        seen.wait_for_selector(".hand.drop")
        done(tmp_path, "run", "r.yaml", "--report", "report.html")
        seen.wait_for_timeout(100)
        for _ in range(50):  # the tables come in the background
            seen.reload()
            if "dropped by hand" in seen.inner_text("tr[data-row]"):
                break
            seen.wait_for_timeout(500)
        assert "dropped by hand" in seen.inner_text("tr[data-row]")
        with seen.expect_navigation():  # or the keys come before the page's script
            seen.click("nav >> text=SQL")
        seen.fill("textarea", "COPY (SELECT 1) TO 'x.csv'")
        seen.keyboard.press("Control+Enter")
        seen.wait_for_selector("text=one SELECT or EXPLAIN statement is taken here")
        assert seen.evaluate("window.pwned") is None
        with page(opened, (tmp_path / "report.html").as_uri()) as report:
            report.wait_for_selector("[data-drawn=yes]")
            assert "dropped by hand" in report.inner_text("main") and HOSTILE in report.inner_text("body")
            assert report.evaluate("window.pwned") is None
    viewer.send_signal(signal.SIGINT)
    viewer.communicate(timeout=60)
    assert ("Name a river.", "The Rhine flows north.") in picks(store, "sft") and not (store.path / "x.csv").exists()
    assert query(store, "SELECT label FROM by_hand").item() == "drop"
