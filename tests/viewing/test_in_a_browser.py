"""A real ``gristmill view`` in a real Chromium: filters, keys, labels, the SQL box, texts that would run, Ctrl-C."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from curate.storage.hand_labels import labels_path, read_labels
from curate.storage.store import Store
from tests.optional import Lazy, needs
from tests.viewing.tiny_store import HOSTILE, fill

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [
    pytest.mark.slow,
    needs("starlette", "uvicorn", "jinja2", "playwright"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no /usr/bin/chromium: make browser"),
]
playwright = Lazy("playwright.sync_api")
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def browser():
    """A Chromium for all tests of this file."""
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def served(tmp_path):
    """A store that is served: the store, the address, and the process."""
    store = Store(tmp_path / "store")
    fill(store)
    command = [sys.executable, "-m", "cli.main", "view", "--store", str(store.path)]
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, cwd=tmp_path
    )
    assert process.stdout
    address = process.stdout.readline().split()[-1]
    yield store, address, process
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert [*tmp_path.glob("gristmill-view-*")] == []  # the copy of the tables is gone


@pytest.fixture
def page(browser, served):
    """The first page, opened by the address that was printed; no error may be in the console at the end."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(20_000)
    opened, said = context.new_page(), []
    opened.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("dialog", lambda dialog: said.append(f"dialog {dialog.message}"))
    opened.goto(served[1])
    yield opened
    assert said == []
    context.close()


def ids(page):
    return [row.get_attribute("data-label-id") for row in page.locator("tr[data-row]").all()]


def wait_for(page, count):
    """Wait until a table has so many rows."""
    playwright.expect(page.locator("tr[data-row]")).to_have_count(count)  # a function to wait for would need eval


def labels(store):
    return [(one.row_id, one.label, one.over, one.text) for one in read_labels(labels_path(store))]


def test_a_table_is_filtered_sorted_and_gone_back_in(page):
    assert "token" not in page.url and page.url.endswith("/candidates")
    assert page.evaluate("document.cookie") == ""  # no script sees the token
    page.fill("input[type=search]", "rhine")
    wait_for(page, 3)
    assert page.url.endswith("/candidates?q=rhine") and "3 of 6" in page.inner_text(".count")
    page.click("button[data-sort='-quality']")
    page.wait_for_url("**sort=-quality")
    page.click("button[data-sort='quality']")
    page.wait_for_url("**sort=quality")
    assert ids(page) == ["c_12", "c_11", "c_10"]
    page.select_option("select[name='is.model']", "teacher")
    wait_for(page, 1)
    page.go_back()
    wait_for(page, 3)
    assert page.input_value("input[type=search]") == "rhine" and page.input_value("select[name='is.model']") == ""
    page.reload()
    assert ids(page) == ["c_12", "c_11", "c_10"]


def test_a_link_in_a_page_of_another_site_opens_it(browser, served):
    context = browser.new_context()
    opened = context.new_page()
    opened.route("http://terminal.example/", lambda route: route.fulfill(body=f"<a href='{served[1]}'>go</a>",
                                                                         content_type="text/html"))  # fmt: skip
    opened.goto("http://terminal.example/")
    opened.click("a")
    opened.wait_for_selector("tr[data-row]")
    assert opened.url.endswith("/candidates")
    context.close()


def test_a_slider_takes_rows_out_and_lets_them_in_again(page):
    slider = page.locator("input[name='min.quality']")
    slider.evaluate("(one) => { one.value = 0.6; one.dispatchEvent(new Event('input', {bubbles: true})); "
                    "one.dispatchEvent(new Event('change', {bubbles: true})); }")  # fmt: skip
    wait_for(page, 2)
    assert ids(page) == ["c_10", "c_20"] and "0.6" in page.inner_text(".slider output >> nth=0")
    slider.evaluate("(one) => { one.value = one.min; one.dispatchEvent(new Event('change', {bubbles: true})); }")
    wait_for(page, 6)
    assert page.url.endswith("/candidates")


def test_keys_go_from_a_slider_to_the_search_and_to_rows(page):
    slider = page.locator(".slider input").first
    slider.focus()
    page.keyboard.press("/")
    page.keyboard.type("rhine")
    wait_for(page, 3)
    page.keyboard.press("Escape")
    assert page.locator("[name=q]").input_value() == "rhine"
    page.keyboard.press("/")
    page.keyboard.press("ArrowDown")
    assert page.locator("tr.at").get_attribute("data-label-id") == ids(page)[0]


