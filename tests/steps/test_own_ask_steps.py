"""A user's own step that asks a model: each mistake is one line that names the step, and no request is made."""

import pytest

from curate.api.run import run
from curate.storage.store import Store
from schemas.errors import UserError
from tests.served import SCORE, served, total
from tests.stub_server import Stub

pytestmark = pytest.mark.slow  # seconds for the file

GOOD = '[{"role": "user", "content": "hi"}]'


@pytest.fixture(scope="module")
def stub():
    with Stub() as one:
        yield one


def made(folder, stub, body, kind="ask"):
    reads = "messages" if kind == "ask" else "response"
    (folder / "mine.py").write_text(f"import polars as pl\nGOOD = '{GOOD}'\ndef {kind}({reads}):\n    {body}\n")
    steps = "\n  - generate: {use: sample, model: a, max_tokens: 30}" if kind == "candidates" else ""
    return served(folder, stub.url, completions=f"{steps}\n  - generate: {{use: mine.{kind}, model: a}}" + SCORE)


def test_one_that_is_right(stub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / "store")
    run(made(tmp_path, stub, "return pl.Series([GOOD] * len(messages))"), store)
    assert total(store, "replies") == 1  # all ask the same


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return pl.Series([GOOD])", "asks 1 questions about 8 rows"),
        ("return [GOOD] * len(messages)", "expected a polars Series of messages as JSON text"),
        ("return pl.Series([1] * len(messages))", "expected a polars Series of messages as JSON text"),
        ("return pl.Series(['hello'] * len(messages))", "asks 'hello'; expected a list of messages as JSON text"),
    ],
)
def test_mistakes_of_an_ask_step(stub, tmp_path, monkeypatch, body, message):
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / "store")
    with pytest.raises(UserError, match="generate 'mine.ask' asks") as error:
        run(made(tmp_path, stub, body), store)
    assert message in str(error.value) and store.runs() == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('no luck'); yield", "generate 'mine.candidates' failed: ValueError: no luck"),
        ("yield pl.Series([GOOD])", "asks 1 questions about 8 rows"),
        ("replies = yield pl.Series([GOOD] * len(response)); return 1 / 0", "failed: ZeroDivisionError"),
    ],
)
def test_mistakes_of_a_step_with_several_requests(stub, tmp_path, monkeypatch, body, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        run(made(tmp_path, stub, body, "candidates"), Store(tmp_path / "store"))
    assert message in str(error.value) and "job.yaml" in str(error.value)
