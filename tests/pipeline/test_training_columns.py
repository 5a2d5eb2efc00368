"""The columns of an earlier training in the conditions of a later recipe: which training, and what of it."""

import json

import pytest

from curate import plan, run
from curate.storage.store import Store
from schemas.errors import UserError
from tests.jobs import query
from tests.trainings import trained

pytestmark = pytest.mark.slow  # whole runs: seconds for the file

ROWS = [{"prompt": f"{n}?", "completion": f"answer {n}"} for n in range(4)]
NOISY = [{"filter": {"noisy": "loss_last > 1"}}]


OTHER = {"prompt": "new?", "completion": "yes"}


def recipe(tmp_path, name, completions=(), rows=ROWS, **datasets):
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = {"name": name, "prompts": [{"source": str(tmp_path / "rows.jsonl")}], "completions": [*completions]}
    return made | {"datasets": datasets or {"all": {"type": "sft"}}}


@pytest.fixture
def first(tmp_path, store):
    """A store in which a recipe called round1 has made SFT rows; returns their ids, in order."""
    return run(recipe(tmp_path, "round1"), store).datasets["all"]["row_id"].to_list()


def losses(ids, *last):
    return [row for id, loss in zip(ids, last, strict=False) for row in ((id, 1, 3.0), (id, 2, loss))]


def kept(result, dataset="all"):
    return [json.loads(row)[0]["content"] for row in result.datasets[dataset]["completion"]]


def stage_line(result_or_plan, label="completions.score.training"):
    return next(one.note for one in result_or_plan.stages if one.label == label)


def test_a_condition_reads_the_last_training_of_another_recipe(tmp_path, store, first):
    trained(store, "round1", "old", "all", losses(first, 5, 5, 5, 5), made="2026-11-29T05")
    last = trained(store, "round1", "sft", "all", losses(first, 0.1, 2.5, 0.2), made="2026-11-29T06")
    second = recipe(tmp_path, "round2", NOISY)
    found = plan(second, store)
    said = f"of round1/sft ({last.stage_id}, finished 2026-11-29 06:00) for 3 of 4 candidates"
    assert stage_line(found).startswith("loss_first, loss_last, loss_mean") and said in stage_line(found)
    result = run(second, store)
    assert kept(result) == ["answer 0", "answer 2", "answer 3"]
    held = query(store, "SELECT scorer, value FROM scores WHERE row_id LIKE 'c_%' AND scorer LIKE 'loss_%'")
    assert sorted(held.filter(scorer="loss_mean")["value"]) == [1.55, 1.6, 2.75]
    assert set(held.filter(scorer="loss_first")["value"]) == {3.0}
    assert {stage.cached for stage in plan(second, store).stages} == {True}


def test_a_later_training_changes_the_result_unless_one_is_named(tmp_path, store, first):
    old = trained(store, "round1", "sft", "all", losses(first, 0.1, 2.5), made="2026-11-29T05")
    last, named = recipe(tmp_path, "last", NOISY), {}
    for how, of in (("by_name", "round1/sft"), ("by_id", old.stage_id[:6])):
        named[how] = recipe(tmp_path, how, [{"score": {"use": "training", "of": of}}, *NOISY])
    for one in (last, *named.values()):
        assert kept(run(one, store)) == ["answer 0", "answer 2", "answer 3"]
    new = trained(store, "round1", "again", "all", losses(first, 2.5, 0.1), made="2026-11-29T07")
    assert kept(run(last, store)) == ["answer 1", "answer 2", "answer 3"]
    assert new.stage_id in stage_line(plan(last, store))
    for one in named.values():
        assert old.stage_id in stage_line(plan(one, store)) and stage_line(plan(one, store))
        assert all(stage.cached for stage in plan(one, store).stages)


