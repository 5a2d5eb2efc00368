"""Reads the options of TRL's and PEFT's config classes from their source files: names, types, defaults, choices.

Importing TRL takes about five seconds; reading its files with ``ast`` takes some fifty milliseconds, so a mistyped
option is named at once. No option is listed here: the names are those of the version installed.
"""

import ast
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from train.finding.dotted_trainer import DottedTrainer
from train.finding.find_trainer import config_class, find_trainer


@dataclass(frozen=True)
class ConfigField:
    """An option of a config class.

    Attributes:
        kind: Its type, as written in the class: ``int | None``.
        default: Its default if that is a plain value, else None.
        choices: The values that it can have, where the class lists them or its type is an enum; else none.
    """

    kind: str
    default: Any = None
    choices: tuple[str, ...] = ()


def config_fields(trainer: str) -> dict[str, ConfigField]:
    """Return the options of a trainer's config class by name, inherited ones included; none without TRL."""
    found = find_trainer(trainer)
    if isinstance(found, DottedTrainer):  # the user's files may change
        try:
            return _inherit(found.CONFIG, found.config_classes(), _transformers_enums())
        except RecursionError:
            raise UserError(
                f"trainer {trainer!r}: the type of an option in {found.CONFIG} is nested too deep"
            ) from None
    return _own_fields(trainer)


def own_config(trainer: str) -> Path:
    """Return the file that has a trainer's config class if it is ours, on top of one of TRL's."""
    return Path(__file__).parent.parent / trainer / "config.py"


@cache
def _own_fields(trainer: str) -> dict[str, ConfigField]:
    trl, transformers = _package("trl"), _package("transformers")
    if trl is None or transformers is None:
        return {}
    own = _classes(own_config(trainer))
    name, bases = config_class(trainer), [ast.unparse(base) for node in own.values() for base in node.bases]
    of_trl = [trl / "trainer" / f"{one.removesuffix('Config').lower()}_config.py" for one in (name, *bases)]
    files = (transformers / "training_args.py", trl / "trainer" / "base_config.py", *of_trl)
    classes = {k: v for file in files for k, v in _classes(file).items()} | own
    return _inherit(name, classes, _transformers_enums())


@cache
def _transformers_enums() -> dict[str, tuple[str, ...]]:
    root = _package("transformers")
    return _enums(root / "training_args.py") | _enums(root / "trainer_utils.py") if root else {}


@cache
def lora_config_fields() -> dict[str, ConfigField]:
    """Return the options of PEFT's ``LoraConfig`` by name; none without PEFT."""
    root = _package("peft")
    if root is None:
        return {}
    own = _classes(root / "tuners" / "lora" / "config.py")
    base = _classes(root / "config.py")
    return _inherit("LoraConfig", {**base, **own}, {})


def _package(name: str) -> Path | None:
    """Return the folder of an installed package, without importing it."""
    spec = importlib.util.find_spec(name)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def _classes(file: Path) -> dict[str, ast.ClassDef]:
    if not file.exists():
        return {}
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def _enums(file: Path) -> dict[str, tuple[str, ...]]:
    """Return the values of the enums in a file, by the enum's name."""
    return {
        name: tuple(
            line.value.value
            for line in node.body
            if isinstance(line, ast.Assign)
            and isinstance(line.value, ast.Constant)
            and isinstance(line.value.value, str)
        )
        for name, node in _classes(file).items()
        if any(ast.unparse(base).endswith("Enum") for base in node.bases)
    }


def _inherit(name: str, classes: dict[str, ast.ClassDef], enums: dict[str, tuple[str, ...]]) -> dict[str, ConfigField]:
    """Return the annotated fields of a class: those of its bases, in order, then its own."""
    node = classes.get(name)
    if node is None:
        return {}
    found: dict[str, ConfigField] = {}
    for base in node.bases:
        found |= _inherit(ast.unparse(base).rsplit(".", 1)[-1], classes, enums)
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            kind = ast.unparse(line.annotation)
            if not kind.startswith("ClassVar") and not _no_argument(line.value):
                choices = enums.get(kind.split(" | ")[0], ()) or _choices(line.value)
                found[line.target.id] = ConfigField(kind, _default(line.value), choices)
    return found


def _no_argument(value: ast.expr | None) -> bool:
    """Return whether a field says ``init=False``, so that it is no option."""
    given = _keyword(value, "init")
    return isinstance(given, ast.Constant) and given.value is False


def _choices(value: ast.expr | None) -> tuple[str, ...]:
    """Return the choices that a field's metadata lists; none if it lists none, or computes them."""
    metadata = _keyword(value, "metadata")
    if not isinstance(metadata, ast.Dict):
        return ()
    for key, listed in zip(metadata.keys, metadata.values, strict=True):
        if isinstance(key, ast.Constant) and key.value == "choices" and isinstance(listed, ast.List):
            return tuple(str(one.value) for one in listed.elts if isinstance(one, ast.Constant))
    return ()


def _default(value: ast.expr | None) -> Any:
    if isinstance(value, ast.Call):
        value = _keyword(value, "default")
    try:
        return ast.literal_eval(value) if value is not None else None
    except ValueError:  # computed: an enum's member, a call
        return None


def _keyword(value: ast.expr | None, name: str) -> ast.expr | None:
    """Return the keyword argument of a call such as ``field(default=1)``."""
    keywords = value.keywords if isinstance(value, ast.Call) else []
    return next((keyword.value for keyword in keywords if keyword.arg == name), None)
