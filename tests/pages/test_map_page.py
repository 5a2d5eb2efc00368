"""The map in a real browser: it draws, its legend hides, its lasso chooses, what texts say stays text."""

import numpy as np
import pytest

from cli.pages.map_data import map_bytes
from cli.pages.map_points import Category, Points, Score
from tests.pages.chromium import browser, needs_chromium, page
from tests.pages.map_file import write_map

pytestmark = [pytest.mark.slow, needs_chromium]
SIDE = 20
HOSTILE = "<img src=x onerror=alert(1)>"
BOX = "() => { const {left, top, width, height} = document.querySelector('.map-panel').getBoundingClientRect();"
# Where the points stand on the page, by their numbers.
PLACES = (
    BOX + " const m = document.querySelector('.map').map, v = m.view(m.panels[0]);"
    " return [...m.data.x].map((x, i) => [left + x * v.scale + v.left, top + m.data.y[i] * v.scale + v.top]); }"
)
LIT = (
    "() => { const c = document.querySelector('.map-panel canvas'), d = c.getContext('2d')"
    ".getImageData(0, 0, c.width, c.height).data, seen = new Set();"
    " for (let i = 0; i < d.length; i += 4) seen.add([d[i], d[i + 1], d[i + 2]].join()); return [...seen]; }"
)


def counts(opened):
    return opened.eval_on_selector_all(".map-entry", "all => all.map(one => one.innerText.replace(/\\s+/g, ' '))")