def test_a_recipe_never_depends_on_its_own_trainings(tmp_path, store, first):
    base = trained(store, "round1", "sft", "all", losses(first, 0.1, 2.5), made="2026-11-29T05")
    second = recipe(tmp_path, "round2", NOISY)
    rows = run(second, store).datasets["all"]["row_id"].to_list()
    own = trained(store, "round2", "sft", "all", losses(rows, 9, 9, 9), made="2026-11-29T06")
    third = recipe(tmp_path, "round3", NOISY)
    assert run(third, store).datasets["all"].height == 1  # the last is round2's
    trained(store, "round3", "sft", "all", losses(first, 9, 9, 9, 9), made="2026-11-29T08")
    assert base.stage_id in stage_line(plan(second, store))
    for of in ("round2/sft", "round3/sft"):
        with pytest.raises(UserError, match="no recipe can depend on its own trainings"):
            plan(recipe(tmp_path, "round2", [{"score": {"use": "training", "of": of}}]), store)
    by_id = recipe(tmp_path, "round2", [{"score": {"use": "training", "of": own.stage_id}}, *NOISY])
    assert own.stage_id in stage_line(plan(by_id, store)), "a finished one is a fact, and named by its id no other"


def test_nothing_to_read_is_an_error_in_one_line(tmp_path, store, first):
    with pytest.raises(
        UserError, match=r"recipe: completions\[0\]: no training of another recipe .* has loss_last for"
    ):
        plan(recipe(tmp_path, "round2", NOISY), store)
    trained(store, "round1", "sft", "all", losses(first, 0.1), made="2026-11-29T05")
    with pytest.raises(UserError, match=r"has margin_last for these 4 rows; train a recipe on these rows first"):
        plan(recipe(tmp_path, "round2", [{"filter": {"x": "margin_last < 0"}}]), store)
    with pytest.raises(UserError, match=r"round1/sft .* is of 'round1' itself"):
        plan(recipe(tmp_path, "round1", NOISY), store)
    with pytest.raises(UserError, match=r"no training in this store called 'round1/sfd'; .*'round1/sft'"):
        plan(recipe(tmp_path, "round2", [{"score": {"use": "training", "of": "round1/sfd"}}]), store)
    with pytest.raises(UserError, match="no setting of score training called 'off'"):
        plan(recipe(tmp_path, "round2", [{"score": {"use": "training", "off": "sft"}}]), store)


def test_a_step_that_names_a_training_is_the_only_source(tmp_path, store, first):
    trained(store, "round1", "sft", "all", losses(first, 0.1), made="2026-11-29T05")
    pairs = [(id, 1, 0.7, 0.2) for id in first]
    trained(store, "round1", "dpo", "all", pairs, made="2026-11-29T06")
    both = {"filter": {"noisy": "loss_last > 2", "turned": "margin_last > 0.1"}}
    found = stage_line(plan(recipe(tmp_path, "round2", [both]), store))
    assert "margin_last of round1/dpo" in found, "the last that has all that is named"
    named = {"score": {"use": "training", "of": "round1/sft"}}
    with pytest.raises(UserError, match=r"completions\[1\]: margin_last: no step .* above gives it"):
        plan(recipe(tmp_path, "round2", [named, both]), store)
    with pytest.raises(UserError, match=r"the training 'round1/sft' \(\w+\) has none of loss_first, .* these 1 rows"):
        plan(recipe(tmp_path, "round2", [{"filter": {"x": "prompt <> '9?'"}}, named], rows=[OTHER]), store)
    two = [named, {"score": {"use": "training", "of": "round1/dpo"}}]
    result = run(recipe(tmp_path, "round2", [*two, both]), store)
    assert result.datasets["all"].height == 0 and "margin_last of round1/dpo" in stage_line(
        plan(recipe(tmp_path, "round2", two), store), "completions.score.training.2"
    )
    with pytest.raises(UserError, match="no training .* has any of entropy_last, reward_mean for these 4 rows"):
        plan(recipe(tmp_path, "round2", [*two, {"score": "training"}]), store)


