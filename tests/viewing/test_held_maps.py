"""The maps that the viewer holds: made once for a state of the store, points by number, chosen ones as ids."""

import base64

import numpy as np
import pytest
from starlette.responses import PlainTextResponse

from cli.viewing.held_maps import MOST_MAPS, HeldMaps
from cli.viewing.map_page import described, said
from schemas.errors import UserError
from tests.pages.embedded import embed, filled, many
from tests.storage.asked import prompt, record, write


def key_of(maps):
    return next(key for key, held in maps._maps.items() if held is maps.newest())


def bits(*places, count):
    flags = np.zeros(count, np.uint8)
    flags[list(places)] = 1
    return base64.b64encode(np.packbits(flags, bitorder="little").tobytes()).decode()


def test_a_map_is_made_once_until_a_run_adds_to_the_store(store):
    maps = HeldMaps(many(store, 12))
    first = maps.newest()
    assert maps.newest() is first and first.data[:4] == b"GMAP" and len(first.ids) == 12
    old = key_of(maps)
    for number in range(MOST_MAPS):
        text = f"Another {number}"
        record(store, f"2{number}", write(store, "prompts.source.s", f"c{number}", prompts=[prompt("p_x", text)]))
        embed(store, text)
        assert maps.newest().ids == ["p_x"]
    with pytest.raises(UserError, match="not held any more: load the page again"):
        maps.get(old)


def test_chosen_points_are_ids(store):
    maps = HeldMaps(many(store, 11))
    held, key = maps.newest(), key_of(maps)
    assert maps.chosen(key, bits(0, 9, 10, count=11)) == [held.ids[0], held.ids[9], held.ids[10]]
    assert maps.chosen(key, bits(count=11)) == []
    for wrong in ("", "AAAA", "no base64!", "ÿÿ", bits(count=20)):
        with pytest.raises(UserError, match="expected a bit for each point"):
            maps.chosen(key, wrong)


def test_a_point_is_described_by_its_number(store):
    embed(filled(store), "How?", "So.")
    maps = HeldMaps(store)
    place = maps.newest().ids.index("c_1")
    assert described(maps, key_of(maps), str(place)) == {"id": "c_1", "text": "So.", "url": "/row/c_1"}
    for wrong in ("2", "-1", "x", "٣", "9" * 50):
        with pytest.raises(UserError, match="none with this number"):
            described(maps, key_of(maps), wrong)


def test_what_is_wrong_is_said_as_a_line_of_text(store):
    answer = said(lambda: PlainTextResponse(HeldMaps(filled(store)).newest().data))
    assert answer.status_code == 400 and bytes(answer.body).startswith(b"This store has no embeddings of its texts.")
