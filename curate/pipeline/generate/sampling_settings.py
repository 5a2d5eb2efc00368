"""The settings of a ``generate`` step: which models, how many samples of each row, how they are sampled.

The requests of a row depend on the row, the recipe's seed and the sample's index only, so raising ``n`` from 4 to 8, or
adding rows, asks for what is new and nothing else.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import groupby
from math import inf
from typing import Any

import polars as pl

from curate.models.engine import engine_of, engines_that
from curate.models.failures import MAX_FAILED_SHARE, MAX_REFUSED_SHARE
from curate.models.model_ref import ModelRef
from curate.pipeline.run_state import RunState, recipe_file
from schemas import recipe as recipes
from schemas.errors import UserError
from schemas.requests import MOST_SAMPLES, Request, Sampling, make_request

NUMBER = (int, float)
MOST = 10_000_000  # of any such number: no model writes so many tokens
# Setting -> its type and the least it may be.
SAMPLING = {"temperature": (NUMBER, 0), "top_p": (NUMBER, 0), "top_k": (int, 0), "max_tokens": (int, 1)}
NAMES = ("model", "n", "max_failed", "stop", "response_format", "logprobs", *SAMPLING)


@dataclass(frozen=True)
class SamplingSettings:
    """The checked settings of a step that asks models.

    Attributes:
        models: Each model with its weight; the weights sum to 1.
        n: How many samples of each row.
        temperatures: The temperatures, which the samples of a row take in turn.
        sampling: The other sampling settings.
        max_failed: The share of the requests that may fail.
        max_refused: The share that may fail or be refused for good.
    """

    models: tuple[tuple[ModelRef, float], ...]
    n: int
    temperatures: tuple[float, ...]
    sampling: Sampling
    max_failed: float
    max_refused: float = 0.0

    def key(self) -> dict[str, Any]:
        """Return the part of a stage's key that these settings are."""
        how = vars(self.sampling) | {"temperature": list(self.temperatures), "stop": list(self.sampling.stop)}
        return {"models": [[ref.identity, weight] for ref, weight in self.models], "n": self.n, "sampling": how}

    def sampling_of(self, sample_index: int) -> Sampling:
        """Return the sampling settings of a sample of a row."""
        temperature = self.temperatures[sample_index % len(self.temperatures)]
        return replace(self.sampling, temperature=temperature)

    def model_index(self, row_id: str, sample_index: int) -> int:
        """Return which model makes a sample: drawn by weight, from the row, the sample's index and the seed alone."""
        text = f"{self.sampling.seed} {row_id} {sample_index}"
        place = int.from_bytes(blake2b(text.encode(), digest_size=7).digest(), "big") / (1 << 56)
        for number, (_, weight) in enumerate(self.models):
            place -= weight
            if place < 0:
                return number
        return len(self.models) - 1

    def requests(self, rows: pl.DataFrame) -> Iterator[tuple[int, ModelRef, list[Request]]]:
        """Yield the requests of rows.

        Args:
            rows: row_id, ask (messages as JSON text) and tools; the samples ``first`` to ``end`` of each row are
                requested if it has these columns, else ``n`` samples.

        Yields:
            The row's index, a model, and requests to it that differ in ``sample_index`` only.
        """
        settings = [self.sampling_of(i) for i in range(len(self.temperatures))]
        whole = range(self.n)
        ranges = [range(*r) for r in rows.select("first", "end").iter_rows()] if "first" in rows.columns else None
        for place, (row_id, ask, tools) in enumerate(rows.select("row_id", "ask", "tools").iter_rows()):
            samples = ranges[place] if ranges else whole
            if len(self.models) == 1 and len(settings) == 1:
                ref = self.models[0][0]
                yield place, ref, [make_request(ref.identity, ask, tools, settings[0], i) for i in samples]
                continue
            kinds = sorted((self.model_index(row_id, i), i % len(settings), i) for i in samples)
            for (model, turn), same in groupby(kinds, key=lambda kind: kind[:2]):
                ref = self.models[model][0]
                yield place, ref, [make_request(ref.identity, ask, tools, settings[turn], i) for _, _, i in same]