def test_a_word_that_is_no_column_asks_for_no_training(tmp_path, store):
    condition = {"filter": {"x": "metadata ->> 'loss_last' = '3'", "y": "response = 'loss_last'"}}
    assert len(kept(run(recipe(tmp_path, "round2", [condition]), store))) == 4


def test_a_pair_gives_both_its_answers_its_margin(tmp_path, store):
    row = {"prompt": "a?", "chosen": "good", "rejected": "bad"}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(row))
    first = {"name": "round1", "prompts": [{"source": str(tmp_path / "pairs.jsonl")}], "completions": []}
    first["datasets"] = {"pairs": {"type": "preference"}}
    ids = run(first, store).datasets["pairs"]["row_id"].to_list()
    trained(store, "round1", "dpo", "pairs", [(ids[0], 1, 0.7, 0.0), (ids[0], 2, 0.9, -0.4)])
    second = first | {"name": "round2", "datasets": {"pairs": {"type": "preference", "where": "margin_last > -1"}}}
    result = run(second, store)
    assert result.datasets["pairs"].height == 1
    held = query(store, "SELECT scorer, value FROM scores WHERE scorer = 'margin_last'")["value"].to_list()
    assert held == [-0.4, -0.4]
    assert result.datasets["pairs"]["chosen_score"].to_list() == [1.0], "a margin is no score to choose by"


def test_rewards_of_a_prompts_answers_choose_prompts(tmp_path, store):
    ids = run(recipe(tmp_path, "round1", rl={"type": "prompt"}), store).datasets["rl"]["row_id"].to_list()
    told = [(ids[0], 1, 0, "right", 1.0), (ids[0], 1, 1, "right", 0.0), (ids[0], 1, 1, "short", 1.0)]
    settings = {"rewards": ["right", "short"], "reward_weights": [1.0, 0.5]}
    rollouts = [*told, (ids[1], 2, 0, "right", 1.0), (ids[2], 2, 0, "right", None)]
    trained(store, "round1", "grpo", "rl", rollouts=rollouts, settings=settings)
    second = recipe(tmp_path, "round2", rl={"type": "prompt", "where": "reward_mean < 0.9"})
    assert stage_line(plan(second, store), "prompts.score.training").startswith("reward_mean of round1/grpo")
    result = run(second, store)
    assert result.datasets["rl"]["row_id"].to_list() == [ids[0]]
    assert query(store, "SELECT value FROM scores WHERE scorer = 'reward_mean'")["value"].to_list() == [0.75, 1.0]


def test_divergences_of_a_distillation_choose_prompts(tmp_path, store):
    ids = run(recipe(tmp_path, "round1", rl={"type": "prompt"}), store).datasets["rl"]["row_id"].to_list()
    answers = [(ids[0], 1, 0, "divergence", 0.2), (ids[1], 1, 0, "divergence", 1.5)]
    trained(store, "round1", "distill", "rl", losses(ids, 0.2, 1.5), rollouts=answers)
    second = recipe(tmp_path, "round2", rl={"type": "prompt", "where": "loss_last > 1"})
    assert run(second, store).datasets["rl"]["row_id"].to_list() == [ids[1]]
    with pytest.raises(UserError, match="has reward_mean for these 4 rows"):
        plan(recipe(tmp_path, "round2", rl={"type": "prompt", "where": "reward_mean > 1"}), store)


def test_the_rows_of_a_smoke_run_are_not_the_last_training(tmp_path, store, first):
    trained(store, "round1.limit2", "sft", "all", losses(first, 2, 2), what={"limit": 2})
    with pytest.raises(UserError, match="no training of another recipe"):
        plan(recipe(tmp_path, "round2", NOISY), store)
    by_name = recipe(tmp_path, "round2", [{"score": {"use": "training", "of": "round1.limit2/sft"}}, *NOISY])
    assert kept(run(by_name, store)) == ["answer 2", "answer 3"]


