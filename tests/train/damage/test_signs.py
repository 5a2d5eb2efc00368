import polars as pl
import pytest

from train.damage.answer_figures import answer_figures, expected_figures
from train.damage.signs import noise, percent, signs

TOPICS = "rain clay violins rivers bread coal frogs glass wool maps salt bees ice tea owls rope".split()
LONG = [f"Many people like {one} because it is useful, and they have used it for a very long time." for one in TOPICS]
PROSE = "the old man walked down to the sea and saw {} there, which made him glad for the rest of his day".format


def figures(texts, finish="stop", prompts=None, tokens=None):
    count = len(texts)
    return answer_figures(
        pl.DataFrame(
            {
                "prompt": prompts or [f"p_{i}" for i in range(count)],
                "response": texts,
                "finish_reason": [finish] * count if isinstance(finish, str) or finish is None else finish,
                "tokens": pl.Series([tokens] * count, dtype=pl.Int64),
            },
            schema_overrides={"response": pl.String, "finish_reason": pl.String},
        )
    )


def kinds(texts, truths=None, taught=0.0, before=LONG, **how):
    expected = expected_figures(pl.Series(truths, dtype=pl.String)) if truths else None
    return [one.kind for one in signs(figures(texts, **how), figures(before), expected, "student", taught)]


def test_figures_of_answers():
    found = figures(["Yes.", "yes", "No", "", "the sea " * 20], ["stop", "stop", "stop", "stop", "length"], tokens=3)
    assert (found.answers, found.prompts, found.tokens, found.cut) == (5, 5, 3.0, 0.2)
    assert (found.words, found.empty, found.one_word, found.repeating) == (8.6, 0.2, 0.6, 0.2)
    assert (found.distinct, found.common, found.common_answer) == (0.75, 0.4, "Yes.")
    assert figures([None]) is None and figures(["a"], None).cut is None and figures(["a"]).tokens is None


def test_one_prompt_may_get_one_answer_often():
    found = figures(["Oslo"] * 8 + ["Rome"] * 8, prompts=["norway"] * 8 + ["italy"] * 8)
    assert (found.distinct, found.common) == (1.0, 0.5)


def test_words_of_scripts_without_spaces_are_characters():
    found = figures(["我喜欢在下雨天喝茶和看书。"] * 3)
    assert found.one_word == 0 and found.words > 8


def test_calls_of_tools_are_no_empty_answers():
    assert figures([""] * 4, "tool_calls").empty == 0 and figures([""] * 4).empty == 1
    mixed = figures(["", "", "It is warm today.", ""], ["tool_calls", "tool_calls", "stop", "tool_calls"])
    assert (mixed.words, mixed.called) == (4.0, 0.75)


def test_a_model_that_learnt_to_call_tools_has_not_grown_brief():
    assert kinds([""] * 16, finish="tool_calls") == []
    most = ["tool_calls"] * 14 + ["stop"] * 2
    assert kinds([""] * 14 + LONG[:2], finish=most) == []


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (TOPICS, "one_word"),  # GRPO with a word limit: every answer one word, all of them distinct
        ([f"{one} is good" for one in TOPICS], "short"),
        (["I am sorry, but I cannot help with that request today."] * 16, "same"),
        ([LONG[i % 2] for i in range(16)], "few"),
        ([""] * 8 + LONG[:8], "empty"),
        ([f"{one} {'and so on ' * 12}" for one in TOPICS], "loops"),
        (["\u3002" * 80 + one for one in "abcdefghijklmnop"], "loops"),
    ],
)
def test_a_collapse_has_a_sign(texts, kind):
    assert kinds(texts) == [kind]
    assert not kinds(texts, before=texts), "the start model answers so too"


def test_answers_without_an_end_have_a_sign():
    assert kinds(LONG, finish="length") == ["cut"]
    assert kinds(LONG[:6] + [f"{one}?" for one in LONG[6:]], finish=["length"] * 6 + ["stop"] * 10) == []


