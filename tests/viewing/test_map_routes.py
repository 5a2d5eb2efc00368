"""The addresses of the map: its bytes, a point, a set of chosen points that the table then shows, and refusals."""

import base64
import json
import shutil
import struct

import numpy as np
import pytest

from tests.optional import needs
from tests.pages.embedded import embed, filled
from tests.viewing.visiting import HERE, text, visited

pytestmark = needs("starlette", "jinja2", "httpx2")


@pytest.fixture
def client(store):
    embed(filled(store), "How?", "Why?", "So.", "Because.")
    with visited(store, filled=False) as made:
        yield made


def header(client):
    data = client.get("/map/data").content
    return json.loads(data[8 : 8 + struct.unpack("<I", data[4:8])[0]])


def points(client, key):
    return [client.get(f"/map/point/{key}/{place}").json() for place in range(4)]


def choose(client, key, *places, origin=HERE):
    flags = np.zeros(4, np.uint8)
    flags[list(places)] = 1
    sent = base64.b64encode(np.packbits(flags, bitorder="little").tobytes()).decode()
    return client.post("/map/select", data={"key": key, "points": sent}, headers={"Origin": origin})


def test_the_page_loads_files_only(client):
    page = client.get("/map")
    assert page.status_code == 200 and 'data-src="/map/data"' in page.text and "style=" not in page.text
    assert all(client.get(f"/assets/{name}").status_code == 200
               for name in ("map.css", "map-points.js", "map.js", "map-hands.js"))  # fmt: skip


def test_points_have_texts_and_rows(client):
    found = points(client, header(client)["key"])
    assert {one["id"]: one["text"] for one in found} == {"c_1": "So.", "c_2": "Because.", "p_1": "How?", "p_2": "Why?"}
    candidate = next(one for one in found if one["id"] == "c_1")
    page = client.get(candidate["url"], follow_redirects=True)
    assert page.status_code == 200 and "So." in text(page)


def test_chosen_points_are_a_filter_of_the_table(client):
    key = header(client)["key"]
    ids = [one["id"] for one in points(client, key)]
    address = choose(client, key, ids.index("c_2")).json()["url"]
    assert address.startswith("/candidates?set=")
    page = text(client.get(address))
    assert "Because." in page and "Never." not in page
    assert choose(client, key, ids.index("p_2")).json()["url"].startswith("/prompts?set=")


def test_what_cannot_be_chosen_is_refused(client):
    key = header(client)["key"]
    assert choose(client, key, 0, origin="http://elsewhere").status_code == 403
    for answer in (choose(client, key), choose(client, "unknown", 0), client.get(f"/map/point/{key}/9")):
        assert answer.status_code == 400 and "\n" not in answer.text and "<" not in answer.text


def test_a_store_without_embeddings_says_how_to_have_some(store):
    with visited(filled(store), filled=False) as client:
        answer = client.get("/map/data")
    assert answer.status_code == 400 and "dedup: semantic" in answer.text


def test_a_store_that_is_deleted_is_an_error_of_one_line(client, store):
    shutil.rmtree(store.path)
    answer = client.get("/map/data")
    assert answer.status_code == 400 and str(store.path) in answer.text and "Traceback" not in answer.text
