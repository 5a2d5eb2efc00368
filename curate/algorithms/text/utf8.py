"""The UTF-8 bytes of a column of texts, as compiled loops read them."""

import numpy as np
import polars as pl


def utf8(text: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the bytes of all texts one after another (uint8), and where each begins and the last ends (int64).

    The second array is one longer than ``text``. A null text has no bytes. Neither array is copied.
    """
    if not len(text):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    arrow = text.cast(pl.String).to_arrow(compat_level=pl.CompatLevel.oldest())
    _, ends, data = arrow.buffers()
    ends = np.frombuffer(ends, np.int64)[arrow.offset : arrow.offset + len(arrow) + 1]
    return np.frombuffer(data or b"", np.uint8), ends
