"""Read a recipe strictly, from a YAML file or a mapping: ``load_recipe("demo.yaml")`` returns a ``Recipe``.

Any mistake is a ``UserError`` that names the file, the line, what was found and the nearest right name.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.benchmark import Benchmark
from schemas.check_names import check_names, check_numbers
from schemas.check_rounds import check_rounds
from schemas.controls import with_controls
from schemas.errors import UserError, kind_of, unknown
from schemas.evaluation import Evaluation, Retention
from schemas.recipe import SPLIT_SETTINGS, Budget, EarlyStopping, Recipe
from schemas.recipe_values import check_override, with_values
from schemas.rounds import Rounds
from schemas.trained_models import check_trained_models, with_trained_scorers
from schemas.yaml_file import checked_number, override, parse, plain_values, read_text

PROMPT_VERBS = ("source", "generate", "dedup", "decontaminate", "score", "filter", "select")
IN_PYTHON = "recipe"  # stands for the file's name where the recipe is a mapping
SHARE = "a share between 0 and 1, such as 0.1"
BY = "the column whose equal values stay in one split, such as metadata.conversation (no split can be called by)"
NEAR = "a similarity from 0 to 1, such as 0.8 (0: none; no split can be called near_duplicates)"
COMPLETION_VERBS = ("generate", "score", "filter", "dedup", "decontaminate", "select")

EXPECTED = {  # Pydantic's name of a mistake -> what was expected
    "greater_than": "expected a number above {gt}",
    "greater_than_equal": "expected a number from {ge}",
    "less_than": "expected a number below {lt}",
    "less_than_equal": "expected a number of at most {le}",
    "finite_number": "expected a finite number",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "string_type": "expected a text",
    "string_too_short": "expected a text that is not empty",
    "string_pattern_mismatch": "expected a text of the form {pattern}",
    "list_type": "expected a list",
    "too_short": "expected a list of at least {min_length}",
    "dict_type": "expected a mapping",
    "literal_error": "expected {expected}",
    "value_error": "{error}",
}


def load_recipe(recipe: Path | str | Mapping[str, Any], overrides: list[str] | None = None) -> Recipe:
    """Return the recipe in a YAML file, or of a mapping with the same keys.

    Args:
        recipe: The file; or the mapping, whose paths are relative to the current folder.
        overrides: Texts ``key.key=value`` (the value as YAML) that replace or add a value, such as
            ``["models.student=smollm2-135m"]``.

    Raises:
        UserError: The file is missing or is not a valid recipe; the message names the file and the line, or in a
            mapping the key.
    """
    lines: dict[str, int] = {}
    if isinstance(recipe, Mapping):
        path, data = Path(IN_PYTHON), _plain(recipe)
    elif not isinstance(recipe, Path | str):
        raise UserError(f"expected a recipe's file or a mapping, found {type(recipe).__name__}")
    else:
        path = Path(recipe)
        data = plain_values(parse(read_text(path), path), (), lines, path)
    if not isinstance(data, dict):
        raise UserError(f"{path}: expected a mapping with the keys name, prompts ..., found {kind_of(data, 'nothing')}")
    if isinstance(overrides, str | Mapping) or not all(isinstance(text, str) for text in overrides or []):
        raise UserError(f"overrides: expected a list of texts such as ['seed=3'], found {overrides!r:.80}")
    for text in overrides or []:
        check_override(data, text)
        override(data, text)
    data = with_values(data, lambda keys: _place(keys, path, lines))
    check_names(data, lambda keys: _place(keys, path, lines))
    for section, verbs in (("prompts", PROMPT_VERBS), ("completions", COMPLETION_VERBS)):
        if section in data:
            data[section] = _steps(data[section], section, verbs, path, lines)
    if "split" in data:
        _check_split_values(data["split"], path, lines)
    try:
        loaded = Recipe.model_validate({**data, "path": path, "lines": lines})
    except ValidationError as error:
        raise _first_error(error, path, lines) from None
    loaded = with_trained_scorers(with_controls(loaded))
    _check_references(loaded)
    check_numbers(loaded)
    return loaded


def _plain(value: Any, key: str = "") -> Any:
    """Return a copy of a recipe's plain values: paths become text, tuples lists, NumPy's numbers Python's."""
    value = value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value
    if isinstance(value, Mapping):
        keys = [str(name) if isinstance(name, str | int) and not isinstance(name, bool) else None for name in value]
        if None in keys or len(set(keys)) < len(keys):
            raise UserError(
                f"{IN_PYTHON}: {key + ': ' if key else ''}expected names as keys, each once, found {list(value)!r:.80}"
            )
        return {str(name): _plain(one, f"{key}.{name}" if key else str(name)) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, f"{key}[{index}]") for index, one in enumerate(value)]
    if isinstance(value, PurePath):
        return str(value)
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and value == value):
        return checked_number(value, lambda: f"{IN_PYTHON}: {key}: ")
    raise UserError(f"{IN_PYTHON}: {key}: expected text, a number, a list or a mapping, found {value!r:.80}")


