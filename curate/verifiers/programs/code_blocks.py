"""Find the blocks of code in a response: fenced, between tags, or lines of prose that are Python.

A fence is three or more backticks or tildes, on a line of its own or behind text. Its block ends at the next fence of
the same kind that is as long; in Python, at the first that is in no triple-quoted string and no comment. A response
that was cut off ends its last block. All of it takes time in proportion to the response's length.
"""

import html
import re
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

from curate.verifiers.programs.statements import parsed, unterminated

PYTHON, BARE, OTHER = "python", "", "other"  # kinds of blocks, by their labels
# Possessive where possible: a model that repeats itself writes a million backticks or empty lines.
OPENING = re.compile(
    r"^([ \t>]*+)(?:[^\n`~]*?(?=`{3,}+[ \t]*+\{?\.?i?py)|(?:[-*+]|\d{1,9}[.)])[ \t]++)?"
    r"(`{3,}+|~{3,}+)[ \t]*+([^\n`]*+)\n",
    re.MULTILINE | re.IGNORECASE,
)
LABEL = re.compile(r"\{?\.?i?py(?:thon)?[\d.]*+(?![\w+-])|[\w./-]*\.py\b", re.IGNORECASE)
CODE_LABEL = re.compile(r"\w++[ \t]++((?:def|class|import|from|async|@)\b[^\n]*+)", re.IGNORECASE)  # code in its place
MARKDOWN = re.compile(r"(?:markdown|md|mdx)\b", re.IGNORECASE)
INLINE = re.compile(r"(`{1,3}+)(?:python[\d.]*+[ \t]++)?([^`\n]{8,1000}+)\1(?!`)", re.IGNORECASE)
CLOSING_LINE = re.compile(r"^[ \t>]*+(`{3,}+|~{3,}+)[ \t\r]*+$", re.MULTILINE)
# In Python, outside strings: a comment, a string of one line, the start of a longer one, or a fence.
LEXEME = re.compile(
    r"""\#[^\n]*+|(?P<quotes>\"{3}|'{3})|"(?:\\.|[^"\\\n])*+"?+|'(?:\\.|[^'\\\n])*+'?+"""
    r"""|(?P<ticks>`{3,}+)|^[ \t]*+(?P<tildes>~{3,}+)[ \t\r]*+$""",
    re.MULTILINE,
)
QUOTES = {quotes: re.compile(rf"\\.|{quotes}", re.DOTALL) for quotes in ('"""', "'''")}
LABELLED = re.compile(r"[ \t]*+[a-z{]", re.IGNORECASE)
MOST_SEARCHES, FARTHEST = 20, 100_000  # of strings with fences in them, and the characters that are looked through
MOST_TAGGED = 100
TAG = re.compile(
    r"\[(?P<square>PYTHON|CODE|BEGIN)\]"
    r"|<(?P<angle>code|python|py|solution|answer|execute|tool_code)(?:[ \t][^<>\n]*+)?>",
    re.IGNORECASE,
)
ENDS = {"begin": "[DONE]"}
ENTITY = re.compile(r"&(?:lt|gt|amp|quot|#39);")
STATEMENT = re.compile(
    r"(?:import|from|def|class|async|if|for|while|try|with|assert|del|raise|global|pass)\b|@|[\w.\[\], \"'()*]++"
    r"(?::[^=\n]*+)?(?:[-+*/%&|^@]|//|\*\*|<<|>>)?=|[\w.]+\("
)
CONTINUES = re.compile(r"[ \t)\]}]|(?:else|elif|except|finally)\b")
MOST_CHUNKS, MOST_JOINED = 20_000, 30  # that are parsed, and of which one statement is made
LONGEST_CHUNK = 50_000  # characters
SESSION = re.compile(r"\s*>>> ?")
MAGIC = re.compile(r"^[ \t]*+(?:(?:!|%%?)[ \t]*+\w|\$ )[^\n]*+", re.MULTILINE)


class Block(NamedTuple):
    """A block of code: its kind (``PYTHON``, ``BARE`` or ``OTHER``), its text, and whether its end is marked."""

    kind: str
    text: str
    closed: bool = True


def fenced_blocks(response: str) -> list[Block]:
    """Return the fenced blocks of a response in order, each without the indentation of its fence."""
    return [block for block, _, _ in _fenced(response)]


def _fenced(response: str) -> Iterator[tuple[Block, int, int]]:
    """Yield each fenced block with the places where it begins and ends in the response."""
    at, searches = 0, 0
    while opening := OPENING.search(response, at):
        indent, fence, label = opening.groups()
        kind = _kind(label.strip())
        begin = opening.end()
        if MARKDOWN.match(label):  # the blocks in it are read as if they stood alone
            at = begin
            continue
        closing = _closing(response, begin, fence)
        inner = None
        if kind is not OTHER and searches < MOST_SEARCHES:
            inner = _closing_outside_strings(response, begin, fence, (closing[1] if closing else begin) + FARTHEST)
            if inner != closing:
                searches += 1
                if inner and parsed(_plain(kind, indent, response[begin : inner[0]])) is None:
                    inner = None
        end, at = inner or closing or (len(response), len(response))
        first = CODE_LABEL.match(label) if kind is PYTHON else None
        text = _plain(kind, indent, (f"{indent}{first[1]}\n" if first else "") + response[begin:end])
        yield Block(kind, text, bool(inner or closing)), opening.start(), at


def _kind(label: str) -> str:
    """Return the kind of a block with a label."""
    return PYTHON if LABEL.match(label) else OTHER if label.strip("{}.:") else BARE


