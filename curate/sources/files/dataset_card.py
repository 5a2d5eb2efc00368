"""The configurations of a data set, as the card of a data set on the hub (its ``README.md``) names them.

The card begins with YAML whose ``configs`` say which files belong to which configuration and split.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from curate.sources.files.file_names import pattern_regex
from curate.sources.files.splits import TRAIN, canonical, split_of
from schemas.errors import SettingError, unknown

CARD = "README.md"
LARGEST = 2**22  # bytes of a card that are read


class Config(NamedTuple):
    """A configuration: its name, whether it is the default, and its files by split."""

    name: str
    is_default: bool
    splits: dict[str, list[str]]


def config_files(folder: Path, names: list[str], wanted: str | None) -> dict[str, list[str]]:
    """Return a configuration's files by split, or nothing where no card and no folder says it.

    Args:
        folder: The folder with the card.
        names: The names of the data files below the folder.
        wanted: The name of the configuration; by default the only one, or the one that is the default.

    Raises:
        UserError: There is no such configuration, or there are several and none is the default.
    """
    path = folder / CARD
    text = path.read_bytes()[:LARGEST].decode(errors="replace") if path.is_file() else ""
    return choose_config(card_configs(text, names), names, wanted, str(folder))


def choose_config(configs: list[Config], names: list[str], wanted: str | None, where: str) -> dict[str, list[str]]:
    """Return the files by split of the configuration that is wanted (see ``config_files``)."""
    if not configs:
        below = [name for name in names if wanted and name.startswith(f"{wanted}/")]
        if wanted and not below:
            raise _unknown(wanted, {name.split("/")[0] for name in names if "/" in name}, where)
        splits: dict[str, list[str]] = {}
        for name in below:
            splits.setdefault(split_of(name), []).append(name)
        return splits
    if wanted is None:
        default = [config for config in configs if config.is_default] or configs
        if len(default) > 1:
            raise SettingError(
                f"{where}: has the configurations {', '.join(config.name for config in configs)}; "
                f"choose one with hub: {{name: {configs[0].name}}}"
            )
        return default[0].splits
    found = next((config for config in configs if config.name == wanted), None)
    if found is None:
        raise _unknown(wanted, [config.name for config in configs], where)
    return found.splits


def _unknown(wanted: str, known: Iterable[str], where: str) -> SettingError:
    return SettingError(str(unknown("configuration", wanted, known, where)))


def card_configs(text: str, names: list[str]) -> list[Config]:
    """Return the configurations that a card names and that have files, with their files among ``names``."""
    header = re.match(r"---\r?\n(.*?)\r?\n---", text, re.DOTALL)
    if not header or "configs" not in header[1]:
        return []
    try:
        from ruamel.yaml import YAML, YAMLError

        data = YAML(typ="safe", pure=True).load(header[1])
    except YAMLError:
        return []
    listed = data.get("configs") if isinstance(data, dict) else None
    configs = []
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("config_name"), str):
            splits = _splits(entry, names)
            is_default = entry.get("default") is True or entry["config_name"] == "default"
            configs.append(Config(entry["config_name"], is_default, splits))
    return [config for config in configs if any(config.splits.values())]


def _splits(entry: dict[str, Any], names: list[str]) -> dict[str, list[str]]:
    """Return the files of a configuration by split."""
    below = f"{str(entry['data_dir']).strip('/')}/" if entry.get("data_dir") else ""
    files = entry.get("data_files")
    if files is None:
        splits: dict[str, list[str]] = {}
        for name in names:
            if name.startswith(below):
                splits.setdefault(split_of(name), []).append(name)
        return splits
    listed = files if isinstance(files, list) else [files]
    if not all(isinstance(one, dict) for one in listed):
        listed = [{"split": TRAIN, "path": listed}]
    found: dict[str, list[str]] = {}
    for one in listed:
        path = one.get("path")
        paths = path if isinstance(path, list) else [path]
        matches = [re.compile(pattern_regex(below + str(path))).fullmatch for path in paths]
        inside = [name for name in names if any(match(name) for match in matches)]
        found.setdefault(canonical(str(one.get("split", TRAIN))), []).extend(inside)
    return found