def _steps(items: Any, section: str, verbs: tuple[str, ...], path: Path, lines: dict[str, int]) -> list[dict]:
    """Return the items of a section, such as ``- score: {use: length}``, as the fields of ``Step``."""
    if not isinstance(items, list):
        place = f"{path}:{lines.get(section, 1)}" if lines else str(path)
        raise UserError(f"{place}: {section}: expected a list of steps, found {kind_of(items, 'nothing')}")
    steps = []
    for index, item in enumerate(items):
        line = lines.get(f"{section}/{index}", lines.get(section, 1)) if lines else index + 1
        where = f"{path}:{line}" if lines else f"{path}: {section}[{index}]"
        if not isinstance(item, dict) or len(item) != 1:
            found = f"the keys {', '.join(item)}" if isinstance(item, dict) else repr(item)
            few = _too_few_spaces(item, verbs) if isinstance(item, dict) else ""
            raise UserError(
                f"{where}: {section}: expected one verb per step, such as '- score: length', found {found}{few}"
            )
        ((verb, value),) = item.items()
        if verb not in verbs:
            raise unknown(f"verb in {section}", verb, verbs, where)
        steps.append(_step(verb, value, where) | {"line": line})
    return steps


def _too_few_spaces(item: dict, verbs: tuple[str, ...]) -> str:
    """Return what to do where a verb stands without a value, and its settings beside it; else ""."""
    verb = next(iter(item), None)
    settings = [str(key) for key in item if key not in verbs]
    if verb not in verbs or item[verb] is not None or not settings:
        return ""
    return f"; indent {', '.join(settings)} further than {verb}, whose settings they are"


def _step(verb: str, value: Any, where: str) -> dict:
    """Return one step, in its short or its long form, as the fields of ``Step`` but for its line."""
    if verb == "filter":
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()) or not value:
            raise UserError(
                f"{where}: filter: expected a mapping of reason to SQL, such as "
                f'{{too_long: "length(response) > 4000"}}, found {value!r}'
            )
        return {"verb": verb, "settings": value}
    main_key = _source_key(value, where) if verb == "source" else "against" if verb == "decontaminate" else "use"
    if isinstance(value, str) or (isinstance(value, list) and verb == "decontaminate"):
        value = {main_key: value}
    if not isinstance(value, dict) or main_key not in value:
        keys = "'path' or 'sql'" if main_key == "path" else repr(main_key)
        raise UserError(f"{where}: {verb}: expected a name, or a mapping with {keys}, found {value!r}")
    settings = dict(value)
    use = settings.pop("use", None)
    alias = settings.get("as", "a")
    if not isinstance(alias, str) or not alias:
        raise UserError(f"{where}: {verb}: 'as' must be a name, found {alias!r}")
    if main_key == "use" and not isinstance(use, str):
        raise UserError(f"{where}: {verb}: 'use' must be the name of a step, found {use!r}")
    return {"verb": verb, "use": use, "settings": settings}


def _source_key(value: Any, where: str) -> str:
    """Return the key that says what a source reads: ``path``, or ``sql``; raise ``UserError`` where both are given."""
    if not isinstance(value, dict) or "sql" not in value:
        return "path"
    if "path" in value:
        raise UserError(f"{where}: source: 'path' and 'sql' are both given; expected one of them")
    return "sql"


def _check_split_values(split: Any, path: Path, lines: dict[str, int]) -> None:
    """Raise ``UserError`` where ``split`` is no share and no mapping, or a value in it is wrong."""
    values = split if isinstance(split, dict) else {"": split}
    for name, value in values.items():
        share = isinstance(value, float | int) and not isinstance(value, bool)
        number_as_text = isinstance(value, str) and re.fullmatch(r"\s*[-+.\d]+\s*%?\s*", value)
        if name == "by":
            right, wanted = isinstance(value, str) and re.fullmatch(r"[\w-]+(\.\S.*)?", value), BY
        elif name == "near_duplicates":
            right, wanted = value is False or (share and 0 <= value <= 1), NEAR
        elif share:
            right, wanted = 0 < value < 1, SHARE
        else:
            right, wanted = name and isinstance(value, str) and not number_as_text, SHARE
        if right:
            continue
        line = lines.get(f"split/{name}", lines.get("split", 1))
        where, key = f"{path}:{line}" if lines else str(path), f"split.{name}" if name else "split"
        if wanted == SHARE:
            wanted += ", or an SQL condition" if name else ", or {test: 0.1}"
        found = repr(value) if isinstance(value, str | int | float) else kind_of(value, "nothing")
        raise UserError(f"{where}: {key}: expected {wanted}, found {found}")
    if values and not set(values) - set(SPLIT_SETTINGS):
        where = f"{path}:{lines.get('split', 1)}" if lines else str(path)
        raise UserError(f"{where}: split: expected a split beside {' and '.join(values)}, such as test: 0.1")


