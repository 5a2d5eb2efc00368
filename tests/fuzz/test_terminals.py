"""No text steers a terminal, whichever way it is printed."""

import io
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cli.chat.text import padded, safe_text, shortened, wrapped
from cli.plain_console import PlainConsole
from cli.progress import Bars
from cli.tables import safe, story, table
from cli.terminal import json_text, terminal_text
from cli.token_text import harmless, token_text
from curate.storage.row_history import RowHistory
from schemas.errors import OneLine, short_repr, unknown
from schemas.progress import StageWarning
from tests.fuzz.fuzzing import fuzz, works_or_says_why
from tests.fuzz.mutations import TOKENS

pytestmark = pytest.mark.slow


TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
MARKS = "\u061c\u200e\u200f\u2028\u2029"
ANY = st.characters()  # half of a pair too
STEERING = st.sampled_from(
    [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in ("Cc", "Cf", "Zl", "Zp")]
)
strange = st.lists(st.one_of(st.sampled_from(TOKENS), STEERING, ANY, st.text(max_size=5)), max_size=6).map("".join)
OWNED = "\x1b]0;owned\x07\x9b2J\u202e\u2066\u061c\u200e\u200f\u2028\ud800\r\x08"


def steers(text: str) -> list[str]:
    """Return the characters of an output that steer a terminal, or can't be written; line ends and tabs may be."""
    return [
        ascii(c)
        for c in text
        if c not in "\n\t"
        and (unicodedata.category(c) in ("Cc", "Cs") or unicodedata.bidirectional(c) in TURNING or c in MARKS)
    ]


@fuzz(120)
@given(strange)
@example(OWNED)
def test_every_way_to_print_a_text_is_safe(text):
    with works_or_says_why("terminals"):
        out = io.StringIO()
        story(RowHistory(text, [(text, [text])]), out)
        ways = {
            "terminal_text": terminal_text(text),
            "json_text": json_text({text: [text]}),
            "safe": safe(text),
            "harmless": harmless(text),
            "chat": safe_text(text),
            "wrapped": "\n".join(wrapped(safe_text(text), 20)),
            "shortened": shortened(text, 20),
            "padded": padded(shortened(text, 20), 20),
            "an error": terminal_text(str(OneLine(text))),
            "story": out.getvalue(),
            "a name": str(unknown("step", text, [text[::-1], "length"])),
            "repr": terminal_text(short_repr(text)),
        }
        assert {way: found for way, printed in ways.items() if (found := steers(printed))} == {}


@fuzz(40)
@given(strange, strange, st.integers(1, 120))
@example(OWNED, "[red][/]", 40)
def test_the_console_prints_no_text_that_steers(name, text, width):
    with works_or_says_why("terminals"):
        out = io.StringIO()
        console = PlainConsole(file=out, width=width, color_system=None)
        with Bars(console) as bars:
            bars.begin(name, 3, text)
            bars.advance(1, text)
            for show in (bars.say, bars.detail, bars.status):
                show(text)
            bars.warn(StageWarning(name, text))
            bars.end(name, text, reused=bool(width % 2))
        console.print(table(name, [name, "b"], [(text, 1.5), (None, text)], [name]))
        console.print(token_text([text, name], [True, False], coloured=bool(width % 2)))
        assert steers(out.getvalue()) == []
