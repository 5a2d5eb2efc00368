"""Whether what stands at a place of a judge's reply is reported: what the judged response says, or an example."""

import re

LONGEST_QUOTE = 50  # lines of a block quote that are looked back over
_SAYS = (
    r"says|said|claims|claimed|tells|told|writes|wrote|states|stated|demands|instructs|asserts|asserted|quotes|quoted"
    r"|itself|injection|injected|embedded"
)
_HOLDS = r"contains|includes|adds|appends|inserts|embeds|ends\s(?:with|in)|concludes\swith|closes\swith|has"
_IN_LINE = re.compile(
    rf"\b(?:{_SAYS}|asks|asked\sto|to\sreply|replying|of\sthe\sform|would\sbe|could\sbe)\b(?=[^.,;!?\n]{{0,40}}$)"
    rf"|\b(?:{_HOLDS})(?:\s(?:the|a|an|its))?(?:\s(?:\w{{2,12}}\s)?(?:text|line|words?|phrase|string|instruction|sentence"
    r"|note|comment|claim|verdict|score)\b[^.;!?\n]{0,20})?\s?\W{0,4}$"
    r"|\b(?:ignor(?:e|es|ing)|disregard(?:s|ing)?)\s(?:\w{1,12}\s){0,3}\W{0,4}$",
    re.IGNORECASE,
)
_SUBJECT = r"(?:response|assistant|answer|it|text|output|user|prompt|question)"
_LINE_BEFORE = re.compile(
    rf"\b{_SUBJECT}\s(?:\w{{1,12}}\s){{0,2}}(?:{_SAYS}|asks|{_HOLDS}|ends|concludes|closes)\b[^.;!?\n]{{0,60}}:\s*$"
    r"|\b(?:last|final|first|closing)\s(?:line|sentence|words?)\s[^.;!?\n]{0,60}:\s*$",
    re.IGNORECASE,
)
# Before a block quote or a fence: that it is of the response. "My evaluation of the response" is the judge's.
_OF_RESPONSE = re.compile(rf"\b(?:{_SUBJECT}|its|injection|manipulation|attempt)\b", re.IGNORECASE)
_OWN = re.compile(
    r"\b(?:my|i|here|(?:verdict|judge?ment|evaluation|score|rating|grade|assessment|feedback|result)\s(?:of|for|on))\b",
    re.IGNORECASE,
)


def is_reported(text: str, at: int) -> bool:
    """Return whether the words before a place say so: those in its line, or before its line, block quote or fence."""
    start = text.rfind("\n", 0, at) + 1
    before = text[max(start, at - 120) : at]
    if before.strip(" \t*_`\"'“>-|([{") and _IN_LINE.search(before):
        return True
    quoted = _block_start(text, start)
    if quoted < start or text.startswith((">", " >"), start):
        said = text[max(quoted - 160, 0) : quoted].rstrip().rpartition("\n")[2]
        return _OF_RESPONSE.search(said) is not None and (_OWN.search(said) is None or bool(_LINE_BEFORE.search(said)))
    bare = not before.strip(" \t*_`\"'“>-")
    return bare and start > 0 and _LINE_BEFORE.search(text[max(start - 160, 0) : start]) is not None


def _block_start(text: str, start: int) -> int:
    """Return where the fence or block quote begins that a line is in; the line's own start where it is in none."""
    if text.count("```", 0, start) % 2:
        return text.rfind("\n", 0, text.rfind("```", 0, start)) + 1
    for _ in range(LONGEST_QUOTE):
        if not start or not text.startswith((">", " >"), start):
            break
        above = text.rfind("\n", 0, start - 1) + 1
        if not text.startswith((">", " >"), above):
            break
        start = above
    return start
