"""The matched control: as much as the dataset has, of the same candidates, and what it says where that cannot be."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from curate.api.run import plan, run
from curate.storage.store import Store
from schemas.errors import UserError
from tests.choosing import built, pairs, picks, recipe, recorded
from tests.jobs import query

pytestmark = pytest.mark.slow  # seconds for the file

SPLIT = "split: {test: 0.3}\n"
ROWS = [
    recorded(
        f"question {n}",
        *((f"answer {n}.{k} " + "so " * (k + n % 3), (n * 7 + k * 3) % 11 / 10) for k in range(2 + n % 4)),
    )
    for n in range(40)
]


def per_prompt(store, table, dataset):
    return dict(
        query(store, f"SELECT prompt_id, count(*) FROM {table} WHERE dataset = '{dataset}' GROUP BY ALL").rows()
    )


def per_split(store, table, dataset):
    return dict(query(store, f"SELECT split, count(*) FROM {table} WHERE dataset = '{dataset}' GROUP BY ALL").rows())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return built(
        tmp_path_factory.mktemp("made"),
        ROWS,
        """
        best: {type: sft, select: best_of_n, by: quality, where: quality > 0.4, control: random}
        passed: {type: sft, select: rejection, at: 0.5, by: quality, dedup: exact, control: random}
        top: {type: sft, select: top_k_overall, keep: 30, by: quality, control: random}
        drawn: {type: sft, select: weighted, keep: 0.2, by: quality, control: random}
        few: {type: sft, by: quality, diverse: {use: random, keep: 7}, control: random}
        spread: {type: preference, select: ranked, by: quality, diverse: {use: random, keep: 9}, control: random}
        dpo: {type: preference, select: ranked, by: quality, length_band: 0.7, control: random}
        hard: {type: prompt, by: quality, where: quality_mean < 0.5, control: random}""",
        SPLIT,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["best", "passed"])
def test_a_choice_within_prompts_keeps_prompts_and_their_counts(made, name):
    store, said = made
    assert per_prompt(store, "sft", f"{name}_random") == per_prompt(store, "sft", name) != {}
    assert said[f"{name}_random"].endswith(f"drawn at random of 140 candidates, as many as {name}")
    assert picks(store, f"{name}_random") != picks(store, name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("top", "sft"),
        ("drawn", "sft"),
        ("few", "sft"),
        ("spread", "preferences"),
        ("hard", "rl_prompts"),
    ],
)
def test_a_choice_over_all_has_as_many_rows_in_each_split(made, name, table):
    store, _ = made
    assert per_split(store, table, f"{name}_random") == per_split(store, table, name)
    assert set(per_split(store, table, name)) == {"train", "test"}
    assert per_prompt(store, table, f"{name}_random") != per_prompt(store, table, name)


@pytest.mark.slow
def test_pairs_keep_each_prompts_count_and_choose_the_higher(made):
    store, _ = made
    assert per_prompt(store, "preferences", "dpo_random") == per_prompt(store, "preferences", "dpo") != {}
    rows = query(
        store,
        """SELECT *, chosen ->> '$[0].content' AS yes, rejected ->> '$[0].content' AS no
                         FROM preferences WHERE dataset = 'dpo_random'""",
    )
    assert (rows["chosen_score"] > rows["rejected_score"]).all() and (rows["yes"] != rows["no"]).all()
    assert rows["row_id"].n_unique() == rows.height
    assert pairs(store, "dpo_random") != pairs(store, "dpo")


@pytest.mark.slow
def test_the_control_is_blind_to_the_score(made):
    store, _ = made
    mean = "SELECT avg(score) FROM sft WHERE dataset = '{}'"
    everyone = query(store, "SELECT avg(value) FROM scores").item()
    control, best = (query(store, mean.format(name)).item() for name in ("best_random", "best"))
    assert best - everyone > 0.25 and abs(control - everyone) < 0.15


@pytest.mark.slow
def test_every_candidate_that_was_not_drawn_has_a_decision(made):
    store, _ = made
    rows = query(
        store,
        """SELECT kept, reason, count(*) AS n FROM decisions WHERE stage = 'datasets.top_random.control'
                         GROUP BY ALL ORDER BY ALL""",
    ).rows()
    assert rows == [(False, "not drawn: the random control of top", 110), (True, None, 30)]
    drawn = query(
        store,
        """SELECT count(*) FROM sft WHERE dataset = 'top_random' AND completion_id IN
                          (SELECT row_id FROM decisions WHERE stage = 'datasets.top_random.control' AND kept)""",
    )
    assert drawn.item() == 30


@pytest.mark.slow
def test_a_second_run_draws_nothing_but_another_choice_does(made, tmp_path):
    views = "top: {{type: sft, select: top_k_overall, keep: {}, by: quality, control: random}}"
    store = Store(tmp_path / "store")
    run(recipe(tmp_path, ROWS, views.format(9), SPLIT), store)
    stages = store.stages()
    again = recipe(tmp_path, ROWS, views.format(9), SPLIT)
    assert all(planned.cached for planned in plan(again, store).stages)
    run(again, store)
    assert store.stages() == stages
    more = recipe(tmp_path, ROWS, views.format(11), SPLIT)
    assert [p.label for p in plan(more, store).stages if not p.cached] == ["datasets.top", "datasets.top_random"]
    run(more, store)
    assert len(picks(store, "top_random")) == 11


def tokens(store, table, dataset, columns):
    total = " + ".join(f"(SELECT sum(completion_tokens) FROM completions WHERE completion_id = t.{c})" for c in columns)
    return dict(
        query(store, f"SELECT split, sum({total}) FROM {table} t WHERE dataset = '{dataset}' GROUP BY 1").rows()
    )


@pytest.mark.slow
def test_as_many_tokens_where_tokens_are_to_match(tmp_path):
    rows = [
        {
            "prompt": f"q{n}",
            "completions": [
                {"response": f"{n} {k}", "quality": k / 10, "completion_tokens": 5 + 10 * k + n % 7} for k in range(6)
            ],
        }
        for n in range(60)
    ]
    store, said = built(
        tmp_path,
        rows,
        """
        best: {type: sft, select: best_of_n, by: quality, control: random, match: tokens}
        top: {type: sft, select: top_k_overall, keep: 40, by: quality, control: random, match: tokens}
        dpo: {type: preference, by: quality, control: random, match: tokens}""",
        SPLIT,
    )
    for table, name, columns in (
        ("sft", "best", ["completion_id"]),
        ("sft", "top", ["completion_id"]),
        ("preferences", "dpo", ["chosen_id", "rejected_id"]),
    ):
        ours, theirs = (tokens(store, table, dataset, columns) for dataset in (f"{name}_random", name))
        assert set(ours) == set(theirs)
        assert all(abs(ours[split] - theirs[split]) <= 61 for split in theirs), (name, ours, theirs)
        told = f"{int(sum(ours.values())):,} tokens for the {int(sum(theirs.values())):,} of {name}"
        assert told in said[f"{name}_random"]
    # the best are the longest here, so each prompt has a row more often than once, and none is left out
    counts = per_prompt(store, "sft", "best_random")
    assert set(counts) == set(per_prompt(store, "sft", "best")) and max(counts.values()) == 2 > min(counts.values())


def test_characters_stand_for_tokens_where_nobody_counted(tmp_path):
    rows = [recorded(f"q{n}", *((f"{n}" + "abcd" * (k + 1), k) for k in range(4))) for n in range(20)]
    view = "best: {type: sft, by: quality, select: best_of_n, control: random, match: tokens}"
    store, _ = built(tmp_path, rows, view)
    ours, theirs = (sum(len(text) for _, text in picks(store, name)) for name in ("best_random", "best"))
    assert abs(ours - theirs) <= 18 and len(picks(store, "best_random")) > 20


def test_a_rule_without_a_score_draws_from_its_own_pairs(tmp_path):
    rows = [
        recorded(
            f"q{n}",
            *((f"big {n}.{k}", None, "big") for k in range(3)),
            *((f"small {n}.{k}", None, "small") for k in range(3)),
        )
        for n in range(20)
    ]
    store, said = built(
        tmp_path,
        rows,
        """
        delta: {type: preference, select: own_vs_teacher, teacher: big, student: small, max_pairs: 1,
                where: "sample_index <> 0", control: random}""".replace("\n                ", " "),
    )
    drawn = pairs(store, "delta_random")
    assert len(drawn) == len(pairs(store, "delta")) == 20
    assert all(c.startswith("big") and r.startswith("small") for _, c, r in drawn)
    assert any(c.endswith(".0") for _, c, _ in drawn), "the condition is the choice's, not the control's"


OWN = '''"""Every answer over every other, whatever their scores."""
import polars as pl


def pair(prompt_id, completion_id, score):
    """Pairs."""
    rows = pl.DataFrame([prompt_id, completion_id, score])
    both = rows.join(rows, on="prompt_id", suffix="_r").filter(pl.col("completion_id") < pl.col("completion_id_r"))
    return both.select(chosen_id="completion_id", rejected_id="completion_id_r")
'''


def test_a_control_that_runs_short_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN, encoding="utf-8")
    rows = [recorded("tied", ("a", 0.5), ("b", 0.5)), recorded("apart", ("c", 1.0), ("d", 0.5))]
    store, said = built(tmp_path, rows, "d: {type: preference, select: mine.pair, by: quality, control: random}")
    assert len(pairs(store, "d")) == 2 and pairs(store, "d_random") == [("apart", "c", "d")]
    assert said["d_random"].endswith("; 1 fewer than d: its prompts have no more pairs to draw")


def test_a_control_that_cannot_but_be_the_dataset_says_so(tmp_path):
    rows = [{"prompt": f"q{n}", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(4)]
    _, said = built(
        tmp_path,
        rows,
        """
        pairs: {type: preference, control: random}
        best: {type: sft, select: best_of_n, control: random}
        all: {type: sft, select: all, control: random}""",
    )
    told = "; these are the rows of {}: there is nothing else to draw"
    assert said["pairs_random"].endswith(told.format("pairs")) and said["all_random"].endswith(told.format("all"))
    assert "nothing else" not in said["best_random"]


def test_a_control_can_be_trained_and_evaluated_on(tmp_path):
    views = "s: {type: sft, by: quality, select: best_of_n, control: random}"
    more = "models: {m: smollm2-135m}\ntrain:\n  a: {trainer: sft, dataset: s_random, model: m}\n"
    found = recipe(tmp_path, ROWS, views, more)
    assert list(found.datasets) == ["s", "s_random"] and found.train["a"].dataset == "s_random"
    assert found.datasets["s_random"].control_of == "s" and found.datasets["s_random"].control == []
    with pytest.raises(UserError, match="no dataset 's_radom'; did you mean 's_random'"):
        recipe(tmp_path, ROWS, views, more.replace("s_random", "s_radom"))


@pytest.mark.parametrize(
    ("views", "words"),
    [
        ("s: {type: sft, control: best}", "control: .*'random'"),
        ("s: {type: sft, match: tokens}", "datasets.s.match: .*add 'control: random'"),
        ("s: {type: sft, control: random, match: words}", "'rows' or 'tokens'"),
        ("s: {type: prompt, control: random, match: tokens}", "prompts are matched by 'rows'"),
        ("s: {type: sft, control: random}\ns_random: {type: sft}", "is the name of the control of 's'"),
        ("s: {type: sft, control_of: t}", "'control_of' is set by gristmill"),
    ],
)
def test_a_control_that_makes_no_sense_is_refused(tmp_path, views, words):
    with pytest.raises(UserError, match=words) as caught:
        recipe(tmp_path, ROWS, views)
    assert "r.yaml:" in str(caught.value)


VALUES = st.lists(st.none() | st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=5)
SCORES = st.lists(VALUES, min_size=1, max_size=6)
TEXTS = st.lists(st.sampled_from(["Yes", " Yes", "No", "No\n", "maybe"]), min_size=5, max_size=5)


@pytest.mark.slow
@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a run an example
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(scores=SCORES, texts=TEXTS, most=st.integers(1, 3))
def test_pairs_and_their_control_hold_what_they_promise(tmp_path_factory, scores, texts, most):
    rows = [recorded(f"q{n}", *zip(texts, values, strict=False)) for n, values in enumerate(scores)]
    rows.append(recorded("always", ("up", 1.0), ("down", 0.0)))
    store, _ = built(
        tmp_path_factory.mktemp("law"),
        rows,
        f"""
        d: {{type: preference, by: quality, max_pairs: {most}, control: random}}""",
        SPLIT,
    )
    found = query(store, "SELECT dataset, row_id, chosen_score, rejected_score FROM preferences")
    assert found.select("dataset", "row_id").is_unique().all()
    assert (found["chosen_score"] > found["rejected_score"]).all()
    for name in ("d", "d_random"):
        assert all(c.strip() != r.strip() for _, c, r in pairs(store, name))
    counts = per_prompt(store, "preferences", "d")
    assert max(counts.values()) <= most and per_prompt(store, "preferences", "d_random") == counts


def test_a_control_over_all_prompts_is_drawn_of_any_prompt(tmp_path):
    store, said = built(
        tmp_path,
        ROWS,
        """
        best: {type: sft, select: best_of_n, by: quality, where: quality > 0.8, control: [random, {random: all}]}
        dpo: {type: preference, select: ranked, by: quality, margin: 0.6, control: {random: all}}
        tokens: {type: sft, select: rejection, at: 0.8, by: quality, control: {random: all}, match: tokens}""",
        SPLIT,
    )
    within, over = (per_prompt(store, "sft", f"best_random{end}") for end in ("", "_all"))
    chosen = per_prompt(store, "sft", "best")
    assert within == chosen and set(over) - set(chosen), "also prompts without an answer that is good enough"
    assert per_split(store, "sft", "best_random_all") == per_split(store, "sft", "best")
    assert per_split(store, "preferences", "dpo_random_all") == per_split(store, "preferences", "dpo")
    assert "tokens for the" in said["tokens_random_all"]
    assert set(per_prompt(store, "sft", "tokens_random_all")) - set(per_prompt(store, "sft", "tokens"))


@pytest.mark.parametrize(
    ("control", "words"),
    [
        ("{random: some}", "expected 'random', '{random: all}', or a list of both"),
        ("[random, random]", "names the same control twice"),
        ("random, control_over: all", "'control_over' is set by gristmill"),
    ],
)
def test_a_wrong_control_is_one_line(tmp_path, control, words):
    with pytest.raises(UserError, match=words):
        recipe(tmp_path, ROWS, f"s: {{type: sft, by: quality, control: {control}}}")
