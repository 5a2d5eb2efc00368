"""What every step promises, over every step there is; and finding steps, also the user's own.

Nothing here names the steps: a new file in ``curate/score`` is covered as it is. Only a step with a required setting
needs a line in ``REQUIRED``.
"""

import json
import math
import os
import typing
import zlib

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from curate.steps.model_calls import Embed
from curate.steps.registry import FUNCTIONS, find_step, step_names, step_summary
from curate.steps.settings import check_settings
from schemas.errors import UserError
from schemas.messages import assistant_messages
from schemas.requests import Sampling, Task
from tests.generate.drive_step import drive
from tests.score.drive_scorer import scored

REQUIRED = {
    ("score", "regex"): {"pattern": "[a-z]+"},
    ("score", "combine"): {"sql": "2 * score - length"},
    ("score", "judge"): {"model": "m"},
    ("score", "judge_pairwise"): {"model": "m"},
    ("score", "reward_model"): {"model": "m"},
    ("score", "perplexity"): {"model": "m"},
    ("score", "ifd"): {"model": "m"},
    ("score", "toxicity"): {"model": "m"},
    **{
        ("select", name): {"keep": 3}
        for name in ("cluster", "dpp", "facility_location", "k_center", "mmr", "random", "repr_filter")
    },
    ("select", "rejection"): {"at": 0.5},
    ("select", "top_k_overall"): {"keep": 3},
    ("select", "own_vs_teacher"): {"teacher": "big", "student": "small"},
    ("generate", "replace"): {"find": "a", "put": "b"},
    ("generate", "rewrite"): {"instruction": "Make it shorter."},
}
GIVEN = {**REQUIRED, ("select", "semdedup"): {"keep": 3}}  # which needs one of two settings
EVERY = [(kind, name) for kind in FUNCTIONS for name in step_names(kind)]

# Rows as they come: plain, empty, blank, null, not ASCII, control characters, long, and what looks like markup.
TEXTS = [
    "The answer is 42.",
    "",
    "   \n\t",
    None,
    "日本語のテキスト、句読点。",
    "Grüße an Zoë 👩‍👩‍👧 é",
    "a\x00b\x1b[31mred\x07",
    "word " * 3000,
    '{"a": [1, {"b": null}]}',
    "#### 7",
    "\\boxed{\\frac{1}{2}}",
    "I'm sorry, but I cannot help.",
    "The answer is 42.",
    "🙂",
    "-" * 50,
    "'; DROP TABLE scores; --",
]
TRUTHS = [
    "42",
    "",
    None,
    '[{"kind": "lowercase"}]',
    '[{"kind": "no_such"}]',
    "[]",
    "{",
    "7",
    "日本",
    "null",
    '[{"kind": "max_words", "n": 5}, {"kind": "no_commas"}]',
    "[[]]",
    "42",
    "1/2",
    "-1e400",
    "[" * 50,
]
# What a model replies to a step that asks: as it was told to, and as it was not.
REPLIES = [
    "1. Write a poem about rain.\n2. What is 3 + 4?",
    "Here is the new version:\n\nWhy is the sky blue?",
    "",
    None,
    "<prompt>Name a river.</prompt><rewritten>A river.</rewritten><revised>A river.</revised>",
    "[DONE]",
    "日本語で。",
    "I'm sorry, but I can't help with that.",
    "<prompt>cut off in the mid",
    "\x00 </persona> <prompt> {} {0}",
]
NUMBERS = [0.5, None, 1.0, 0.0, -3.0, 0.5, 1e300, None, 0.25, 1.0, 0.0, 0.5, 0.75, None, 1.0, 0.1]


