"""Datasets of unpaired answers: labels from verdicts, from a score and a threshold, and from pairs; the refusals."""

import json
from pathlib import Path

import polars as pl
import pytest

from curate.api.run import plan, run
from curate.storage.row_history import row_history
from curate.storage.store import Store
from schemas.errors import UserError
from tests.choosing import built, recipe, recorded
from tests.jobs import query

pytestmark = pytest.mark.slow  # whole runs

KTO = [{"prompt": f"question {n}", "completion": f"answer {n}", "label": n % 3 > 0} for n in range(6)]
ROWS = [
    recorded("one", ("Paris", 1.0), ("paris!", 0.5), ("Lyon", 0.2), ("Nice", None)),
    recorded("two", ("alpha", 0.9), ("beta", 0.1)),
    recorded("three", ("only", 0.5)),
]


def labels(store: Store, dataset: str) -> dict[str, bool]:
    """The labels of a dataset's answers."""
    found = query(
        store, f"SELECT completion ->> '$[0].content', label FROM unpaired WHERE dataset = '{dataset}'"
    ).rows()
    assert len(dict(found)) == len(found), "an answer is a row once"
    return dict(found)


def left_out(store: Store, part: str) -> dict[str, str]:
    """The answers that a part of a dataset left out, with the reason."""
    rows = query(
        store,
        f"""SELECT response, reason FROM decisions JOIN completions ON row_id = completion_id
            WHERE stage = 'datasets.{part}' AND NOT kept""",
    )
    return dict(rows.rows())


def refusal(folder: Path, rows: list[dict], dataset: str, more: str = "") -> str:
    with pytest.raises(UserError) as caught:
        plan(recipe(folder, rows, dataset, more))
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_recorded_verdicts_label_the_answers(tmp_path):
    store, said = built(tmp_path, KTO, "k: {type: unpaired}")
    assert labels(store, "k") == {f"answer {n}": n % 3 > 0 for n in range(6)}
    assert said["k"] == "6 rows (6 train), 4 good and 2 bad by label >= 0.5"
    row = query(store, "SELECT * FROM unpaired WHERE label").row(0, named=True)
    assert json.loads(row["prompt"])[0]["content"].startswith("question") and row["score"] == 1.0
    assert json.loads(row["scores"]) == {"label": 1.0} and row["row_id"].startswith("r_")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [("kto_tag", True, False), ("label", 1, 0), ("label", "good", "bad"), ("desirable", True, False),
     ("is_correct", 1, -1)],
)  # fmt: skip
def test_labels_of_every_kto_layout_are_read(tmp_path, name: str, good: object, bad: object):
    def messages(role: str, content: str, one: str, other: str) -> list[dict]:
        return [{role: one, content: "question"}, {role: other, content: "CONTENT"}]

    shapes = [  # ms-swift and LLaMA-Factory; LLaMA-Factory's older ones; axolotl and TRL
        {"messages": messages("role", "content", "user", "assistant")},
        {"conversations": messages("from", "value", "human", "gpt")},
        {"instruction": "question", "input": "", "output": "CONTENT"},
        {"prompt": "question", "completion": "CONTENT"},
        {
            "prompt": messages("role", "content", "user", "assistant")[:1],
            "completion": messages("role", "content", "user", "assistant")[1:],
        },
    ]
    for number, shape in enumerate(shapes):
        rows = [
            json.loads(json.dumps(shape).replace("CONTENT", text)) | {name: value}
            for text, value in (("yes", good), ("no", bad))
        ]
        store, _ = built(tmp_path / str(number), rows, "k: {type: unpaired}")
        assert labels(store, "k") == {"yes": True, "no": False}, shape


def test_a_score_of_the_threshold_is_good_and_null_is_left_out(tmp_path):
    store, said = built(tmp_path, ROWS, "k: {type: unpaired, by: quality, threshold: 0.5}")
    assert labels(store, "k") == {
        "Paris": True, "paris!": True, "Lyon": False, "alpha": True, "beta": False, "only": True,
    }  # fmt: skip
    assert left_out(store, "k.label") == {"Nice": "no label: quality is null"}
    assert said["k"] == "6 rows (6 train), 4 good and 2 bad by quality >= 0.5; 1 left out: quality is null"


