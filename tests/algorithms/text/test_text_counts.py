"""The compiled loops count the same as plain Python, on odd texts."""

import re
import unicodedata
from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.algorithms.text import text_counts

STOPS = ["the", "be", "to", "of", "and", "that", "have", "with", "être"]
# Han, kana and Thai, as far as used here.
ALONE = re.compile("[\u3400-\u9fff\u3040-\u30ff\u0e01-\u0e3a\u0e40-\u0e5b\U00020000-\U0002ffff]")
TERMINAL, CLOSERS, BULLETS = ".!?。！？…．؟।", "\"'*_`”’»」』）)]}›", "•‣▪●·–—*+-"
ODD = [
    "",
    " ",
    "\n",
    "\r\n",
    "a",
    "The cat.",
    "no end",
    "\n\n\nx\n\n",
    "3.14 is pi. So",
    "(a (b) c)",
    "THE Be, to of and",
    "line one\r\nline two\r\n\r\nline two\rline two",
    "- one\n- two\n• three\n* four\n*bold* five\n-5\n---\n– six",
    'well...\nand…\n"so..."\nwait. . .',
    "1. Begin\n2. Go on.\n10) End!",
    "word " * 300,
    "the the the the",
    "J. R. Tolkien wrote e.g. this. I. Then he left.",
    "你好，世界。今天天气很好！真的吗？（是的。）",
    "ｆｕｌｌ．",
    "🙂🙂 🙂",
    "「好。」他说。 Mixed 中文 and English, 100%.",
    "Grüße an Zoë 👩‍👩‍👧 é e\u0301 ÀÉ",
    "#tag ##x # ... .... …",
    "a\x00b\x1b[31mred\x07\x1c\x85\u2028z",
    "don't stop-it 'quoted'",
    "ไทยภาษา ไม่มี space",
    "x" * 1200 + " a b.",
    "\U00020001\U0002a6d6 \U000e0041\U000e0101 \U000f0000 \U0001f600",
    "\ufeffBOM  \u3000wide\u00a0space ",
    "Ends with a quote, \"yes\"\nand 'no'  \n",
    "a b\n\na b\n\nc\nd\n\nc\nd\n\n \n\n",
]
PIECES = [
    "a",
    "The",
    "the",
    "to",
    "of",
    "x1",
    "É",
    "e\u0301",
    "你",
    "好",
    "か",
    "ไ",
    "1",
    "42",
    ".",
    "...",
    "…",
    "!",
    "?",
    "。",
    "，",
    '"',
    "'",
    "(",
    ")",
    "」",
    "-",
    "*",
    "•",
    "#",
    "_",
    " ",
    " ",
    " ",
    "\n",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "🙂",
    "\u200d",
    "\xa0",
    "\x1f",
    "$",
]
texts_ = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def is_word(c):
    return unicodedata.category(c)[0] in "LMN"


def is_letter(c):
    return unicodedata.category(c)[0] in "LM"


def characters(text):
    def count(holds):
        return sum(map(holds, text))

    upper = count(lambda c: unicodedata.category(c) in ("Lu", "Lt"))
    return (
        count(is_letter),
        count(lambda c: unicodedata.category(c) == "Nd"),
        count(str.isspace),
        upper,
        count(lambda c: unicodedata.category(c) == "Ll"),
        len(text),
    )


def in_words(text):
    return ALONE.sub(lambda found: f" {found.group()} ", text).split()


def words(text):
    found = in_words(text)
    alone = sum(bool(ALONE.fullmatch(word)) for word in found)
    bare = []
    for word in found:
        places = [place for place, c in enumerate(word) if is_word(c)]
        if places and not ALONE.fullmatch(word):
            bare.append(word[places[0] : places[-1] + 1])
    low = [re.sub("[A-Z]", lambda c: c.group().lower(), word) for word in bare]
    return (
        len(found),
        alone,
        sum(any(map(is_letter, word)) for word in found),
        len(bare),
        sum(map(len, bare)),
        max(map(len, bare), default=0),
        len(set(STOPS) & set(low)),
        text.count("#"),
        text.count("...") + text.count("…"),
    )


