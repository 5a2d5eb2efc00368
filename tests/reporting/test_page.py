"""A report as a file: nothing of a store is markup, and the policy allows its own scripts and styles only."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from tests.optional import needs
from tests.reporting.full_store import HOSTILE, fill

pytestmark = needs("altair", "jinja2")


class Page(HTMLParser):
    """What a browser would see: each element with its attributes, and the texts of scripts and styles."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.inline, self._open = [], [], None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._open = (tag, dict(attrs).get("type"))
            self.inline.append([*self._open, ""])

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self._open = None

    def handle_data(self, data):
        if self._open:
            self.inline[-1][2] += data


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    from cli.reporting.make import report
    from curate.storage.store import Store

    text, problems = report(fill(Store(tmp_path_factory.mktemp("page") / "store")))
    assert problems == []
    return text


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_every_section_is_there(page):
    sections = [attrs["id"] for tag, attrs in page.elements if tag == "section"]
    assert len(sections) == 19 and len(set(sections)) == 19
    linked = [attrs["href"] for tag, attrs in page.elements if tag == "a" and attrs["href"] != "#content"]
    assert linked == [f"#{name}" for name in sections]


def test_no_text_of_the_store_is_markup(page, html):
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"img", "iframe", "object", "link", "base"}
    assert all(not name.startswith("on") and name != "style" for _, attrs in page.elements for name in attrs)
    assert len([tag for tag, _ in page.elements if tag == "svg"]) == 1  # our own mark
    assert "<script>window" not in html and "&lt;script&gt;window.ran=1" in html
    assert "\u202e" not in html and "\u2028" not in html and "{{7*7}}" in html


def test_the_policy_has_the_hash_of_each_script_and_style(page):
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and "unsafe" not in policy and "http" not in policy
    for tag in ("script", "style"):
        texts = [text for name, kind, text in page.inline if name == tag and kind is None]
        hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts]
        assert len(texts) >= 2 and rules[f"{tag}-src"].split() == hashes


def test_data_in_script_elements_are_json_of_one_line(page):
    texts = [text for tag, kind, text in page.inline if tag == "script" and kind == "application/json" and text]
    assert len(texts) > 10
    for text in texts:
        json.loads(text)
        assert not re.search(r"[<>&\u2028\u2029\n]", text)


def test_names_of_the_store_are_data_of_a_chart_and_no_fields(page):
    for _, kind, text in page.inline:
        if kind != "application/json" or not text or '"encoding"' not in text:
            continue
        spec = json.loads(text)
        fields = set(re.findall(r'"field": "([^"]*)"', json.dumps({**spec, "data": None})))
        assert fields <= {
            "row",
            "label",
            "value",
            "kind",
            "tip",
            "part",
            "low",
            "high",
            "x",
            "y",
            "line",
            "colour",
            "dot",
        }


def test_nothing_is_fetched(page):
    assert [attrs for _, attrs in page.elements if {"src", "srcset", "action", "data"} & attrs.keys()] == []
    assert all(attrs["href"].startswith("#") for tag, attrs in page.elements if "href" in attrs)


def test_every_chart_has_its_data_and_a_name(page):
    charts = [attrs for _, attrs in page.elements if attrs.get("class") == "chart"]
    ids = {attrs.get("id") for tag, attrs in page.elements if tag == "script"}
    assert len(charts) > 10 and all(chart["data-spec"] in ids and chart["aria-label"] for chart in charts)
    assert len({chart["data-spec"] for chart in charts}) == len(charts)


def test_the_same_store_makes_the_same_report(store):
    from cli.reporting.make import report

    fill(store)
    first, again = (re.sub(r"Made \d{4}-\d\d-\d\d \d\d:\d\d", "", report(store)[0]) for _ in range(2))
    assert first == again and len(first) < 1_500_000


def test_long_texts_do_not_make_a_report_large(store):
    from cli.reporting.make import report

    fill(store, HOSTILE * 300)
    text, problems = report(store)
    assert len(text.encode()) < 3_000_000 and problems == []
    assert "more characters" in text and "window.ran" in text


def test_rows_of_nulls_make_a_report(store):
    """What an older version, a failed step or a strange model leaves: rows with a key and little else."""
    from cli.reporting.make import report
    from schemas.rows import STAGE_TABLES
    from tests.storage.asked import record, write

    tables = {name: [dict.fromkeys(columns) | dict.fromkeys(key, "x")] for name, (columns, key) in STAGE_TABLES.items()}
    for name, column in INTEGER_KEYS:
        tables[name][0][column] = None
    stages = [write(store, f"datasets.{name}", f"{at:012x}", **{name: rows}) for at, (name, rows) in
              enumerate(tables.items())]  # fmt: skip
    record(store, "1", *stages)
    text, problems = report(store)
    assert problems == [] and "<h1>a</h1>" in text


INTEGER_KEYS = [("row_losses", "step"), ("rollouts", "step"), ("rollouts", "sample_index"),
                ("evaluations", "sample_index"), ("comparisons", "seed")]  # fmt: skip


def test_an_empty_store_makes_a_page_that_says_so(store):
    from cli.reporting.make import report

    text, problems = report(store)
    assert "no run yet" in text and problems == [] and "vegaLite" not in text


def test_a_shipped_script_that_ends_its_element_is_refused():
    from cli.reporting.page import _inline

    with pytest.raises(ValueError, match="ends a script"):
        _inline("let a = '</SCRIPT>'")


def test_script_json_has_no_infinite_numbers():
    from cli.pages.script_json import script_json

    made = script_json({"a": [float("nan"), float("inf"), 1 / 3], "</script>": "<!--&\u2028"})
    assert json.loads(made) == {"a": [None, None, 0.333333], "</script>": "<!--&\u2028"} and "<" not in made
