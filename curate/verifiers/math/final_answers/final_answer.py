r"""Find the final answer of worked solutions, for columns of texts, in linear time.

The final answer is, by the first of these that the text has:

1. what the last ``\boxed{}`` (or ``\fbox{}``) that is closed and not empty holds between its own braces;
2. what the last ``<answer>...</answer>`` holds, or the text after the last ``####`` that begins no heading (GSM8K);
3. the text after the last "answer is", "Answer:", "**Final Answer**", "A:" at the start of a line, or the same in
   another language (``ANSWER_WORDS``), up to the end of its sentence;
4. where the right answer is a number, the last number that stands in no word, unit, version, date or exponent; where it
   is a choice letter, the last letter that is written as a choice; else the last formula, or a response of one line.
"""

import re

import polars as pl

from curate.verifiers.math.final_answers.boxed import last_box
from curate.verifiers.math.final_answers.choice_letters import IS_CHOICE
from curate.verifiers.math.final_answers.plain_numbers import CHANGED, last_number, number

BOX_TAIL = 100_000  # characters at the end of a response that are searched for boxes
TAIL = 8_000  # characters at the end of a response that are searched for all marks but boxes
LONGEST = 300  # characters of an answer
ANSWER_WORDS = (  # "answer" in other languages, and "result" where people write it before the final answer
    "答案", "答", "解答", "正解", "答え", "정답", "답", "antwort", "lösung", "ergebnis", "réponse", "respuesta",
    "resposta", "risposta", "ответ", "odpowiedź", "odpověď", "cevap", "yanıt", "jawaban", "đáp án", "đáp số", "svar",
    "antwoord", "vastaus", "απάντηση", "الجواب", "الإجابة", "उत्तर",
)  # fmt: skip
SAYS = r"(?:is\b|are\b|would\s+be\b|will\s+be\b|must\s+be\b|should\s+be\b|=|:|：)"
OTHER_SAYS = r"(?:是|为|為|は|은|는|ist\b|lautet\b|est\b|es\b|é\b|è\b|adalah\b|là\b|är\b|:|：)"
ENGLISH = (
    rf"(?i)\banswers?[*_\"']{{0,3}}(?:\s*\([^()\n]{{0,30}}\))?(?:\s+(?:to|for|of)\b[^.:\n]{{0,60}}?)?\s*{SAYS}"
    r"|(?:correct|right|best)\s+(?:option|choice)\s+(?:is\b|:)|\banswer[\s*_:]*(?:\n|$)"
)
OTHER = rf"(?i)(?:{'|'.join(ANSWER_WORDS)})[*_]{{0,3}}\s*{OTHER_SAYS}"
A_LINE = r"\n[ \t]*[Aa]:|^[ \t]*[Aa]:"
# Patterns of statements, each with words of which a text that it matches has one: other texts are not searched.
STATEMENTS = (
    (ENGLISH, ["answer", "option", "choice"]),
    (OTHER, [*ANSWER_WORDS, *(word.capitalize() for word in ANSWER_WORDS)]),
    (A_LINE, ["a:"]),
)
DENIED_ANSWERS = [
    "wrong answer",
    "incorrect answer",
    "not the answer",
    "not the correct answer",
    "not the right answer",
]
MARK = "\x1e"  # replaces statements: splitting there is twice as fast as a regex for the last match
TAGGED = r"(?is)^.*<(?:answer|solution)>(.*?)</(?:answer|solution)>"
HEADING = r"(?i)^\W*(?:\d+[.):]\s+\D|step\b|[A-Z][^\d\\$=]{20,}$)"
TITLE = re.compile(r"\b(?:dr|mr|mrs|ms|st|prof|no|vs|approx|ca|e\.g|i\.e|a\.m|p\.m|[A-Z])$", re.IGNORECASE)
SENTENCE = re.compile(r"[.!?。！？](?:\s+(?=\S)|(?<=[。！？]))")
BOLD = re.compile(r"\*\*(?!\w)|(?<!\w)\*\*")  # 2**3 is a power
# Words and brackets that follow an answer in its sentence.
ASIDE = re.compile(
    r",?\s+(?:because|since|as\s+(?:it|the|this|we)|which\s+(?:is|means)|so\s+(?:the|we|it)|i\.\s?e\.|that\s+is|meaning)\b"
    r"|,\s+(?:not|and\s+not|i\.\s?e\.)|,\s*\"\w+\":|\s+\((?:see|as|from|because|not|since|i\.e|I)\b",
    re.IGNORECASE,
)
BARE = re.compile(r"[-−]?[$€£]?[\d.,]*\d%?")
BARE_ASIDE = re.compile(rf"({BARE.pattern})\s*\([^()]*\)$")
VALUE = re.compile(rf",?\s+which\s+(?:is|equals|gives|makes|comes\s+to)\s+({BARE.pattern})$", re.IGNORECASE)
NOT_BUT = re.compile(r"^not\b.{1,100}?\bbut\s+", re.IGNORECASE)
LEAD = re.compile(r"^(?:so|thus|therefore|hence|then|finally|now|just|simply|exactly|only)\b[,:]?\s+", re.IGNORECASE)
SPAN = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
SET_APART = r"\\(?:mathbf|boldsymbol|bf)\s*\{\s*(-?\s*\d(?:\s\d)+)\s*\}"
END_TOKENS = r"(?:\s*<[/|]?[\w|]{1,30}>)+\s*$"  # </s>, <|im_end|>
ENDS = " \t\r\n.!:*_。！；，"


