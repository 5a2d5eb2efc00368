"""Expert iteration by the command line: a tiny model answers, is trained on its best answers, and answers again."""

from pathlib import Path

import pytest

from curate.storage.store import Store
from curate.storage.training_records import training_records
from tests.command import call
from tests.optional import needs
from tests.train.rounds.recipes import done, sql, write
from train import train as train_recipe

pytestmark = [needs("trl"), pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which two rounds were made: the first as the recipe without rounds, the second by ``rounds``."""
    folder = tmp_path_factory.mktemp("rounds")
    write(folder, tiny, rounds=None)
    done(folder, "run", "r.yaml")
    done(folder, "train", "r.yaml")
    write(folder, tiny)
    return folder


def test_rounds_go_on_from_the_recipe_without_them(folder: Path):
    before = len(Store(folder / "store").stages())
    planned = done(folder, "check", "r.yaml", "--rows", "0")
    assert "at most 3 rounds: from the second on student is the model of train.sft of the round before" in planned.out
    first = done(folder, "train", "r.yaml", "--set", "rounds.most=1")
    assert "round 1: train.sft" in first.err and "the round is done" in first.err
    assert len(Store(folder / "store").stages()) == before + 1  # the evaluation alone
    assert sql(folder, "SELECT count(*) FROM trainings") == [(1,)]


def test_each_round_learns_from_its_own_answers(folder: Path):
    ended = done(folder, "train", "r.yaml")
    assert "round 1 is done already: train.sft" in ended.err and "round 2 of at most 3" in ended.err
    assert "all 3 rounds are done" in ended.err
    rounds = sql(
        folder,
        "SELECT DISTINCT s.recipe, t.training_id, t.base, t.model FROM trainings t JOIN stages s "
        "ON s.stage_id = t.training_id ORDER BY 1",
    )
    assert [(recipe, model) for recipe, _, _, model in rounds] == [
        ("loop", "student"),
        ("loop.round2", "sft.round1"),
        ("loop.round3", "sft.round2"),
    ]
    ids, bases = [one[1] for one in rounds], [one[2] for one in rounds]
    assert bases[1] == f"{bases[0]}>{ids[0]}" and bases[2] == f"{bases[1]}>{ids[1]}"
    for number, recipe in enumerate(["loop", "loop.round2", "loop.round3"]):
        ((models, count),) = sql(folder, "SELECT list(DISTINCT model), count(*) FROM completions", recipe)
        assert [model.split(">")[1:] for model in models] == [ids[:number]] and count == 24 * 8
    means = [sql(folder, "SELECT avg(value) FROM scores WHERE scorer = 'es'", one[0])[0][0] for one in rounds]
    assert means[0] < means[1] < means[2] and means[2] > 1.5 * means[0], "it learns to write the letter"
    held_out = "prompt_id IN (SELECT prompt_id FROM evaluations)"
    assert sql(folder, f"SELECT count(*) FROM sft WHERE {held_out}") == [(0,)]
    assert sql(folder, f"SELECT count(*) FROM completions WHERE {held_out}") == [(0,)]


def test_all_rounds_are_evaluated_side_by_side(folder: Path):
    shown = done(folder, "evaluate", "r.yaml")
    models = sql(folder, "SELECT model, split, count(*), count(DISTINCT evaluation_id) FROM evaluations GROUP BY ALL")
    names = ("student", "sft.round1", "sft.round2", "sft.round3")
    assert sorted(models) == sorted((name, split, 32, 1) for name in names for split in ("dev", "test"))
    for text in (*names, "loop.round2", "Rounds of train.sft", "best"):
        assert text in shown.out
    # Each round's answers are asked once: 3 x 24 x 8 candidates, 4 x 16 x 4 answers to held-out prompts.
    (requests,) = sql(folder, "SELECT sum(requests) FROM runs")[0]
    assert requests == 3 * 24 * 8 + 4 * 16 * 4


def test_nothing_is_made_twice(folder: Path):
    before, requests = len(Store(folder / "store").stages()), sql(folder, "SELECT sum(requests) FROM runs")
    again = done(folder, "train", "r.yaml")
    assert "round 3 is done already" in again.err and "round 3 of at most" not in again.err
    ran = done(folder, "run", "r.yaml")
    assert "all 3 rounds are done" in ran.err and "--recipe loop.round3" in ran.out
    assert "all 3 rounds are done" in done(folder, "check", "r.yaml", "--rows", "0").out
    assert len(Store(folder / "store").stages()) == before
    assert sql(folder, "SELECT sum(requests) FROM runs") == requests


def test_the_best_round_is_named_and_found(folder: Path):
    said = done(folder, "train", "r.yaml")
    best = sql(
        folder,
        "SELECT model FROM evaluations WHERE split = 'dev' AND model <> 'student' GROUP BY 1 ORDER BY avg(value) DESC",
    )[0][0]
    number = int(best.removeprefix("sft.round"))
    title = "loop/sft" if number == 1 else f"loop.round{number}/sft"
    assert f"is round {number} (" in said.err and said.out.splitlines()[-2].startswith(f"{title}: ")
    told = done(folder, "why", "loop.round2/sft").out
    assert "sft.round1: loop/sft (" in told and "sft, of the recipe loop.round2" in told
    assert train_recipe(folder / "r.yaml", folder / "store")["sft"].path.parent.name.endswith(_id(folder, title))


def _id(folder: Path, title: str) -> str:
    return next(one.id for one in training_records(Store(folder / "store")) if one.title == title)


def test_rounds_end_where_the_score_does_not_rise(folder: Path):
    ended = done(folder, "train", "r.yaml", "--set", "rounds={most: 9, split: dev, threshold: 100}")
    assert "ended after round 1 of at most 9: the last round is no better than student" in ended.err
    assert "by es on 'dev' no round is better than student (" in ended.err
    patient = done(folder, "train", "r.yaml", "--set", "rounds={most: 9, split: dev, threshold: 100, patience: 2}")
    assert "ended after round 2 of at most 9: the last 2 rounds are no better than student" in patient.err


def test_a_single_held_out_split_is_a_warning(folder: Path):
    said = done(folder, "train", "r.yaml", "--set", "evaluate.split=dev", "--set", "rounds.most=1")
    assert "the split 'dev' says which round is the best, so the best round's figure on it is too good" in said.err


def test_trainings_named_have_the_one_of_the_student(folder: Path):
    write_other = ["--set", "train.other={trainer: sft, dataset: sft, model: student, max_steps: 1}"]
    refused = call(folder, "train", "r.yaml", "other", *write_other, "--set", "rounds.train=sft")
    assert refused.code == 2 and "each round needs train.sft, whose model is the student of the next" in refused.err
