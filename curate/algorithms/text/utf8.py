"""The bytes of many texts at once, as compiled loops want them."""

import numpy as np
import polars as pl


def utf8(text: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the UTF-8 bytes of all texts one after another, and where each text's begin and the last one's end.

    The first is a ``uint8`` array, the second an ``int64`` one, one longer than ``text``. A null text has no bytes.
    """
    if not len(text):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    arrow = text.cast(pl.String).to_arrow(compat_level=pl.CompatLevel.oldest())
    _, ends, data = arrow.buffers()
    ends = np.frombuffer(ends, np.int64)[arrow.offset : arrow.offset + len(arrow) + 1]
    return np.frombuffer(data or b"", np.uint8), ends