def test_where_rows_are_generated_first_the_error_comes_later(tmp_path):
    new = recipe(tmp_path, "round2", [{"generate": {"use": "replace", "find": "a", "put": "b"}}, *NOISY])
    store = Store(tmp_path / "store")
    assert "completions.score.training" in {stage.label for stage in plan(new, store).stages}
    with pytest.raises(UserError, match="no training of another recipe in this store has loss_last"):
        run(new, store)


def test_margins_of_bad_answers_are_turned_round(tmp_path, store):
    """As the training's own dataset labelled them, though a later one with the same rows has other labels."""
    rows = [{"prompt": f"{n}?", "completion": f"answer {n}", "label": n < 2} for n in range(4)]
    first = recipe(tmp_path, "round1", rows=rows, thumbs={"type": "unpaired"})
    run(first, store)
    ids = dict(query(store, "SELECT completion ->> '$[0].content', row_id FROM unpaired").rows())
    (own,) = store.stages_labelled("datasets.thumbs")
    gains = {"answer 0": 2.0, "answer 1": -0.5, "answer 2": -1.5, "answer 3": 0.5}
    told = [(ids[answer], 1, 0.5, gain) for answer, gain in gains.items()]
    run(first | {"datasets": {"thumbs": {"type": "unpaired", "by": "label", "threshold": 2.0}}}, store)
    trained(store, "round1", "kto", "thumbs", told, info={"dataset": own.stage_id})
    doubtful = [{"filter": {"doubtful": "margin_last < 0"}}]
    result = run(recipe(tmp_path, "round2", doubtful, rows=rows, thumbs={"type": "unpaired"}), store)
    assert kept(result, "thumbs") == ["answer 0", "answer 2"], "a well-learnt bad answer stays, an unlearnt one goes"


def test_a_later_training_on_another_scale_is_said(tmp_path, store, first):
    trained(store, "round1", "sft", "all", losses(first, 0.1, 2.5), made="2026-11-29T05")
    trained(store, "round1", "dpo", "all", losses(first, 0.6, 0.7), made="2026-11-29T06", trainer="dpo")
    result = run(recipe(tmp_path, "round2", NOISY), store)
    (said,) = [one.text for one in result.warnings if one.stage == "completions.score.training"]
    assert said.startswith("loss_first, loss_last, loss_mean are of the trainer dpo, as round1/dpo finished last; ")
    assert "another scale such columns are there of round1/sft (sft);" in said and "of: round1/sft" in said
    for of in ("round1/dpo", "round1/sft"):
        named = run(recipe(tmp_path, of[-3:], [{"score": {"use": "training", "of": of}}, *NOISY]), store)
        assert not [one for one in named.warnings if "another scale" in one.text]


def test_a_column_that_is_nearly_a_trainings_is_named(tmp_path, store, first):
    trained(store, "round1", "sft", "all", losses(first, 0.1))
    with pytest.raises(UserError, match=r"no column 'los_last'; did you mean 'loss_last', a column of an earlier"):
        plan(recipe(tmp_path, "round2", [{"filter": {"x": "los_last > 1"}}]), store)
    with pytest.raises(UserError) as other:
        plan(recipe(tmp_path, "round2", [{"filter": {"x": "respons = 'a'"}}]), store)
    assert "did you mean 'loss" not in str(other.value)


def test_two_steps_with_the_same_columns_are_refused(tmp_path, store, first):
    for name in ("sft", "again"):
        trained(store, "round1", name, "all", losses(first, 0.1))
    two = [{"score": {"use": "training", "of": f"round1/{name}"}} for name in ("sft", "again")]
    with pytest.raises(
        UserError, match=r"columns of 'round1/again' \(\w+\) are there already, .*: loss_first, loss_la"
    ):
        plan(recipe(tmp_path, "round2", two), store)