def _place(keys: Sequence[str | int], path: Path, lines: dict[str, int]) -> str:
    """Return ``file:line`` of the keys, or of the nearest section around them; without lines, the file."""
    parts = [str(key) for key in keys]
    line = next((lines[key] for end in range(len(parts), 0, -1) if (key := "/".join(parts[:end])) in lines), 1)
    return f"{path}:{line}" if lines else str(path)


def _first_error(error: ValidationError, path: Path, lines: dict[str, int]) -> UserError:
    """Return the first of Pydantic's findings as a one-line error; an unknown key comes with the nearest right one."""
    finding = error.errors()[0]
    loc = [str(part) for part in finding["loc"]]
    where, key = _place(loc, path, lines), ".".join(loc)
    if finding["type"] == "extra_forbidden":
        sections = {"budget": Budget, "evaluate": Evaluation, "rounds": Rounds}
        section = sections.get(loc[0], Recipe) if len(loc) == 2 else Recipe
        nested = {"early_stopping": EarlyStopping, "retention": Retention, "benchmark": Benchmark}
        section = nested.get(loc[-2] if loc[1:] else "", section)
        known = [f.alias or n for n, f in section.model_fields.items() if n not in ("path", "lines")]
        owner = f" in {'.'.join(loc[:-1])}" if loc[:-1] else ""
        return unknown(f"key{owner} called", loc[-1], known, where)
    if finding["type"] == "missing":
        return UserError(f"{where}: {key} is missing")
    found = finding["input"]
    shown = repr(found) if isinstance(found, str | int | float | bool) else kind_of(found, "nothing")
    return UserError(f"{where}: {key}: {_expected(finding)}, found {shown}")


def _expected(finding: ErrorDetails) -> str:
    """Return what Pydantic expected of a value, in plain words; in its own where it has no usual bound."""
    said = finding["msg"][0].lower() + finding["msg"][1:]
    words = EXPECTED.get(finding["type"])
    return words.format(**finding.get("ctx", {})) if words else said


def _check_references(recipe: Recipe) -> None:
    """Raise ``UserError`` where a section uses a name that no other section defines, or a split is wrong."""
    if not any(step.verb == "source" for step in recipe.prompts):
        raise UserError(
            f"{recipe.where('prompts')}: prompts: the first step must be a source, such as '- source: seeds.jsonl'"
        )
    _check_splits(recipe)
    trained: list[str] = []
    for name, training in recipe.train.items():
        where = recipe.where("train", name)
        if name in recipe.models:
            raise UserError(f"{where}: train.{name}: a model in 'models' has that name too; choose another")
        if training.dataset not in recipe.datasets:
            raise unknown("dataset", training.dataset, recipe.datasets, recipe.where("train", name, "dataset"))
        known = [*recipe.models, *trained]
        for key, model in (("model", training.model), ("teacher", training.teacher)):
            if model is not None and model not in known:
                place = recipe.where("train", name, key)
                raise unknown("model (in 'models', or trained above)", model, known, place)
        trained.append(name)
    check_trained_models(recipe)
    _check_evaluation(recipe, trained)
    check_rounds(recipe)


def _check_splits(recipe: Recipe) -> None:
    """Raise ``UserError`` where nothing is left to train on."""
    if "train" in recipe.splits:
        raise UserError(f"{recipe.where('split', 'train')}: split.train: is the rest after the other splits; remove it")
    if sum(v for v in recipe.splits.values() if not isinstance(v, str)) >= 1:
        raise UserError(f"{recipe.where('split')}: split: the shares add up to 1 or more; nothing is left to train on")


def _check_evaluation(recipe: Recipe, trained: list[str]) -> None:
    """Raise ``UserError`` where ``evaluate`` names a model, a dataset or a split that the recipe does not have."""
    evaluation = recipe.evaluate
    if evaluation is None:
        return
    for model in evaluation.models:
        if model not in (*recipe.models, *trained):
            raise unknown("model", model, [*recipe.models, *trained], recipe.where("evaluate", "models"))
    if evaluation.dataset not in recipe.datasets:
        raise unknown("dataset", evaluation.dataset, recipe.datasets, recipe.where("evaluate", "dataset"))
    splits = [*recipe.splits, "train"]
    for split in [evaluation.split] if isinstance(evaluation.split, str) else evaluation.split or []:
        if split not in splits:
            raise unknown("split", split, splits, recipe.where("evaluate", "split"))