def test_a_condition_a_rule_and_dedup_choose_the_answers(tmp_path):
    store, said = built(
        tmp_path,
        [*ROWS, recorded("four", ("Paris", 0.1))],
        """
        some: {type: unpaired, by: quality, threshold: 0.5, where: "quality != 0.9"}
        best: {type: unpaired, by: quality, threshold: 0.6, select: best_of_n}
        one: {type: unpaired, by: quality, threshold: 0.5, dedup: {use: exact, on: response}}
        wide: {type: unpaired, by: quality, threshold: 0.5, diverse: {use: random, keep: 3}}""",
    )
    assert "alpha" not in (some := labels_of(store, "some")) and len(some) == 6
    assert labels_of(store, "best") == [("Paris", False), ("Paris", True), ("alpha", True), ("only", False)]
    assert len(labels_of(store, "one")) == 6 and "; 1 left out by dedup" in said["one"]
    assert len(labels_of(store, "wide")) == 3 and "; 4 left out by diverse" in said["wide"]


def labels_of(store: Store, dataset: str) -> list[tuple[str, bool]]:
    return query(
        store, f"SELECT completion ->> '$[0].content', label FROM unpaired WHERE dataset = '{dataset}' ORDER BY ALL"
    ).rows()


def test_every_pair_gives_a_good_answer_and_a_bad_one(tmp_path):
    store, said = built(
        tmp_path,
        ROWS,
        """
        worst: {type: unpaired, by: quality, select: best_vs_worst}
        most: {type: unpaired, by: quality, select: best_vs_worst, max_pairs: 5}
        every: {type: unpaired, by: quality, select: margin, low: 0.1, max_pairs: 9}""",
    )
    assert labels(store, "worst") == {"Paris": True, "Lyon": False, "alpha": True, "beta": False}
    assert said["worst"].startswith("4 rows (4 train), 2 good and 2 bad by best_vs_worst")
    assert labels(store, "most")["Paris"] and not labels(store, "most")["paris!"]
    assert said["every"].startswith(f"{len(labels(store, 'every'))} rows")


