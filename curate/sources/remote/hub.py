"""Read the rows of a data set on the Hugging Face hub, or in its local cache.

The datasets library reads it where it is installed; else ``hub_files`` reads its files with ``huggingface_hub`` alone.
Neither writes on the terminal or tries again for minutes where there is no network.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from curate.sources.files.raw_row import Raw, Reading, arrow_rows
from curate.sources.remote.hub_connection import hub_errors, quiet
from curate.sources.remote.hub_names import hub_name, is_hub_name
from schemas.errors import UserError, unknown

__all__ = ["check_options", "is_hub_name", "read_hub"]
OPTIONS = ("name", "split", "revision")


def read_hub(
    path: str,
    *,
    name: str | None = None,
    split: str | None = None,
    revision: str | None = None,
    load: Callable[..., Iterable[dict]] | None = None,
    reading: Reading | None = None,
) -> Iterator[Raw]:
    """Return the rows of one split of a data set, or of a file in it.

    Args:
        path: The data set, ``owner/name``, or ``hf://datasets/owner/name/file``; also with ``@revision``.
        name: Its configuration.
        split: Its split, by default ``train``; with the datasets library also a slice of one (``train[:100]``).
        revision: The branch, tag or commit.
        load: A function in place of ``datasets.load_dataset``.
        reading: Names the split where ``split`` does not; gets notes on what is left out.

    Raises:
        UserError: No library is installed that reads it, or the data set cannot be read.
    """
    named, reading = hub_name(path), reading or Reading()
    split = split or reading.split
    revision = revision or named.revision
    if load is None and not named.file:
        load = _load_dataset()
    if load is None:
        from curate.sources.remote.hub_files import read_hub_files

        return read_hub_files(path, named._replace(revision=revision), name, replace(reading, split=split))
    with hub_errors(f"source {path!r}", named.repo), quiet():
        rows = load(named.repo, name, split=split or "train", revision=revision)
    return arrow_rows(rows)


def _load_dataset() -> Callable[..., Iterable[dict]] | None:
    """Return ``datasets.load_dataset``, asked where there is a network and else the cache; ``None`` without it."""
    try:
        from datasets import load_dataset
    except ImportError:
        return None
    from curate.sources.remote.hub_connection import offline_if_unreachable

    def load(path: str, name: str | None, *, split: str, revision: str | None) -> Iterable[dict]:
        with offline_if_unreachable():
            return load_dataset(path, name, split=split, revision=revision)

    return load


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