def marked(text: pl.Series) -> pl.Series:
    r"""Return the text that is marked as the answer: in a box, after ``####``, after "answer is"; else null."""
    found = pl.Series("answer", boxes(text), dtype=pl.String)
    left = found.is_null().arg_true()
    return found.scatter(left, marked_by_words(text.gather(left))) if len(left) else found


def marked_by_words(text: pl.Series) -> pl.Series:
    """Return the text that is marked as the answer by anything but a box; null without a mark."""
    text = text.str.tail(TAIL)
    if (empty := text.str.contains("boxed", literal=True).fill_null(False)).any():  # "put it in \\boxed{}"
        text = text.scatter(empty.arg_true(), text.filter(empty).str.replace_all(r"\\f?boxed\s*\{\s*\}", ""))
    found = tagged(text)
    for mark in (hashed, stated):
        left = found.is_null().arg_true()
        found = found.scatter(left, mark(text.gather(left))) if len(left) else found
    return found


def tagged(text: pl.Series) -> pl.Series:
    """Return what the last ``<answer>...</answer>`` of each text holds; null without one."""
    found = pl.Series("answer", [None], dtype=pl.String).new_from_index(0, len(text))
    tags = ["</answer>", "</solution>"]
    some = text.str.contains_any(tags, ascii_case_insensitive=True).fill_null(False).arg_true()
    held = text.gather(some).str.extract(TAGGED).str.strip_chars()
    return found.scatter(some, held.set(held == "", None)) if len(some) else found


def boxes(text: pl.Series) -> list[str | None]:
    """Return what the last box of each text holds, or None."""
    has_box = text.str.contains_any(["\\boxed", "\\fbox"]).fill_null(False).arg_true()
    found: list[str | None] = [None] * len(text)
    for row, one in zip(has_box, text.gather(has_box), strict=True):
        found[row] = last_box(one[-BOX_TAIL:])
    return found


def hashed(text: pl.Series) -> pl.Series:
    """Return the text after the last ``####`` of each text; null where there is none, or a heading."""
    some = text.str.contains("####", literal=True).fill_null(False).arg_true()
    found = pl.Series("answer", [None], dtype=pl.String).new_from_index(0, len(text))
    if not len(some):
        return found
    after = text.gather(some).str.split("####").list.last().str.extract(r"^[ \t]*([^\n]*)").str.strip_chars(ENDS + "#")
    after = after.set((after == "") | after.str.contains(HEADING) | after.str.contains(ENGLISH), None)
    return found.scatter(some, after)


def stated(text: pl.Series) -> pl.Series:
    """Return the text after the last words that state an answer, to the end of the sentence; null without such words.

    Of several statements the last one with a digit, a formula or a choice counts, else the last.
    """
    found = pl.Series("answer", [None], dtype=pl.String).new_from_index(0, len(text))
    marked_up = text.clone()
    if (own := text.str.contains(MARK, literal=True).fill_null(False)).any():
        marked_up = marked_up.scatter(own.arg_true(), text.filter(own).str.replace_all(MARK, " ", literal=True))
    for pattern, signs in STATEMENTS:
        rows = marked_up.str.contains_any(signs, ascii_case_insensitive=True).fill_null(False).arg_true()
        if len(rows):
            some = _without_denied(marked_up.gather(rows)) if pattern is ENGLISH else marked_up.gather(rows)
            marked_up = marked_up.scatter(rows, some.str.replace_all(pattern, MARK))
    some = marked_up.str.contains(MARK, literal=True).fill_null(False).arg_true()
    if not len(some):
        return found
    parts = marked_up.gather(some).str.split(MARK)
    last = parts.list.last().str.extract(r"^(?:[\s:：*_=]|(?:\\\[|\$\$)[ \t]*\n)*([^\n]*)")
    vague = (~last.str.contains(rf"[\d\\$]|{IS_CHOICE}")).fill_null(False) & (parts.list.len() > 2)
    for row in vague.arg_true():
        lines = [part.lstrip(" \t\r\n:：*_=").split("\n", 1)[0] for part in parts[row][1:]]
        last[row] = next((line for line in reversed(lines) if re.search(r"[\d\\$]", line)), last[row])
    return found.scatter(some, tidy(last))