def test_rows_are_labelled_with_keys_and_open_with_their_labels(page, served):
    store, address, _ = served
    for key in ("ArrowDown", "k"):
        page.keyboard.press(key)
    page.wait_for_selector("tr[data-row]:nth-child(1) .hand.keep")
    page.keyboard.press("d")  # k went on to the next row
    page.wait_for_selector("tr[data-row]:nth-child(2) .hand.drop")
    for key in ("ArrowUp", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url("**/candidates/c_1*", wait_until="load")
    page.keyboard.press(".")
    page.wait_for_url("**at=1")
    page.keyboard.press("u")
    page.wait_for_selector("text=no label yet")
    page.keyboard.press("n")
    page.keyboard.type("k and d are letters here")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".hand.note")
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.type("The Danube!")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".hand.edit")
    assert labels(store) == [
        ("c_10", "keep", None, None),
        ("c_11", "note", None, "k and d are letters here"),
        ("c_11", "edit", None, "The Danube!"),
    ]
    page.keyboard.press("Escape")
    page.wait_for_url("**/candidates")
    assert page.locator("tr.at").get_attribute("data-label-id") == "c_11"  # where one was
    page.goto(address)
    assert "keep" in page.locator("tr[data-row]:nth-child(1) .by-hand").inner_text()
    page.goto(address.split("/?")[0] + "/candidates/c_11")
    assert page.input_value("[data-form=edit] textarea") == "The Danube!"


def test_a_pair_is_judged_with_keys(page, served):
    page.click("text=Pairs")
    page.click("tr[data-row] a")
    page.wait_for_url("**/pairs/r_2*", wait_until="load")
    page.keyboard.press("2")
    page.wait_for_selector("[data-prefer=right].primary")
    page.wait_for_selector(".hand.prefer")
    assert labels(served[0]) == [("c_12", "prefer", "c_10", None)]
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("[data-prefer=left].primary")
    playwright.expect(page.locator("#given")).to_contain_text("c_10 over c_12")
    assert labels(served[0]) == [("c_10", "prefer", "c_12", None)]
    page.keyboard.press("u")
    page.wait_for_selector("text=no label yet")
    assert labels(served[0]) == []


def test_labels_are_exported_and_taken_back(page, served):
    for key in ("ArrowDown", "k", "k"):
        page.keyboard.press(key)
        page.wait_for_timeout(300)
    page.click("text=Labels")
    page.wait_for_load_state()
    with page.expect_download() as found:
        page.click("text=download labels.jsonl")
    assert Path(found.value.path()).read_text().count('"keep"') == 2
    page.click("button[data-clear='c_10']")
    playwright.expect(page.locator("button[data-clear]")).to_have_count(1)
    assert labels(served[0]) == [("c_11", "keep", None, None)]


def test_the_sql_box_answers_and_refuses(page, served, tmp_path):
    page.click("text=SQL")
    page.wait_for_load_state()  # the keys are there
    page.fill("#query", "SELECT completion_id FROM candidates ORDER BY quality DESC, 1 LIMIT 1")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#answer table")
    assert "c_10" in page.inner_text("#answer")
    for query in (f"COPY (SELECT 1) TO '{tmp_path}/x.csv'", f"WITH x AS (COPY (SELECT 1) TO '{tmp_path}/x.csv') FROM x",
                  "SELECT * FROM read_text('/etc/passwd')"):  # fmt: skip
        page.fill("#query", query)
        page.click("button.primary")
        page.wait_for_selector("#answer .error")
        assert "root:" not in page.inner_text("#answer")
        page.fill("#query", "SELECT 1")
        page.click("button.primary")
        page.wait_for_selector("#answer table")
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize(
    "path", ["/candidates", "/candidates/c_20", "/prompts", "/prompts/p_2", "/candidates?q=%3Cscript%3E"]
)
def test_a_hostile_text_does_not_run_and_shows_as_text(page, served, path):
    page.goto(served[1].split("/?")[0] + path)
    page.wait_for_timeout(200)
    assert page.evaluate("window.ran === undefined && !document.querySelector('main svg, main script')")
    assert page.locator("main a[href^='javascript']").count() == 0
    shown = page.inner_text("main")
    assert "<script>window.ran = 1</script>" in shown and "**bold**" in shown and "U+202E" in shown
    assert "\u202e" not in shown.replace(HOSTILE, "")


def test_texts_that_htmx_brings_do_not_run_either(page, served):
    page.fill("input[type=search]", "script")
    wait_for(page, 3)
    page.keyboard.press("Escape")
    for key in ("ArrowDown", "k"):
        page.keyboard.press(key)
    page.wait_for_selector(".hand.keep")
    assert page.evaluate("window.ran === undefined && !document.querySelector('main svg, main script')")


def test_every_page_fits_a_phone_in_light_and_dark(browser, served):
    for scheme in ("light", "dark"):
        context = browser.new_context(viewport={"width": 390, "height": 800}, color_scheme=scheme)
        opened = context.new_page()
        opened.goto(served[1])
        base = served[1].split("/?")[0]
        for path in ("candidates", "candidates/c_20", "rows/r_1", "pairs/r_2", "answers", "runs", "sql", "labels",
                     "runs/20261130-000000-000-tiny", "nothing"):  # fmt: skip
            opened.goto(f"{base}/{path}")
            assert opened.evaluate("document.documentElement.scrollWidth") <= 390, path
        context.close()


@pytest.mark.parametrize(("kind", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_in_a_line(page, served, kind, code):
    _, _, process = served
    process.send_signal(kind)
    _, errors = process.communicate(timeout=30)
    assert (
        process.returncode == code and "Traceback" not in errors and errors.strip().splitlines()[-1] == "error: stopped"
    )
