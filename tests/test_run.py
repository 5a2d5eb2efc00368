"""A recipe from its source to its datasets, on a tiny model: what is made, what is asked, and what is asked again."""

import json
from importlib.util import find_spec

import pytest

from curate.api.run import built, plan, run
from curate.storage.reply_log import costs
from curate.storage.store import Store
from schemas.errors import Failed, UserError
from schemas.load_recipe import load_recipe
from schemas.rows import HISTORY_TABLES, STAGE_TABLES
from tests.jobs import TABLES, job, last_run, query, question, tables

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed"),
]
SEEDS = [question(i) for i in range(20)]


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):
    """A finished run over ``SEEDS``, for tests that only look: its recipe and its store."""
    folder = tmp_path_factory.mktemp("made")
    recipe, store = job(folder, tiny, SEEDS), Store(folder / "store")
    run(recipe, store)
    return recipe, store


def spent(store):
    """Requests asked and reused by the latest run."""
    record = last_run(store)
    assert record["status"] == "finished"
    return record["requests"], record["requests_reused"]


def test_the_tables_are_there_with_their_columns(made):
    _, store = made
    for table, columns in {**{t: STAGE_TABLES[t][0] for t in TABLES}, **HISTORY_TABLES}.items():
        found = {name: kind for name, kind, *_ in query(store, f"SELECT * FROM (DESCRIBE {table})").rows()}
        assert list(found.items())[: len(columns)] == list(columns.items())
        assert query(store, f"SELECT count(*) FROM {table}").item() > 0, table


def test_every_prompt_has_candidates_and_each_candidate_a_score(made):
    _, store = made
    assert query(store, "SELECT count(*) FROM prompts").item() == 20
    assert query(
        store,
        """SELECT count(*), min(n), max(n), min(i), max(i) FROM (SELECT prompt_id, count(*) AS n,
                         string_agg(sample_index::VARCHAR, '' ORDER BY sample_index) AS i FROM completions
                         GROUP BY ALL)""",
    ).row(0) == (20, 4, 4, "0123", "0123")
    wrong = query(
        store,
        """SELECT c.completion_id FROM completions c LEFT JOIN scores s ON s.row_id = c.completion_id
                          WHERE s.value IS DISTINCT FROM length(response) OR scorer <> 'chars'
                          OR response <> messages ->> '$[0].content' OR completion_tokens NOT BETWEEN 1 AND 10
                          OR finish_reason NOT IN ('stop', 'length') OR prompt_tokens IS NULL""",
    )
    assert wrong.height == 0


def test_datasets_hold_the_best_the_worst_and_the_prompts(made):
    _, store = made
    held = """FROM completions JOIN scores s ON row_id = completion_id WHERE s.value >= 2"""
    assert (
        query(
            store,
            f"""SELECT count(*) FROM sft JOIN (SELECT prompt_id, max(value) AS best {held} GROUP BY ALL)
                          USING (prompt_id) WHERE score <> best""",
        ).item()
        == 0
    )
    pairs = query(
        store,
        f"""SELECT p.*, best, worst FROM preferences p JOIN (SELECT prompt_id, max(value) AS best,
                           min(value) AS worst {held} GROUP BY ALL) USING (prompt_id)""",
    )
    assert pairs.height > 15
    for row in pairs.rows(named=True):
        assert row["chosen_score"] == row["best"] > row["rejected_score"] >= row["worst"]
        assert row["chosen"] != row["rejected"] and json.loads(row["prompt"])[0]["role"] == "user"
        assert json.loads(row["chosen"])[0]["role"] == json.loads(row["rejected"])[0]["role"] == "assistant"
    assert query(store, "SELECT count(*) FROM rl_prompts WHERE ground_truth IS NOT NULL").item() == 20