def table(rows=None):
    """A table with every column a step may read, in the types a run hands over."""
    rows = list(range(len(TEXTS)) if rows is None else rows)
    texts, truths = [TEXTS[r] for r in rows], [TRUTHS[r] for r in rows]
    turns = [None if t is None else json.dumps([{"role": "user", "content": t}]) for t in texts]
    vectors = [[math.cos(r), math.sin(r)] if TEXTS[r] else None for r in rows]
    text = {
        "prompt": texts,
        "response": texts,
        "text": texts,
        "messages": turns,
        "ground_truth": truths,
        "metadata": [None if r % 3 else json.dumps({"n": r}) for r in rows],
        "tools": [None for _ in rows],
        "reasoning_content": texts[::-1],
        "finish_reason": [("stop", "length", None)[r % 3] for r in rows],
        "model": [("small", "big", "small", None)[r % 4] for r in rows],
        "prompt_id": [f"p{r // 4}" for r in rows],
        "completion_id": [f"c{r}" for r in rows],
        "parent_id": [f"c{r - 1}" if r % 4 == 1 else None for r in rows],
    }
    made = {name: pl.Series(name, values, dtype=pl.String) for name, values in text.items()}
    for name in ("prompt_tokens", "completion_tokens", "sample_index"):
        made[name] = pl.Series(name, [None if r % 5 == 0 else r for r in rows], dtype=pl.Int64)
    made["score"] = pl.Series("score", [NUMBERS[r] for r in rows], dtype=pl.Float64)
    made["completion"] = pl.Series("completion", [t and assistant_messages(t) for t in texts], dtype=pl.String)
    made["scores"] = pl.DataFrame({"score": made["score"], "length": made["completion_tokens"].cast(pl.Float64)})
    made["known"] = pl.Series("known", [r % 7 == 0 for r in rows], dtype=pl.Boolean)
    made["sketch"] = pl.Series("sketch", [None for _ in rows], dtype=pl.Null)
    made["embedding"] = pl.Series("embedding", vectors, dtype=pl.Array(pl.Float32, 2))
    return made


def ready(kind, name):
    """A step and its settings."""
    step = find_step(kind, name)
    return step, check_settings(step, GIVEN.get((kind, name), {}), "r.yaml:1", seed=3)


def whole(name):
    """Whether a scorer sees more than single rows at once: a prompt's candidates, or the whole table."""
    return {"prompt_id", "scores"} & set(find_step("score", name).reads)


def reply_to(_row, messages, _model):
    """A reply that depends on what is asked alone, as a kept one does."""
    return REPLIES[zlib.crc32(json.dumps(messages).encode()) % len(REPLIES)]


def outcome(kind, name, columns, reply=reply_to):
    """What a step makes of a table, as a frame; a Series is its column ``value``. One that asks gets ``reply``."""
    step, settings = ready(kind, name)
    result = step.call(columns, settings)
    if step.makes in ("candidates", "prompts"):
        result, asks = drive(result, reply)
        for asked in asks:
            check_asked(step, asked, len(columns["response"]))
    if step.makes == "score":
        result, wants = scored(result)
        for want in wants:
            check_want(want, len(columns["response"]))
    if isinstance(result, tuple):
        result, said = result
        assert isinstance(said, str) and "\n" not in said
    return result if isinstance(result, pl.DataFrame) else pl.DataFrame({"value": result})


@pytest.fixture(params=EVERY, ids=".".join)
def step(request):
    return request.param


def check_asked(step, asked, height):
    """What a step asks: a request or null for each row, of a model that it has a setting for."""
    assert asked.model in ("model", *step.defaults)
    assert asked.messages.dtype == pl.String and len(asked.messages) == height
    for turns in map(json.loads, asked.messages.drop_nulls()):
        assert turns and all(turn["role"] in ("system", "user", "assistant") for turn in turns)
        assert turns[-1]["role"] == "user" and turns[-1]["content"] != ""


def check_want(want, height):
    """What a scorer wants: texts to embed, or JSON texts that ask (null for nothing), of a task there is."""
    if isinstance(want, Embed):
        assert len(want.texts) == height
        return
    assert want.task in typing.get_args(Task) and want.asks.dtype == pl.String
    Sampling(**want.sampling)
    for asked in map(json.loads, want.asks.drop_nulls()):
        assert asked[-1]["role"] == "user" if want.task == "generate" else isinstance(asked, dict)


