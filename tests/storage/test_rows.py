"""The rows a run works on: which are in, in what order, and the columns put together from their stages."""

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.datasets.trl_rows import by_prompt
from curate.storage.rows import RowSet, read_all, read_batches, read_groups
from tests.train.tables import turns

VALUES = st.lists(st.none() | st.sampled_from([0.0, 0.5, 1.0, 2.0]), max_size=4)


def prompts(*numbers):
    return pl.DataFrame(
        {
            "prompt_id": [f"p_{i}" for i in numbers],
            "prompt": [f"question {i}" for i in numbers],
            "messages": [turns("user", f"question {i}") for i in numbers],
        },
        schema=dict.fromkeys(("prompt_id", "prompt", "messages"), pl.String),
    )


def candidates(*pairs):
    return pl.DataFrame(
        {
            "completion_id": [c for c, _ in pairs],
            "prompt_id": [p for _, p in pairs],
            "response": [f"answer {c}" for c, _ in pairs],
            "sample_index": range(len(pairs)),
        },
        schema_overrides={"completion_id": pl.String, "prompt_id": pl.String},
    )


def stage(store, **tables):
    stage_id = f"s{len(store.stages()):03d}"
    with store.new_stage(stage_id, "made") as writer:
        for table, parts in tables.items():
            for rows in parts if isinstance(parts, list) else [parts]:
                writer.write(table, rows)
    return store.stage(stage_id)


def scored(store, scorer, **values):
    return stage(
        store,
        scores=pl.DataFrame(
            {"row_id": list(values), "scorer": scorer, "value": list(values.values())},
            schema_overrides={"row_id": pl.String, "value": pl.Float64},
        ),
    )


def rows_of(table, *stages):
    rows = RowSet(table, {"prompts": "prompt_id", "completions": "completion_id"}[table])
    for one in stages:
        rows.add(one)
    return rows


def kept(store, *ids):
    return stage(store, decisions=pl.DataFrame({"row_id": list(ids), "kept": True}))


def test_rows_come_in_the_order_they_were_read_and_each_once(store):
    first = stage(store, prompts=[prompts(3, 1), prompts(2, 3)])
    rows = rows_of("prompts", first, stage(store, prompts=prompts(4, 1)))
    assert read_all(rows, ["prompt"]).rows() == [(f"p_{i}", f"question {i}") for i in (3, 1, 2, 4)]
    assert rows.kept_ids["prompt_id"].to_list() == ["p_3", "p_1", "p_2", "p_4"]


def test_only_rows_that_were_kept_go_on(store):
    rows = rows_of("prompts", stage(store, prompts=prompts(1, 2, 3)))
    rows.keep(pl.DataFrame({"prompt_id": ["p_3", "p_1"]}), kept(store, "p_3", "p_1"))
    assert read_all(rows, ["prompt"])["prompt"].to_list() == ["question 1", "question 3"]


@pytest.mark.parametrize("owners", ["aabbbc", "abcabcba", "a", "", "abab", "ccbbaa"])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_prompts_candidates_share_a_frame_of_bounded_size(store, owners, size):
    made = [(f"c_{i}", f"p_{owner}") for i, owner in enumerate(owners)]
    rows = rows_of("completions", stage(store, completions=[candidates(*made[:2]), candidates(*made[2:])]))
    asked = rows_of("prompts", stage(store, prompts=prompts(*"abc")))
    frames = list(read_groups(rows, ["response"], asked, size))
    assert sorted(i for f in frames for i in f["completion_id"]) == sorted(c for c, _ in made)
    seen = [set(f["prompt_id"]) for f in frames]
    assert all(not one & other for n, one in enumerate(seen) for other in seen[:n]), "a prompt in two frames"
    if sorted(owners) != list(owners) and size == 1 and owners != "ccbbaa":
        assert len(frames) == len(set(owners))
    for frame in frames:
        assert frame["response"].to_list() == [f"answer {c}" for c in frame["completion_id"]]


