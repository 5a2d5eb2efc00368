"""Hub sources: no network here; a stand-in for the library's load function, and the message when it fails."""

import pytest

from curate.sources.read_source import read_source
from curate.sources.remote.hub import check_options, is_hub_name, read_hub
from schemas.errors import UserError


def test_hub_rows_are_converted_like_file_rows():
    asked = []

    def load(*names, **options):
        asked.append((names, options))
        return [{"question": "2+2?", "answer": "4", "unused": None}]

    rows = list(read_hub("openai/gsm8k", name="main", split="test", load=load))
    assert asked == [(("openai/gsm8k", "main"), {"split": "test", "revision": None})]
    assert [(raw.line, raw.row) for raw in rows] == [(1, {"question": "2+2?", "answer": "4"})]


def test_hub_errors_are_one_line(tmp_path):
    def load(*names, **options):
        raise RuntimeError("\nConfig name is missing.\nPlease pick one")

    with pytest.raises(UserError, match="^source 'openai/gsm8k': .*Config name is missing.$"):
        read_hub("openai/gsm8k", load=load)

    def load_two(*names, **options):
        raise ValueError("Config name is missing.\nPlease pick one among the available configs: ['main', 'socratic']")

    with pytest.raises(UserError, match=r"Config name is missing. Please pick one .* configs: \['main', 'socratic'\]$"):
        read_hub("openai/gsm8k", load=load_two)
    with pytest.raises(UserError, match="did you mean 'split'"):
        read_source("openai/gsm8k", hub={"splt": "test"})
    assert is_hub_name("openai/gsm8k")
    for local in ("seeds.jsonl", "data/seeds.jsonl", f"{tmp_path}/x", "a/b/c", "../x", "gsm8k"):
        assert not is_hub_name(local), local


@pytest.mark.parametrize(
    ("hub", "words"),
    [
        ("test", "source: hub: expected a mapping, such as {split: test}, found 'test'"),
        ({"split": 3}, "source: split: expected text, found 3"),
        ({"splt": "test"}, "did you mean 'split'"),
    ],
)
def test_wrong_hub_options_are_refused(hub, words):
    with pytest.raises(UserError) as caught:
        check_options(hub)
    assert words in str(caught.value)


def test_hub_options_that_are_null_are_not_set():
    assert check_options({"split": "test", "revision": None}) == {"split": "test"}
