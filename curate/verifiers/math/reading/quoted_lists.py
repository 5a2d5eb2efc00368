"""Lists of quoted texts, as JSON, Python and NumPy print them: data sets keep one answer as a list of one."""

import re

QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
LIST = re.compile(
    rf"(?:array\()?\[\s*((?:{QUOTED})(?:(?:\s*,\s*|\s+)(?:{QUOTED}))*)(?:\s*,)?\s*\](?:,\s*dtype=\w+)?\)?", re.DOTALL
)
STARTS = r"^(?:array\()?\[\s*[\"']"
ITEM = re.compile(QUOTED, re.DOTALL)


def quoted_items(text: str) -> list[str]:
    r"""Return the items of a list of quoted texts, none for any other text.

    Backslashes that are all doubled, as JSON and Python write them, are single ones.
    """
    if not (found := LIST.fullmatch(text.strip())):
        return []
    items = [item[1:-1] for item in ITEM.findall(found[1])]
    doubled = not re.search(r"(?<!\\)(?:\\\\)*\\(?!\\)", found[1])
    return [item.replace("\\\\", "\\") for item in items] if doubled else items


def only_item(text: str) -> str:
    """Return the item of a list with one quoted text, any other text as it is."""
    items = quoted_items(text) if text[:1] in ("[", "a") and text[-1] in "])" else []
    return items[0] if len(items) == 1 else text
