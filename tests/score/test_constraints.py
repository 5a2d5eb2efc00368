"""The scorer ``constraints``: texts that each kind passes and fails, bad ground truth, loose mode, hostile texts."""

import json
import time

import polars as pl
import pytest

from curate.algorithms.text.text_columns import in_words, word_count
from curate.score.constraints import score
from curate.verifiers.constraints.kinds import KINDS
from curate.verifiers.constraints.text_units import sentence_lengths, sentences_of
from tests.score.if_multi_cases import IF_MULTI_CASES
from tests.score.ifeval_cases import IFEVAL_CASES
from tests.score.rlvr_cases import RLVR_CASES

# kind, parameters, a text that keeps it, a text that does not
CASES = [
    ("lowercase", {}, "all small é", "All small"),
    ("lowercase", {}, "grün 7", "42"),
    ("uppercase", {}, "ÉTÉ 7!", "ÉTé"),
    ("title_case", {}, "The Old “House” 3rd", "The old House"),
    ("all_caps_words", {"n": 2}, "I said STOP, NOW please", "I said STOP now"),
    ("all_caps_words", {"n": 1, "how": "at_least"}, "NASA and ESA", "A plan I like"),
    ("letter_frequency", {"letter": "é", "n": 2}, "Été", "ete"),
    ("letter_frequency", {"letter": "s", "n": 1, "how": "at_most"}, "sea", "seas"),
    ("no_letter", {"letter": "e"}, "A cat sat", "The cat"),
    ("no_commas", {}, "one; two", "one, two"),
    ("no_commas", {}, "一。二", "一，二"),
    ("no_digits", {}, "three", "3"),
    ("no_digits", {}, "tres", "٣"),
    ("ascii_only", {}, "plain 'text'", "café"),
    ("n_numbers", {"n": 2}, "1,000.5 and 7", "7"),
    ("n_exclamations", {"n": 2}, "Oh! My!", "Oh! My!!"),
    ("n_questions", {"n": 1}, "Why?", "Why? How?"),
    ("ends_with_question", {}, "And you? \n", "And you? Yes."),
    ("max_chars", {"n": 4}, " four\n", "fives"),
    ("max_words", {"n": 3}, "well-known - old men", "one two three four"),
    ("min_words", {"n": 3}, "one two three", "one - two !"),
    ("n_words", {"n": 2}, "hello, world", "hello"),
    ("words_between", {"least": 2, "most": 3}, "one two three", "one two three four"),
    ("words_between", {"least": 2, "most": 3}, "one two", "one"),
    ("max_word_length", {"n": 5}, "“Hello!!!” there", "goodbye"),
    ("unique_words", {}, "one two three", "One two, one!"),
    ("keywords", {"words": ["sea", "salt"]}, "SALT, the sea's", "seaside salt"),
    ("keywords", {"words": ["don’t stop"]}, "Please don't\nstop", "don't you stop"),
    ("keyword_count", {"word": "sea", "n": 2}, "Sea and sea.", "sea sea sea"),
    ("keyword_count", {"word": "sea", "n": 2, "how": "at_least"}, "sea sea sea", "sea season"),
    ("keyword_count", {"word": "sea", "n": 1, "how": "at_most"}, "seas", "sea _sea_"),
    ("forbidden_words", {"words": ["hot"]}, "a hotel", "so HOT!"),
    ("starts_with", {"phrase": "Thank you"}, "thank  you, nurse", "Thank yourself"),
    ("starts_with", {"phrase": "Thank you"}, "Thank you", "I thank you"),
    ("ends_with", {"phrase": "at sea"}, "We eat at sea.”", "We eat at sea now"),
    ("ends_with", {"phrase": "end."}, "The end.", "The end"),
    ("ends_with", {"phrase": "one"}, "no one", "none"),
    ("one_of", {"options": ["yes", "no"]}, "Yes.", "Yes, it is."),
    ("n_sentences", {"n": 2}, "Mr. Smith left (e.g. at noon!) Why?", "Only one"),
    ("n_sentences", {"n": 3}, "1. Go on... 2. Wait! “Now.” ", "1. Go on. 2. Wait!"),
    ("n_sentences", {"n": 2, "how": "at_least"}, "一。二。", "one, e.g. this."),
    ("max_sentence_words", {"n": 3}, "I am here. You are not.", "I am not here."),
    ("n_paragraphs", {"n": 2}, "a\nb\n \n\nc", "a\nb"),
    ("n_lines", {"n": 2}, "a\n\nb\n", "a"),
    ("single_line", {}, "\na b\n", "a\nb"),
    ("each_line_starts_with", {"prefix": "> "}, "> a\n\n  > b", "> a\nb"),
    ("n_bullets", {"n": 2}, "Here:\n- a\n  • b", "- a\n**b**\n-c"),
    ("n_bullets", {"n": 1, "how": "at_most"}, "* a", "* a\n* b"),
    ("numbered_list", {"n": 2}, "Steps:\n1. a\n2) b", "1. a\n3. b"),
    ("numbered_list", {"n": 2}, "1. a\n2. b", "1. a\n2. b\n3. c"),
    ("sections", {"n": 1}, "# Cats\ntext #1", "#cats"),
    ("highlights", {"n": 2}, "*a b* and **c**", "* item\n*c*"),
    ("n_placeholders", {"n": 2}, "[name] at [the place]", "[] at [place]"),
    ("n_hashtags", {"n": 2}, "#run #été", "#run # C# ##"),
    ("title", {}, "<<My day>>\nSun.", "<< >> My day"),
    ("quotation", {}, ' "Hello." ', '"Hello," he said.'),
    ("quotation", {}, "“Hello.”", '""'),
    ("postscript", {"marker": "P.S."}, "Hi.\nP.S. Bye", "P.S. Bye"),
    ("postscript", {"marker": "P.S."}, "Hi.\n\np.s. Bye", "Hi.\nP.S."),
    ("two_responses", {}, "a\n******\nb", "a\n******\na"),
    ("csv_fields", {"n": 3}, 'a, "b, c", d', "a,,d"),
    ("csv_fields", {"n": 2}, "a,b", "a,b\nc,d"),
    ("csv_fields", {"n": 2}, '"a",b', '"a,b'),
    ("json_keys", {"keys": ["a", "b"]}, '{"b": 1, "a": [2]}', '{"a": 1}'),
    ("json_keys", {"keys": ["a"]}, '```json\n{"a": null}\n```', '{"a": NaN}'),
    ("json_keys", {"keys": ["a"]}, '{"a": {"b": 1}}', 'Sure: {"a": 1}'),
    ("json_list", {"n": 2}, '["a", 1]', '{"a": 1, "b": 2}'),
    *IFEVAL_CASES,
    *IF_MULTI_CASES,
    *RLVR_CASES,
]


