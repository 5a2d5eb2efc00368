"""An id is a hash of the content, whatever kind of text holds it."""

import numpy as np

from schemas.ids import content_id
from schemas.messages import Message, dump_turns


def test_a_kind_of_text_is_written_as_its_text():
    assert content_id("p", np.str_("a"), None, 2**70) == content_id("p", "a", None, 2**70)
    assert content_id("p", np.float64(0.1)) == content_id("p", 0.1)
    turns: list[Message] = [{"role": "user", "content": 'a\x7f\u2028\x00"'}]
    assert dump_turns([{"role": "user", "content": np.str_(turns[0]["content"])}], "prompt") == dump_turns(
        turns, "prompt"
    )
