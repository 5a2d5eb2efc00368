"""``dedup: minhash`` in parts decides as on one machine, row for row, wherever parts and ranges are cut."""

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.algorithms.near_duplicates.near_pairs import near_pairs
from curate.algorithms.near_duplicates.pair_comparison import PairSearch, TextColumn
from curate.algorithms.text.shingles import Grams
from curate.dedup.minhash import dropped_rows, duplicates, sketch, unique_texts
from curate.pipeline.dedup_parts.sizes import Sizes
from curate.spread.task_calls import Call, make
from curate.spread.worker_processes import ROOT, WorkerProcesses
from curate.storage.row_set import RowSet
from curate.storage.stage import PART, load_stage
from curate.storage.store import Store
from schemas.errors import Failed
from tests.pipeline.dedup_parts.making import decided, parts_left, rows_in, rule_of

pytestmark = pytest.mark.slow  # whole stages: seconds for the file

WORDS = [f"w{n}" for n in range(40)]


def near_texts(seed: int, count: int) -> list[str | None]:
    """Texts of which many are near-duplicates: each is new, or an earlier one with a few words changed."""
    random, held, texts = Random(seed), [], []
    for _ in range(count):
        words = random.choices(WORDS, k=random.randrange(1, 40))
        if held and random.random() < 0.7:
            words = [*random.choice(held)]
            for _ in range(random.choice([0, 0, 1, 2])):
                words[random.randrange(len(words))] = random.choice(WORDS)
            if random.random() < 0.3:
                words[0] = random.choice([str.upper, str.title])(words[0])
        held.append(words)
        texts.append(random.choice([" ".join(words)] * 12 + [None, "", "..."]))
    return texts


SIZES = st.builds(
    Sizes,
    part=st.integers(1, 50),
    ranges=st.integers(1, 3),
    content_ranges=st.integers(1, 3),
    compared=st.integers(1, 5000),
)
RULES = st.fixed_dictionaries(
    {
        "threshold": st.sampled_from([0.3, 0.5, 0.8]),
        "ngram": st.sampled_from([1, 3]),
        "keep": st.sampled_from(["first", "longest", "best"]),
        "cluster": st.sampled_from(["keep_first", "connected"]),
        "permutations": st.just(32),
    }
)


@given(
    seed=st.integers(0, 1 << 32),
    count=st.integers(1, 60),
    rule=RULES,
    sizes=SIZES,
    file=st.integers(1, 40),
    known=st.none() | st.integers(0, 8),
    condition=st.sampled_from([None, "prompt like '%w1%'", "length(prompt) < 0"]),
    scores=st.lists(st.sampled_from([None, 0.0, 1.0]), min_size=60, max_size=60),
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_cut_gives_what_one_machine_decides(seed, count, rule, sizes, file, known, condition, scores):
    texts, other = near_texts(seed, count), None
    if known is not None:  # other data has no nulls, and rows of it are near to some of ours
        other = [text or "" for text in near_texts(seed + 1, known) + texts[::5]]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "s", durable=False)
        rows, rule = rows_in(store, texts, file, scores[: len(texts)]), rule_of(other, **rule)
        one, said = decided(store, rows, rule, None, condition)
        parts, also_said = decided(store, rows, rule, sizes, condition)
        assert parts.read("decisions").equals(one.read("decisions")) and also_said == said
        assert parts_left(store) == []


@pytest.mark.parametrize("cluster", ["keep_first", "connected"])
@pytest.mark.parametrize(("crowded", "most"), [(3, 40), (1, 5), (100, 1)])
def test_large_buckets_are_looked_at_as_on_one_machine(tmp_path, crowded, most, cluster):
    """Every way of ``near_pairs``: all pairs, rounds of leaders, the prefix filter."""
    texts = near_texts(3, 200)
    store, rule = Store(tmp_path / "s", durable=False), rule_of(threshold=0.5, cluster=cluster)
    rows = rows_in(store, texts, 70)
    found = one_machine(texts, crowded, most, rule.settings)
    sizes = Sizes(60, 2, 3, 20_000, crowded, most)
    stage, _ = decided(store, rows, rule, sizes)
    dropped = stage.read("decisions").filter(~pl.col("kept"))
    evidence = [json.loads(text) for text in dropped["evidence"]]
    assert len(evidence) > 20
    assert [int(id, 16) for id in dropped["row_id"]] == found["row"].to_list()
    assert [int(told["of"], 16) for told in evidence] == found["duplicate_of"].to_list()
    assert [told["similarity"] for told in evidence] == found["similarity"].round(4).to_list()
    if cluster == "connected":
        assert [int(told["via"], 16) for told in evidence] == found["via"].to_list()


