"""The data that a model was trained on, in its card: the checksum of its rows, where they are, their licences."""

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.markdown import code, plain

FILES = 20  # of an export, in a card
LIMITS = (
    "Figures above are of prompts that were held out of the same recipe, or of the benchmarks that they name: of other "
    "prompts they say nothing. Where there are none, gristmill has not evaluated this model.",
    "Whether its answers are true, harmless and fair was not looked at, but where a scorer above is named for it. What "
    "its base and its data get wrong it may have learnt.",
    "The licences of its base and of its data bind what may be done with it.",
)


def data_lines(facts: Mapping[str, Any]) -> list[str]:
    """Return the lines of a list in Markdown.

    Args:
        facts: The facts of a card. ``data`` has the ``content`` of the rows and the ``licences`` of their sources;
            ``published``, where an export's card is written, the ``address`` of a data set on the hub, and the
            ``name``, the ``format`` and the ``files`` with their SHA-256 of an export of the same rows.
    """
    data, published = facts.get("data") or {}, facts.get("published") or {}
    lines = [f"- checksum of its rows: {code(str(data['content']))}"] if data.get("content") else []
    for name, licence in data.get("licences") or ():
        lines.append(f"- licence of {code(str(name))}: {plain(str(licence))}")
    address, files = published.get("address"), published.get("files")
    if address:
        lines.append(f"- published as [{plain(address)}](https://huggingface.co/datasets/{address})")
    return lines + (_export(published, files) if files else [])


def _export(published: Mapping[str, Any], files: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines on an export of the same rows."""
    known = f"{code(str(published['name']))} in the format {plain(str(published['format']))}"
    lines = [f"- exported by gristmill: {known}, with the SHA-256"]
    lines += [f"    - {code(name)}: {code(digest)}" for name, digest in files[:FILES]]
    return lines + ([f"    - and {len(files) - FILES:,} more files"] if len(files) > FILES else [])


def limits_lines() -> list[str]:
    """Return what the figures of a card do not say, as lines of a list."""
    return [f"- {line}" for line in LIMITS]