def test_every_decision_names_a_row_and_every_refusal_a_reason(made):
    _, store = made
    lost = query(
        store,
        """SELECT * FROM decisions WHERE row_id NOT IN (SELECT prompt_id FROM prompts
                         UNION ALL SELECT completion_id FROM completions)""",
    )
    assert lost.height == 0
    assert query(store, "SELECT count(*) FROM decisions WHERE kept = (reason IS NOT NULL)").item() == 0
    # A candidate is in the SFT set or there is a decision that says why not.
    silent = query(
        store,
        """SELECT * FROM completions c WHERE completion_id NOT IN (SELECT completion_id FROM sft)
                           AND NOT EXISTS (FROM decisions WHERE row_id = c.completion_id AND NOT kept)""",
    )
    assert silent.height == 0


def test_no_prompt_is_on_two_sides_of_the_split(made):
    _, store = made
    sides = query(
        store,
        """SELECT prompt_id, list(DISTINCT split) AS sides FROM (SELECT prompt_id, split FROM sft
                          UNION ALL SELECT prompt_id, split FROM preferences UNION ALL SELECT prompt_id, split
                          FROM rl_prompts) GROUP BY ALL""",
    )
    assert sides["sides"].list.len().max() == 1
    assert {s for row in sides["sides"] for s in row} == {"train", "test"}


def test_a_second_run_does_nothing_and_the_plan_says_so(made):
    recipe, store = made
    before, stages = tables(store), store.stages()
    found = plan(recipe, store)
    assert found.requests == 0 and all(p.cached for p in found.stages)
    run(recipe, store)
    assert spent(store) == (0, 0) and store.stages() == stages and tables(store) == before
    assert all(stage["reused"] for stage in last_run(store)["stages"])
    assert set(built(recipe, store, ["sft", "dpo", "rl"]).datasets) == {"sft", "dpo", "rl"}


def test_a_larger_n_asks_for_the_new_samples_only(tiny, tmp_path):
    store = Store(tmp_path / "store")
    run(job(tmp_path, tiny, SEEDS[:6], n=2), store)
    assert spent(store) == (12, 0)
    first = {row[0]: row for row in tables(store)["completions"]}
    more = job(tmp_path, tiny, SEEDS[:6], n=4)
    assert plan(more, store).requests == 12
    run(more, store)
    assert spent(store) == (12, 12)
    after = {row[0]: row for row in tables(store)["completions"]}
    assert len(after) == 24 and {key: after[key] for key in first} == first


def test_a_new_prompt_asks_for_itself_only_and_moves_nothing(tiny, tmp_path):
    store = Store(tmp_path / "store")
    run(job(tmp_path, tiny, SEEDS[:6], n=2), store)
    before = tables(store)
    run(job(tmp_path, tiny, [question(99), *SEEDS[:6]], n=2), store)
    assert spent(store) == (2, 12)
    after = tables(store)
    assert {r[:4] for r in before["completions"]} < {r[:4] for r in after["completions"]}
    sides = dict(query(store, "SELECT prompt_id, split FROM rl_prompts").rows())
    assert all(sides[row[1]] == row[-1] for row in before["rl_prompts"])


def test_reordered_prompts_ask_nothing(tiny, tmp_path):
    store = Store(tmp_path / "store")
    run(job(tmp_path, tiny, SEEDS[:6], n=2), store)
    before = tables(store)
    run(job(tmp_path, tiny, SEEDS[5::-1], n=2), store)
    assert spent(store) == (0, 12)
    after = tables(store)
    assert {t: after[t] for t in TABLES if t != "prompts"} == {t: before[t] for t in TABLES if t != "prompts"}
    assert {r[:7] for r in after["prompts"]} == {r[:7] for r in before["prompts"]}  # all but the line they stand on


def test_prompts_that_ask_the_same_words_ask_once(tiny, tmp_path):
    store = Store(tmp_path / "store")
    twins = [{"prompt": "the cat", "ground_truth": truth} for truth in "ab"]
    run(job(tmp_path, tiny, twins, n=2), store)
    assert spent(store) == (2, 0)
    found = query(store, "SELECT count(*), count(DISTINCT completion_id), count(DISTINCT response) FROM completions")
    assert found.row(0) == (4, 4, 2)


