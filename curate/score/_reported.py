"""Whether what stands at a place of a judge's reply is reported: what the judged response says, or an example."""

import re

_SAYS = r"says|said|claims|claimed|tells|told|writes|wrote|states|stated|demands|instructs"
_IN_LINE = re.compile(
    rf"\b(?:{_SAYS}|asks|asked\sto|to\sreply|replying|of\sthe\sform|would\sbe|could\sbe)\b(?=[^.,;!?\n]{{0,40}}$)",
    re.IGNORECASE,
)
_LINE_BEFORE = re.compile(
    rf"\b(?:response|assistant|answer|it|text)\s(?:\w{{1,12}}\s){{0,2}}(?:{_SAYS}|asks|ends|contains|includes)\b"
    r"[^.;!?\n]{0,60}:\s*$",
    re.IGNORECASE,
)


def is_reported(text: str, at: int) -> bool:
    """Return whether the words before a place, in its line or at the end of the one before, say so."""
    start = text.rfind("\n", 0, at) + 1
    before = text[max(start, at - 120) : at]
    if before.strip(" \t*_`\"'“>-"):
        return _IN_LINE.search(before) is not None
    return start > 0 and _LINE_BEFORE.search(text[max(start - 160, 0) : start]) is not None