def check_prompts(result, height):
    """The table of new prompts: of rows there are, each with turns that end with the user's, and a note."""
    assert result["row"].is_between(0, height - 1).all() and result.null_count().row(0)[:3] == (0, 0, 0)
    for messages, note in result.select("messages", "note").iter_rows():
        turns = json.loads(messages)
        assert turns[-1]["role"] == "user" and turns[-1]["content"].strip() and isinstance(json.loads(note), dict)
    assert all(0 <= row < height for row in result["parents"].drop_nulls().explode(empty_as_null=False))


def check_shape(kind, name, result, columns):
    """The columns, types and length that a step of its kind gives."""
    makes = find_step(kind, name).makes
    height = len(columns["response"])
    wanted = {
        "score": {"value": pl.Float64},
        "dedup": {"duplicate_of": pl.Int64, "similarity": pl.Float64},
        "select": {"kept": pl.Boolean, "reason": pl.String, "evidence": pl.String},
        "subset": {"kept": pl.Boolean, "nearest": pl.Int64, "similarity": pl.Float64},
        "pair": {"chosen_id": pl.String, "rejected_id": pl.String},
        "ask": {"value": pl.String},
        "write": {"value": pl.String},
        "candidates": {"value": pl.String},
        "prompts": {
            "row": pl.Int64,
            "messages": pl.String,
            "note": pl.String,
            "parents": pl.List(pl.Int64),
            "ground_truth": pl.String,
        },
    }[makes]
    texts = ("detail", "error", "note") if makes == "score" else ()
    numbers = {"pair": ("slot",), "dedup": ("via",), "subset": ("cluster",)}.get(makes, ())
    further = dict.fromkeys(texts, pl.String) | dict.fromkeys(numbers, pl.Int64)
    assert wanted.items() <= dict(result.schema).items(), result.schema
    assert dict(result.schema).items() <= {**wanted, **further}.items(), result.schema
    assert makes in ("pair", "prompts") or result.height == height
    if makes == "prompts":
        check_prompts(result, height)
    for column in result.select(pl.selectors.float()):
        assert column.drop_nulls().is_finite().all(), f"{column.name}: a NaN or an infinity"


def test_every_kind_has_steps():
    assert all(step_names(kind) for kind in FUNCTIONS)
    assert set(REQUIRED) <= set(EVERY), "a step that is gone"


def test_says_what_it_is(step):
    found = find_step(*step)
    assert found.doc and found.function.__doc__, "the module and the function each need a docstring"
    assert step_summary(*step) == found.doc.splitlines()[0]
    assert len(step_summary(*step)) <= 120


def test_reads_at_least_one_column_and_only_those_there_are(step):
    found = find_step(*step)
    assert found.reads and found.makes in FUNCTIONS[step[0]]
    assert set(found.reads) <= set(table()), "a column no table has"


def test_its_settings_have_defaults_or_are_known_to_be_required(step):
    found = find_step(*step)
    assert set(found.required) == set(REQUIRED.get(step, {}))
    given = GIVEN.get(step, {})
    filled = check_settings(found, given, "r.yaml:1", seed=3)
    assert filled == {**found.defaults, **({"seed": 3} if "seed" in found.defaults else {}), **given}
    for name in found.required:
        with pytest.raises(UserError, match=f"^r.yaml:1: {step[0]} '{step[1]}' needs the setting '{name}'$"):
            check_settings(found, {k: v for k, v in given.items() if k != name}, "r.yaml:1")


def test_refuses_an_unknown_setting(step):
    found = find_step(*step)
    with pytest.raises(UserError, match=f"^r.yaml:1: no setting of {step[0]} '{step[1]}' called 'no_such'"):
        check_settings(found, {**REQUIRED.get(step, {}), "no_such": 1}, "r.yaml:1")


