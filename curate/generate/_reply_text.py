"""Extract the requested text or list from a model's reply.

A reply may come from a model of any size, which may add remarks, forget the tags, or be cut off at its length limit.
Every function here accepts any text and takes linear time. (Requests quote texts with ``curate.steps.quoting``.)
"""

import re
from collections.abc import Iterable, Sequence

import polars as pl

from schemas.json_text import blank

# "Sure! Here is the rewritten prompt:" and "### Rewritten Prompt:" before the requested text.
_THING = r"(?:prompt|instruction|request|question|message|persona|version|text|response|answer|reply)"
_NEW = r"(?:rewritten|re-written|rewrite|revised|revision|created|new|updated|improved|evolved)"
_LEAD = re.compile(
    rf"(?:(?:sure|certainly|of course|okay|ok|absolutely|great)\b[^\n:.!]{{0,30}}[.!,:]?\s{{0,3}})?"
    rf"(?:(?:here(?:['’]s| is| are)|below is|this is)[^\n:]{{0,60}}\b(?:{_THING}|{_NEW})\b[^\n:]{{0,60}}:"
    rf"|[#*_\s]{{0,6}}(?:(?:my|the|your|user)\s)?(?:{_NEW}\s{_THING}|prompt|instruction|message|persona|user|human)"
    r"[#*_\s]{0,6}:)[*_]{0,2}\s*",
    re.IGNORECASE,
)
_QUOTES = {'"': '"', "“": "”", "„": "“", "«": "»", "「": "」", "'": "'", "‘": "’", "`": "`", "**": "**"}
_FENCE = re.compile(r"```[\w-]{0,20}\n(.*)\n```", re.DOTALL)
_CANNOT = (
    r"(?:cannot|can['’]t|can not|could ?n['’]t|will not|won['’]t|must|have to|do(?: not|n['’]t) (?:have|provide)"
    r"|(?:am|['’]m) (?:unable|not able|an ai|a (?:large )?language|just|only))"
)
_SORRY = re.compile(
    r"(?:i ?['’]?a?m |we ?['’]?a?re )?(?:so |very |really |deeply )?(?:sorry|afraid),? (?:but |that )?"
    rf"(?:(?:i|we) ?{_CANNOT}\b|as an\b|(?<=but )(?:there|the|it|your|this|no)\b)"
    r"|(?:unfortunately, )?i (?:cannot|can['’]t|can not|will not|won['’]t|am unable to|am not able to) (?:\w+ )?"
    r"(?:assist|help with (?:that|this)|fulfil|comply|create|provide|generate|rewrite|write|engage|do (?:that|this))"
    r"|as an? (?:ai|artificial|(?:large )?language)\b[^\n,]{0,40}, i\b",
    re.IGNORECASE,
)
_ITEM = re.compile(
    r"([ \t]{0,8})(?:#{1,6} )?[*_#]{0,4}(?:(?:instruction|task|prompt|question|example)\s{0,2})?[(\[#]?\d{1,3}"
    r"[*_]{0,2}(?:[.)\]:、．][*_]{0,2}(?!\d)|\s[-–])\s{0,4}",
    re.IGNORECASE,
)
_BULLET = re.compile(r"([ \t]{0,8})[-*•‣–][ \t]{1,4}(?=\S)")
_ENDS = tuple(".?!…。？！\"'”’)]}`:»」*")


def texts(column: pl.Series) -> list[str | None]:
    """Return a column as a list of texts."""
    return column.cast(pl.String).to_list()


def column(values: Iterable[str | None]) -> pl.Series:
    """Return texts, or messages to send, as the column that a step yields or returns."""
    return pl.Series("value", list(values), dtype=pl.String)


def tagged_text(reply: str | None, tag: str) -> str | None:
    """Return the first text between ``<tag>`` and ``</tag>`` in a reply, stripped.

    A reply without the tags is returned whole, ``without_wrapping``. The result is None if the text is empty, or if the
    closing tag is missing: such a reply was cut off.
    """
    if reply is None:
        return None
    opening, closing = rf"<\s{{0,2}}{tag}\s{{0,2}}>", rf"<\s{{0,2}}/\s{{0,2}}{tag}\s{{0,2}}>"
    closed = re.search(closing, reply, re.IGNORECASE)
    if closed is None:
        return None if re.search(opening, reply, re.IGNORECASE) else without_wrapping(reply)
    parts = re.split(opening, reply[: closed.start()], flags=re.IGNORECASE)
    return (parts[-1].strip() or None) if len(parts) > 1 else without_wrapping(parts[0])


def without_wrapping(reply: str) -> str | None:
    """Return a reply without what models add around a text: "Here is the new version:", quotes, a code fence."""
    text = reply.strip()
    lead = _LEAD.match(text)
    if lead:
        text = text[lead.end() :]
    return unquoted(text)


def unquoted(text: str) -> str | None:
    """Return a text without white space, quotes, bold marks or a code fence around it; None if nothing is left."""
    text = text.strip()
    fenced = _FENCE.fullmatch(text)
    if fenced and "```" not in fenced[1]:
        text = fenced[1].strip()
    for opening, closing in _QUOTES.items():
        inner = text[len(opening) : -len(closing)]
        around = text.startswith(opening) and text.endswith(closing) and len(text) >= len(opening) + len(closing)
        if around and not (opening in inner or closing in inner):
            return inner.strip() or None
    return text or None


def list_items(reply: str | None, most: int) -> list[str]:
    """Return the items of a list in a reply, at most ``most``: numbered, else with bullets, else its lines.

    An item extends over lines until a blank line or the next item. Prose around the list is left out; quotes and bold
    marks around an item are removed. The last item is left out if it looks cut off: if it alone does not end as a
    sentence does.
    """
    lines = (reply or "").splitlines()
    found = _marked(lines, _ITEM) or _marked(lines, _BULLET) or _unmarked(lines)
    shown = [(text, item.endswith(_ENDS)) for item in found if (text := unquoted(item))]
    if 0 < len(shown) <= most and most > 1 and not shown[-1][1] and all(ended for _, ended in shown[:-1]):
        shown.pop()
    return [text for text, _ in shown[:most]]


def _marked(lines: Sequence[str], marker: re.Pattern[str]) -> list[str]:
    """Return the items whose marker is indented no more than the first one: more indented lines are part of an item."""
    found: list[list[str]] = []
    deepest, open_item = None, False
    for line in lines:
        start = marker.match(line)
        if start and (deepest is None or len(start[1]) <= deepest):
            deepest = len(start[1]) if deepest is None else deepest
            rest = line[start.end() :]
            if (
                start[0].count("**") == 1
            ):  # "**1. Title** ...": removed with the marker, so remove the closing bold mark too
                rest = rest.replace("**", "", 1)
            found.append([rest])
            open_item = True
        elif blank(line):
            open_item = open_item and blank(found[-1][0])  # "1." alone, its text below
        elif open_item:
            found[-1].append(line.strip())
    return ["\n".join(parts).strip() for parts in found]


def _unmarked(lines: Sequence[str]) -> list[str]:
    """Return the lines that are neither blank nor end in a colon."""
    return [line.strip() for line in lines if not blank(line) and not line.rstrip().endswith(":")]


def refuses(text: str) -> bool:
    """Return whether a text is a model's refusal in place of the requested text."""
    return _SORRY.match(text.lstrip(" \t\n\"'*")) is not None


def same_text(one: str, other: str) -> bool:
    """Return whether two texts are the same, ignoring case and white space."""
    return " ".join(one.casefold().split()) == " ".join(other.casefold().split())
