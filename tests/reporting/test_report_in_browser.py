"""A report in a real Chromium: charts are drawn, nothing of the store runs, nothing is fetched, it fits a phone."""

from pathlib import Path

import pytest

from tests.optional import needs
from tests.reporting.full_store import fill

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [
    pytest.mark.slow,
    needs("altair", "jinja2", "playwright"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no chromium here: make browser"),
]
DRAWN = "[...document.querySelectorAll('.chart')].map((chart) => chart.dataset.drawn)"
# What is wider than the window, and not within a table that scrolls by itself.
WIDE = """[...document.querySelectorAll('body *')].filter((one) =>
    one.getBoundingClientRect().right > innerWidth + 1 && !one.closest('.scroll, .contents'))
    .map((one) => one.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        made = play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    from cli.reporting.make import write_report
    from curate.storage.store import Store

    folder = tmp_path_factory.mktemp("browser")
    assert write_report(fill(Store(folder / "store")), folder / "report.html") == []
    return folder / "report.html"


@pytest.fixture
def opened(browser, html):
    """Open the report; return the page, with what it said on the console and what it asked the network for."""
    pages = []

    def open_page(width=1280, scheme="light", **more):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme, **more)
        pages.append(page)
        said, asked = [], []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(html.as_uri())
        return page, said, asked

    yield open_page
    for page in pages:
        page.close()


def read_through(page):
    """Scroll to the end, a window at a time, so that each chart comes near and is drawn."""
    for chart in page.query_selector_all(".chart"):
        chart.scroll_into_view_if_needed()
        page.wait_for_function("(one) => one.dataset.drawn", arg=chart)


def test_every_chart_is_drawn_and_nothing_is_fetched(opened, html):
    page, said, asked = opened()
    read_through(page)
    drawn = page.evaluate(DRAWN)
    assert len(drawn) > 10 and set(drawn) == {"yes"}
    assert said == [] and asked == [html.as_uri()]
    sizes = page.evaluate("[...document.querySelectorAll('.chart canvas')].map((one) => one.width * one.height)")
    assert len(sizes) == len(drawn) and min(sizes) > 10_000


def test_no_script_of_the_store_runs(opened):
    page, _, _ = opened()
    read_through(page)
    assert page.evaluate("window.ran") is None
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 9'}))"
    )
    assert page.evaluate("window.ran") is None  # the policy: not even one that is put in


def test_a_phone_does_not_scroll_sideways(opened):
    page, said, _ = opened(390, "dark", is_mobile=True, has_touch=True)
    read_through(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate(WIDE) == [] and said == []


def test_two_scores_are_chosen_and_drawn(opened):
    page, said, _ = opened()
    page.query_selector("#score_pairs .chart").scroll_into_view_if_needed()
    page.wait_for_selector("#score_pairs .chart[data-drawn=yes]")
    page.select_option("[data-axis=x]", "2")
    page.wait_for_function("document.getElementById('score-pairs-spec').textContent.includes('length of the response')")
    assert page.inner_text("[data-count]") == "47 candidates have both" and said == []


def test_the_button_changes_the_theme_and_the_charts(opened):
    page, said, _ = opened()
    page.wait_for_selector(".chart[data-drawn=yes]")
    before = page.evaluate("document.querySelector('.chart canvas').toDataURL()")
    page.click("[data-theme-button]")
    page.wait_for_function("(old) => document.querySelector('.chart canvas')?.toDataURL() !== old", arg=before)
    assert page.evaluate("document.documentElement.dataset.theme") == "dark" and said == []


def test_without_scripts_the_texts_are_there(browser, html):
    page = browser.new_page(java_script_enabled=False)
    page.goto(html.as_uri())
    assert "75% of 48 candidates are dropped" in page.inner_text("#funnel")
    assert "scripts in this file" in page.inner_text("body")
    page.close()