def test_refuses_a_setting_of_the_wrong_type(step):
    found = find_step(*step)
    for name in (*found.required, *found.defaults):
        with pytest.raises(UserError, match=f"^r.yaml:1: {step[0]} '{step[1]}': {name}: expected .*found") as caught:
            check_settings(found, {**REQUIRED.get(step, {}), name: {"a": object}}, "r.yaml:1")
        assert "\n" not in str(caught.value)


def test_gives_a_row_for_a_row_and_never_a_nan(step):
    columns = table()
    check_shape(*step, outcome(*step, columns), columns)


def test_gives_the_same_twice(step):
    assert outcome(*step, table()).equals(outcome(*step, table()), null_equal=True)


def test_takes_an_empty_table(step):
    result = outcome(*step, table([]))
    check_shape(*step, result, table([]))
    assert result.height == 0


@pytest.mark.parametrize("row", range(len(TEXTS)))
def test_takes_a_table_of_one_row(step, row):
    columns = table([row])
    check_shape(*step, outcome(*step, columns), columns)


def test_takes_nothing_but_nulls(step):
    columns = {n: s.clear(4) if n not in ("prompt_id", "completion_id") else s.head(4) for n, s in table().items()}
    result = outcome(*step, columns)
    check_shape(*step, result, columns)
    if find_step(*step).makes in ("score", "ask", "write", "candidates"):
        assert result["value"].is_null().all(), "a value out of nothing"
    if find_step(*step).makes == "dedup":
        assert result["duplicate_of"].is_null().all(), "nothing duplicates nothing"
    if find_step(*step).makes in ("pair", "prompts"):
        assert result.is_empty()


def test_leaves_its_input_alone(step):
    columns = table()
    outcome(*step, columns)
    assert all(columns[n].equals(s, null_equal=True) for n, s in table().items())


ASKING = [name for name in step_names("generate") if find_step("generate", name).makes in ("candidates", "prompts")]


@pytest.mark.parametrize("name", ASKING)
def test_a_step_whose_every_request_fails_gives_nothing(name):
    result = outcome("generate", name, chats(), reply=lambda *_: None)
    check_shape("generate", name, result, chats())
    assert result.is_empty() or result["value"].is_null().all()


@pytest.mark.parametrize("name", ASKING)
def test_a_step_that_asks_makes_something_of_replies_and_leaves_the_rest(name):
    made = [outcome("generate", name, chats(), reply=lambda *_, text=text: text) for text in REPLIES]
    for result in made:
        check_shape("generate", name, result, chats())
    assert any(not result.is_empty() and result[:, 0].is_not_null().any() for result in made)


@pytest.mark.parametrize("name", step_names("generate"))
def test_what_is_asked_of_a_row_and_made_of_it_does_not_depend_on_where_it_stands(name):
    there, back = chats(), {column: values.reverse() for column, values in chats().items()}
    one, other = asked("generate", name, there), asked("generate", name, back)
    assert len(one) == len(other) and one
    assert all(a.to_list() == b.to_list()[::-1] for a, b in zip(one, other, strict=True))


