"""``dedup: semantic`` in parts decides as on one machine, row for row, wherever parts, ranges and rounds are cut."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from curate.algorithms.vectors.places import DROPPED, KEPT, UNKNOWN
from curate.api.run import run
from curate.dedup.semantic import dedup
from curate.pipeline.semantic_parts.in_parts import MeaningInParts, settle_from
from curate.pipeline.semantic_parts.sizes import TaskSizes
from curate.pipeline.stage_spec import RunContext
from curate.spread.spread import Runner, run_by
from curate.spread.worker_processes import WorkerProcesses
from curate.storage.array_files import write_array
from curate.storage.store import Store
from schemas.errors import Failed
from schemas.load_recipe import load_recipe
from schemas.progress import Progress
from tests.pipeline.dedup_parts.test_in_parts import Counting, Dying, answers, kill_after

pytestmark = pytest.mark.slow  # some hundred vectors, many times: seconds for the file

CHOSEN: dict[str, Any] = {
    "threshold": 0.9,
    "recall": 0.5,
    "exact_below": 0,
    "keep": "first",
    "cluster": "keep_first",
    "seed": 0,
}
FEW = TaskSizes(50, 2, 2)


def near_vectors(seed: int, count: int, width: int = 512) -> dict[str, pl.Series]:
    """Columns of rows of which a third are near to earlier ones, in chains and large families, or the same."""
    draw, vectors = np.random.default_rng(seed), np.empty((count, width), np.float32)
    family = draw.standard_normal(width)
    for row in range(count):
        kind = draw.random()
        vector = draw.standard_normal(width)
        if row and kind < 0.2:
            vector = vectors[draw.integers(row)] * np.sqrt(width) + vector * draw.choice([0, 0.1, 0.4, 0.5])
        elif kind < 0.35:
            vector = family + vector * draw.choice([0.05, 0.3, 0.5])
        vectors[row] = vector / np.linalg.norm(vector)
    texts = [None if draw.random() < 0.02 else f"text {draw.integers(9)}" for _ in range(count)]
    return {
        "text": pl.Series(texts, dtype=pl.String),
        "embedding": pl.Series("embedding", vectors, dtype=pl.Array(pl.Float32, width)),
        "score": pl.Series(draw.choice([0.0, 1.0, np.nan], count)),
        "known": pl.Series(np.arange(count) < draw.choice([0, 0, count // 5])),
    }


def in_parts(store: Store, columns: dict[str, pl.Series], sizes: TaskSizes, runner: Runner, name: str, **chosen):
    with store.new_stage(name, "prompts.dedup.semantic") as writer, run_by(runner):
        parts = MeaningInParts(writer, RunContext(store, Progress()), "prompts.dedup.semantic", sizes)
        writer.info["result"] = ""
        return parts.dedup(columns, CHOSEN | chosen)


def one_machine(columns: dict[str, pl.Series], **chosen: Any) -> tuple[pl.DataFrame, str]:
    given = CHOSEN | chosen
    return dedup(*columns.values(), **given)


def same(one: tuple[pl.DataFrame, str], other: tuple[pl.DataFrame, str]) -> bool:
    return one[0].equals(other[0]) and one[1] == other[1]


@given(
    seed=st.integers(0, 1 << 32),
    count=st.integers(250, 400),
    sizes=st.builds(TaskSizes, part=st.integers(20, 400), ranges=st.integers(1, 3), first=st.integers(1, 9)),
    chosen=st.fixed_dictionaries(
        {
            "threshold": st.sampled_from([0.8, 0.9, 0.97]),
            "keep": st.sampled_from(["first", "longest", "best"]),
            "cluster": st.sampled_from(["keep_first", "connected"]),
            "seed": st.integers(0, 3),
        }
    ),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_every_cut_gives_what_one_machine_decides(seed, count, sizes, chosen):
    columns, runner = near_vectors(seed, count), Counting()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "s", durable=False)
        parts = in_parts(store, columns, sizes, runner, "parts", **chosen)
        assert same(parts, one_machine(columns, **chosen))
        assume(runner.made)  # else all rows were compared in full


def test_a_crowd_of_near_rows_takes_a_few_rounds(tmp_path):
    """All in one bucket of every band: the first is kept, and drops the others whose pairs were not looked at."""
    draw = np.random.default_rng(1)
    crowd = draw.standard_normal(512) + 0.05 * draw.standard_normal((300, 512))
    rest = draw.standard_normal((300, 512))
    columns = near_vectors(1, 600)
    vectors = np.concatenate((crowd, rest)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    columns["embedding"] = pl.Series("embedding", vectors, dtype=pl.Array(pl.Float32, 512))
    columns["text"] = pl.Series(["t"] * 600)
    columns["known"] = pl.Series([False] * 600)
    store, runner = Store(tmp_path / "s", durable=False), Counting()
    table, said = in_parts(store, columns, TaskSizes(200, 1, 1), runner, "parts")
    assert same((table, said), one_machine(columns)) and runner.made
    assert table["duplicate_of"][:300].count() > 250 and table["duplicate_of"][300:].count() == 0


def test_few_rows_are_compared_in_full_and_no_task_is_made(tmp_path):
    columns, runner = near_vectors(2, 200, 16), Counting()
    found = in_parts(Store(tmp_path / "s", durable=False), columns, FEW, runner, "parts", exact_below=1000)
    assert same(found, one_machine(columns, exact_below=1000)) and not runner.made
    assert found[1] == "exact"


def test_worker_processes_decide_the_same(tmp_path):
    columns = near_vectors(3, 400)
    found = in_parts(Store(tmp_path / "s", durable=False), columns, FEW, WorkerProcesses(2), "parts")
    assert same(found, one_machine(columns)) and found[0]["duplicate_of"].count() > 50


KILLED = """
import sys
from pathlib import Path
from curate.spread.worker_processes import WorkerProcesses
from curate.storage.array_files import write_array
from curate.storage.store import Store
from tests.pipeline.semantic_parts.test_in_parts import FEW, in_parts, near_vectors
in_parts(Store(Path(sys.argv[1]), durable=False), near_vectors(3, 400), FEW, WorkerProcesses(2), "killed")
"""


@pytest.mark.parametrize("after", [3, 9])
def test_a_killed_run_goes_on_where_it_ended(tmp_path, after):
    path, every, rest = tmp_path / "s", Counting(), Counting()
    kill_after(KILLED, path, after)
    there, columns = answers(path), near_vectors(3, 400)
    store = Store(path, durable=False)
    again = in_parts(store, columns, FEW, rest, "killed")
    whole = in_parts(store, columns, FEW, every, "whole")
    assert same(again, whole) and same(again, one_machine(columns))
    assert after <= there and rest.made <= every.made - there


def test_a_run_whose_worker_was_killed_goes_on(tmp_path):
    store, columns, rest = Store(tmp_path / "s", durable=False), near_vectors(5, 400), Counting()
    with pytest.raises(Failed, match="a worker process was killed"):
        in_parts(store, columns, FEW, Dying(), "killed")
    again = in_parts(store, columns, FEW, rest, "killed")
    assert same(again, one_machine(columns)) and rest.made
    assert list((store.path / "work").glob("parts-*")) == []


def test_a_recipe_in_parts_makes_the_same_stage(tmp_path):
    """Real texts and their embeddings; rows of other data stay, and rows near to them go."""
    words = [f"w{n}" for n in range(300)]
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice(words, 9)) for _ in range(500)]
    texts += [f"{text} w1" for text in texts[::4]]
    (tmp_path / "new.jsonl").write_text("".join(json.dumps({"prompt": text}) + "\n" for text in texts))
    (tmp_path / "old.jsonl").write_text("".join(json.dumps({"prompt": f"{text} w2"}) + "\n" for text in texts[:20]))
    made, runner = {}, Counting()
    for name, in_parts_or_not in (("one", "false"), ("parts", "true")):
        (tmp_path / "r.yaml").write_text(
            "name: r\nprompts:\n  - source: new.jsonl\n"
            "  - dedup: {use: semantic, threshold: 0.97, recall: 0.4, exact_below: 0, against: old.jsonl, "
            f"where: \"prompt not like '%w3 %'\", in_parts: {in_parts_or_not}}}\ndatasets:\n  rl: {{type: prompt}}\n"
        )
        store = Store(tmp_path / name, durable=False)
        if name == "parts":  # with the embeddings that are there
            shutil.copytree(tmp_path / "one" / "embeddings", store.path / "embeddings", dirs_exist_ok=True)
        with run_by(runner):
            run(load_recipe(tmp_path / "r.yaml"), store)
        stage = next(one for one in store.whole_stages() if one.manifest["label"] == "prompts.dedup.semantic")
        made[name] = stage.content("decisions"), stage.manifest["result"], runner.made
    assert made["one"][:2] == made["parts"][:2] and "near other data (20 rows)" in made["one"][1]
    assert made["one"][2] < made["parts"][2]


@pytest.mark.parametrize("most", [1, 3, 1000])
def test_pairs_settle_alike_however_many_are_read(tmp_path, most):
    """A chain in two files: each row is near the one before it, so every other one stays; the last one waits."""
    pairs = [np.uint64(right << 32 | right - 1) for right in range(1, 9)]
    files = [str(tmp_path / "one.npy"), str(tmp_path / "other.npy"), str(tmp_path / "none.npy")]
    for file, some in zip(files, (pairs[::2], pairs[1::2], []), strict=True):
        write_array(Path(file), np.array(some, np.uint64))
    states, waiting = np.zeros(10, np.uint8), np.arange(10) == 9
    settle_from(files, states, waiting, most)
    assert states.tolist() == [KEPT, DROPPED] * 4 + [KEPT, UNKNOWN]