def _closing(response: str, begin: int, fence: str) -> tuple[int, int] | None:
    """Return the begin and the end of the line that closes a fence, or None."""
    for line in CLOSING_LINE.finditer(response, begin):
        if line[1].startswith(fence):
            return line.start(), line.end()
    return None


def _closing_outside_strings(response: str, begin: int, fence: str, until: int) -> tuple[int, int] | None:
    """Return the begin and the end of the first fence that is in no string and no comment of the Python code.

    A fence with a label opens the next block, so that its own line is not part of the end.
    """
    at = begin
    while lexeme := LEXEME.search(response, at, until):
        at = lexeme.end()
        if quotes := lexeme["quotes"]:
            end = next((mark for mark in QUOTES[quotes].finditer(response, at, until) if mark[0] == quotes), None)
            if end is None:
                return None
            at = end.end()
        elif (lexeme["ticks"] or lexeme["tildes"] or "").startswith(fence):
            line = response.rfind("\n", begin, lexeme.start()) + 1 or begin
            is_line = not response[line : lexeme.start()].strip(" \t>")
            opens = is_line and LABELLED.match(response, lexeme.end())
            return (line if is_line else lexeme.start()), line if opens else lexeme.end()
    return None


def _plain(kind: str, indent: str, body: str) -> str:
    """Return a block's code: without its fence's indentation, quote marks, prompts of a session and magic lines."""
    if ">" in indent:
        body = re.sub(r"^[ \t]*+>[ \t]?", "", body, flags=re.MULTILINE)
        indent = ""
    width = len(indent)
    lines = (line[min(width, len(line) - len(line.lstrip(" \t"))) :] for line in re.split(r"(?<=\n)", body))
    text = textwrap.dedent("".join(lines))
    if kind is OTHER:
        return text
    if SESSION.match(text):
        return _session_code(text)
    if ("\u00a0" in text or MAGIC.search(text)) and parsed(text) is None:
        return MAGIC.sub("", text.replace("\u00a0", " "))
    return text


def _session_code(text: str) -> str:
    """Return the code of an interactive session: the lines behind ``>>>`` and ``...``, without what it printed."""
    lines = (re.match(r"[ \t]*+(?:>>>|\.\.\.)(?: |$)(.*)", line) for line in text.splitlines())
    return "".join(f"{line[1]}\n" for line in lines if line)


def tagged_blocks(response: str) -> list[Block]:
    """Return the texts between tags such as ``[PYTHON]`` and ``[/PYTHON]`` or ``<code>`` and ``</code>``, in order."""
    blocks: list[Block] = []
    at, lower, open_ends = 0, response.lower(), set()
    while len(lower) == len(response) and len(blocks) < MOST_TAGGED and (tag := TAG.search(response, at)):
        name = (tag["square"] or tag["angle"]).lower()
        end = ENDS.get(name, f"[/{name}]" if tag["square"] else f"</{name}>").lower()
        at = tag.end()
        if end in open_ends:
            continue
        found = lower.find(end, at)
        stop = found if found >= 0 else len(response)
        text = textwrap.dedent(response[at:stop].strip("\r\n"))
        if found < 0:
            open_ends.add(end)
        else:
            at = found + len(end)
        if tag["angle"] and ENTITY.search(text):
            text = html.unescape(text)
        blocks.append(Block(BARE, text, found >= 0))
    return blocks


def inline_blocks(response: str) -> list[Block]:
    """Return the last spans of code in a line, between backticks."""
    spans = [span[2].strip() for span in INLINE.finditer(response)]
    return [Block(BARE, span) for span in spans[-MOST_TAGGED:]]


def prose_code(response: str) -> str:
    """Return the lines of a response outside its fences that are Python statements, as one text.

    Lines belong together from one that begins a statement to the next that is not indented and continues nothing; what
    is no Python, or only a name, a number or an operation on them, is prose.
    """
    text, at = "", 0
    for _, begin, end in _fenced(response):
        text, at = f"{text}{response[at:begin]}\n", end
    text += response[at:]
    code = _statement_lines(text)
    return code or _statement_lines(_dedented_runs(text))


def _dedented_runs(text: str) -> str:
    """Return the indented lines of a text, each run of them without its indentation."""
    runs = re.findall(r"(?:^(?:[ ]{2,}+|\t)[^\n]*+\n?|^[ \t\r]*+\n)++", text, re.MULTILINE)
    return "\n".join(map(textwrap.dedent, runs))


def _statement_lines(text: str) -> str:
    """Return the statements in a text whose lines may be prose."""
    chunks, kept, at, tries = list(_chunks(text)), [], 0, 0
    while at < len(chunks) and tries < MOST_CHUNKS:
        whole, after = chunks[at], at + 1
        tries += 1
        if len(whole) > LONGEST_CHUNK or not STATEMENT.match(whole):
            at += 1
            continue
        tree = parsed(whole)
        # An open bracket or string may go on in lines that are not indented.
        while tree is None and unterminated(whole) and after < min(len(chunks), at + MOST_JOINED):
            if len(whole) + len(chunks[after]) > LONGEST_CHUNK:
                break
            whole, after = whole + chunks[after], after + 1
            tree, tries = parsed(whole), tries + 1 + len(whole) // 1000
        if tree is not None:
            kept.append(whole)
        at = after if tree is not None else at + 1
    return "".join(kept)


def _chunks(text: str) -> Iterator[str]:
    """Yield the lines of a text, together with those that continue them."""
    chunk: list[str] = []
    for line in re.split(r"(?<=\n)", text):
        continues = not line.strip() or CONTINUES.match(line) or (chunk and chunk[-1].startswith("@"))
        if chunk and not continues:
            yield "".join(chunk)
            chunk = []
        if chunk or line.strip():
            chunk.append(line)
    if chunk:
        yield "".join(chunk)