def scored(text: str | None, truth: object, **settings: bool) -> dict:
    truth = truth if isinstance(truth, str | None) else json.dumps(truth)
    frame = score(pl.Series([text], dtype=pl.String), pl.Series([truth], dtype=pl.String), **settings)
    return frame.row(0, named=True)


def test_each_kind_tells_its_texts_apart():
    truths = pl.Series([json.dumps([{"kind": kind, **parameters}]) for kind, parameters, _, _ in CASES])
    good, bad = (score(pl.Series([case[place] for case in CASES]), truths)["value"] for place in (2, 3))
    assert [case for case, value in zip(CASES, good, strict=True) if value != 1.0] == []
    assert [case for case, value in zip(CASES, bad, strict=True) if value != 0.0] == []


def test_every_kind_has_a_case():
    assert {case[0] for case in CASES} == set(KINDS)


@pytest.mark.parametrize("text", ["", " \n\t", "...", "\u200b", "***"])
def test_an_empty_response_keeps_nothing(text):
    truth = [{"kind": kind, **parameters} for kind, parameters, _, _ in CASES]
    for strict in (True, False):
        row = scored(text, truth, strict=strict)
        assert (row["value"], row["error"]) == (0.0, None)
        assert len(json.loads(row["detail"])["failed"]) == len(truth)


def test_value_is_the_share_and_detail_says_what_was_found():
    row = scored("The sea, the sea.", [{"kind": "lowercase"}, {"kind": "max_words", "n": 2}, {"kind": "single_line"}])
    assert row["value"] == pytest.approx(1 / 3)
    assert json.loads(row["detail"]) == {
        "passed": [{"kind": "single_line", "found": 1}],
        "failed": [{"kind": "lowercase"}, {"kind": "max_words", "n": 2, "found": 4}],
    }
    assert row["error"] is None