@pytest.fixture(scope="module")
def opened_browser():
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A map of 400 points in a lattice: the first two rows of it were dropped, the left half is in the dataset d."""
    places = np.array([(x, y) for y in range(SIDE) for x in range(SIDE)], float)
    count = len(places)
    dropped = (places[:, 1] < 2).astype(np.uint8)
    left = places[:, 0] < SIDE / 2
    points = Points(
        [f"c_{i}" for i in range(count)], [f"Text {i} {HOSTILE}" for i in range(count)],
        np.zeros((count, 2), np.float32),
        (
            Category("fate", "Kept or dropped", ("kept", "dropped"), dropped),
            Category("cluster", "Cluster", (f"1: {HOSTILE}", "2: b"), left.astype(np.uint8)),
        ),
        (Score("x", np.where(left, places[:, 1], np.nan)),), {"d": left}, "mini", count, ("A note.",),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("map")
    return write_map(folder, map_bytes(points, places), points.ids, points.texts)


def test_a_map_draws_in_every_colour(opened_browser, address):
    with page(opened_browser, address) as opened:
        opened.wait_for_selector(".map[data-drawn]")
        assert counts(opened) == ["kept 360", "dropped 40"] and "A note." in opened.inner_text(".map-status")
        pixels = opened.evaluate(LIT)
        assert "11,110,99" in pixels and "180,83,42" in pixels
        for name in ("cluster", "score x", "fate"):
            opened.select_option(".map select >> nth=0", name)
            opened.wait_for_timeout(100)
            assert len(opened.evaluate(LIT)) > 3
        opened.select_option(".map select >> nth=0", "cluster")
        assert opened.inner_text(".map-name >> nth=0") == f"1: {HOSTILE}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_map_is_as_wide_as_a_phone(opened_browser, address, scheme):
    with page(opened_browser, address, 390, 844, color_scheme=scheme, device_scale_factor=2) as opened:
        opened.wait_for_selector(".map[data-drawn]")
        assert opened.evaluate("document.documentElement.scrollWidth") == 390
        paper = "255,255,255" if scheme == "light" else "27,30,35"
        assert paper in opened.evaluate(LIT)


def test_an_entry_of_the_legend_hides_its_points(opened_browser, address):
    with page(opened_browser, address) as opened:
        opened.wait_for_selector(".map[data-drawn]")
        opened.click(".map-entry >> nth=1")
        opened.wait_for_timeout(100)
        assert "180,83,42" not in opened.evaluate(LIT) and "11,110,99" in opened.evaluate(LIT)
        assert opened.get_attribute(".map-entry >> nth=1", "aria-pressed") == "false"
        opened.select_option(".map select >> nth=0", "cluster")
        assert [text.rpartition(" ")[2] for text in counts(opened)] == ["180", "180"]
        opened.click("text=Show all")
        assert [text.rpartition(" ")[2] for text in counts(opened)] == ["200", "200"]


def test_a_lasso_gives_the_points_within_it(opened_browser, address):
    with page(opened_browser, address) as opened:
        opened.wait_for_selector(".map[data-drawn]")
        opened.evaluate(
            "document.querySelector('.map').addEventListener('map-lasso', (e) => { window.chosen = e.detail.points; })"
        )
        places = opened.evaluate(PLACES)
        step = places[1][0] - places[0][0]
        (left, top), (right, bottom) = places[4 * SIDE + 3], places[6 * SIDE + 8]
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        grown = [
            (x + (step if x == right else -step) / 2, y + (step if y == bottom else -step) / 2) for x, y in corners
        ]
        opened.keyboard.down("Shift")
        opened.mouse.move(*grown[0])
        opened.mouse.down()
        for x, y in (*grown[1:], grown[0]):
            opened.mouse.move(x, y, steps=4)
        opened.mouse.up()
        opened.keyboard.up("Shift")
        expected = [y * SIDE + x for y in (4, 5, 6) for x in range(3, 9)]
        assert sorted(opened.evaluate("window.chosen")) == expected
        assert "18 points chosen" in opened.inner_text(".map-status") and counts(opened) == ["kept 18", "dropped 0"]
        opened.click("text=Clear")
        assert opened.evaluate("window.chosen") == [] and counts(opened) == ["kept 360", "dropped 40"]


def test_a_text_under_the_pointer_stays_text(opened_browser, address):
    with page(opened_browser, address) as opened:
        opened.wait_for_selector(".map[data-drawn]")
        opened.mouse.move(*opened.evaluate(PLACES)[7 * SIDE + 5])
        opened.wait_for_selector(".map-tip:visible")
        said = opened.inner_text(".map-tip")
        assert said.startswith(f"Text {7 * SIDE + 5} {HOSTILE}") and f"c_{7 * SIDE + 5}" in said
        assert opened.locator(".map-tip img").count() == 0


def test_a_dataset_stands_beside_as_many_at_random(opened_browser, address):
    with page(opened_browser, address) as opened:
        opened.wait_for_selector(".map[data-drawn]")
        opened.select_option(".map select >> nth=1", "set:d:")
        assert opened.eval_on_selector_all(".map-title", "all => all.map(one => one.innerText)") == [
            "d: 200", "at random: 200",
        ]  # fmt: skip
        opened.select_option(".map select >> nth=0", "cluster")
        assert counts(opened)[1] == "2: b 200 | 100"  # the first 200 points are the lattice's upper half


def test_the_keyboard_moves_and_zooms_the_map(opened_browser, address):
    state = "(() => { const { x, y, zoom } = document.querySelector('.map').map; return [x, y, zoom]; })()"
    with page(opened_browser, address) as opened:
        opened.wait_for_selector(".map[data-drawn]")
        start = opened.evaluate(state)
        opened.focus(".map-panel .over")
        opened.keyboard.press("+")
        opened.keyboard.press("ArrowRight")
        moved = opened.evaluate(state)
        assert moved[2] == pytest.approx(1.3) and moved[0] > start[0] and moved[1] == start[1]
        opened.keyboard.press("0")
        assert opened.evaluate(state) == start
        opened.mouse.move(*opened.evaluate(PLACES)[0])
        opened.mouse.wheel(0, -200)
        opened.wait_for_timeout(100)
        assert opened.evaluate(state)[2] > 1.1


def test_what_is_no_map_is_said(opened_browser, tmp_path):
    with page(opened_browser, write_map(tmp_path, b"nothing here", [], [])) as opened:
        assert opened.inner_text(".map") == "this is no map"