def in_word(text, place):
    return place < len(text) and is_word(text[place]) and not ALONE.fullmatch(text[place])


def apart(text, within=False):
    """Words and marks apart (but a single one ``within`` a word): the place each begins at and ends before."""
    found = []
    for place, c in enumerate(text):
        goes_on = in_word(text, place)
        if c.isspace():
            continue
        if within and found and found[-1][1] == place and found[-1][2] and not is_word(c):
            goes_on = in_word(text, place + 1)
        if goes_on and found and found[-1][1] == place and found[-1][2]:
            found[-1] = (found[-1][0], place + 1, True)
        else:
            found.append((place, place + 1, goes_on))
    return [(low, high) for low, high, _ in found]


def sentences(line):
    """Sentences of a line, by looking for their ends one after another."""
    count, start = 0, 0
    for end in re.finditer(f"[{re.escape(TERMINAL + CLOSERS)}]*[{TERMINAL}][{re.escape(TERMINAL + CLOSERS)}]*", line):
        before = line[start : end.start()]
        marks = end.group()
        real = []
        for place, mark in enumerate(marks):
            so_far = before + marks[:place]
            numeric = all(unicodedata.category(c) == "Nd" for c in so_far if is_word(c))
            last = apart(so_far)[-1:] or [(0, 0)]
            token = so_far[last[0][0] : last[0][1]]
            single = len(token) == 1 and is_letter(token) and not ALONE.fullmatch(token)
            if mark in TERMINAL and any(map(is_word, so_far)) and not (mark == "." and (single or numeric)):
                real.append(mark)
        wide = any(ord(mark) >= 0x3000 for mark in real)
        after = line[end.end() : end.end() + 1]
        if real and (after.isspace() or (wide and after)):
            count, start = count + 1, end.end()
    return count + any(map(is_word, line[start:]))


def lines(text, short=30):
    every = re.split("\r\n|\r|\n", text)
    kept = [line.strip() for line in every if line.strip()]
    bare = [line.rstrip(CLOSERS + " \t\xa0\u3000\x1c\x1d\x1e\x1f\x85\u2028") for line in kept]
    dots = [re.search(r"\.\s*\.\s*\.$", end) is not None or end.endswith("…") for end in bare]
    whole = [end != "" and end[-1] in TERMINAL for end in bare]
    c4 = [
        ((ends and not elliptic) or line.endswith(('"', "'")))
        and len(in_words(line)) > 4
        and max(map(len, ALONE.sub(" ", line).split()), default=0) <= 1000
        for line, ends, elliptic in zip(kept, whole, dots, strict=True)
    ]
    bullets = sum(line[0] in BULLETS and (line[0] not in "*+-" or line[1:2].strip() == "") for line in kept)
    told = [sentences(line) for line in kept]
    few = sum(len(line) <= short for line in kept)
    return (
        len(kept),
        bullets,
        sum(dots),
        sum(whole),
        few,
        sum(c4),
        len(every) - 1,
        len(apart(text)),
        sum(told),
        sum(n for n, keep in zip(told, c4, strict=True) if keep),
        len(ALONE.findall(text)),
    )


def repeats(text, paragraphs):
    low = "".join(map(chr, range(33)))
    units = [line.strip(low) for line in re.split("\r\n|\r|\n", text)]
    if paragraphs:
        units = [part for part in re.split("\n\n+", "\n".join(units)) for part in [part.strip("\n")]]
    units = [unit for unit in units if unit]
    again = [unit for place, unit in enumerate(units) if unit in units[:place]]
    size = [sum(len(line) for line in unit.split("\n")) for unit in units]
    return len(units), len(again), sum(size), sum(len(line) for unit in again for line in unit.split("\n"))