@pytest.mark.parametrize(
    ("truth", "error"),
    [
        (None, "ground_truth is null; expected a JSON list of constraints"),
        ("lower", "ground_truth is not JSON: 'lower'; expected a list of constraints"),
        ("[" * 100_000, "ground_truth is not JSON: '[["),
        ([], "ground_truth is a list of 0; expected a list of one or more constraints"),
        ({"kind": "lowercase"}, "ground_truth is an object of 1; expected a list of one or more constraints"),
        (["lowercase"], "ground_truth[0]: found 'lowercase'; expected an object with a \"kind\""),
        ([{"kind": "lowercas"}], "ground_truth[0]: no kind of constraint 'lowercas'; did you mean 'lowercase'? (there"),
        ([{"kind": "lowercase"}, {"kind": "max_words"}], "ground_truth[1]: max_words needs 'n': a whole number, 0 or"),
        (
            [{"kind": "max_words", "n": "two"}],
            "ground_truth[0]: max_words: 'n' is 'two'; expected a whole number, 0 or",
        ),
        ([{"kind": "max_words", "n": True}], "ground_truth[0]: max_words: 'n' is True; expected"),
        ([{"kind": "max_words", "n": -1}], "ground_truth[0]: max_words: 'n' is -1; expected"),
        ([{"kind": "max_words", "n": 2.5}], "ground_truth[0]: max_words: 'n' is 2.5; expected"),
        ([{"kind": "max_words", "n": 2, "m": 1}], "ground_truth[0]: no parameter of max_words 'm'"),
        ([{"kind": "keywords", "words": []}], "ground_truth[0]: keywords: 'words' is a list of 0; expected a list"),
        ([{"kind": "keywords", "words": ["a", True]}], "ground_truth[0]: keywords: 'words' is a list of 2; expected"),
        ([{"kind": "starts_with", "phrase": " "}], "ground_truth[0]: starts_with: 'phrase' is ' '; expected a text"),
        ([{"kind": "no_letter", "letter": "ab"}], "ground_truth[0]: no_letter: 'letter' is 'ab'; expected one letter"),
        ([{"kind": "n_lines", "n": 1, "how": "least"}], "ground_truth[0]: n_lines: 'how' is 'least'; expected"),
        ([{"kind": "words_between", "least": 3, "most": 2}], "ground_truth[0]: words_between: 'least' is 3, more than"),
    ],
)
def test_wrong_ground_truth_is_null_with_one_line_that_says_why(truth, error):
    row = scored("A text.", truth)
    assert (row["value"], row["detail"]) == (None, None)
    assert row["error"].startswith(error)
    assert "\n" not in row["error"]
    assert len(row["error"]) < 700


IDS, KWARGS = (
    ["punctuation:no_comma", "length_constraints:number_words"],
    [
        {},
        {"relation": "less than", "num_words": 3, "num_bullets": None},
    ],
)


@pytest.mark.parametrize(
    "truth",
    [
        {"instruction_id_list": IDS, "kwargs": KWARGS},
        {"key": 1, "instruction_id_list": IDS, "kwargs": [None, KWARGS[1]]},
        [{"instruction_id": IDS, "kwargs": KWARGS}],
        [json.dumps({"instruction_id": IDS, "kwargs": KWARGS})],
        str([{"instruction_id": IDS, "kwargs": [None, KWARGS[1]]}]),
    ],
)
def test_ifevals_own_form_is_read(truth):
    assert scored("one two", truth)["value"] == 1.0
    row = scored("one, two three", truth)
    assert (row["value"], row["error"]) == (0.0, None)
    assert json.loads(row["detail"])["failed"] == [
        {"kind": IDS[0]},
        {"kind": IDS[1], "relation": "less than", "num_words": 3, "found": 3},
    ]


@pytest.mark.parametrize(
    ("truth", "error"),
    [
        ({"instruction_id_list": IDS, "kwargs": [{}]}, "ground_truth: instruction_id and kwargs do not go together"),
        ({"instruction_id_list": 3, "kwargs": [{}]}, "ground_truth: instruction_id and kwargs do not go together"),
        ({"instruction_id_list": [IDS[0]], "kwargs": ["a"]}, "ground_truth: kwargs holds 'a'; expected objects"),
        (
            {"instruction_id_list": ["punctuation:no_coma"]},
            "ground_truth[0]: no kind of constraint 'punctuation:no_coma'; did you mean 'punctuation:no_comma'?",
        ),
        (
            {"instruction_id_list": [IDS[1]], "kwargs": [{"num_words": 3}]},
            'ground_truth[0]: length_constraints:number_words needs \'relation\': "less than" or "at least"',
        ),
        ("{'instruction_id': " + "[" * 500, "ground_truth is not JSON"),
        (
            [{"kind": "language:response_language", "language": "xx"}],
            "ground_truth[0]: language:response_language: 'lang",
        ),
    ],
)
def test_ifevals_form_gone_wrong_says_how(truth, error):
    row = scored("A text.", truth)
    assert (row["value"], row["detail"]) == (None, None)
    assert row["error"].startswith(error) and "\n" not in row["error"]


