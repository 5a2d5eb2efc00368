"""Rules for trainers of dotted paths: which have a file here that does more, and which type of dataset they read."""

import ast

from schemas.errors import UserError
from train.finding.class_source import SourceClass, lineage
from train.finding.dotted_trainer import DottedTrainer
from train.finding.user_module import of_library

# A class of TRL -> the type of dataset that it reads; "" where it is another class's child and reads several.
READS = {
    "CPOTrainer": "preference",
    "DPOTrainer": "preference",
    "GKDTrainer": "sft",
    "GOLDTrainer": "",
    "KTOTrainer": "unpaired",
    "ORPOTrainer": "preference",
    "RewardTrainer": "preference",
    "SFTTrainer": "sft",
}
# A class of TRL -> a column that it reads and that no dataset has.
UNKNOWN_COLUMNS = {"TPOTrainer": "reference"}
CHANGES_ROWS = ("__init__", "_prepare_dataset")  # methods by which a user's class may read other rows


def refuse_own_file(found: DottedTrainer, files: dict[str, str], where: str) -> None:
    """Refuse a class of TRL that a file of ``train.trainers`` runs: TRL's alone has no row losses and fewer checks.

    A subclass of such a class is allowed, unless it only warns that it has moved.

    Args:
        found: The trainer.
        files: Class of TRL -> the name of the trainer that runs it.
        where: The place in the recipe.

    Raises:
        UserError: It is such a class.
    """
    one = found.trainer
    while of_library(one.file) is not None and _only_warns(one) and len(above := lineage(one)) > 1:
        one = above[1]
    library = of_library(one.file) or ""
    if library.startswith("trl.trainer.") and one.name in files:
        raise UserError(
            f"{where}: trainer {found.name!r}: is {one.name} of TRL; use trainer: {files[one.name]}, which trains by "
            f"it, checks more and records each row"
        )


def check_dataset_type(found: DottedTrainer, kind: str, dataset: str, where: str) -> None:
    """Check the type of the dataset of a trainer, as far as it is known which it reads.

    Args:
        found: The trainer.
        kind: The dataset's type.
        dataset: Its name.
        where: The place in the recipe.

    Raises:
        UserError: The trainer reads another type, or a column that no dataset has.
    """
    known = _known_base(found.trainer)
    if known in UNKNOWN_COLUMNS:
        raise UserError(
            f"{where}: the trainer {found.name!r} reads a column {UNKNOWN_COLUMNS[known]!r}, which no dataset has"
        )
    needed = READS.get(known, "")
    if needed and kind != needed:
        raise UserError(
            f"{where}: the trainer {found.name!r} ({known}) needs a dataset of type {needed!r}; {dataset!r} is of type "
            f"{kind!r}"
        )


def _known_base(one: SourceClass) -> str:
    """Return the first class of a lineage whose rows are known; "" where there is none, or a user's may read others."""
    for current in lineage(one):
        library = of_library(current.file)
        if library is None and any(
            isinstance(n, ast.FunctionDef) and n.name in CHANGES_ROWS for n in current.node.body
        ):
            return ""
        if library is not None and current.name in (*READS, *UNKNOWN_COLUMNS):
            return current.name
    return ""


def _only_warns(one: SourceClass) -> bool:
    """Return whether a class does nothing but warn in its ``__init__``."""
    methods = [node for node in one.node.body if not _is_text(node)]
    if len(methods) != 1 or not isinstance(methods[0], ast.FunctionDef) or methods[0].name != "__init__":
        return False
    calls = [ast.unparse(node).split("(")[0] for node in methods[0].body if not _is_text(node)]
    return "warnings.warn" in calls and len(calls) == 2 and calls[-1] == "super"


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
