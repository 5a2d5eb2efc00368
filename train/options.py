"""Checks a training's options against TRL's and PEFT's config classes, which it reads from their source files.

Importing TRL takes about five seconds; reading three files with ``ast`` takes some fifty milliseconds, so ``check`` can
name a mistyped option at once. No option is listed here: the names are those of the version installed.
"""

import ast
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

from schemas.errors import UserError, unknown
from schemas.recipe import Training
from train.dotted_trainer import DottedTrainer
from train.find_trainer import config_class, find_trainer
from train.kto_options import WEIGHTS, check_kto
from train.reward_weights import reward_weights

# Options that gristmill sets, or that would undo what it records, and the reason.
RESERVED = {
    "output_dir": "the store decides where the weights go",
    "resume_from_checkpoint": "an interrupted training resumes by itself",
    "remove_unused_columns": "row ids travel in a column of their own",
    "dataset_kwargs": "gristmill prepares the rows",
    "dataset_text_field": "rows always have a prompt and a completion",
    "model_init_kwargs": "the model is loaded by gristmill; set it up under 'models'",
    "teacher_model_name_or_path": "name the model as 'teacher', beside 'model'",
    "teacher_model_revision": "set it up under 'models', and name it as 'teacher'",
    "teacher_model_init_kwargs": "the teacher is loaded by gristmill; set it up under 'models'",
    "chat_template_kwargs": "prompts are measured without; write them into a template of your own (chat_template)",
    "chat_template_path": "the chat template belongs to the model; give it one under 'models' (chat_template)",
}
PEFT_RESERVED = {
    "task_type": "the trainer decides it",
    "peft_type": "it is always LORA",
    "inference_mode": "this is a training",
    "base_model_name_or_path": "it is the recipe's model",
    "auto_mapping": "PEFT sets it",
    "peft_version": "PEFT sets it",
    "revision": "it is the recipe's model",
}
CHOICES = {
    "truncation_mode": ("keep_start", "keep_end"),
    "packing_strategy": ("bfd", "bfd_split", "wrapped"),
}
PLAIN_TYPES = {"int": (int,), "float": (int, float), "bool": (bool,), "str": (str,), "None": (type(None),)}


def fields(trainer: str) -> dict[str, str]:
    """Return the options of a trainer's TRL config class: name -> type, as written there; empty without TRL."""
    return {name: kind for name, (kind, _) in _trl(trainer).items()}


def lora_fields() -> dict[str, str]:
    """Return the options of PEFT's ``LoraConfig``: name -> type, as written there; empty without PEFT."""
    root = _package("peft")
    if root is None:
        return {}
    own = _classes(root / "tuners" / "lora" / "config.py")
    base = _classes(root / "config.py")
    return {name: kind for name, (kind, _) in _inherit("LoraConfig", {**base, **own}).items()}


def lora_options(training: Training) -> dict[str, Any] | None:
    """Return the options of the adapter to train, or None for full weights."""
    if isinstance(training.lora, bool):
        return {} if training.lora else None
    return training.lora


def check(training: Training, where: str) -> None:
    """Check a training's options; without TRL installed, check nothing.

    Args:
        training: The training's entry in the recipe.
        where: The place in the recipe, for errors.

    Raises:
        UserError: An option does not exist, has the wrong type, or is not for a recipe to set.
    """
    if "learn" in training.settings and training.trainer == "sft":
        raise UserError(
            f"{where}: learn: which turns are learnt is set in the dataset: datasets: {{{training.dataset}: "
            f"{{learn: {training.settings['learn']}}}}}; move it there"
        )
    known = _trl(training.trainer)
    if not known:
        return
    kind = config_class(training.trainer)
    module = "" if _own_config(training.trainer).exists() else "trl."
    _check_names(training.settings, fields(training.trainer), RESERVED, f"option of {module}{kind}", where)
    if isinstance(training.lora, dict):
        _check_names(training.lora, lora_fields(), PEFT_RESERVED, "option of peft.LoraConfig", where)
    _check_lengths({name: default for name, (_, default) in known.items()} | training.settings, where)
    if "reward_weights" in known:
        reward_weights(training.rewards, training.settings.get("reward_weights"), where)
    if "num_generations" in known:
        least = min(2, known["num_generations"][1] or 2)  # a config whose own default is 1 compares no answers
        _check_groups({name: default for name, (_, default) in known.items()} | training.settings, where, least)
    if known.keys() >= {*WEIGHTS}:
        check_kto({name: default for name, (_, default) in known.items()} | training.settings, where)


def default(trainer: str, name: str) -> Any:
    """Return TRL's default for an option if it is a plain value, else None."""
    return _trl(trainer).get(name, ("", None))[1]


def _check_names(given: dict[str, Any], known: dict[str, str], reserved: dict[str, str], what: str, where: str) -> None:
    for name, value in given.items():
        if name in reserved:
            raise UserError(f"{where}: {name} cannot be set in a recipe: {reserved[name]}; remove it")
        if name not in known:
            raise unknown(f"{what} called", name, [n for n in known if n not in reserved], where)
        kinds = [part.strip() for part in known[name].split("|")]
        allowed = tuple(kind for part in kinds for kind in PLAIN_TYPES.get(part, ()))
        # TRL itself checks a type that is not made of plain ones (an enum, a dict).
        wrong = not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed)
        if all(part in PLAIN_TYPES for part in kinds) and wrong:
            raise UserError(f"{where}: {name}: expected {known[name]}, found {value!r}")


