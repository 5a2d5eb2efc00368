"""A store with damage anywhere: every command works on what is whole, or says in one line what is not; doctor mends."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.storage.reply_log import ReplyLog, Spender
from curate.storage.store import Store
from schemas.requests import Reply, Spent
from tests.command import Result, call
from tests.fuzz.fuzzing import fuzz, works_or_says_why
from tests.fuzz.mutations import NUMBERS, OPERATIONS, change_bytes, change_value

pytestmark = pytest.mark.slow


RECIPE: dict[str, Any] = {
    "name": "r",
    "prompts": [{"source": "rows.jsonl"}, {"dedup": "exact"}],
    "completions": [{"score": {"use": "length", "as": "chars"}}, {"filter": {"long": "chars > 100"}}],
    "datasets": {"sft": {"type": "sft", "select": "best_of_n", "by": "chars"}, "rl": {"type": "prompt"}},
    "split": {"test": 0.3},
}
ROWS = [{"prompt": f"Name {n}.", "completions": [f"a {n}", "b " * n]} for n in range(1, 6)]
TRAINING = {
    "training_id": "t1",
    "name": "one",
    "trainer": "sft",
    "model": "m",
    "rows": 1,
    "settings": "{}",
    "metrics": "{}",
}
QUERIES = (
    "SELECT * FROM prompts",
    "SELECT count(*) FROM sft JOIN scores ON completion_id = scores.row_id",
    "SELECT * FROM trainings",
    "SELECT run_id, number, status, requests FROM runs",
    "SELECT * FROM costs",
    "SELECT * FROM stages",
)
# Parts of a store that nothing can be made of again, or that say what the store is.
LASTING = ("replies", "store.json")
damages = st.lists(
    st.tuples(NUMBERS, st.sampled_from(["bytes", "json", "gone", "empty", "swap", "folder", "link"]), OPERATIONS),
    min_size=1,
    max_size=3,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a recipe and a store that has two runs, a training's tables and a log of replies."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "r.yaml").write_text(json.dumps(RECIPE))
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    for limit in ([], ["--limit", "2"]):
        assert call(folder, "run", "r.yaml", *limit).code == 0
    store = Store(folder / "store")
    with store.new_stage("7a1", "train-r.one", what={}, result="") as writer:
        writer.write("trainings", pl.DataFrame([TRAINING]))
        writer.write("row_losses", pl.DataFrame({"training_id": ["t1"], "row_id": ["r_1"], "step": [1], "loss": [0.5]}))
    with ReplyLog(store) as log:
        replies = [Reply(f"{n:064x}", "text", prompt_tokens=3, completion_tokens=4) for n in range(40)]
        log.append(replies, Spender("run1", "r", "m", "m@1"), Spent(40, 120, 160), 0.1, 1.0)
    yield folder


def damage(store: Path, place: int, kind: str, operations: list[tuple[int, int, int]], marker: bool) -> None:
    """Damage one file of a store."""
    files = sorted(file for file in store.rglob("*") if file.is_file() and (marker or file.name != "store.json"))
    file, other = files[place % len(files)], files[operations[0][1] % len(files)]
    if kind == "swap":
        shutil.copyfile(other, file) if other != file else None
    elif kind in ("gone", "folder", "link"):
        file.unlink()
        if kind == "folder":
            file.mkdir()
        elif kind == "link":
            file.symlink_to("/proc/self/environ" if operations[0][2] % 2 else store)
    elif kind == "json" and file.suffix == ".json":
        value = json.loads(file.read_bytes() or b"null")
        for operation in operations:
            value = change_value(value, operation)
        file.write_text(json.dumps(value), errors="surrogatepass")
    else:
        data = b"" if kind == "empty" else file.read_bytes()
        for operation in operations if kind == "bytes" else []:
            data = change_bytes(data, operation)
        file.write_bytes(data)


def said(done: Result) -> Result:
    """Assert that a command worked, or said in its last line what is wrong."""
    assert done.code in (0, 1, 2), done
    assert "bug in gristmill" not in done.err and "Traceback" not in done.err, done.err
    assert done.code == 0 or done.err.splitlines()[-1].startswith("error: "), done
    return done


@fuzz(6)
@given(damages, st.booleans(), st.integers(0, len(QUERIES) - 1))
def test_every_command_works_on_what_is_whole(whole, found, marker, query):
    with works_or_says_why("stores"), tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        shutil.copytree(whole, folder, dirs_exist_ok=True)
        for place, kind, operations in found:
            damage(folder / "store", place, kind, operations, marker)
        for command in (
            ["show"],
            ["sql", QUERIES[query]],
            ["why", "p_"],
            ["doctor"],
            ["check", "r.yaml", "--rows", "0"],
        ):
            said(call(folder, *command))
        said(call(folder, "doctor", "--repair"))
        again, made = said(call(folder, "doctor")), said(call(folder, "run", "r.yaml"))
        if not any(name in again.err for name in ("replies", "store.json", "is no store")) and made.code == 0:
            assert again.code == 0, again
            for query in QUERIES[:4]:
                assert call(folder, "sql", query).code == 0, query


def test_what_was_found(whole, tmp_path):
    """Damage that ended commands as a bug: a log of replies that is none, records whose values have other types."""
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    (manifest,) = (tmp_path / "store" / "stages").glob("train-*/stage.json")
    assert "name" not in json.loads(manifest.read_text())
    assert said(call(tmp_path, "why", "p_")).code in (0, 2)
    (tmp_path / "store" / "replies" / "replies.sqlite").write_bytes(b"no database" * 1000)
    shown = said(call(tmp_path, "show"))
    assert shown.code == 0 and "damaged" in shown.out
    assert "replies.sqlite: damaged: file is not a database" in said(call(tmp_path, "sql", "FROM costs")).err
    record = sorted((tmp_path / "store" / "runs").glob("*.json"))[0]
    record.write_text(json.dumps(json.loads(record.read_text()) | {"limit_of": ["r"]}))
    shown = said(call(tmp_path, "show"))
    assert shown.code == 0 and "damaged: 'limit_of' is a list" in shown.err
