"""Names of files: patterns such as ``data/**/*.parquet``, and natural order."""

import os
import re
from pathlib import Path

MAGIC = re.compile(r"[*?\[]")
TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\]")


def is_pattern(path: Path) -> bool:
    """Return whether a path has signs of a pattern, and is not itself a file or a folder."""
    return MAGIC.search(str(path)) is not None and not os.path.exists(path)


def pattern_folder(path: Path) -> Path:
    """Return the folder that the files that a pattern names are below."""
    first = next(index for index, part in enumerate(path.parts) if MAGIC.search(part))
    return Path(*path.parts[:first])


def pattern_regex(pattern: str) -> str:
    """Return a pattern of names as a regular expression: ``**`` stands for any folders, ``*`` for a part of a name."""
    found, position = "", 0
    for token in TOKEN.finditer(pattern):
        found += re.escape(pattern[position : token.start()])
        text, position = token.group(), token.end()
        wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(text)
        found += wild or _character(text)
    return found + re.escape(pattern[position:])


def _character(text: str) -> str:
    """Return a set of characters, ``[a-c]`` or ``[!a-c]``, as a regular expression."""
    body = text[1:-1]
    no = "^" if body.startswith("!") else ""
    body = re.sub(r"[^\w-]", lambda sign: "\\" + sign.group(), body.removeprefix("!"))
    return f"[{no}{body}]" if body else re.escape(text)


def natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key that puts names in natural order: numbers by their value."""
    parts = re.split(r"(\d+)", name)
    return [(1, int(part), part) if index % 2 else (0, 0, part) for index, part in enumerate(parts)]