def _check_lengths(given: dict[str, Any], where: str) -> None:
    """Check the options that cut and pack sequences, which gristmill follows before TRL sees them."""
    longest = given.get("max_length")
    if longest is not None and longest < 1:
        raise UserError(
            f"{where}: max_length: expected a number of tokens from 1, or null for no limit, found {longest}"
        )
    for name, choices in CHOICES.items():
        if name in given and given[name] not in choices:
            raise unknown(f"value of {name} called", str(given[name]), choices, where)
    if given.get("packing") and longest is None:
        raise UserError(f"{where}: packing needs max_length, the length of a block in tokens; found null")


def _check_groups(given: dict[str, Any], where: str, least: int) -> None:
    """Check TRL's rules on groups of answers (``__post_init__`` of its configs) before anything is spent."""
    group, batch = given["num_generations"], given["per_device_train_batch_size"]
    whole, steps = given.get("generation_batch_size"), given.get("steps_per_generation")
    if group < least:
        compared = " to compare" if least > 1 else ""
        raise UserError(f"{where}: num_generations: expected {least} or more answers{compared}, found {group}")
    if whole is not None and steps is not None:
        raise UserError(f"{where}: set generation_batch_size or steps_per_generation, not both")
    if given.get("auto_find_batch_size"):
        raise UserError(f"{where}: auto_find_batch_size would split groups of answers; set per_device_train_batch_size")
    if whole is None:
        whole = batch * (steps or given["gradient_accumulation_steps"])
    elif whole % batch:
        raise UserError(
            f"{where}: generation_batch_size: expected a multiple of per_device_train_batch_size, "
            f"which is {batch}, found {whole}"
        )
    if whole % group:
        raise UserError(
            f"{where}: num_generations: expected a divisor of the generation batch of {whole} answers "
            f"(per_device_train_batch_size x gradient_accumulation_steps), found {group}"
        )
    evaluated = given.get("num_generations_eval") or group
    if given.get("eval_strategy") not in (None, "no", False) and given["per_device_eval_batch_size"] % evaluated:
        raise UserError(
            f"{where}: per_device_eval_batch_size: expected a multiple of num_generations ({evaluated}), "
            f"found {given['per_device_eval_batch_size']}"
        )


def _trl(trainer: str) -> dict[str, tuple[str, Any]]:
    """Return name -> (type, default) of the fields of a trainer's config class, inherited ones included."""
    found = find_trainer(trainer)
    if isinstance(found, DottedTrainer):  # the user's files may change
        return _inherit(found.CONFIG, found.config_classes())
    return _own(trainer)


@cache
def _own(trainer: str) -> dict[str, tuple[str, Any]]:
    """Return name -> (type, default) of the fields of a trainer's config class, inherited ones included."""
    trl, transformers = _package("trl"), _package("transformers")
    if trl is None or transformers is None:
        return {}
    own = _classes(_own_config(trainer))
    bases = [ast.unparse(base) for node in own.values() for base in node.bases]
    files = (
        transformers / "training_args.py",
        trl / "trainer" / "base_config.py",
        *(
            trl / "trainer" / f"{name.removesuffix('Config').lower()}_config.py"
            for name in (config_class(trainer), *bases)
        ),
    )
    return _inherit(config_class(trainer), {k: v for file in files for k, v in _classes(file).items()} | own)


def _own_config(trainer: str) -> Path:
    """Return the file that has a trainer's config class if it is ours, on top of one of TRL's."""
    return Path(__file__).parent / trainer / "config.py"


def _package(name: str) -> Path | None:
    """Return the folder of an installed package, without importing it."""
    spec = importlib.util.find_spec(name)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def _classes(file: Path) -> dict[str, ast.ClassDef]:
    if not file.exists():
        return {}
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def _inherit(name: str, classes: dict[str, ast.ClassDef]) -> dict[str, tuple[str, Any]]:
    """Return the annotated fields of a class: those of its bases, in order, then its own."""
    node = classes.get(name)
    if node is None:
        return {}
    found: dict[str, tuple[str, Any]] = {}
    for base in node.bases:
        found |= _inherit(ast.unparse(base).rsplit(".", 1)[-1], classes)
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            kind = ast.unparse(line.annotation)
            if not kind.startswith("ClassVar") and not _no_argument(line.value):
                found[line.target.id] = (kind, _default(line.value))
    return found


def _no_argument(value: ast.expr | None) -> bool:
    """Return whether a field says ``init=False``, so that it is no option."""
    keywords = value.keywords if isinstance(value, ast.Call) else []
    return any(k.arg == "init" and isinstance(k.value, ast.Constant) and k.value.value is False for k in keywords)


def _default(value: ast.expr | None) -> Any:
    if isinstance(value, ast.Call):
        value = next((k.value for k in value.keywords if k.arg == "default"), None)
    try:
        return ast.literal_eval(value) if value is not None else None
    except ValueError:  # computed: an enum's member, a call
        return None