def test_a_null_response_is_null_and_other_rows_keep_their_place():
    truth = json.dumps([{"kind": "lowercase"}])
    frame = score(pl.Series(["a", None, "B"]), pl.Series([truth, truth, truth]))
    assert frame["value"].to_list() == [1.0, None, 0.0]
    assert frame["error"].to_list() == [None, "response is null", None]


def test_no_rows_and_all_null_columns():
    empty = score(pl.Series([], dtype=pl.String), pl.Series([], dtype=pl.String))
    assert empty.schema == {"value": pl.Float64, "detail": pl.String, "error": pl.String}
    assert score(pl.Series([None, None]), pl.Series([None, None]))["value"].to_list() == [None, None]


@pytest.mark.parametrize(
    ("text", "constraint"),
    [
        ('Sure, here it is:\n{"a": 1}', {"kind": "json_keys", "keys": ["a"]}),
        ("the sea\nHope this helps!", {"kind": "lowercase"}),
        ("Sure!\nyes\nAnything else?", {"kind": "one_of", "options": ["yes"]}),
        ("**Dear** Anna", {"kind": "starts_with", "phrase": "Dear Anna"}),
    ],
)
def test_loose_forgives_a_first_line_a_last_line_and_asterisks(text, constraint):
    assert scored(text, [constraint])["value"] == 0.0
    assert scored(text, [constraint], strict=False)["value"] == 1.0


def test_loose_forgives_nothing_else_and_reports_the_whole_text():
    row = scored("One two\nthree four\nfive", [{"kind": "max_words", "n": 1}], strict=False)
    assert row["value"] == 0.0
    assert json.loads(row["detail"])["failed"][0]["found"] == 5
    assert scored("Only line", [{"kind": "no_letter", "letter": "o"}], strict=False)["value"] == 0.0


# Each, repeated, is the worst case of some pattern; a check that is quadratic in it takes minutes, not a second.
HOSTILE = [
    *("a", "-", "- ", " \n", "[", "[{", "*a", "<<", ". ", '" ,', "1.1,", "a\u0301", "(", '{"a":', "# ", "#", "”"),
    *("\u2028", "\u200b", "P.S.\n", "******", "```\n"),
]


@pytest.mark.slow
@pytest.mark.parametrize("unit", HOSTILE)
def test_a_long_hostile_text_is_quick(unit):
    truths = pl.Series([json.dumps([{"kind": case[0], **case[1]}]) for case in {c[0]: c for c in CASES}.values()])
    for text in (unit * (50_000 // len(unit)), "x " + unit * (50_000 // len(unit)) + "y"):
        start = time.process_time()
        assert score(pl.Series([text]).new_from_index(0, len(truths)), truths)["error"].null_count() == len(truths)
        assert time.process_time() - start < 10


@pytest.mark.slow
def test_a_response_of_a_megabyte_is_scored_in_seconds():
    truth = [{"kind": kind, **parameters} for kind, parameters, _, _ in {case[0]: case for case in CASES}.values()]
    start = time.process_time()
    assert scored("The sea, [{*a " * 75_000, truth)["error"] is None
    assert time.process_time() - start < 20


def test_a_long_phrase_in_a_long_text_is_quick():
    start = time.process_time()
    scored("-" * 1_000_000 + "a", [{"kind": "keyword_count", "word": "-" * 199 + "x", "n": 1}])
    assert time.process_time() - start < 3


def test_what_a_word_and_a_sentence_are():
    text = pl.Series(["It's a well-known fact - no."])
    assert word_count(text).to_list() == [5]
    assert in_words(text).to_list() == [["It's", "a", "well-known", "fact", "no"]]
    text = "J. Doe came. Dr. No left!  So?\n\nno full stop\n\n---"
    assert sentence_lengths(text) == [len(sentence) for sentence in sentences_of(text)] == [3, 3, 1, 3]
