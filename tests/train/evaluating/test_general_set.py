import json
from pathlib import Path

import polars as pl
import pytest

from curate.storage.rows import RowSet
from curate.storage.store import Store
from schemas.errors import UserError
from tests.train.tables import recipe_with, write_stage
from train.evaluating.check_section import check_break_down, check_section
from train.evaluating.general.general_set import FOLDER, general_set, item_id


def recipe(folder: Path, retention: str = ""):
    key = f", retention: {retention}" if retention else ""
    return recipe_with(folder, f"evaluate: {{models: [student], dataset: rl, by: [constraints]{key}}}\n")


def write(file: Path, *rows: str) -> Path:
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


def own(key: str, count: int = 8) -> list[str]:
    return [json.dumps({key: f"{key} {i}"}) for i in range(count)]


def test_the_set_that_comes_with_gristmill_is_read(tmp_path: Path):
    found = general_set(recipe(tmp_path))
    assert found is not None and found == general_set(recipe(tmp_path, "true"))
    for texts in (found.prompts, found.texts):
        assert len(texts) == len(set(texts)) == len({item_id(one) for one in texts}) >= 30
        assert all(one == one.strip() and len(one) < 300 for one in texts)
    assert {file.name for file in FOLDER.glob("*.jsonl")} == {"prompts.jsonl", "texts.jsonl"}


def test_it_can_be_switched_off(tmp_path: Path):
    assert general_set(recipe(tmp_path, "false")) is None
    assert general_set(recipe_with(tmp_path / "b", "train: {}\n")) is None


def test_own_files_are_relative_to_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    made = recipe(tmp_path / "recipes", "{prompts: mine.jsonl}")
    write(tmp_path / "recipes" / "mine.jsonl", *own("prompt"), *own("prompt"), "")
    found, shipped = general_set(made), general_set(recipe(tmp_path / "other"))
    assert found and shipped and found.prompts == [f"prompt {i}" for i in range(8)] and found.texts == shipped.texts
    assert found.key() != shipped.key()


def test_recorded_answers_are_read_with_their_prompts(tmp_path: Path):
    made, shipped = recipe(tmp_path, "{answers: mine.jsonl}"), general_set(recipe(tmp_path / "other"))
    rows = [json.dumps({"prompt": f"q {i}", "completion": f"a {i}", "metadata": {"i": i}}) for i in range(8)]
    write(tmp_path / "mine.jsonl", *rows)
    found = general_set(made)
    assert found and shipped and found.answers == {f"q {i}": f"a {i}" for i in range(8)} and shipped.answers == {}
    assert found.key() != shipped.key() and found.prompts == shipped.prompts
    write(tmp_path / "mine.jsonl", *rows, '{"prompt": "b"}')
    with pytest.raises(UserError, match="mine.jsonl:9: no key 'prompt' .there are: completion.|no key"):
        general_set(made)


@pytest.mark.parametrize(
    ("retention", "message"),
    [
        ("{promts: a.jsonl}", "no key in evaluate.retention called 'promts'; did you mean 'prompts'?"),
        ("{prompts: 3}", "evaluate.retention.prompts"),
        ("{prompts: ''}", "evaluate.retention.prompts"),
        ("general.jsonl", "expected false, true or {prompts: FILE, texts: FILE, answers: FILE}"),
        ("[a.jsonl]", "expected false, true or {prompts: FILE, texts: FILE, answers: FILE}"),
    ],
)
def test_a_wrong_setting_is_an_error_in_one_line(tmp_path: Path, retention: str, message: str):
    with pytest.raises(UserError) as error:
        recipe(tmp_path, retention)
    assert message in str(error.value) and "recipe.yaml:" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([*own("text"), '{"prompt": "a"}'], "mine.jsonl:9: no key 'prompt' (there are: text)"),
        ([*own("text"), '{"text": 3}'], "mine.jsonl:9: text: expected a text, found a number"),
        ([*own("text"), '{"text": "  "}'], "mine.jsonl:9: text: expected a text, found an empty text"),
        ([*own("text"), '{"text": "a'], "mine.jsonl:9: "),
        ([*own("text"), "[1]"], "mine.jsonl:9: "),
        ([*own("text"), json.dumps({"text": "a" * 20_001})], "20,001 characters; expected at most 20,000"),
        (own("text", 7), "7 rows; expected at least 8, each with a 'text'"),
        (own("text", 1001), "mine.jsonl:1001: more than 1,000 rows"),
    ],
)
def test_a_wrong_row_is_an_error_with_its_line(tmp_path: Path, lines: list[str], message: str):
    made = recipe(tmp_path, "{texts: mine.jsonl}")
    write(tmp_path / "mine.jsonl", *lines)
    with pytest.raises(UserError) as error:
        general_set(made)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path):
    with pytest.raises(UserError, match=r"recipe.yaml:\d+: evaluate.retention.prompts: there is no file '.*no.jsonl'"):
        general_set(recipe(tmp_path, "{prompts: no.jsonl}"))


def test_a_wrong_file_is_refused_early(tmp_path: Path):
    with pytest.raises(UserError, match="evaluate.retention.prompts: there is no file"):
        check_section(recipe(tmp_path, "{prompts: missing.jsonl}"))
    benchmark = "evaluate: {models: [student], dataset: rl, by: [constraints], benchmark: ./no.yaml}\n"
    with pytest.raises(UserError, match="benchmark: there is no task file"):
        check_section(recipe_with(tmp_path / "a", benchmark))
    with pytest.raises(UserError, match="needs at least one model in 'models' and one scorer in 'by'"):
        check_section(recipe_with(tmp_path / "b", "evaluate: {models: [student], dataset: rl, by: []}\n"))


def test_a_key_that_no_prompt_has_is_refused_early(tmp_path: Path):
    rows = pl.DataFrame({"prompt_id": ["p_1"], "source": "a", "metadata": '{"kind": "x"}'})
    prompts = RowSet("prompts", "prompt_id", [write_stage(Store(tmp_path / "store"), "prompts", rows)])
    text = "evaluate: {models: [student], dataset: rl, by: [constraints], break_down: metadata.KEY}\n"
    check_break_down(recipe_with(tmp_path, text.replace("KEY", "kind")), prompts)
    with pytest.raises(UserError, match="did you mean 'metadata.kind'"):
        check_break_down(recipe_with(tmp_path / "b", text.replace("KEY", "knd")), prompts)
