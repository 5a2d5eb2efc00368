"""Detect the language of texts by py3langid's model: naive Bayes over byte n-grams (langid.py, ACL 2012).

The languages are those of two-letter codes (ISO 639-1) that the model knows, so that a dialect with a code of three
letters is detected as its language: zh for Cantonese and Wu. py3langid reads a text byte by byte in Python; here two
thousand texts are read at once, one byte of each in a step, with the same scores (the tests compare with py3langid's
own ``classify``). Deterministic; the model comes with the package and is loaded once, in half a second.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl

from curate.algorithms.text.text_columns import uppercase_only
from schemas.errors import needs_extra

END = 200  # characters at each end of a text that are read: more hardly ever change the language
SHORTEST = 9  # bytes of letters that a text must have: 9 Latin letters, 5 Cyrillic, 3 Han
TOGETHER = 2048  # texts read at once
NO_LANGUAGE = "zxx"  # ISO 639's code for no linguistic content, such as some code and tables of numbers


class Model(NamedTuple):
    """py3langid's automaton over bytes, and the weight of each of its features for each language."""

    first: np.ndarray  # int32, state -> index in ``after`` of its 256 next states
    after: np.ndarray  # int32, next states
    feature: np.ndarray  # int32, state -> the feature that ends there, or -1
    weights: np.ndarray  # float32, (features, languages)
    prior: np.ndarray  # float32, one a language
    languages: np.ndarray  # str, language codes; one may occur twice, once for each of its scripts


def detect(texts: pl.Series) -> pl.DataFrame:
    """Detect the language of each text.

    Returns:
        A row a text: ``language`` (String, ISO 639-1 such as "en") and ``probability`` (Float64, 0 to 1, among the
        languages that the model knows). Both are null if the text is null, has too few letters, or is no language.
    """
    texts = texts.cast(pl.String)
    length = texts.str.len_chars()
    ends = pl.select(pl.concat_str(texts.str.head(END), texts.str.tail(END))).to_series()
    texts = texts.set((length > 2 * END).fill_null(False), None).fill_null(ends)
    letters = texts.str.replace_all(r"[^\p{L}\p{M}]+", "").str.len_bytes().fill_null(0)
    rows = (letters >= SHORTEST).arg_true()
    # Texts of similar length together, so that few have ended at any step.
    some = texts.gather(rows).to_frame("text").with_columns(row=rows).sort(pl.col("text").str.len_bytes(), "row")
    languages = np.full(len(texts), None, dtype=object)
    probabilities = np.full(len(texts), np.nan)
    for part in some.iter_slices(TOGETHER):
        at = part["row"].to_numpy()
        languages[at], probabilities[at] = _classify(_bytes(part["text"]))
    found = pl.DataFrame(
        {
            "language": pl.Series(languages.tolist(), dtype=pl.String),
            "probability": pl.Series(probabilities, nan_to_null=True),
        }
    )
    return found.with_columns(pl.when(pl.col("language") != NO_LANGUAGE).then(pl.all()))


def languages() -> list[str]:
    """Return the codes of the languages that can be detected, sorted."""
    return sorted(set(_model().languages.tolist()) - {NO_LANGUAGE})


def _bytes(texts: pl.Series) -> list[bytes]:
    """The texts as py3langid reads them: in lower case if there are only capitals, composed (NFC), UTF-8."""
    texts = texts.str.to_lowercase().zip_with(uppercase_only(texts), texts)
    beyond_ascii = texts.str.len_bytes() != texts.str.len_chars()
    texts = texts.scatter(beyond_ascii.arg_true(), texts.filter(beyond_ascii).str.normalize("NFC"))
    return texts.cast(pl.Binary).to_list()


def _classify(texts: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """The most probable language of each text, and its probability."""
    model = _model()
    row, feature = _features(texts, model)
    keys, counts = np.unique(row * len(model.weights) + feature, return_counts=True)
    row, feature = np.divmod(keys, len(model.weights))
    counts = np.log1p(counts.astype(np.float32))
    ends = np.searchsorted(row, np.arange(len(texts) + 1))
    scores = np.zeros((len(texts), len(model.prior)), np.float32)
    for n, (low, high) in enumerate(zip(ends[:-1], ends[1:], strict=True)):
        if low < high:
            scores[n] = counts[low:high] @ model.weights[feature[low:high]] + model.prior
    lengths = np.array([len(text) for text in texts], np.float32)
    scores /= np.sqrt(np.maximum(lengths, 1))[:, None]  # py3langid's calibration for the length
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    scores /= scores.sum(axis=1, keepdims=True)
    codes, column = np.unique(model.languages, return_inverse=True)
    merged = scores @ np.eye(len(codes), dtype=np.float32)[column]
    best = merged.argmax(axis=1)
    return codes[best], merged[np.arange(len(texts)), best]


def _features(texts: list[bytes], model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Every occurrence of a feature in the texts: the index of the text, and the feature."""
    lengths = np.array([len(text) for text in texts])
    width = int(lengths.max(initial=0))
    letters = np.zeros((len(texts), width), np.uint8)
    letters[np.arange(width) < lengths[:, None]] = np.frombuffer(b"".join(texts), np.uint8)
    letters = np.ascontiguousarray(letters.T)
    order = np.argsort(-lengths, kind="stable")
    longer = np.searchsorted(-lengths[order], -np.arange(width), side="left")  # number of texts longer than each place
    state = np.zeros(len(texts), np.int64)
    rows, features = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for place in range(width):
        now = order[: longer[place]]
        state = model.after[model.first[state[: len(now)]] + letters[place, now]]
        feature = model.feature[state]
        complete = feature >= 0
        rows.append(now[complete])
        features.append(feature[complete])
    return np.concatenate(rows), np.concatenate(features)


@cache
def _model() -> Model:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ModuleNotFoundError:
        raise needs_extra("finding the language of a text", "steps") from None
    full = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    full.set_languages([code for code in full.labels if len(code) == 2 or code == NO_LANGUAGE])
    return Model(
        first=np.asarray(full.tk_row, np.int32) << 8,
        after=np.asarray(full.tk_nextmove, np.int32),
        feature=np.asarray(full.tk_output, np.int32),
        weights=np.ascontiguousarray(full.nb_ptc, np.float32),
        prior=np.asarray(full.nb_pc, np.float32),
        languages=np.asarray(full.nb_classes),
    )