def read_sampling_settings(state: RunState, step: recipes.Step, where: str) -> SamplingSettings:
    """Check a step's sampling settings. Raises ``UserError`` naming the line and the setting."""
    settings = step.settings
    models = _models(state, settings.get("model"), where, step.name)
    n = number(settings, "n", int, 1, where, 1, most=MOST_SAMPLES)
    found = {}
    for key, (kind, low) in SAMPLING.items():
        values = settings.get(key, getattr(Sampling(), key))
        many = values if key == "temperature" and isinstance(values, list) and values else [values]
        found[key] = tuple(number({key: v}, key, kind, low, where) for v in many)
    if not 0 < found["top_p"][0] <= 1:
        raise UserError(f"{where}: generate: top_p: {found['top_p'][0]!r} is out of range, it is above 0 and at most 1")
    stop = settings.get("stop", [])
    stop = [stop] if isinstance(stop, str) else stop
    if not isinstance(stop, list) or not all(isinstance(s, str) and s for s in stop):
        raise UserError(f"{where}: generate: stop: expected a text or a list of texts, found {stop!r}")
    if not isinstance(settings.get("logprobs", False), bool):
        raise UserError(f"{where}: generate: logprobs: expected true or false, found {settings['logprobs']!r}")
    sampling = Sampling(
        found["temperature"][0] * 1.0,
        found["top_p"][0] * 1.0,
        found["top_k"][0],
        found["max_tokens"][0],
        state.recipe.seed,
        tuple(stop),
        _schema(state, settings.get("response_format"), where),
        settings.get("logprobs", False),
    )
    for ref, _ in models:
        if settings.get("response_format") is not None and not engine_of(ref).response_format:
            raise UserError(
                f"{where}: generate: response_format: the engine {ref.engine!r} of the model {ref.name!r} does "
                f"not support it; use an engine {engines_that(lambda spec: spec.response_format)}"
            )
    max_failed = float(number(settings, "max_failed", NUMBER, 0, where, MAX_FAILED_SHARE))
    if max_failed > 1:
        raise UserError(f"{where}: generate: max_failed: {max_failed:g} is out of range, it is a share from 0 to 1")
    max_refused = max_failed if "max_failed" in settings else MAX_REFUSED_SHARE
    return SamplingSettings(models, n, tuple(t * 1.0 for t in found["temperature"]), sampling, max_failed, max_refused)


def _models(state: RunState, given: Any, where: str, name: str) -> tuple[tuple[ModelRef, float], ...]:
    """Return the models, with weights, of ``model: teacher``, ``model: [a, b]`` or ``model: {a: 0.7, b: 0.3}``."""
    if given is None:
        raise UserError(f"{where}: generate {name!r} needs 'model', one of: {', '.join(state.recipe.models)}")
    weights = {given: 1} if isinstance(given, str) else given
    if isinstance(weights, list) and all(isinstance(k, str) for k in weights):
        weights = dict.fromkeys(weights, 1)
    if not isinstance(weights, dict) or not weights or not all(isinstance(k, str) for k in weights):
        raise UserError(
            f"{where}: generate: model: expected a name, a list of names, or names with weights such as "
            f"{{big: 0.7, small: 0.3}}, found {given!r}"
        )
    for weight in weights.values():
        if isinstance(weight, bool) or not isinstance(weight, NUMBER) or not 0 < weight < inf:
            raise UserError(f"{where}: generate: model: a weight is a number above 0, found {weight!r}")
    total = sum(weights.values())
    return tuple((state.model(model, where), weight / total) for model, weight in weights.items())


def number(
    settings: dict[str, Any], key: str, kind: Any, low: float, where: str, default: Any = None, *, most: int = MOST
) -> Any:
    """Return a setting that is a number from ``low`` to ``most``. Raises ``UserError`` if it is something else."""
    value = settings.get(key, default)
    if isinstance(value, bool) or not isinstance(value, kind):
        expected = "number" if kind is NUMBER else "whole number"
        raise UserError(f"{where}: generate: {key}: expected a {expected}, found {value!r}")
    if not low <= value <= most:
        wanted = f"at least {low}" if not value > most else f"at most {most:,}"
        shown = f"{value:,}" if isinstance(value, int) else repr(value)
        raise UserError(f"{where}: generate: {key}: {shown} is out of range, it is {wanted}")
    return value


def _schema(state: RunState, given: Any, where: str) -> str | None:
    """Return the JSON schema that replies must follow, as JSON text; ``given`` is a mapping, or a file's name."""
    if isinstance(given, str):
        path = recipe_file(state.recipe, given)
        try:
            given = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UserError(f"{where}: generate: response_format: {path}: {error.strerror}") from None
        except ValueError as error:
            raise UserError(f"{where}: generate: response_format: {path} is no JSON: {error}") from None
    if given is None:
        return None
    if not isinstance(given, dict):
        raise UserError(
            f"{where}: generate: response_format: expected a JSON schema (a mapping, or a file of it), found {given!r}"
        )
    return json.dumps(given, ensure_ascii=False, sort_keys=True)
