"""Which split a file's name says (``train-00000-of-00002.parquet``), and which of several splits is read."""

import re
from collections.abc import Collection

from schemas.errors import SettingError, unknown

TRAIN = "train"
ALL = "all"
# The names of splits in file names, as the datasets library reads them, and the split that each stands for.
_SHORT = {
    "train": TRAIN, "training": TRAIN,
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test", "eval": "test", "evaluation": "test",
    "heldout": "test", "held_out": "test", "holdout": "test", "hold_out": "test",
}  # fmt: skip
_ENDINGS = ("", "s", "set", "_set", "sets", "_sets", "split", "_split", "data", "_data")
NAMES = {  # "trains" is a word of its own
    name + ending: split for name, split in _SHORT.items() for ending in _ENDINGS if (ending, split) != ("s", TRAIN)
}
_WORDS = "|".join(sorted(NAMES, key=len, reverse=True)).replace("_", "[-_ ]")
_WORD = re.compile(rf"(?:^|[-._= ])({_WORDS})(?:$|[-._= ]|\d)", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[A-Z])(?=[A-Z][a-z])")  # where gsm8kTest has two words
_SHARD = re.compile(r"^([A-Za-z][\w.]*?)-\d{5}-of-\d{5}(?:-[0-9a-f]+)?\.")  # as the hub's libraries write shards


def split_of(name: str) -> str:
    """Return the split that a file's name, or else the name of a folder above it, says; or the empty text.

    What a folder's name says is held out is held out, whatever the names of its files say. A shard such as
    ``train_sft-00000-of-00002.parquet`` is of the split ``train_sft``.

    Args:
        name: The file's name with its folders below the source's folder.
    """
    *folders, file = name.split("/")
    above = [split for split in map(_word, reversed(folders)) if split]
    held_out = [split for split in above if split != TRAIN]
    split = held_out[0] if held_out else _word(file)
    if held_out or not split:
        return split or (above[0] if above else "")
    shard = shard_name(name)
    return canonical(shard) if shard else split


def shard_name(name: str) -> str:
    """Return the name before the numbers of a shard: ``en`` for ``data/en-00000-of-00002.parquet``; or nothing."""
    shard = _SHARD.match(name.rpartition("/")[2])
    return shard[1] if shard else ""


def _word(name: str) -> str:
    """Return the split that one name says, or the empty text."""
    word = _WORD.search(_CAMEL.sub("_", name))
    return canonical(word[1]) if word else ""


def canonical(name: str) -> str:
    """Return the name of a split as we say it: ``validation`` for ``val``, others as they are."""
    return NAMES.get(name.lower().replace("-", "_").replace(" ", "_"), name)


def choose_split(found: Collection[str], wanted: str | None, where: str) -> set[str]:
    """Return which splits to read.

    Nothing that its name says is held out is read by default: where some names say other splits than ``train``,
    ``train`` is read, or else what names no split.

    Args:
        found: The splits that there are; the empty text for what names none.
        wanted: The split that the recipe names: one, several joined by ``+``, or ``all``.
        where: What holds the splits, for errors.

    Raises:
        SettingError: There is no such split, or none can be chosen by default.
    """
    named = sorted(name for name in found if name)
    if wanted == ALL or (wanted is None and len(set(found)) == 1):
        return set(found)
    if wanted is None and set(named) <= {TRAIN}:
        return set(found)
    if wanted is None:
        if TRAIN in named or "" in found:
            return {TRAIN} if TRAIN in named else {""}
        first = next((name for name in named if name.startswith(TRAIN)), named[0])
        raise SettingError(f"{where}: holds the splits {', '.join(named)}; choose one with split: {first}")
    chosen = set()
    for part in (part.strip() for part in wanted.split("+")):
        if "[" in part:
            raise SettingError(
                f"{where}: split: expected the name of a split, found {part!r}; 'limit' reads the first rows"
            )
        name = next((one for one in (part, canonical(part)) if one in named), None)
        if name is None and canonical(part) == TRAIN and "" in found:
            name = ""  # what names no split is for training
        if name is None:
            raise SettingError(str(unknown("split", part, named, where)))
        chosen.add(name)
    return chosen
