"""Getting requests answered: from the log where they are there, else by the engine, each once, within the budget."""

import json
import tempfile
from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.models.failures import Failures
from curate.models.gateway import REPLY_COLUMNS, Gateway, replies_frame
from curate.models.model_ref import ModelRef
from curate.storage.reply_log import ReplyLog, costs
from curate.storage.store import Store
from schemas.errors import Failed, Stopped
from schemas.progress import Progress
from schemas.requests import Reply, Sampling, Spent, make_request
from tests.stub_server import Stub

HOW = Sampling(max_tokens=20, temperature=0.9)


class Echo:
    """An engine in this process: answers with the prompt and the sample's index, ``width`` groups at a time.

    A prompt with "fail" in it fails, without a word why where it has "odd" in it. A group is given a sample at a time,
    last sample first. After ``most`` replies it is stopped as by Ctrl-C.
    """

    def __init__(self, most=1 << 60, width=3):
        self.most, self.width, self.asked, self.closed = most, width, Counter(), 0

    def answer(self, take, give):
        flying = []
        while True:
            while len(flying) < self.width and (group := take()):
                flying.append(group)
                self.asked.update(r.key for r in group)
            if not flying:
                return
            for one in reversed(flying.pop()):
                if self.most == 0:
                    raise KeyboardInterrupt
                self.most -= 1
                text = one.turns[-1]["content"]
                if "fail" in text:
                    why = f"no luck with {len(text)}"
                    give([Reply(one.key, error=why, transient="now" in text, unclear="odd" in text)], Spent(1))
                else:
                    give(
                        [Reply(one.key, f"{text} {one.sample_index}", prompt_tokens=10, completion_tokens=2)],
                        Spent(1, 10, 2),
                    )

    def close(self):
        self.closed += 1


class Counted(Progress):
    """Keeps how far a stage has come."""

    def __init__(self):
        self.total, self.done = None, 0

    def begin(self, label, total=None, unit="rows"):
        self.total = total

    def advance(self, done, note=""):
        self.done += done


def ref(name="a", **settings):
    return ModelRef(name, f"{name}@1", name, "openai", settings=tuple(settings.items()))


def groups(texts, n=1, identity="a@1"):
    messages = [json.dumps([{"role": "user", "content": text}]) for text in texts]
    return [[make_request(identity, m, None, HOW, i) for i in range(n)] for m in messages]


def asking(store, engine=None, limits=None, progress=None, run="run1"):
    """Answers of a run whose model ``a`` is an engine of this process."""
    answers = Gateway(store, progress or Progress(), run, "job", limits)
    answers.engines["a", "generate"] = engine or Echo()
    return answers


def many(count=1 << 30):
    return Failures("stage", count)


def test_each_request_is_asked_once_and_never_again(store):
    progress, engine = Counted(), Echo()
    with asking(store, engine, progress=progress) as answers:
        assert answers.answer_all(ref(), groups("abca", n=2), many()) is True
        found = answers.read(r.key for g in groups("abc", n=2) for r in g)
        assert [r.text for r in found.values()] == ["a 0", "a 1", "b 0", "b 1", "c 0", "c 1"]
        assert (answers.usage.requests, answers.usage.reused, answers.usage.prompt_tokens) == (6, 0, 60)
        assert progress.done == 8, "the two that ask the same words are done too"
    assert engine.closed == 1
    later = Echo()
    with asking(store, later, run="run2") as answers:
        assert answers.answer_all(ref(), groups("abcd", n=3), many()) is True
        assert (answers.usage.requests, answers.usage.reused) == (6, 6)
    assert {*later.asked.values()} == {1} and not {*later.asked} & {*engine.asked}
    spent = [(row["run_id"], row["requests"], row["replies"]) for row in costs(store)]
    assert spent == [("run1", 6, 6), ("run2", 6, 6)]


def test_no_engine_is_loaded_where_all_is_answered(store):
    with asking(store) as answers:
        answers.answer_all(ref(), groups("ab"), many())
    with Gateway(store, Progress()) as answers:
        nowhere = ref(base_url="http://127.0.0.1:9/v1")
        assert answers.answer_all(nowhere, groups("ab"), many()) is True and answers.engines == {}


def test_the_engines_of_other_models_are_freed(store):
    with asking(store) as answers:
        first = answers.engines["a", "generate"]
        answers.engines["b", "generate"] = second = Echo()
        answers.unload_except([ref("b")])
        assert (first.closed, second.closed, [*answers.engines]) == (1, 0, [("b", "generate")])
        answers.unload_except([ref("b"), ref("c")])
        assert second.closed == 0
    assert second.closed == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=12), st.integers(1, 4), st.lists(st.integers(0, 9), max_size=4))