def test_two_recipes_share_a_store_and_its_replies(tiny, tmp_path):
    store = Store(tmp_path / "store")
    run(job(tmp_path, tiny, SEEDS[:6], name="one", n=2), store)
    run(job(tmp_path, tiny, SEEDS[3:8], name="two", n=2, datasets="\n  other: {type: sft, by: chars}\n"), store)
    assert spent(store) == (4, 6)
    assert query(store, "SELECT count(*) FROM prompts").item() == 8
    assert query(store, "SELECT count(*), count(DISTINCT completion_id) FROM completions").row(0) == (16, 16)
    assert query(store, "SELECT DISTINCT dataset FROM sft ORDER BY 1")["dataset"].to_list() == ["other", "sft"]
    assert query(store, "SELECT recipe FROM runs ORDER BY run_id")["recipe"].to_list() == ["one", "two"]


def test_a_condition_leaves_held_out_prompts_unasked(tiny, tmp_path):
    store = Store(tmp_path / "store")
    run(
        job(
            tmp_path,
            tiny,
            SEEDS,
            n=1,
            more="where: \"split = 'train'\"",
            datasets="\n  rl: {type: prompt, by: chars}\n",
        ),
        store,
    )
    sides = query(
        store,
        """SELECT split, count(*) AS prompts, count(completion_id) AS asked FROM rl_prompts
                          LEFT JOIN completions USING (prompt_id) GROUP BY ALL ORDER BY ALL""",
    ).rows()
    assert [side for side, *_ in sides] == ["test", "train"]
    (_, held_out, leaked), (_, trained_on, asked) = sides
    assert held_out > 0 and leaked == 0 and asked == trained_on == spent(store)[0]


