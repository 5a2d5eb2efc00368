"""Finding trainers by file name: ``train/trainers/kto.py`` with a function ``train(job, folder)`` is ``trainer: kto``.

A trainer's file also says, as constants, which of TRL's config classes takes its options (``CONFIG``) and which type
of dataset it trains on (``DATA``). Importing one imports neither torch nor TRL.
"""

import ast
import importlib
from functools import cache
from pathlib import Path
from types import ModuleType

from curate.steps.code_hash import code_hash
from schemas.errors import unknown

HERE = Path(__file__).parent / "trainers"


@cache
def names() -> list[str]:
    """The trainers there are, sorted."""
    return sorted(file.stem for file in HERE.glob("*.py") if _trains(file))


def find(name: str, where: str = "") -> ModuleType:
    """The module of a trainer. Raises ``UserError`` naming the nearest one."""
    if name not in names():
        raise unknown("trainer", name, names(), where)
    return importlib.import_module(f"train.trainers.{name}")


def summary(name: str) -> str:
    """The first line of a trainer's docstring, without importing it."""
    doc = ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text(encoding="utf-8"))) or ""
    return doc.split("\n", 1)[0]


def config_class(trainer: str) -> str:
    """The name of TRL's config class for a trainer, such as ``SFTConfig``."""
    return find(trainer).CONFIG


def source(trainer: str) -> str:
    """Return a hash of the code that a trainer's work depends on."""
    return code_hash(find(trainer).train)


def _trains(file: Path) -> bool:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == "train" for node in tree.body)
