"""Detect the language of texts by py3langid's model: naive Bayes over byte n-grams (langid.py, ACL 2012).

The languages are those of two-letter codes (ISO 639-1) that the model knows, so that a dialect with a code of three
letters is detected as its language: zh for Cantonese and Wu. py3langid reads a text byte by byte in Python; here a
compiled loop does, with the same scores but for rounding (the tests compare with py3langid's own ``classify``).
Deterministic; the model comes with the package and is loaded once, in half a second.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl

from curate.algorithms.parallel import in_blocks
from curate.algorithms.text.letter_classes import letter_classes
from curate.algorithms.text.text_columns import uppercase_only, where
from curate.algorithms.text.utf8 import utf8
from schemas.errors import needs_extra

END = 200  # characters at each end of a text that are read: more hardly ever change the language
SHORTEST = 9  # bytes of letters that a text must have: 9 Latin letters, 5 Cyrillic, 3 Han
BLOCK = 2048  # texts in a thread's block: their sums are 2 MB
NO_LANGUAGE = "zxx"  # ISO 639's code for no linguistic content, such as some code and tables of numbers


class Model(NamedTuple):
    """py3langid's automaton over bytes, and the weight of each of its features for each language."""

    first: np.ndarray  # int32, state -> index in ``after`` of its 256 next states
    after: np.ndarray  # int32, next states
    feature: np.ndarray  # int32, state -> the feature that ends there, or -1
    weights: np.ndarray  # float32, (features, languages)
    prior: np.ndarray  # float32, one a language
    languages: np.ndarray  # str, language codes, sorted; one may occur twice, once for each of its scripts


def detect(texts: pl.Series) -> pl.DataFrame:
    """Detect the language of each text.

    Returns:
        A row a text: ``language`` (String, ISO 639-1 such as "en") and ``probability`` (Float64, 0 to 1, among the
        languages that the model knows). Both are null if the text is null, has too few letters, or is no language.
    """
    texts = texts.cast(pl.String)
    codes, best = np.empty(len(texts), np.int64), np.empty(len(texts))
    if len(texts):
        model, classes = _model(), letter_classes()  # before the threads that share them

        def block(low: int, high: int) -> None:
            codes[low:high], best[low:high] = _classify(texts[low:high], model, classes)

        in_blocks(len(texts), BLOCK, block)
    names = pl.Series(_codes() if len(texts) else [], dtype=pl.String)
    found = pl.DataFrame(
        {
            "language": names.gather(pl.Series(codes).set(pl.Series(codes < 0), None)),
            "probability": pl.Series(best, nan_to_null=True),
        }
    )
    return found.with_columns(pl.when(pl.col("language") != NO_LANGUAGE).then(pl.all()))


def languages() -> list[str]:
    """Return the codes of the languages that can be detected, sorted."""
    return [code for code in _codes().tolist() if code != NO_LANGUAGE]


def _classify(texts: pl.Series, model: Model, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The number in ``_codes`` of the most probable language of each text, and its probability; -1 and NaN for none."""
    from curate.algorithms.text.language_loops import add_weights, count_letters, find_features

    long = texts.str.len_chars() > 2 * END
    some = texts.filter(long)
    ends = pl.select(pl.concat_str(some.str.head(END), some.str.tail(END))).to_series()
    texts = where(texts, long.fill_null(False), ends)
    letters = np.empty(len(texts), np.int64)
    count_letters(*utf8(texts), classes, SHORTEST, letters)
    rows = np.flatnonzero(letters >= SHORTEST)
    data, ends = utf8(_as_read(texts.gather(rows)))
    scores = np.zeros((len(rows), len(model.prior)), np.float32)
    found = np.empty(len(data), np.int32)
    order = np.argsort(-np.diff(ends), kind="stable")
    find_features(data, ends, order, model.first, model.after, model.feature, found)
    add_weights(found, ends, model.weights, model.prior, scores)
    scores /= np.sqrt(np.maximum(np.diff(ends), 1).astype(np.float32))[:, None]  # py3langid's, for the length
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    scores /= scores.sum(axis=1, keepdims=True)
    merged = np.add.reduceat(scores, np.searchsorted(model.languages, _codes()), axis=1)  # both scripts of a language
    codes, best = np.full(len(texts), -1), np.full(len(texts), np.nan)
    codes[rows] = merged.argmax(axis=1)
    best[rows] = merged[np.arange(len(rows)), codes[rows]]
    return codes, best


def _as_read(texts: pl.Series) -> pl.Series:
    """The texts as py3langid reads them: in lower case if there are only capitals, composed (NFC)."""
    capitals = uppercase_only(texts)
    texts = where(texts, capitals, texts.filter(capitals).str.to_lowercase())
    beyond_ascii = texts.str.len_bytes() != texts.str.len_chars()
    return where(texts, beyond_ascii, texts.filter(beyond_ascii).str.normalize("NFC"))


@cache
def _codes() -> np.ndarray:
    """The codes of the languages, sorted, each once."""
    return np.unique(_model().languages)


@cache
def _model() -> Model:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ModuleNotFoundError:
        raise needs_extra("finding the language of a text", "steps") from None
    full = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    full.set_languages([code for code in full.labels if len(code) == 2 or code == NO_LANGUAGE])
    order = np.argsort(full.nb_classes, kind="stable")
    return Model(
        first=np.asarray(full.tk_row, np.int32) << 8,
        after=np.asarray(full.tk_nextmove, np.int32),
        feature=np.asarray(full.tk_output, np.int32),
        weights=np.ascontiguousarray(full.nb_ptc[:, order], np.float32),
        prior=np.asarray(full.nb_pc, np.float32)[order],
        languages=np.asarray(full.nb_classes)[order],
    )
