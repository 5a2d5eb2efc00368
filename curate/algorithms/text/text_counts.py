"""Count the characters, words, lines, sentences and repetitions of texts, each in one compiled pass.

A line ends with LF, CR or both; blank lines are not counted. A word is what stands between white space; in scripts
without spaces every character is a word (as for ``score: length``). A token is a run of letters and digits, or any
other character by itself. A sentence ends with a full stop or the like before white space (in Chinese, before
anything), and with the line; "1." and "J." end none.
"""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import polars as pl

from curate.algorithms.parallel import in_blocks
from curate.algorithms.text.letter_classes import counters, letter_classes
from curate.algorithms.text.utf8 import utf8

BLOCK = 4096  # texts in a thread's block
CHARACTERS = ("letters", "digits", "spaces", "uppercase", "lowercase", "characters")
WORDS = ("words", "alone", "lettered", "spaced", "characters", "longest", "stop_words", "hashes", "ellipses")
LINES = (
    "lines",
    "bullets",
    "ellipses",
    "punctuated",
    "short",
    "c4_lines",
    "breaks",
    "tokens",
    "sentences",
    "c4_sentences",
    "unspaced",
)
REPEATS = ("units", "repeated", "characters", "repeated_characters")
NGRAMS = ("characters", "covered")
MOST_STOPS, PRIME = 64, 0x100000001B3
# Phrases for which C4 drops a line, as in the code that made it (TensorFlow Datasets' c4_utils).
NOTICES = [
    "javascript",
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
]


def characters(texts: pl.Series) -> pl.DataFrame:
    """Count the letters (and combining marks), digits, white space, capitals, small letters and all characters."""

    def run(loops: ModuleType, data: np.ndarray, ends: np.ndarray, low: int, high: int, out: np.ndarray) -> None:
        loops.count_characters(data, ends, counters(), low, high, out)

    return _counted(texts, CHARACTERS, run)


def words(texts: pl.Series, stop_words: list[str]) -> pl.DataFrame:
    """Count the words of each text.

    Args:
        texts: The texts.
        stop_words: At most 64 words, in small letters.

    Returns:
        ``words``; ``alone``, those of scripts without spaces; ``lettered``, those with a letter; ``hashes`` (#) and
        ``ellipses``. Of the words between spaces, without punctuation at their ends: ``spaced`` (how many),
        ``characters`` (of all), ``longest`` (characters of the longest), and ``stop_words``, how many of the given
        ones occur.
    """
    stops = np.array([_key(word) for word in stop_words], np.uint64)

    def run(loops: ModuleType, data: np.ndarray, ends: np.ndarray, low: int, high: int, out: np.ndarray) -> None:
        loops.count_words(data, ends, letter_classes(), stops, low, high, out)

    return _counted(texts, WORDS, run)


def lines(texts: pl.Series, short: int = 30) -> pl.DataFrame:
    """Count the lines and sentences of each text.

    Args:
        texts: The texts.
        short: The number of characters up to which a line is short.

    Returns:
        ``lines``; of these, ``bullets`` (begin with a bullet), ``ellipses`` (end with an ellipsis), ``punctuated`` (end
        as a sentence does, before closing quotes and brackets), ``short``, and ``c4_lines`` (kept by C4: they end as a
        sentence does, but not with an ellipsis, or with a straight quote, and have five words and none of over 1,000
        characters); ``breaks`` (line breaks); ``tokens``, and ``unspaced``, those of scripts without spaces;
        ``sentences``, and ``c4_sentences``, those of the lines that C4 keeps.
    """

    def run(loops: ModuleType, data: np.ndarray, ends: np.ndarray, low: int, high: int, out: np.ndarray) -> None:
        loops.count_lines(data, ends, letter_classes(), short, low, high, out)

    return _counted(texts, LINES, run)


def without_notices(texts: pl.Series) -> pl.Series:
    """Return the texts with "x" for every line that C4 drops for one of ``NOTICES``: still a line, but none to keep."""
    some = texts.str.contains_any(NOTICES, ascii_case_insensitive=True).fill_null(False)
    if not some.any():
        return texts
    line = rf"(?i)[^\r\n]*(?:{'|'.join(NOTICES)})[^\r\n]*"
    return texts.clone().scatter(some.arg_true(), texts.filter(some).str.replace_all(line, "x"))


def repeats(texts: pl.Series, *, paragraphs: bool) -> pl.DataFrame:
    """Count the lines of each text, or its ``paragraphs`` (separated by blank lines), and the repeated ones.

    Returns:
        ``units`` (lines or paragraphs); ``repeated``, those equal to an earlier one; and the ``characters`` and
        ``repeated_characters`` of these.
    """

    def run(_: ModuleType, data: np.ndarray, ends: np.ndarray, low: int, high: int, out: np.ndarray) -> None:
        from curate.algorithms.text import repeat_loops

        repeat_loops.count_repeats(data, ends, paragraphs, low, high, out)

    return _counted(texts, REPEATS, run)


def ngrams(texts: pl.Series, n: int, *, top: bool) -> pl.DataFrame:
    """Count the characters of each text, and those covered by repeated n-grams of words and punctuation marks.

    Args:
        texts: The texts.
        n: Words and marks in an n-gram.
        top: If true, count the most frequent n-gram: its characters from its first word to its last, times its
            occurrences; 0 if none occurs twice. If false, count the characters of the words of every n-gram that
            occurred before; after one that is found, the next begins after its end.

    Returns:
        ``characters`` (of the text) and ``covered``.
    """

    def run(_: ModuleType, data: np.ndarray, ends: np.ndarray, low: int, high: int, out: np.ndarray) -> None:
        from curate.algorithms.text import repeat_loops

        repeat_loops.count_ngrams(data, ends, letter_classes(), n, top, low, high, out)

    return _counted(texts, NGRAMS, run)


def estimated_tokens(texts: pl.Series) -> pl.Series:
    """Return about how many tokens a tokenizer makes of each text (Float64, whole numbers); null for a null text.

    The weights are a least-squares fit to DeepSeek-V3's tokenizer (129,000 tokens) on 3,000 answers, English, Chinese
    and arithmetic (alpaca demos, GSM8K).
    """
    rows = characters(texts).hstack(lines(texts).select("breaks", "tokens", "unspaced"))
    alone = pl.col("unspaced")
    guess = (
        0.81 * (pl.col("tokens") - alone)
        + 0.042 * (pl.col("letters") - alone)
        + 0.23 * pl.col("digits")
        + 0.53 * alone
        + 0.8 * pl.col("breaks")
    )
    return rows.select(pl.when(texts.is_not_null()).then(guess.ceil())).to_series()


def _counted(texts: pl.Series, columns: tuple[str, ...], run: Callable[..., None]) -> pl.DataFrame:
    """Let a loop fill a row for each text; the columns are Int64."""
    out = np.zeros((len(texts), len(columns)), np.int64)
    if len(texts):
        from curate.algorithms.text import text_loops

        data, ends = utf8(texts)
        in_blocks(len(texts), BLOCK, lambda low, high: run(text_loops, data, ends, low, high, out))
    return pl.DataFrame(out, schema=dict.fromkeys(columns, pl.Int64), orient="row")


def _key(word: str) -> int:
    """The hash of a word in ``text_loops.count_words``: of its characters, with A to Z in lower case."""
    key = 0
    for letter in word:
        code = ord(letter)
        key = (key * PRIME + (code + 32 if 65 <= code <= 90 else code)) % 2**64
    return key
