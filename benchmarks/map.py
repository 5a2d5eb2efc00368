"""The map of embeddings: seconds to place vectors, beside umap-learn, and frames a second in Chromium.

``python benchmarks/run.py --only map`` takes 2,000 and 10,000 vectors; ``python -m benchmarks.map 100000`` as many as
it says, without umap-learn. Chromium runs without a window and without a GPU. Each frame of three seconds moves or
zooms the map, and draws it whole.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks.measure import ROOT, Row
from benchmarks.vectors import vectors
from cli.pages.map_data import map_bytes
from cli.pages.map_points import Category, Points, Score
from curate.algorithms.vectors.layout import main_axes, positions
from tests.pages.map_file import write_map

PLACED, DRAWN = (2_000, 10_000), 100_000
UMAP = """
import sys, time, warnings
import numpy as np
from benchmarks.vectors import vectors
warnings.simplefilter("ignore")
rows = vectors(int(sys.argv[1]), 1).vectors
started = time.perf_counter()
import umap
umap.UMAP(random_state=7).fit_transform(rows)
print(time.perf_counter() - started)
"""
OWN = """
import sys, time
from benchmarks.vectors import vectors
rows = vectors(int(sys.argv[1]), 1).vectors
rows.flags.writeable = False
started = time.perf_counter()
from curate.algorithms.vectors.layout import positions
positions(rows, 7)
print(time.perf_counter() - started)
"""
FRAMES = """async ({zoom}) => {
  const map = document.querySelector(".map").map, start = performance.now();
  let frames = 0, drawing = 0;
  while (performance.now() - start < 3000) {
    await new Promise((done) => requestAnimationFrame(done));
    frames++;
    if (zoom) map.zoomBy(frames % 60 < 30 ? 1.05 : 1 / 1.05);
    else map.moveBy(map.panels[0], frames % 40 < 20 ? 8 : -8, frames % 26 < 13 ? 5 : -5);
    cancelAnimationFrame(map.due);
    map.due = 0;
    const before = performance.now();
    map.drawNow();
    drawing += performance.now() - before;
  }
  return [(1000 * frames) / (performance.now() - start), drawing / frames];
}"""


def measure() -> Iterable[Row]:
    """Place vectors in processes of their own, imports included; draw 100,000 points on a desktop and a phone."""
    for count in PLACED:
        in_process(OWN, count)  # keeps the machine code
        yield Row(
            f"places of {count:,} vectors", in_process(OWN, count), "s", "10", "umap-learn", in_process(UMAP, count)
        )
        yield Row(f"main axes of {count:,} vectors (PCA)", main_axes_seconds(count), "s")
    yield from frames(DRAWN)


def in_process(code: str, count: int) -> float:
    """Return the seconds that a program in a fresh process says it took."""
    done = subprocess.run(
        [sys.executable, "-c", code, str(count)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def main_axes_seconds(count: int) -> float:
    """Return the seconds of the main axes of vectors."""
    rows = vectors(count, 1).vectors
    started = time.perf_counter()
    main_axes(rows)
    return time.perf_counter() - started


def frames(count: int) -> Iterable[Row]:
    """Yield the frames a second of a map of points in 40 heaps, one dataset of which is a fifth of them."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        address = write_map(Path(folder), *heaps(count))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for device, width, height, scale in (("desktop", 1400, 900, 1), ("phone", 390, 844, 2)):
            page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=scale)
            started = time.perf_counter()
            page.goto(address)
            page.wait_for_selector(".map[data-drawn]")
            yield Row(f"{device}: open a map of {count:,} points", time.perf_counter() - started, "s", "2")
            for name, zoom, beside in (("move", False, ""), ("zoom", True, ""), ("two maps, move", False, "set:d:")):
                page.select_option(".map select >> nth=1", beside)
                rate, drawing = page.evaluate(FRAMES, {"zoom": zoom})
                yield Row(f"{device}, {name}: frames, {count:,} points", rate, "1/s", "30")
                yield Row(f"{device}, {name}: drawing of a frame", drawing, "ms")
            page.close()
        browser.close()


def heaps(count: int) -> tuple[bytes, list[str], list[str]]:
    """Return a map of points in heaps, with their ids and texts."""
    draw = np.random.default_rng(0)
    heap = draw.integers(0, 40, count)
    places = 8 * draw.normal(size=(40, 2))[heap] + draw.normal(size=(count, 2))
    dropped = (draw.random(count) < 0.3).astype(np.uint8)
    categories = (
        Category("fate", "Kept or dropped", ("kept", "dropped"), dropped),
        Category("cluster", "Cluster", tuple(f"{number}: some, words" for number in range(40)), heap.astype(np.uint8)),
    )
    ids = [f"c_{number}" for number in range(count)]
    points = Points(ids, ids, np.zeros((count, 1), np.float32), categories, (Score("x", draw.random(count)),),
                    {"d": draw.random(count) < 0.2}, "mini", count, ())  # fmt: skip
    return map_bytes(points, places), ids, ids


if __name__ == "__main__":
    rows = vectors(int(sys.argv[1]), 1).vectors
    rows.flags.writeable = False
    positions(rows[:100], 7)
    started = time.perf_counter()
    positions(rows, 7)
    print(f"places of {len(rows):,} vectors: {time.perf_counter() - started:.1f} s")
