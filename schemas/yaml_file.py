"""Read YAML 1.2 with the line of every key, so that an error can name it, and apply ``--set`` overrides."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from schemas.errors import UserError, kind_of, nearest


def read_text(path: Path) -> str:
    """Return the text of a recipe file; raise ``UserError`` if it is missing, a folder, empty or not UTF-8."""
    if path.is_dir():
        raise UserError(f"{path}: is a folder; expected a recipe file")
    if not path.exists():
        siblings = [p.name for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        raise UserError(f"{path}: no such recipe{nearest(path.name, siblings)}")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 (byte {error.start}); save the recipe as UTF-8") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); expected a file that this user can read") from None
    if not text.strip():
        raise UserError(f"{path}: the recipe is empty; 'gristmill init demo' copies one to start from")
    return text


def parse(text: str, path: Path) -> Any:
    """Return YAML text as ruamel's nodes, which know their lines; raise ``UserError`` naming the line."""
    try:
        return YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise UserError(f"{path}:{line}: not YAML: {error.problem or error.context}") from None
    except YAMLError as error:
        raise UserError(f"{path}: not YAML: {str(error).splitlines()[0]}") from None


def plain_values(node: Any, path: tuple[str | int, ...], lines: dict[str, int], file: Path) -> Any:
    """Return ruamel's nodes as plain values, and add the line of every key to ``lines``.

    Args:
        node: A value that ``parse`` returned, or a part of one.
        path: The keys that lead to ``node``.
        lines: Filled with the line of each key, under its path joined by slashes.
        file: The file that an error names.

    Raises:
        UserError: A value is not text, a number, true, false or null, such as a date.
    """
    if isinstance(node, CommentedMap):
        for key in node:
            lines["/".join(map(str, (*path, key)))] = _line(node, key)
        return {str(k): plain_values(v, (*path, k), lines, file) for k, v in node.items()}
    if isinstance(node, CommentedSeq):
        for index in range(len(node)):
            lines["/".join(map(str, (*path, index)))] = node.lc.item(index)[0] + 1
        return [plain_values(v, (*path, i), lines, file) for i, v in enumerate(node)]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    line, key = lines.get("/".join(map(str, path))), ".".join(map(str, path))
    raise UserError(
        f"{file}{f':{line}' if line else ''}: {key + ': ' if key else ''}expected text or a number, found "
        f"{str(node)!r} ({kind_of(node)}); quote it"
    )


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