def chats():
    """The table, its prompts conversations with system turns, and each of them there for three samples."""
    columns = table([row for row in range(len(TEXTS)) for _ in range(3)])
    turns = [t and json.loads(t) for t in columns["messages"]]
    before = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
    ]
    longer = [t and json.dumps(before[: (n // 3) % 4] * bool(n // 3 % 4 != 2) + t) for n, t in enumerate(turns)]
    return columns | {
        "messages": pl.Series("messages", longer, dtype=pl.String),
        "sample_index": pl.Series("sample_index", [n % 3 for n in range(len(turns))]),
    }


def asked(kind, name, columns):
    """Every column that a step asks, then what it makes of each row (its new prompts, as one text)."""
    step, settings = ready(kind, name)
    result = step.call(columns, settings)
    if step.makes in ("ask", "write"):
        return [result]
    result, asks = drive(result, reply_to)
    if step.makes == "prompts":
        rows = [[] for _ in columns["response"]]
        for row, messages, note in result.select("row", "messages", "note").iter_rows():
            rows[row].append(messages + note)
        result = pl.Series(["\n".join(found) for found in rows])
    return [*(ask.messages for ask in asks), result]


@pytest.mark.parametrize("name", ASKING)
@hypothesis_settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_step_that_asks_takes_any_reply(name, data):
    columns = table()
    replies = {n: data.draw(st.none() | st.text() | st.sampled_from(REPLIES)) for n in range(4)}
    check_shape("generate", name, outcome("generate", name, columns, lambda row, *_: replies[row % 4]), columns)


@pytest.mark.parametrize("name", [n for n in step_names("score")])
def test_a_scorer_says_why_a_row_has_no_value_and_gives_no_value_with_an_error(name):
    result = outcome("score", name, table())
    if "error" in result.columns:
        assert (result["value"].is_null() == result["error"].is_not_null()).all()


@pytest.mark.parametrize("name", [n for n in step_names("score")])
def test_a_score_does_not_depend_on_the_other_rows(name):
    if whole(name):
        pytest.skip("it goes by the other rows")
    all_ = outcome("score", name, table())["value"].to_list()
    alone = [outcome("score", name, table([r]))["value"][0] for r in range(len(TEXTS))]
    assert all_ == alone


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, n in EVERY if k in ("dedup", "select")])
def test_what_is_left_out_is_told_why_and_names_a_row_that_is_kept(kind, name):
    result = outcome(kind, name, table())
    ids = table()["completion_id"].to_list()
    if "duplicate_of" in result.columns:
        assert result["duplicate_of"].drop_nulls().len() >= 1, "the table has an exact copy"
        kept = result["duplicate_of"].is_null()
        assert all(kept[row] for row in result["duplicate_of"].drop_nulls())
        assert (kept == result["similarity"].is_null()).all()
    elif "kept" in result.columns:
        kept = result["kept"]
        assert kept.null_count() == 0 and kept.any()
        for column in {"reason", "evidence", "nearest", "similarity"} & set(result.columns):
            assert result[column].filter(kept).is_null().all(), column
        if "reason" in result.columns:
            assert result["reason"].filter(~kept).is_not_null().all()
        if "nearest" in result.columns:
            assert all(kept[row] for row in result["nearest"].drop_nulls())
    else:
        assert set(result["chosen_id"]) | set(result["rejected_id"]) <= set(ids)
        assert (result["chosen_id"] != result["rejected_id"]).all() and result.height >= 1
        assert result.n_unique() == result.height


# Finding steps ------------------------------------------------------------------------------------------------------

OWN = '''"""Exclamation marks."""

import polars as pl


def score(response: pl.Series, *, mark: str = "!") -> pl.Series:
    """Count them."""
    return response.str.count_matches(mark, literal=True).cast(pl.Float64)


def shouting(response: pl.Series) -> pl.Series:
    """All capitals, or not."""
    return (response == response.str.to_uppercase()).cast(pl.Float64)
'''


@pytest.fixture
def folder(tmp_path):
    """The current folder, empty, for the time of a test."""
    home = os.getcwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(home)


@pytest.mark.parametrize(
    ("kind", "name", "nearest"),
    [
        ("score", "constrants", "constraints"),
        ("dedup", "minhsh", "minhash"),
        ("select", "best_of_m", "best_of_n"),
        ("generate", "sampel", "sample"),
        ("select", "_worse", "best_vs_worst"),
    ],
)
def test_a_step_that_does_not_exist_names_the_nearest(kind, name, nearest):
    with pytest.raises(UserError) as caught:
        find_step(kind, name, "r.yaml:9")
    assert str(caught.value).startswith(f"r.yaml:9: no {kind} step '{name}'")
    assert nearest in str(caught.value)
    if not name.startswith("_"):
        assert f"did you mean '{nearest}'?" in str(caught.value)


def test_a_step_of_ones_own_in_a_file_of_its_own(folder):
    (folder / "my").mkdir()
    (folder / "my" / "marks.py").write_text(OWN)
    step = find_step("score", "my.marks")
    assert (step.reads, step.defaults, step.makes, step.doc) == (
        ("response",),
        {"mark": "!"},
        "score",
        "Exclamation marks.",
    )
    assert step.call({"response": pl.Series(["a!!", "b"])}, check_settings(step, {"mark": "!"}, "")).to_list() == [
        2.0,
        0.0,
    ]
    with pytest.raises(UserError, match=r"setting of score 'my.marks' called 'mrak'; did you mean 'mark'\?"):
        check_settings(step, {"mrak": "?"}, "r.yaml:3")


def test_a_step_of_ones_own_as_a_function_of_a_file(folder):
    (folder / "mine.py").write_text(OWN)
    step = find_step("score", "mine.shouting")
    assert (step.reads, step.makes, step.name) == (("response",), "score", "mine.shouting")
    assert step.call({"response": pl.Series(["HEY", "hey", None])}, {}).to_list() == [1.0, 0.0, None]
    with pytest.raises(UserError, match=r"^r.yaml:4: no function in mine.py 'shoutin'; did you mean 'shouting'\?"):
        find_step("score", "mine.shoutin", "r.yaml:4")


def test_a_changed_file_is_another_step(folder):
    (folder / "my").mkdir()
    for name, text in (("one", OWN), ("two", OWN), ("three", OWN + "\n# edited\n")):
        (folder / "my" / f"{name}.py").write_text(text)
    one, two, three = (find_step("score", f"my.{name}").source for name in ("one", "two", "three"))
    assert one == two != three


def test_a_file_of_ones_own_cannot_hide_ours(folder):
    (folder / "curate.py").write_text("raise SystemExit('hidden')\n")
    (folder / "polars.py").write_text("raise SystemExit('hidden')\n")
    (folder / "mine.py").write_text(OWN)
    assert find_step("score", "mine.shouting").reads == ("response",)
    assert find_step("score", "length").reads == ("response", "completion_tokens")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('"""Doc."""\n\nimport no_such_package\n', 3, "ModuleNotFoundError: No module named 'no_such_package'"),
        ("def score(response)\n    return response\n", 1, "SyntaxError"),
        ("x = 1\ny = x / 0\n", 2, "ZeroDivisionError"),
        ("import json\n\njson.loads('{')\n", 3, "JSONDecodeError"),
        ("import neighbour\n", 1, "neighbour.py, line 2"),
        ("raise ValueError('two\\nlines')\n", 1, "ValueError: two lines"),
    ],
)
def test_a_file_that_cannot_be_imported_is_told_with_its_line(folder, text, line, words):
    (folder / "broken.py").write_text(text)
    (folder / "neighbour.py").write_text("x = 1\ny = )\n")
    for name in ("broken.score", "broken.anything"):
        with pytest.raises(UserError) as caught:
            find_step("score", name, "r.yaml:5")
        assert f"broken.py:{line}: cannot be imported" in str(caught.value) and words in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_file_without_the_function_or_no_file_at_all(folder):
    (folder / "my").mkdir()
    (folder / "my" / "marks.py").write_text('"""Nothing here."""\n')
    for name, words in [
        ("my.marks", ["has no function score"]),
        ("my.nothing", ["nothing.py", "my.py", "exists"]),
        ("my.../etc/passwd", ["dotted path"]),
        ("my.1", ["dotted path"]),
    ]:
        with pytest.raises(UserError) as caught:
            find_step("score", name, "r.yaml:5")
        line = str(caught.value)
        assert line.startswith("r.yaml:5: ") and all(word in line for word in words), line


def test_columns_that_are_not_there_are_named(folder):
    with pytest.raises(UserError, match=r"^r.yaml:2: no column \(which score 'length' reads\) called 'response'"):
        find_step("score", "length").check_reads(["prompt", "responses"], "r.yaml:2")
