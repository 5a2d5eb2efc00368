"""The groups of prompts that an evaluation is broken down by: by source, by length, by a key of the metadata."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from schemas.errors import UserError, nearest, unknown
from schemas.json_text import parse

SOURCE, LENGTH, METADATA = "source", "length", "metadata."
# Keys that usually say of what kind a prompt is, the most telling first.
KINDS = (
    "kind", "category", "subject", "about", "type", "task", "topic", "domain", "skill", "ability", "level",
    "difficulty", "language", "subset",
)  # fmt: skip
MOST_GROUPS = 12  # of one key: of texts, the rest are one group; of numbers, there are thirds instead
NONE, OTHER = "(none)", "other"
FACTS = {"prompt_id": pl.String, "source": pl.String, "metadata": pl.String, "prompt_length": pl.Int64}
GROUPS = {"prompt_id": pl.String, "by": pl.String, "group": pl.String, "place": pl.Int64}


def prompt_groups(prompts: pl.DataFrame, keys: Sequence[str] | None = None) -> pl.DataFrame:
    """Return the groups that each prompt is in.

    Args:
        prompts: A row for each prompt: prompt_id, source, metadata (JSON text), prompt_length.
        keys: ``source``, ``length`` (thirds of the prompts) or ``metadata.KEY`` (``metadata.KEY.KEY`` of a mapping in
            it); None for ``default_keys``. A prompt whose metadata have a list is in the group of each of its values.

    Returns:
        A row for each prompt and group: ``prompt_id``, ``by`` (the key), ``group``, and ``place``, which sorts groups.
    """
    keys = default_keys(prompts) if keys is None else keys
    values = _metadata(prompts)
    parts = [pl.DataFrame(schema=GROUPS)]
    for key in dict.fromkeys(keys):
        if key == LENGTH:
            found = _thirds(prompts["prompt_length"].to_list(), whole=True)
        else:
            found = _groups(_values(prompts, values, key))
        rows = [
            (prompt_id, key, group, place)
            for prompt_id, groups in zip(prompts["prompt_id"], found, strict=True)
            for place, group in groups
        ]
        parts.append(pl.DataFrame(rows, schema=GROUPS, orient="row"))
    return pl.concat(parts)


def default_keys(prompts: pl.DataFrame) -> list[str]:
    """Return what prompts are broken down by where nothing is said.

    These are the first of ``KINDS`` that at least half of the metadata have, with few values; the source, where there
    are several; and the length.
    """
    values, found = _metadata(prompts), []
    names = {str(name).casefold(): str(name) for one in values if isinstance(one, dict) for name in one}
    for kind in KINDS:
        key = METADATA + names.get(kind, "")
        held = [_texts(value) for value in _values(prompts, values, key)] if kind in names else []
        given = {text for texts in held for text in texts}
        if 2 * sum(map(bool, held)) >= prompts.height and 2 <= len(given) <= MOST_GROUPS:
            found.append(key)
            break
    if prompts["source"].n_unique() > 1:
        found.append(SOURCE)
    return found + ([LENGTH] if prompts["prompt_length"].n_unique() > 1 else [])


def check_keys(keys: Iterable[str], where: str, prompts: pl.DataFrame | None = None) -> None:
    """Refuse a key of ``break_down`` that says nothing.

    Args:
        keys: The keys.
        where: The place in the recipe, for errors.
        prompts: The prompts that are asked, as in ``prompt_groups``, once they are known: a key that none of them has
            is a mistake then.

    Raises:
        UserError: A key is unknown, or no prompt has it.
    """
    for key in keys:
        if key not in (SOURCE, LENGTH) and not (key.startswith(METADATA) and len(key) > len(METADATA)):
            raise unknown("key of break_down called", key, (SOURCE, LENGTH, f"{METADATA}KEY"), where)
        if prompts is not None and key.startswith(METADATA):
            values = _metadata(prompts)
            if not any(_texts(value) for value in _values(prompts, values, key)):
                known = {METADATA + str(name) for one in values if isinstance(one, dict) for name in one}
                raise UserError(f"{where}: break_down: no prompt that is asked has {key!r}{nearest(key, known)}")


def _metadata(prompts: pl.DataFrame) -> list[Any]:
    """Return the metadata of each prompt; None where there are none, or they cannot be read."""
    return [_parsed(text) for text in prompts["metadata"]]


def _parsed(text: str | None) -> Any:
    try:
        return None if text is None else parse(text)
    except ValueError:
        return None


def _values(prompts: pl.DataFrame, metadata: list[Any], key: str) -> list[Any]:
    """Return the value of a key of each prompt; None where it has none."""
    if key == SOURCE:
        return prompts["source"].to_list()
    return [_value_at(one, key.removeprefix(METADATA)) for one in metadata]


def _value_at(value: Any, path: str) -> Any:
    """Return the value of a key, or of a path of keys joined by dots; None for none."""
    if not isinstance(value, dict) or path in value:
        return value.get(path) if isinstance(value, dict) else None
    first, _, rest = path.partition(".")
    return _value_at(value.get(first), rest) if rest else None


def _texts(value: Any) -> list[str]:
    """Return the texts that a value stands for: several of a list; none of null and of a mapping."""
    if isinstance(value, list):
        return list(dict.fromkeys(text for one in value if not isinstance(one, list) for text in _texts(one)))
    if value is None or isinstance(value, dict) or value == "":
        return []
    return [str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)]


def _groups(values: list[Any]) -> list[list[tuple[int, str]]]:
    """Return the groups of each value, with their places: the value itself, or the third that a number is in."""
    held = [_texts(value) for value in values]
    counts = Counter(text for texts in held for text in texts)
    numbers = all(_is_number(value) for value in values if value is not None)
    if numbers and len(counts) > MOST_GROUPS:
        return _thirds(values, whole=all(isinstance(v, int) for v in values if v is not None))
    if numbers:
        names = [f"{v:g}" if isinstance(v, float) else str(v) for v in sorted({v for v in values if v is not None})]
        names = list(dict.fromkeys(names))
    else:
        names = [text for text, _ in sorted(counts.items(), key=lambda one: (-one[1], one[0]))]
    kept, rest = (names, 0) if len(names) <= MOST_GROUPS else (names[: MOST_GROUPS - 1], len(names) - MOST_GROUPS + 1)
    place = {name: at for at, name in enumerate(kept)}
    last, none = (MOST_GROUPS, f"{OTHER} ({rest:,} values)"), (MOST_GROUPS + 1, NONE)
    return [
        sorted({(place[text], text) if text in place else last for text in texts}) if texts else [none]
        for texts in held
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _thirds(values: list[Any], *, whole: bool) -> list[list[tuple[int, str]]]:
    """Return the third of the values that each number is in, named by its ends; equal numbers are in one third."""
    known = sorted(v for v in values if v is not None)
    if not known:
        return [[(MOST_GROUPS + 1, NONE)] for _ in values]
    cuts = [known[max(len(known) * part // 3 - 1, 0)] for part in (1, 2)]
    third = [None if v is None else sum(v > cut for cut in cuts) for v in values]
    named = {}
    for at in range(3):
        own = [v for v, part in zip(values, third, strict=True) if part == at]
        if own:
            low, high = (f"{v:,}" if whole else f"{v:.3g}" for v in (min(own), max(own)))
            named[at] = low if low == high else f"{low} to {high}"
    return [[(MOST_GROUPS + 1, NONE) if at is None else (at, named[at])] for at in third]