def test_a_candidate_sees_its_prompt_and_all_scores(store):
    asked = rows_of("prompts", stage(store, prompts=prompts(1, 2)))
    asked.scores["hard"] = [scored(store, "hard", p_1=0.25)]
    made = candidates(("c_a", "p_2"), ("c_b", "p_1"), ("c_c", "p_2"))
    given_ = rows_of("completions", stage(store, completions=made))
    given_.scores["length"] = [scored(store, "length", c_c=3.0, c_a=1.0)]
    frame = read_all(given_, ["response", "prompt", "messages", "length", "hard"], asked)
    assert frame.columns == ["completion_id", "response", "prompt", "messages", "length", "hard"]
    assert frame.drop("messages").rows() == [
        ("c_a", "answer c_a", "question 2", 1.0, None),
        ("c_b", "answer c_b", "question 1", None, 0.25),
        ("c_c", "answer c_c", "question 2", 3.0, None),
    ]
    assert frame["messages"].to_list() == [turns("user", f"question {i}") for i in (2, 1, 2)]  # its prompt's
    assert {*frame.columns} <= {*given_.columns(asked), "messages"}


def test_one_score_read_from_several_stages(store):
    rows = rows_of("prompts", stage(store, prompts=prompts(1, 2, 3)))
    rows.scores["x"] = [scored(store, "x", p_1=1.0), scored(store, "x", p_1=9.0, p_2=2.0)]
    assert read_all(rows, ["x"])["x"].to_list() == [1.0, 2.0, None]


def test_no_rows_is_an_empty_frame_with_the_columns_asked_for():
    asked, given_ = rows_of("prompts"), rows_of("completions")
    given_.scores["x"] = []
    assert list(read_batches(asked, ["prompt"])) == [] == list(read_batches(given_, ["response", "prompt"], asked))
    assert dict(read_all(asked, ["line"]).schema) == {"prompt_id": pl.String, "line": pl.Int64}
    frame = read_all(given_, ["response", "prompt", "messages", "x"], asked)
    assert dict(frame.schema) == {
        "completion_id": pl.String,
        "response": pl.String,
        "prompt": pl.String,
        "messages": pl.String,
        "x": pl.Float64,
    }


def test_a_step_depends_only_on_the_rows_and_scores_it_reads(store):
    def rows(*scores, ids=(1, 2)):
        found = rows_of("prompts", stage(store, prompts=prompts(*ids)))
        found.scores = {name: [scored(store, name, p_1=value)] for name, value in scores}
        return found

    base = rows(("x", 1.0), ("y", 1.0)).fingerprint(["x", "prompt"])
    assert rows(("x", 1.0), ("y", 2.0)).fingerprint(["x", "prompt"]) == base
    assert rows(("x", 1.5), ("y", 1.0)).fingerprint(["x", "prompt"]) != base
    assert rows(("x", 1.0), ("y", 1.0), ids=(1, 2, 3)).fingerprint(["x", "prompt"]) != base
    fewer = rows(("x", 1.0), ("y", 1.0))
    fewer.keep(pl.DataFrame({"prompt_id": ["p_1"]}), kept(store, "p_1"))
    assert fewer.fingerprint(["x", "prompt"]) != base


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(VALUES, min_size=1, max_size=5))
def test_a_pass_rate_is_the_share_of_scored_candidates_at_one(store, tmp_path, found):
    asked = rows_of("prompts", stage(store, prompts=prompts(*range(len(found)))))
    named = {f"c_{p}_{i}": (f"p_{p}", v) for p, values in enumerate(found) for i, v in enumerate(values)}
    made = candidates(*((c, p) for c, (p, _) in named.items()))
    answers = rows_of("completions", stage(store, completions=made))
    answers.scores["x"] = [scored(store, "x", **{c: v for c, (_, v) in named.items()})]
    summary = by_prompt(asked, answers, "x").select(
        "prompt_id", "pass_rate", "n_completions", "x_mean", "x_min", "x_max"
    )
    for values, row in zip(found, summary.rows(named=True), strict=True):
        known = [v for v in values if v is not None]
        assert row["n_completions"] == (len(values) or None)
        if not known:
            assert (row["pass_rate"], row["x_mean"], row["x_min"], row["x_max"]) == (None,) * 4
        else:
            assert row["pass_rate"] == pytest.approx(sum(v >= 1 for v in known) / len(known))
            assert row["x_mean"] == pytest.approx(sum(known) / len(known))
            assert (row["x_min"], row["x_max"]) == (min(known), max(known))