def ngrams(text, n, top):
    tokens = apart(text, within=True)
    grams = [tuple(text[low:high] for low, high in tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    if top:
        best, often = Counter(grams).most_common(1)[0] if grams else ((), 0)
        first = grams.index(best) if grams else 0
        return len(text), often * (tokens[first + n - 1][1] - tokens[first][0]) if often > 1 else 0
    seen, covered, place = set(), 0, 0
    while place < len(grams):
        if grams[place] in seen:
            covered, place = covered + sum(map(len, grams[place])), place + n
        else:
            seen.add(grams[place])
            place += 1
    return len(text), covered


WAYS = {
    "characters": (lambda t: text_counts.characters(t), characters),
    "words": (lambda t: text_counts.words(t, STOPS), words),
    "lines": (lambda t: text_counts.lines(t), lines),
    "lines of 5": (lambda t: text_counts.lines(t, 5), lambda text: lines(text, 5)),
    "repeated lines": (lambda t: text_counts.repeats(t, paragraphs=False), lambda text: repeats(text, False)),
    "repeated paragraphs": (lambda t: text_counts.repeats(t, paragraphs=True), lambda text: repeats(text, True)),
    "top 1": (lambda t: text_counts.ngrams(t, 1, top=True), lambda text: ngrams(text, 1, True)),
    "top 2": (lambda t: text_counts.ngrams(t, 2, top=True), lambda text: ngrams(text, 2, True)),
    "repeated 1": (lambda t: text_counts.ngrams(t, 1, top=False), lambda text: ngrams(text, 1, False)),
    "repeated 3": (lambda t: text_counts.ngrams(t, 3, top=False), lambda text: ngrams(text, 3, False)),
}


@pytest.fixture(params=WAYS)
def way(request):
    return WAYS[request.param]


def test_odd_texts_are_counted_as_plain_python_counts_them(way):
    ours, plain = way
    for text, found in zip(ODD, ours(pl.Series(ODD)).rows(), strict=True):
        assert found == plain(text), text[:60]


@pytest.mark.parametrize("name", WAYS)
@settings(max_examples=40, deadline=None)
@given(texts=st.lists(texts_, min_size=1, max_size=6))
def test_any_texts_are(name, texts):
    ours, plain = WAYS[name]
    assert ours(pl.Series(texts, dtype=pl.String)).rows() == [plain(text) for text in texts]


def test_rows_do_not_mix_in_a_large_table_and_null_counts_none(way):
    ours, _ = way
    some = ours(pl.Series(ODD)).rows()
    many = ours(pl.Series([*ODD, None] * 300)).rows()
    assert many == [*some, ours(pl.Series([""])).row(0)] * 300


def test_no_rows(way):
    assert way[0](pl.Series([], dtype=pl.String)).height == 0


def test_a_text_of_a_megabyte(way):
    ours, _ = way
    line = "Once upon a time, 你好。\n"
    once, many = ours(pl.Series([line])).row(0), ours(pl.Series([line * 40_000])).row(0)
    assert all(
        many[place] in (once[place] * 40_000, *range(60), 40_000 - 1) or many[place] > once[place]
        for place in range(len(once))
    )
    assert ours(pl.Series([line * 40_000, line])).row(1) == once


def test_a_line_that_c4_drops_is_a_line_still():
    javascript, policy = (
        "Turn on JavaScript to go on.\nThis line may stay here.",
        "We have a\r\nPrivacy Policy for you.",
    )
    texts = pl.Series([javascript, policy, "Four words are few.", None])
    plain = text_counts.without_notices(texts)
    assert plain.to_list() == ["x\nThis line may stay here.", "We have a\r\nx", "Four words are few.", None]
    assert text_counts.lines(plain).select("lines", "c4_lines").rows() == [(2, 1), (2, 0), (1, 0), (0, 0)]


def test_tokens_are_estimated():
    texts = pl.Series(["The quick brown fox jumps over the lazy dog.", "今天天气很好。", "", None])
    dog, weather, nothing, null = text_counts.estimated_tokens(texts)
    assert 8 <= dog <= 12 and 3 <= weather <= 7 and nothing == 0 and null is None
