"""Read the files of a data set on the hub with ``huggingface_hub`` alone: without the datasets library and torch."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from curate.sources.files.dataset_card import CARD, card_configs, choose_config
from curate.sources.files.file_formats import file_format
from curate.sources.files.file_names import MAGIC, pattern_regex
from curate.sources.files.folders import BESIDE
from curate.sources.files.raw_row import Raw, Reading, renamed
from curate.sources.files.source_files import Files, choose_files, file_rows, find_files
from curate.sources.remote.hub_connection import hub_errors, offline_if_unreachable, quiet
from curate.sources.remote.hub_names import HubName, hub_place
from schemas.errors import UserError, needs_extra, unknown

WAIT = 10.0  # seconds for an answer of the hub


def read_hub_files(path: str, named: HubName, config: str | None, reading: Reading) -> Iterator[Raw]:
    """Return the rows of a data set's files.

    Args:
        path: The data set as the recipe names it, for errors.
        named: The data set, its revision, and the file, folder or pattern in it that is read, if not all of it.
        config: Its configuration.
        reading: Names the split; gets notes on what is left out.

    Raises:
        UserError: ``huggingface_hub`` is not installed, or the data set cannot be read.
    """
    where = f"source {path!r}"
    try:
        import huggingface_hub as hub
    except ImportError:
        raise needs_extra(where, "hub") from None
    with hub_errors(where, named.repo), quiet(), offline_if_unreachable() as offline:
        files = _cached(hub, named, config, reading) if offline else _downloaded(hub, where, named, config, reading)
    return renamed(lambda: file_rows(files, reading), files.base, hub_place(path))


def _cached(hub: Any, named: HubName, config: str | None, reading: Reading) -> Files:
    """Return the files in the local cache."""
    folder = Path(hub.snapshot_download(named.repo, repo_type="dataset", revision=named.revision))
    return find_files(folder / named.file if named.file else folder, reading, config)


def _downloaded(hub: Any, where: str, named: HubName, config: str | None, reading: Reading) -> Files:
    """Return the files that are read, after downloading them."""
    info = hub.HfApi().dataset_info(named.repo, revision=named.revision, timeout=WAIT)
    names = [file.rfilename for file in info.siblings or []]
    get: Callable[..., str] = partial(
        hub.hf_hub_download, named.repo, repo_type="dataset", revision=info.sha, etag_timeout=WAIT
    )
    data = [name for name in names if file_format(Path(name)) and not BESIDE.fullmatch(name.rpartition("/")[2])]
    if named.file:
        chosen = _named(named.file, data, reading, where)
    else:
        card = Path(get(CARD)).read_text(encoding="utf-8", errors="replace") if CARD in names else ""
        chosen = choose_files(choose_config(card_configs(card, data), data, config, where), data, reading, where)
    if not chosen:
        held = ", ".join(names[:8])
        script = "; its rows are made by a program: try 'hub: {revision: refs/convert/parquet}'"
        raise UserError(
            f"{where}: has no data file that is read (it holds {held})"
            + (script if any(name.endswith(".py") for name in names) else "")
        )
    paths = [Path(get(name)) for name in chosen]
    get(chosen[0], revision=named.revision)  # so that the cache knows what the revision's name stands for
    base = paths[0].parents[chosen[0].count("/")]
    return Files(base, tuple(chosen), named.repo)


def _named(file: str, data: list[str], reading: Reading, where: str) -> list[str]:
    """Return the files that a file, a folder or a pattern in a data set names."""
    if file in data:
        return [file]
    if MAGIC.search(file):
        matches = re.compile(pattern_regex(file)).fullmatch
        found = [name for name in data if matches(name)]
    else:
        found = [name for name in data if name.startswith(f"{file.rstrip('/')}/")]
    if not found:
        raise unknown("data file in it called", file, data, where)
    return choose_files({}, found, reading, where)