def _without_denied(text: pl.Series) -> pl.Series:
    """Return texts without the words by which they say that an answer is none ("the wrong answer is 12")."""
    rows = text.str.contains_any(DENIED_ANSWERS, ascii_case_insensitive=True).arg_true()
    if not len(rows):
        return text
    some = text.gather(rows).str.replace_many(DENIED_ANSWERS, [""], ascii_case_insensitive=True)
    return text.scatter(rows, some)


def tidy(answer: pl.Series) -> pl.Series:
    """Return stated answers without what follows them in their line, and without marks around them."""
    answer = answer.str.replace(END_TOKENS, "").str.strip_chars_end(ENDS).str.strip_chars_start(" \t\r\n:*_")
    wordy = (number(answer).is_null() & answer.is_not_null()).arg_true()
    if not len(wordy):
        return answer
    return answer.scatter(wordy, pl.Series([first_sentence(one) for one in answer.gather(wordy)], dtype=pl.String))


def first_sentence(line: str) -> str | None:
    """Return the answer that a line begins with."""
    line = line[: 4 * LONGEST]
    if line.startswith(('"', "'")) and line.find(line[0], 1) > 0:  # a value in JSON
        return line[1 : line.find(line[0], 1)].strip(ENDS) or None
    bold = BOLD.split(line)
    line = bold[0] if len(bold) % 2 == 0 else "".join(bold)  # the mark that opened it is taken off already
    for end in SENTENCE.finditer(line):
        if not TITLE.search(line[: end.start()]):
            line = line[: end.start()]
            break
    value = VALUE.search(line)  # "12% of 50, which is 6"
    if value and not BARE.fullmatch(line[: value.start()].strip()):
        return value[1]
    if bare := BARE_ASIDE.match(line):  # "7 (3+4)"
        return bare[1]
    line = ASIDE.split(NOT_BUT.sub("", line), maxsplit=1)[0]
    spans = list(SPAN.finditer(line))
    if len(spans) == 1 and not re.search(r"\d", line[: spans[0].start()] + line[spans[0].end() :]):
        before, after = line[: spans[0].start()], line[spans[0].end() :]
        held = next(group for group in spans[0].groups() if group)
        line = held if len(before.split()) != 1 or LEAD.search(f"{before.strip()} ") else line
        line = f"{line} {after.strip()}" if line is held and re.match(r"\s*[A-Za-z°%]", after) else line
    return line.strip(ENDS) or None


def stated_number(answer: pl.Series) -> pl.Series:
    """Return marked answers that are no plain number as one number where they are a sentence with one number.

    Null where an answer holds no digit and no formula, and so marks nothing; other answers stay.
    """
    found = last_number(answer)
    alone = (
        (answer.str.count_matches(r"(?:^|[^\w.,/])\d[\d.,/]*") == 1)
        & ~answer.str.contains(rf"[\\^=+]|{CHANGED}")
        & (found != "")
    )
    sentence = alone & answer.str.contains(r"\p{L}")
    return pl.select(
        pl.when(pl.lit(sentence)).then(pl.lit(found)).when(pl.lit(answer.str.contains(r"[\d\\]"))).then(pl.lit(answer))
    ).to_series()


def joined_digits(answer: pl.Series) -> pl.Series:
    r"""Return the answers with bold numbers that are set digit by digit (``\mathbf{1 0 2 0}``) as numbers."""
    rows = answer.str.contains(SET_APART).fill_null(False).arg_true()
    joined = [re.sub(SET_APART, lambda found: re.sub(r"\s", "", found[1]), one) for one in answer.gather(rows)]
    return answer.scatter(rows, pl.Series(joined, dtype=pl.String)) if joined else answer
