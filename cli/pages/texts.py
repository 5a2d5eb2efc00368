"""Text of a file, a server or a model as HTML: escaped, with a visible name for each character that is not seen."""

import re
from typing import Any

from markupsafe import Markup, escape

# C0 but for tab and line end, C1, soft hyphen, zero width, marks and overrides of direction, fillers, tags, halves of
# surrogate pairs: what hides text, turns it round, or makes two texts look alike.
UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
LONGEST = 200_000  # characters of one text on a page
CUT = " … {:,} more characters"


def shown(value: Any, most: int = LONGEST) -> Markup:
    """Return a value as HTML: its text escaped, unseen characters by their code points, cut after ``most`` characters.

    What was cut is said. ``None`` is an empty text.
    """
    text = "" if value is None else str(value)
    whole = str(escape(text[:most]))
    html = UNSEEN.sub(lambda found: f'<span class="unseen">U+{ord(found[0]):04X}</span>', whole)
    cut = f'<span class="cut">{escape(CUT.format(len(text) - most))}</span>' if len(text) > most else ""
    return Markup(html + cut)  # noqa: S704 - escaped above


def one_line(value: Any, most: int = 160) -> Markup:
    """Return a value as HTML of one line: runs of spaces and line ends are one space."""
    text = "" if value is None else str(value)
    short = " ".join(text[: 4 * most].split())
    return shown(short[: most - 1] + "…" if len(short) > most or len(text) > 4 * most else short)