def test_a_condition_on_scores_of_the_prompts_picks_those_asked(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("def sung(prompt):\n    return prompt.str.contains('sings').cast(float)\n")
    store = Store(tmp_path / "store")
    where = "where: sung = 1"
    recipe = job(tmp_path, tiny, SEEDS[:10], n=1, more=where, datasets="\n  sft: {type: sft, by: chars}\n")
    text = recipe.path.read_text().replace("completions:", "  - score: mine.sung\ncompletions:")
    recipe.path.write_text(text, encoding="utf-8")
    recipe = load_recipe(recipe.path)
    assert plan(recipe, store).requests == 0  # not known yet
    run(recipe, store)
    sung = sum("sings" in row["prompt"] for row in SEEDS[:10])
    assert spent(store) == (sung, 0) and 0 < sung < 10


def test_a_prompt_too_long_is_a_decision_and_the_rest_goes_on(tiny, tmp_path):
    store = Store(tmp_path / "store")
    run(job(tmp_path, tiny, [{"prompt": "the cat " * 300}, *SEEDS[:3]], n=2, more="max_failed: 0.5"), store)
    assert query(store, "SELECT count(*) FROM completions WHERE response IS NOT NULL AND error IS NULL").item() == 6
    failed = query(
        store,
        """SELECT decisions.* FROM completions JOIN prompts USING (prompt_id)
        JOIN decisions ON row_id = completion_id WHERE length(prompt) > 999 AND response IS NULL
        AND decisions.stage LIKE '%generate%'""",
    )
    assert failed.height == 2 and not failed["kept"].any() and set(failed["reason"]) == {"error"}
    assert all("context" in evidence for evidence in failed["evidence"])
    assert query(store, "SELECT 1 FROM sft JOIN completions USING (completion_id) WHERE error NOT NULL").is_empty()
    stages = store.stages()
    run(job(tmp_path, tiny, [{"prompt": "the cat " * 300}, *SEEDS[:3]], n=2, more="max_failed: 0.5"), store)
    assert store.stages() == stages  # it failed for good: the stage is whole
    with pytest.raises(Failed, match="2 requests failed: 2 x .*max_failed allows"):
        run(job(tmp_path, tiny, [{"prompt": "the cat " * 300}, *SEEDS[:4]], n=2, more="max_failed: 0"), store)


def test_a_users_step_that_raises_is_one_error_in_a_whole_store(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("def score(response):\n    raise ValueError('no such luck')\n", encoding="utf-8")
    steps = """
  - generate: {{use: sample, model: student, n: {n}, max_tokens: {max_tokens}{more}}}
  - score: {{use: mine.score, as: chars}}
"""
    store = Store(tmp_path / "store")
    recipe = job(tmp_path, tiny, SEEDS[:4], n=2, completions=steps, datasets="\n  sft: {type: sft, by: chars}\n")
    with pytest.raises(UserError, match=r"^.*job\.yaml:9: score 'mine\.score' failed: ValueError: no such luck$"):
        run(recipe, store)
    assert last_run(store)["status"] == "failed" and "no such luck" in str(last_run(store)["error"])
    assert query(store, "SELECT count(*) FROM completions").item() == 8  # what was paid for is there
    assert not [p for p in (store.path / "stages").iterdir() if p.name.startswith(".") or "score" in p.name]
    (tmp_path / "mine.py").write_text("def score(response):\n    return response.str.len_chars()\n", encoding="utf-8")
    run(recipe, store)
    assert spent(store) == (0, 0)
    assert query(store, "SELECT count(*) FROM scores WHERE value > 0").item() == 8


def test_edited_answers_become_pairs_with_their_originals(tiny, tmp_path):
    steps = """
  - generate: {{use: sample, model: student, n: {n}, max_tokens: 40{more}}}
  - generate: {{use: replace, find: "[a-e]", put: "<G>"}}
  - score: {{use: regex, pattern: "<G>", as: named}}
"""
    store = Store(tmp_path / "store")
    run(
        job(
            tmp_path,
            tiny,
            SEEDS[:8],
            n=2,
            completions=steps,
            datasets="\n  pairs: {type: preference, select: rewritten, by: named}\n",
        ),
        store,
    )
    pairs = query(
        store,
        """SELECT c.response AS chosen, r.response AS rejected, c.parent_id, r.completion_id,
                          chosen_score, rejected_score, p.prompt_id = c.prompt_id AND c.prompt_id = r.prompt_id AS same
                          FROM preferences p JOIN completions c ON chosen_id = c.completion_id
                          JOIN completions r ON rejected_id = r.completion_id""",
    )
    edited = query(
        store,
        """SELECT count(*) FROM completions
                           WHERE parent_id IS NULL AND regexp_matches(response, '[a-e]')""",
    ).item()
    assert pairs.height == edited > 8
    for row in pairs.rows(named=True):
        assert row["parent_id"] == row["completion_id"] and row["same"]
        assert "<G>" in row["chosen"] and "<G>" not in row["rejected"]
        assert (row["chosen_score"], row["rejected_score"]) == (1.0, 0.0)


def test_a_wrong_recipe_is_refused_before_anything_is_made(tiny, tmp_path):
    store = Store(tmp_path / "store")
    recipe = job(tmp_path, tiny, SEEDS[:4], datasets="\n  sft: {type: sft, by: charz}\n")
    with pytest.raises(UserError, match="did you mean 'chars'"):
        run(recipe, store)
    assert store.stages() == {} and store.runs() == [] and not list((store.path / "replies").iterdir())


def test_other_weights_are_another_model(tiny, tmp_path):
    import shutil

    shutil.copytree(tiny, tmp_path / "other")
    config = json.loads((tmp_path / "other" / "generation_config.json").read_text())
    (tmp_path / "other" / "generation_config.json").write_text(json.dumps(config | {"note": "changed"}))
    store = Store(tmp_path / "store")
    for model in (tiny, tmp_path / "other"):
        run(job(tmp_path, model, SEEDS[:2], n=1), store)
        assert spent(store) == (2, 0)
    assert len({row["identity"] for row in costs(store)}) == 2
