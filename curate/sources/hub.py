"""Read the rows of a data set on the Hugging Face hub (or in its local cache) through the datasets library."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from curate.sources.file_formats import file_format
from curate.sources.raw_row import Raw, arrow_rows, first_line
from schemas.errors import UserError, needs_extra, unknown

OPTIONS = ("name", "split", "revision")


def is_hub_name(path: Path | str) -> bool:
    """Return whether a source has the form ``owner/name`` of a data set on the hub and no local file fits it."""
    local = Path(path)
    named = re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", str(path)) is not None
    return named and not file_format(local) and not local.exists() and not local.parent.exists()


def read_hub(
    path: str,
    *,
    name: str | None = None,
    split: str = "train",
    revision: str | None = None,
    load: Callable[..., Iterable[dict]] | None = None,
) -> Iterator[Raw]:
    """Return the rows of one split of a data set.

    Args:
        path: The data set, ``owner/name``.
        name: Its configuration.
        split: Its split, or a slice of one (``train[:100]``).
        revision: The branch, tag or commit.
        load: A function in place of ``datasets.load_dataset``.

    Raises:
        UserError: The library is not installed or cannot read the data set.
    """
    if load is None:
        try:
            from datasets import load_dataset as load
        except ImportError:
            raise needs_extra(f"source {path!r}", "train") from None
    try:
        rows = load(path, name, split=split, revision=revision)
    except Exception as error:  # the library, its hub client and the network raise errors of many families
        raise UserError(
            f"source {path!r}: no such file, and the hub's data set cannot be read: {first_line(error)}"
        ) from None
    return arrow_rows(rows)


def check_options(hub: dict) -> dict:
    """Return the options of ``read_hub`` that a recipe sets; raise ``UserError`` for an unknown or a wrong one."""
    if not isinstance(hub, dict):
        raise UserError(f"source: hub: expected a mapping, such as {{split: test}}, found {hub!r}")
    for key, value in hub.items():
        if key not in OPTIONS:
            raise unknown("option of a hub source called", key, OPTIONS)
        if value is not None and not isinstance(value, str):
            raise UserError(f"source: {key}: expected text, found {value!r}")
    return {k: v for k, v in hub.items() if v is not None}
