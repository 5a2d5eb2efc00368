"""``gristmill steps NAME``: the settings of a step, without opening its file."""

import pytest

from cli.step_help import KINDS, step_lines
from curate.steps.find_step import FUNCTIONS, find_step, step_names
from tests.command import call, mistake


def test_a_step_has_its_settings_with_defaults_and_meaning():
    lines = step_lines("minhash")
    assert lines[0] == "dedup: {use: minhash}"
    (threshold,) = [line.split(maxsplit=2) for line in lines if line.startswith("  threshold")]
    assert threshold == ["threshold", "0.8", "The least Jaccard similarity of near-duplicates, in (0, 1]."]
    assert any(line.split()[:2] == ["nfkc", "true"] for line in lines)
    assert any(line.split()[:2] == ["model", "needed"] for line in step_lines("judge"))


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_every_step_has_all_of_its_settings(kind):
    for name in step_names(kind):
        step, text = find_step(kind, name), step_lines(name)
        said = {line.split()[0] for line in text if line.startswith("  ")}
        assert {*step.required, *step.defaults} <= said, name


def test_kinds_trainers_and_verbs(tmp_path):
    assert step_lines(None)[0] == "generate:" and step_lines("select")[0] == "select:"
    assert [line for line in step_lines(None) if line[0] != " " and line.endswith(":")] == [f"{k}:" for k in KINDS]
    assert step_lines("dpo")[0] == "train: {trainer: dpo}" and "type preference" in step_lines("dpo")[1]
    assert "docs/curation.md" in call(tmp_path, "steps", "decontaminate").out
    assert "did you mean 'judge'?" in mistake(call(tmp_path, "steps", "jugde"))