def test_stopped_at_any_reply_only_those_in_flight_go_out_twice(texts, n, stops):
    wanted = groups([str(t) for t in texts], n)
    keys = {r.key for g in wanted for r in g}
    with tempfile.TemporaryDirectory() as folder:
        store, asked, kept = Store(folder), Counter(), 0
        for number, most in enumerate([*stops, 1 << 60]):
            engine = Echo(most)
            with ReplyLog(store) as log:
                before = {*log.read(keys)}
            with asking(store, engine, run=f"run{number}") as answers:
                try:
                    assert answers.answer_all(ref(), wanted, many()) is True
                except KeyboardInterrupt:
                    assert most < 1 << 60
                now = answers.log.newest()
            assert not {*engine.asked} & before
            assert now == len(keys) if most == 1 << 60 else now == min(kept + most, len(keys))
            kept, asked = now, asked + engine.asked
        assert sum(asked.values()) - len(keys) <= len(stops) * engine.width * n
        with ReplyLog(store) as log:
            assert {r.text for r in log.read(keys).values()} == {f"{t} {i}" for t in texts for i in range(n)}
            assert log.spent()["replies"] == log.spent()["requests"] == len(keys)


def test_a_budget_ends_it_and_a_larger_one_goes_on(store):
    for limit, asked in ((5, 4), (5, 0), (9, 4), (100, 4)):
        engine = Echo()
        with asking(store, engine, run=f"run{limit}{asked}") as answers:
            whole = answers.answer_all(ref(max_requests=limit), groups("abcdef", n=2), many())
            assert whole is (limit == 100) and len(engine.asked) == answers.usage.requests == asked
            assert bool(answers.stopped) is not whole
            for said in answers.stopped.values():
                assert said.startswith("models.a.max_requests is reached: ") and f"max_requests={2 * limit}" in said
    assert [row["requests"] for row in costs(store)] == [4, 4, 4]


def test_budgets_are_shared_between_recipes_and_between_models(store):
    with asking(store, limits={"max_requests": 6}) as answers:
        answers.engines["b", "generate"] = second = Echo()
        assert answers.answer_all(ref(), groups("abcd"), many()) is True
        assert answers.answer_all(ref("b"), groups("abcd", identity="b@1"), many()) is False
        assert [*answers.stopped] == ["budget.max_requests"] and len(second.asked) == 2
    with Gateway(store, Progress(), "run2", "other", {"max_requests": 6}) as answers:
        answers.engines["a", "generate"] = first = Echo()
        assert answers.answer_all(ref(max_requests=5), groups("efg"), many()) is False
        assert [*answers.stopped] == ["models.a.max_requests"] and len(first.asked) == 1
    names = ("recipe", "model", "requests")
    spent = [tuple(row[k] for k in names) for row in costs(store)]
    assert spent == [("job", "a", 4), ("job", "b", 2), ("other", "a", 1)]


def test_a_reached_limit_is_told_once(store):
    with asking(store) as answers:
        for text in ("ab", "cd", "ef"):
            answers.answer_all(ref(max_requests=3), groups(text), many())
        assert [*answers.stopped] == ["models.a.max_requests"]
        assert answers.stopped["models.a.max_requests"].count("3 of 3") == 1


def test_a_failure_is_counted_kept_and_asked_again_next_run(store):
    texts = ["a", "fail now", "fail for good", "b"]
    engine, failures = Echo(), many(2)
    with asking(store, engine) as answers:
        assert answers.answer_all(ref(), groups([*texts, "fail now"]), failures) is True
        assert {*engine.asked.values()} == {1}, "what failed is not tried again at once"
        found = [*answers.read(r.key for g in groups(texts) for r in g).values()]
        assert [(r.text, r.error, r.transient) for r in found] == [
            ("a 0", None, False),
            (None, "no luck with 8", True),
            (None, "no luck with 13", False),
            ("b 0", None, False),
        ]
    assert failures.summary() == "2 requests failed: 2 x no luck with N"
    assert [(row["replies"], row["failed"], row["requests"]) for row in costs(store)] == [(2, 2, 4)]
    with asking(store, again := Echo()) as answers:
        answers.answer_all(ref(), groups(texts), many())
        assert (len(again.asked), answers.usage.reused) == (2, 2)


def test_too_many_failures_end_it_with_the_commonest_reasons(store):
    failures = Failures("completions.generate.sample", 3)
    texts = [f"fail {'x' * i}" for i in range(3)] + ["a", "b"] + [f"fail too {i}" for i in range(9)]
    with pytest.raises(Failed) as error, asking(store, Echo(width=1)) as answers:
        answers.answer_all(ref(), groups(texts), failures)
    assert str(error.value) == (
        "completions.generate.sample: 4 requests failed: 4 x no luck with N; more than max_failed allows (3); the "
        "first asked 'fail'. The "
        "replies so far are kept; run again to retry, or allow more: max_failed: 0.1"
    )
    with ReplyLog(store) as log:
        assert log.spent()["replies"] == 2 and log.spent()["failed"] == 4