def test_an_answer_that_is_chosen_and_rejected_has_no_label(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [recorded("one", ("best", 1.0), ("middle", 0.5), ("worst", 0.0))]
    (tmp_path / "own.py").write_text(
        "import polars as pl\n\n\ndef pair(completion_id, score):\n"
        "    ids = pl.DataFrame({'id': completion_id, 's': score}).sort('s', descending=True)['id']\n"
        "    return pl.DataFrame({'chosen_id': ids[:2], 'rejected_id': ids[1:]})\n"
    )
    text = "k: {type: unpaired, by: quality, select: own.pair, max_pairs: 9}"
    store, said = built(tmp_path, rows, text)
    assert labels(store, "k") == {"best": True, "worst": False}
    assert left_out(store, "k.label") == {"middle": "chosen in one pair and rejected in another"}
    assert "; 1 answer left out: chosen in one pair and rejected in another" in said["k"]


def test_recorded_pairs_are_unpaired_by_score_or_by_their_rule(tmp_path):
    rows = [{"prompt": f"q{n}", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(3)]
    store, said = built(tmp_path, rows, "k: {type: unpaired}\nr: {type: unpaired, select: recorded_pairs}")
    expected = {f"{side} {n}": side == "good" for n in range(3) for side in ("good", "bad")}
    assert labels(store, "k") == labels(store, "r") == expected
    assert said["k"].endswith("3 good and 3 bad by preference >= 0.5")
    assert said["r"].endswith("3 good and 3 bad by recorded_pairs")


def test_a_control_has_as_many_rows_as_the_dataset(tmp_path):
    rows = [recorded(f"q{n}", *((f"answer {n} {i}", i / 5) for i in range(5))) for n in range(8)]
    store, said = built(
        tmp_path,
        rows,
        """
        best: {type: unpaired, by: quality, threshold: 0.5, where: "quality > 0.5 or quality = 0", control: random}
        tokens: {type: unpaired, by: quality, threshold: 0.5, select: top_k_overall, keep: 9,
          control: random, match: tokens}
        pairs: {type: unpaired, by: quality, select: best_vs_worst, control: random}""",
    )
    assert len(labels(store, "best")) == len(labels(store, "best_random")) == 24
    assert "24 rows (24 train)" in said["best_random"] and "as many as best" in said["best_random"]
    assert "tokens for the" in said["tokens_random"]
    drawn = labels(store, "pairs_random")
    assert len(drawn) == 16 and sum(drawn.values()) == 8 and drawn != labels(store, "pairs")
    found = query(store, "SELECT prompt, label FROM unpaired WHERE dataset = 'pairs_random'")
    assert found.group_by("prompt").agg(pl.col("label").sum())["label"].to_list() == [1] * 8


@pytest.mark.parametrize(
    ("rows", "dataset", "said"),
    [
        (ROWS, "k: {type: unpaired, by: quality}", "is no verdict of 0 or 1 (it goes from 0.1 to 1); set threshold"),
        (ROWS, "k: {type: unpaired, by: qualty}", "no score 'qualty'; did you mean 'quality'"),
        ([{"prompt": "q", "completion": "a"}], "k: {type: unpaired}", "name it with 'by' (there are: none"),
        ([recorded("q", ("a", 0.0))], "k: {type: unpaired, learn: last}", "needs the type sft, found unpaired"),
        (ROWS, "k: {type: unpaired, by: quality, threshold: 1, max_pairs: 2}", "is about pairs, and 'all' makes none"),
        (ROWS, "k: {type: unpaired, by: quality, select: best_vs_worst, threshold: 1}", "pairs of 'best_vs_worst' say"),
        (ROWS, "k: {type: preference, by: quality, threshold: 0.5}", "unpaired, found preference"),
        (ROWS, "k: {type: sft, threshold: 0.5}", "needs the type unpaired, found sft"),
        (ROWS, "k: {type: prompt, threshold: 0.5}", "needs the type unpaired, found prompt"),
        (ROWS, "k: {type: unpaired, by: quality, threshold: .inf}", "threshold"),
        (ROWS, "k: {type: unpaired, by: quality, threshold: true}", "threshold"),
        (ROWS, "k: {type: unpaired, by: quality, threshold: 1, select: k_center}", "makes subset"),
        (ROWS, "k: {type: unpaired, by: quality, select: margin, control: random, match: tokens}", "matched by 'rows'"),
        ([{"prompt": "q", "completions": [{"response": "a", "rank": 1}, {"response": "b", "rank": 2}]}],
         "k: {type: unpaired, by: rank}", "by its name the least rank is the best"),
        ([{"prompt": "q", "completion": "a", "toxicity": 1}], "k: {type: unpaired, by: toxicity}",
         '- score: {use: combine, sql: "1 - toxicity", as: good}'),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_a_line(tmp_path, rows: list[dict], dataset: str, said: str):
    assert said in refusal(tmp_path, rows, dataset)


def test_one_label_only_and_unequal_ones_are_warned_of(tmp_path):
    def warned(name: str, rows: list[dict], more: str = "") -> list[str]:
        made = run(recipe(tmp_path / name, rows, "k: {type: unpaired}", more), Store(tmp_path / name / "store"))
        return [warning.text for warning in made.warnings]

    (one,) = warned("one", [row | {"label": True} for row in KTO])
    assert one.startswith("all 6 rows of the split train are good answers; KTO needs both kinds: set another threshold")
    few = [row | {"label": n > 0} for n, row in enumerate(KTO)]
    (unequal,) = warned("few", few)
    assert "5 good and 1 bad answers in the split train: in a training the good ones weigh 5 times as much" in unequal
    assert "recommends 1 to 4/3; set desirable_weight: 0.2 to 0.267, or undesirable_weight: 3.75 to 5" in unequal
    training = "models: {m: smollm2-135m}\ntrain: {t: {trainer: kto, dataset: k, model: m, undesirable_weight: 4}}\n"
    assert warned("weighted", few, training) == []
    assert warned("equal", KTO) == []


def test_why_names_the_label_of_an_answer_and_of_a_row(tmp_path):
    store, _ = built(tmp_path, KTO, "k: {type: unpaired}")
    completion, row_id = query(store, "SELECT completion_id, row_id FROM unpaired WHERE NOT label LIMIT 1").row(0)
    of_answer = dict(row_history(store, completion).parts)["datasets"]
    assert of_answer == [f"{row_id}  bad answer in k (train)"]
    assert dict(row_history(store, row_id).parts)["datasets"] == ["k (train), a bad answer"]


def test_a_setting_of_pairs_without_a_rule_of_pairs_is_explained(tmp_path):
    assert "such as select: best_vs_worst" in refusal(tmp_path, KTO, "k: {type: unpaired, margin: 0.1}")
    assert "best_vs_worst" not in refusal(tmp_path, KTO, "k: {type: unpaired, margn: 0.1}")


def test_an_answer_that_is_labelled_good_and_bad_is_left_out(tmp_path):
    rows = [{"prompt": "question", "completion": "answer", "label": label} for label in (True, False, True)]
    store, said = built(tmp_path, [*KTO, *rows], "k: {type: unpaired}")
    assert labels(store, "k") == {f"answer {n}": n % 3 > 0 for n in range(6)}
    assert said["k"].endswith("; 2 answers left out: the same answer to the same prompt is labelled good and bad")
    assert left_out(store, "k.label") == {"answer": "the same answer to the same prompt is labelled good and bad"}
