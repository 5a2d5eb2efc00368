"""Recipes of any content are read, or refused in one line."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from cli.shipped_recipes import RECIPES
from schemas.load_recipe import load_recipe
from schemas.recipe import Recipe
from tests.fuzz.fuzzing import fuzz, works_or_says_why
from tests.fuzz.mutations import TOKENS, blobs, texts, values

pytestmark = pytest.mark.slow


SEEDS = [
    (RECIPES / f"{name}.yaml").read_text(encoding="utf-8") for name in ("demo", "rounds", "preferences", "ppo", "clean")
]
SEEDS.append(
    "name: a\nbase: &a {x: 1}\nprompts:\n  - source: {path: a.jsonl, <<: *a}\nsplit: {test: 0.1, by: metadata.x}\n"
)
PLAIN: list[Any] = [json.loads(json.dumps(YAML(typ="safe", pure=True).load(text))) for text in SEEDS]
KEYS = (
    "seed",
    "models.student",
    "split.test",
    "completions.0.generate.n",
    "values.assistant",
    "prompts.99.source",
    "",
    ".",
    "a..b",
)


def read(recipe: Path | dict, overrides: list[str] | None = None) -> None:
    with works_or_says_why("recipes"):
        loaded = load_recipe(recipe, overrides)
        assert isinstance(loaded, Recipe)


@fuzz(50)
@given(texts(SEEDS))
def test_a_changed_recipe_is_read_or_refused(text):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "r.yaml"
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
        read(file)


@fuzz(30)
@given(blobs([text.encode() for text in SEEDS]))
def test_a_recipe_of_any_bytes_is_read_or_refused(data):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "r.yaml"
        file.write_bytes(data)
        read(file)


@fuzz(100)
@given(values(PLAIN))
def test_a_mapping_is_read_or_refused(recipe):
    read(recipe)


@fuzz(40)
@given(st.sampled_from(PLAIN), st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(TOKENS)), max_size=3))
def test_any_override_is_applied_or_refused(recipe, overrides):
    read(recipe, [f"{key}={value}" for key, value in overrides])