def test_two_prompts_may_be_refused_without_a_word_why(store):
    texts = ["fail odd 1", "a", "fail odd 2", "fail", "b", "fail too"]
    with asking(store, Echo(width=1)) as answers:
        answers.answer_all(ref(), groups(texts, n=2), Failures("stage", 0, refusable=8))
        with pytest.raises(Failed, match=r"3 requests failed.*allows \(0\)"):
            answers.answer_all(ref(), groups([*texts[::2], "fail odd 3"]), Failures("stage", 0, refusable=8))


@pytest.mark.parametrize(
    ("allowed", "refusable", "errors", "refused", "remedy"),
    [
        (0, 0, [], ["HTTP 403: flagged"], "max_failed: 1"),
        (0, 1, ["busy"], [], "max_failed: 1"),
        (1, 1, ["busy"] * 2, [], "max_failed: 1"),
        (1, 50, ["busy"] * 2, [], "max_failed: 0.1"),
        (1, 5, [], ["HTTP 400: flagged"] * 6, "max_failed: 1"),
        (
            1,
            50,
            ["HTTP 400: odd"] * 2,
            [],
            "max_failed: 0.1; a parameter that the server does not take is left out with leave_out: [seed, ...]",
        ),
    ],
)
def test_the_remedy_for_failures_would_help(allowed, refusable, errors, refused, remedy):
    with pytest.raises(Failed) as error:
        Failures("stage", allowed, refusable=refusable).add(errors, refused)
    assert str(error.value).endswith(f"or allow more: {remedy}")


def test_more_may_be_refused_for_good_than_may_fail():
    failures = Failures("stage", 1, refusable=4)
    failures.add(["busy"], ["flagged"] * 3)
    assert failures.summary() == "4 requests failed: 3 x flagged, 1 x busy"
    with pytest.raises(Failed, match=r"5 requests failed.*allows \(4\).*max_failed: 1$"):
        failures.add([], ["flagged"])
    failures = Failures("stage", 1, refusable=4)
    with pytest.raises(Failed, match=r"3 requests failed: 2 x busy, 1 x flagged.*allows \(1\).*max_failed: 0.1$"):
        failures.add(["busy"] * 2, ["flagged"])
    failures = Failures("stage", 3, refusable=0)
    with pytest.raises(Failed, match=r"allows \(3\).*max_failed: 0.1$"):
        failures.add([], ["flagged"] * 4)


def test_reasons_are_counted_numbers_aside_and_three_are_told():
    failures = Failures("stage", 100)
    assert failures.summary() == ""
    failures.add(["HTTP 500"])
    assert failures.summary() == "1 request failed: 1 x HTTP 500"
    failures.add(["HTTP 500", *(f"http://h1:80/v1: no reply within {s} s" for s in (5, 6, 60)), "odd", "odder", "x"])
    assert failures.summary() == "8 requests failed: 3 x http://h1:80/v1: no reply within N s, 2 x HTTP 500, 1 x odd"


def test_a_frame_of_replies_without_rows_has_every_column():
    whole = Reply("k", "yes", "why", "[]", "stop", 3, 1, (-0.5, -1.0), answered_by="m-2")
    made = replies_frame([whole, None, Reply("e", error="no", transient=True)])
    assert made.schema == {"key": pl.String, **REPLY_COLUMNS}
    assert made.rows() == [
        ("k", "yes", "why", "[]", "stop", 3, 1, [-0.5, -1.0], None, False, None, None, "m-2"),
        (None, *[None] * 8, False, None, None, None),
        ("e", *[None] * 7, "no", True, None, None, None),
    ]
    assert replies_frame([]).schema == made.schema


def test_a_real_servers_answers_are_in_the_prompts_order(store):
    messages = [json.dumps([{"role": "user", "content": f"say exactly: {word}"}]) for word in ("one", "two", "one")]
    how = {"max_tokens": 9, "temperature": 0.5}
    with Stub() as stub:
        model = ref(base_url=stub.url, max_requests=3)
        with Gateway(store, Progress(), "run1", "job") as answers:
            made = answers.ask(model, messages, n=2, sampling=how, seed=1, label="evaluate")
            assert made.select("row", "sample_index", "response").rows() == [
                (i, s, word) for i, word in enumerate(("one", "two", "one")) for s in (0, 1)
            ]
            more = [*messages, *(json.dumps([{"role": "user", "content": f"word {i}"}]) for i in range(4))]
            with pytest.raises(Stopped, match=r"^models\.a\.max_requests is reached: 2 of 3 spent"):
                answers.ask(model, more, n=2, sampling=how, seed=1, label="evaluate")
        assert stub.stats()["requests"] == 2 == costs(store)[0]["requests"]
        assert stub.stats()["choices"] == 4
