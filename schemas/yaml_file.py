"""Read YAML 1.2 with the line of every key, so that an error can name it, and apply ``--set`` overrides.

The work is bounded, whatever the text: it has at most ``LARGEST`` bytes, ``DEEPEST`` levels and ``MOST_VALUES`` values,
where an alias counts as all that it stands for.
"""

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from schemas.errors import UserError, kind_of, nearest
from schemas.yaml_mistakes import yaml_mistake

LARGEST = 500_000  # bytes
DEEPEST = 64  # levels of lists and mappings
MOST_VALUES = 20_000
GREATEST = 2**63  # above any number that means something, and what our libraries take
OPENED = re.compile(rf"(?:[\[{{]\s*){{{DEEPEST + 1}}}")  # found before ruamel looks ahead from each, for long
DIGITS = re.compile(r"\d{1000,}")


def read_text(path: Path) -> str:
    """Return the text of a recipe file; raise ``UserError`` if it is missing, a folder, empty or not UTF-8."""
    if path.is_dir():
        raise UserError(f"{path}: is a folder; expected a recipe file")
    if not path.exists():
        siblings = [p.name for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        raise UserError(f"{path}: no such recipe{nearest(path.name, siblings)}")
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        text = io.StringIO(raw[:LARGEST].decode(), newline=None).read()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        if len(raw) > LARGEST:
            raise _too_large(path) from None
        raise UserError(f"{path}: not UTF-8 (byte {error.start}); save the recipe as UTF-8") from None
    if len(raw) > LARGEST:
        raise _too_large(path)
    if not text.strip():
        raise UserError(f"{path}: the recipe is empty; 'gristmill init demo' copies one to start from")
    return text


def parse(text: str, path: Path) -> Any:
    """Return YAML text as ruamel's nodes, which know their lines; raise ``UserError`` naming the line."""
    opened = OPENED.search(text)
    if opened:
        raise _too_deep(f"{path}:{text.count(chr(10), 0, opened.start()) + 1}")
    reader = YAML(typ="rt")
    reader.max_depth = DEEPEST
    try:
        return reader.load(text)
    except MaxDepthExceededError as error:
        line = (error.problem_mark or error.context_mark).line + 1
        raise _too_deep(f"{path}:{line}") from None
    except RecursionError:
        raise _too_deep(str(path)) from None
    except MarkedYAMLError as error:
        line, said = yaml_mistake(error)
        raise UserError(f"{path}:{line}: not YAML: {said}") from None
    except YAMLError as error:
        raise UserError(f"{path}: not YAML: {str(error).splitlines()[0]}") from None
    except (AttributeError, TypeError, LookupError):  # of ruamel's, for a mapping that is merged into itself
        raise UserError(f"{path}: not YAML: a value can't be made; is a mapping merged (<<) into itself?") from None
    except (ValueError, OverflowError) as error:  # a number or a date that Python does not have
        long = DIGITS.search(text)
        line = f":{text.count(chr(10), 0, long.start()) + 1}" if long else ""
        what = f"a number of {len(long[0]):,} digits; expected one below 2^63" if long else str(error)
        raise UserError(f"{path}{line}: not a value: {what}") from None


def _too_large(path: Path) -> UserError:
    return UserError(f"{path}: has more than {LARGEST:,} bytes, the most of a recipe; a source holds the data")


def _too_deep(place: str) -> UserError:
    return UserError(f"{place}: lists and mappings are nested more than {DEEPEST} levels deep, the most of a recipe")


def plain_values(node: Any, path: tuple[str | int, ...], lines: dict[str, int], file: Path) -> Any:
    """Return ruamel's nodes as plain values, and add the line of every key to ``lines``.

    Args:
        node: A value that ``parse`` returned, or a part of one.
        path: The keys that lead to ``node``.
        lines: Filled with the line of each key, under its path joined by slashes.
        file: The file that an error names.

    Raises:
        UserError: A value is not text, a number, true, false or null, such as a date; a key is no name; or there are
            more values, or levels of them, than a recipe may have.
    """
    return _plain(node, path, lines, file, iter(range(MOST_VALUES)))


def _plain(node: Any, path: tuple[str | int, ...], lines: dict[str, int], file: Path, left: Iterator[int]) -> Any:
    """Do the work of ``plain_values``; ``left`` has an item for each value that there may still be."""
    if next(left, None) is None:
        raise UserError(
            f"{_place(path, lines, file)}more than {MOST_VALUES:,} values, the most of a recipe; an alias (*name) "
            f"counts as all that it stands for"
        )
    if len(path) > DEEPEST:  # by an alias within what it stands for
        raise _too_deep(f"{file}:{lines.get('/'.join(map(str, path[:1])), 1)}")
    if isinstance(node, CommentedMap):
        names = {key: _name(key, _line(node, key), file) for key in node}
        if len(set(names.values())) < len(names):
            raise UserError(f"{_place(path, lines, file)}a key is there twice, as a number and as text")
        for key in node:
            lines["/".join(map(str, (*path, key)))] = _line(node, key)
        return {name: _plain(node[key], (*path, key), lines, file, left) for key, name in names.items()}
    if isinstance(node, CommentedSeq):
        for index in range(len(node)):
            lines["/".join(map(str, (*path, index)))] = node.lc.item(index)[0] + 1
        return [_plain(v, (*path, i), lines, file, left) for i, v in enumerate(node)]
    return _scalar(node, lambda: _place(path, lines, file))


def _scalar(node: Any, place: Callable[[], str]) -> Any:
    """Return ruamel's text, number, truth value or null as Python's."""
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return _joined(str(node), place) if kind is str else checked_number(kind(node), place)
    raise UserError(f"{place()}expected text or a number, found {str(node)!r} ({kind_of(node)}); quote it")


def _joined(text: str, place: Callable[[], str]) -> str:
    r"""Return text with a pair of surrogates as one character: JSON, which is YAML too, writes ``\ud83d\ude00``.

    Raises ``UserError``, which begins with ``place()``, for half of a pair.
    """
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise UserError(f"{place()}holds half of a surrogate pair, which is no text; write the character") from None


def checked_number(value: Any, place: Callable[[], str]) -> Any:
    """Return a value; raise ``UserError``, which begins with ``place()``, for a number that is too great."""
    if isinstance(value, int) and abs(value) >= GREATEST:
        found = f"{value:.3g}" if abs(value) < 10**300 else "a number of over 300 digits"
        raise UserError(f"{place()}expected a number below 2^63, found {found}")
    return value


def _place(path: tuple[str | int, ...], lines: dict[str, int], file: Path) -> str:
    """Return how an error about a value begins: ``r.yaml:7: split.test: ``."""
    line, key = lines.get("/".join(map(str, path))), ".".join(map(str, path))
    return f"{file}{f':{line}' if line else ''}: {key + ': ' if key else ''}"


def _name(key: Any, line: int, file: Path) -> str:
    """Return a key as text; raise ``UserError`` for one that is no name: null, true, a date, a list."""
    if isinstance(key, str | int | float) and not isinstance(key, bool):
        return _joined(str(key), lambda: f"{file}:{line}: ")
    raise UserError(f"{file}:{line}: expected a name as a key, found {str(key)!r:.80} ({kind_of(key)}); quote it")


def _line(node: CommentedMap, key: Any) -> int:
    """Return the line of a mapping's key; of one that a merge (``<<: *name``) brings, the line where it is written."""
    if key in (node.lc.data or ()):
        return node.lc.key(key)[0] + 1
    return next(_line(merged, key) for merged in node.merge if key in merged)


def override(data: dict, text: str) -> None:
    """Apply ``--set a.b=value`` to a recipe's values, in place.

    An item of a list is named by its index from 0: ``completions.0.generate.n=2``. Raises ``UserError`` for an override
    without ``=``, or that leads into something other than a mapping or a list.
    """
    keys, equals, value = text.partition("=")
    if not equals or not keys:
        raise UserError(f"--set {text!r}: expected KEY=VALUE, such as models.student=smollm2-135m")
    value = plain_values(parse(value, Path("--set")), (), {}, Path(f"--set {keys}")) if value.strip() else None
    *parents, last = keys.split(".")
    for key in parents:
        if isinstance(data, list):
            data = data[_index(data, key, text)]
        else:
            data = data.setdefault(key, {})
        if not isinstance(data, dict | list):
            raise UserError(
                f"--set {text!r}: {key!r} is {kind_of(data, 'nothing')}, not a mapping; nothing can be set inside it"
            )
    if isinstance(data, list):
        data[_index(data, last, text)] = value
    else:
        data[last] = value


def _index(items: list, key: str, text: str) -> int:
    """Return the index in ``items`` that an override names as ``key``."""
    if not key.isdigit() or int(key) >= len(items):
        raise UserError(f"--set {text!r}: {key!r} is not the number of a step; expected 0 to {len(items) - 1}")
    return int(key)
