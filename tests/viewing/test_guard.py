"""Only the user's own browser gets a page: the token, the host, the origin, sizes, and the headers of every answer."""

import re

import pytest

from tests.optional import needs
from tests.viewing.visiting import HERE, PORT, TICKET, TOKEN, give, stranger, visited

pytestmark = needs("starlette", "httpx2", "jinja2")
PATHS = ("/", "/candidates", "/candidates/c_10", "/sql", "/labels.jsonl", "/assets/view.css", "/nothing")


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_shown_without_the_token(store, path):
    with stranger(store) as client:
        for ask in ({}, {"params": {"token": "wrong"}}, {"cookies": {f"gristmill_{PORT}": "wrong"}},
                    {"cookies": {f"gristmill_{PORT + 1}": TOKEN}}):  # fmt: skip
            answer = client.get(path, **ask)
            assert (answer.status_code, "gristmill view" in answer.text) == (401, True)
            assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_token_goes_into_a_cookie_and_out_of_the_address(store):
    with stranger(store) as client:
        answer = client.get(f"/rows?q=a+b&token={TOKEN}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/rows?q=a+b")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie and "domain" not in cookie
        assert client.get("/rows?q=a+b").status_code == 200


def test_a_ticket_opens_once(store):
    with stranger(store) as client:
        assert client.get(f"/?token={TICKET}").headers["location"] == "/"
        assert client.get("/candidates").status_code == 200
        client.cookies.clear()
        assert client.get(f"/?token={TICKET}").status_code == 401
        assert client.get("/", cookies={f"gristmill_{PORT}": TICKET}).status_code == 401


def test_a_link_of_another_site_is_led_on_by_a_page(store):
    """After a redirect, a browser would not send a cookie for this site only."""
    with stranger(store) as client:
        answer = client.get(f"/rows?q=%22%3E%3Cb%3E&token={TOKEN}", headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 200 and 'content="0; url=/rows?q=%22%3E%3Cb%3E"' in answer.text
        assert client.get("/rows").status_code == 200
        assert client.get(f"//evil.example?token={TOKEN}").headers.get("location", "/x")[:2] != "//"


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", "", "[::1]:8000"])
def test_another_host_is_refused_with_the_token_too(client, host):
    answer = client.get("/candidates", headers={"Host": host})
    assert answer.status_code == 403 and "candidates" not in answer.text


def test_localhost_is_the_same_host(client):
    assert client.get("/candidates", headers={"Host": f"localhost:{PORT}"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://127.0.0.1:{PORT + 1}"},
        {"Origin": f"https://127.0.0.1:{PORT}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": HERE},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_post_of_another_page_is_refused(client, headers):
    fields = {"row_id": "c_10", "label": "keep"}
    assert client.post("/label", data=fields, headers=headers).status_code == 403
    assert client.post("/sql", data={"query": "SELECT 1"}, headers=headers).status_code == 403
    assert client.get("/labels.jsonl").text == ""


def test_no_get_writes(store):
    with visited(store) as client:
        before = sorted(file for file in store.path.rglob("*") if file.is_file())
        assert client.get("/label", params={"row_id": "c_10", "label": "keep"}).status_code == 405
        for path in ("/candidates", "/candidates/c_10", "/pairs/r_2", "/answers", "/runs", "/sql", "/labels"):
            assert client.get(path).status_code == 200
        assert client.put("/label").status_code == client.delete("/label").status_code == 405
        after = sorted(file for file in store.path.rglob("*") if file.is_file())
        assert [file for file in after if file not in before and file.parent.name != "replies"] == []


def test_answers_have_headers_and_pages_no_inline_script(client):
    for path in ("/candidates", "/rows/r_1", "/pairs/r_2", "/answers", "/runs", "/sql", "/labels", "/nothing"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy and "script-src 'self'" in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-store" and answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        scripts = re.findall(r"<script[^>]*>", answer.text)
        assert scripts and all(" src=" in script for script in scripts)
        tags = " ".join(re.findall(r"<[^>]*>", answer.text))
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", tags)


@pytest.mark.parametrize("size", ["99999999999", "-1", "x", "1" * 5000])
def test_too_much_is_refused_before_it_is_read(client, size):
    headers = {"Origin": HERE, "Content-Length": size, "Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/label", content=b"", headers=headers).status_code == 413


def test_a_body_without_a_length_is_bounded_too(client):
    parts = (b"a" * 1_000_000 for _ in range(20))
    headers = {"Origin": HERE, "Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/label", content=parts, headers=headers).status_code == 413


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"row_id=c_10&row_id=c_11", 400), (b"&".join(b"f%d=1" % n for n in range(30)), 400), (b"\xff=1", 400)],
)
def test_a_body_that_is_no_form_is_refused(client, content, status):
    headers = {"Origin": HERE, "Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/label", content=content, headers=headers).status_code == status
    assert (
        client.post("/label", content=b"{}", headers=headers | {"Content-Type": "application/json"}).status_code == 415
    )


def test_a_long_address_is_refused(client):
    assert client.get("/candidates?q=" + "a" * 9000).status_code == 414


@pytest.mark.parametrize("name", ["..%2Fguard.py", "..%2F..%2Fguard.py", "view.css.bak", "%00", "LICENSES.md", "x.js"])
def test_only_shipped_styles_and_scripts_are_assets(client, name):
    assert client.get(f"/assets/{name}").status_code in (400, 404)
    assert client.get("/assets/view.js").headers["content-type"].startswith("text/javascript")


def test_a_label_of_our_own_page_is_taken(store):
    with visited(store) as client:
        assert give(client, row_id="c_10", label="keep").status_code == 200