def one_machine(texts: list[str | None], crowded: int, most: int, chosen: dict) -> pl.DataFrame:
    """The rows that ``minhash.dedup`` drops, for buckets that are large from ``crowded`` rows on."""
    text = pl.Series(texts, dtype=pl.String)
    made = sketch(text.fill_null(""), threshold=chosen["threshold"]).to_numpy()
    unique, copies, first = unique_texts(made, np.arange(len(text)), np.zeros(len(text), bool))
    connected = chosen["cluster"] == "connected"
    search = PairSearch(TextColumn(text), unique, 0, Grams(chosen["ngram"], False), chosen["threshold"], connected)
    near = near_pairs(search, made, crowded, most)
    return dropped_rows(unique, duplicates(search, near, chosen["cluster"]), copies, first).sort("row")


def test_worker_processes_write_the_same_bytes(tmp_path):
    texts = [text and f"{n % 25_000} {text}" for n, text in enumerate(near_texts(1, 500) * 120)]
    store, rule = Store(tmp_path / "s", durable=False), rule_of(permutations=8)
    rows = rows_in(store, texts, 25_000)
    sizes = Sizes(PART, 1, 1, 1 << 24)
    one, said = decided(store, rows, rule, None, "length(prompt) > 3")
    parts, also_said = decided(store, rows, rule, sizes, "length(prompt) > 3", WorkerProcesses(2))
    assert said == also_said and one.read("decisions")["kept"].sum() < rows.height - 10_000
    assert len(one.files("decisions")) > 2 and parts.content("decisions") == one.content("decisions")


KILLED = """
import sys
from pathlib import Path
from curate.spread.task_calls import Call, make
from curate.spread.worker_processes import WorkerProcesses
from curate.storage.store import Store
from schemas.errors import Failed
from tests.pipeline.dedup_parts.making import decided, rows_in, rule_of
from tests.pipeline.dedup_parts.test_in_parts import FEW, near_texts
store = Store(Path(sys.argv[1]), durable=False)
rows = rows_in(store, near_texts(5, 200), 50)
decided(store, rows, rule_of(), FEW, runner=WorkerProcesses(2), name="killed")
"""
FEW = Sizes(70, 1, 1, 9000)


class Counting:
    """A runner that makes each call in this process, and counts them."""

    ahead, made, elsewhere, models = 1, 0, True, None

    def workers(self, tasks: int, *, kept: bool) -> AbstractContextManager["Counting"]:
        return nullcontext(self)

    def submit(self, call: Call) -> Future[bytes | None]:
        self.made += 1
        answer: Future[bytes | None] = Future()
        answer.set_result(make(call))
        return answer


@pytest.mark.parametrize("after", [2, 25])
def test_a_killed_run_goes_on_where_it_ended(tmp_path, after):
    path, every, rest = tmp_path / "s", Counting(), Counting()
    kill_after(KILLED, path, after)
    there = answers(path)  # a worker that was at work may add one later
    store = Store(path, durable=False)
    rows = RowSet("prompts", "prompt_id")
    rows.add(load_stage(path / "stages" / "prompts.source.rows-rows"))
    again, _ = decided(store, rows, rule_of(), FEW, runner=rest, name="killed")
    whole, _ = decided(store, rows, rule_of(), FEW, runner=every)
    one, _ = decided(store, rows, rule_of(), None)
    assert again.read("decisions").equals(one.read("decisions")) and whole.read("decisions").equals(
        again.read("decisions")
    )
    assert after <= there and rest.made <= every.made - there


class Dying(Counting):
    """A runner whose worker is killed at its eleventh call."""

    def submit(self, call: Call) -> Future[bytes | None]:
        if self.made == 10:
            raise Failed("a worker process was killed")
        return super().submit(call)


def test_a_run_whose_worker_was_killed_goes_on(tmp_path):
    store = Store(tmp_path / "s", durable=False)
    rows, rest = rows_in(store, near_texts(5, 200), 50), Counting()
    with pytest.raises(Failed, match="a worker process was killed"):
        decided(store, rows, rule_of(), FEW, runner=Dying(), name="killed")
    again, _ = decided(store, rows, rule_of(), FEW, runner=rest, name="killed")
    one, _ = decided(store, rows, rule_of(), None)
    assert again.read("decisions").equals(one.read("decisions")) and rest.made > 10
    assert parts_left(store) == []


def kill_after(script: str, store: Path, after: int) -> None:
    """Run a script on a store, and kill it when so many answers of tasks are kept."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(store)], env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True
    )
    while process.poll() is None and answers(store) < after:
        time.sleep(0.005)
    process.kill()
    process.wait()


def answers(store: Path) -> int:
    """How many answers of tasks are kept."""
    return len(list(store.glob("work/parts-*/**/*.answer")))