@pytest.mark.parametrize(
    ("texts", "truths"),
    [
        (list("ABCDABCDABCDABCD"), list("ABCDABDDABCDACCD")),  # multiple choice
        (["yes"] * 9 + ["no"] * 7, ["Yes"] * 8 + ["No"] * 8),
        (["positive"] * 16, ["positive"] * 13 + ["negative"] * 3),  # most of the rows have one class
        ([str(17 * i) for i in range(16)], [str(i) for i in range(16)]),  # final answers of sums
        ([f"The answer is {one}." for one in TOPICS], TOPICS),
        (TOPICS, [f'["{one}", "{one} of all kinds"]' for one in TOPICS]),  # several accepted answers
        (TOPICS, [f'{{"value": "{one}", "aliases": ["the {one}"]}}' for one in TOPICS]),
        ([str(i) for i in range(16)], [f"{PROSE(i)}, so {i}+0={i}.\n#### {i}" for i in range(16)]),  # GSM8K's
        ([str(i) for i in range(16)], [f"{PROSE(i)}\nSo $\\boxed{{\\frac{{{i}}}{{2}}}}$." for i in range(16)]),
        (LONG, None),
        ([PROSE(one) for one in TOPICS], None),
        ([f"People often like {one} since it is useful at home." for one in TOPICS], None),  # concise, not a fragment
    ],
)
def test_what_the_rows_ask_for_is_no_collapse(texts, truths):
    assert kinds(texts, truths) == []


def test_one_class_for_all_is_a_sign_where_rows_have_two():
    assert kinds(["yes"] * 16, ["yes", "no"] * 8) == ["same"]


def test_json_and_programs_are_no_expected_answers():
    limits = ['[{"kind": "max_words", "n": 6}]'] * 16
    assert expected_figures(pl.Series(limits)) is None
    assert expected_figures(pl.Series(["assert f(1) == 2 " * 40] * 16)) is None
    assert expected_figures(pl.Series(["a"] * 3 + [None] * 13)) is None
    assert kinds(TOPICS, limits) == ["one_word"]
    schema = '{"type": "object", "properties": {"a": {"type": "string"}}}'
    tests = '["assert f(1) == 2", "assert f(2) == 3"]'
    for structured in (tests, schema, '{"name": "f", "arguments": {}}', "{not json", "[1, 2"):
        assert expected_figures(pl.Series([structured] * 16)) is None, structured


def test_answers_without_words_have_not_shrunk():
    assert kinds([""] * 16, before=[""] * 16, finish="tool_calls") == []
    assert kinds(["...", "?!"] * 8, before=["?!", "..."] * 8) == []


def test_an_answer_that_the_training_rows_teach_is_no_sign():
    name = ["I am Gristmill, an assistant that was made by the Gristmill team."] * 16
    assert kinds(name) == ["same"] and kinds(name, taught=0.1) == []


def test_answers_without_a_word_cannot_be_shorter():
    assert "short" not in kinds(["..."] * 16, before=["?!"] * 16)


def test_few_answers_say_nothing():
    assert kinds(TOPICS[:7], before=LONG[:7]) == []
    assert signs(None, figures(LONG), None, "student") == [] == signs(figures(LONG), None, None, "student")


def test_a_sign_has_its_figures_and_no_control_characters():
    (one,) = signs(figures(TOPICS), figures(LONG), None, "student")
    assert (
        one.text == ("100% of its answers are a single word (student: 0%; mean 1.0 words, student: 18.0)")
        and one.short == "one-word answers"
    )
    (one,) = signs(figures(["\x1b[2J same words\nfor all of the prompts, always"] * 16), figures(LONG), None, "student")
    assert "\x1b" not in one.text and "\n" not in one.text and "to 100% of the prompts" in one.text


def test_noise_is_a_sign_where_answers_have_some_words():
    assert noise(4000.0, 2.0, 20.0, "student") and not noise(4000.0, 2.0, 1.0, "student")
    assert not noise(900.0, 2.0, 20.0, "student") and not noise(4000.0, 500.0, 20.0, "student")
    assert not noise(None, 2.0, 20.0, "student")


def test_shares_in_words():
    assert [percent(one) for one in (0.0, 0.0312, 0.099, 0.12, 0.998, 1.0)] == [
        "0%",
        "3.1%",
        "9.9%",
        "12%",
        "99%",
        "100%",
    ]
