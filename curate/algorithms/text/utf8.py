"""The UTF-8 bytes of a column of texts, as compiled loops read them."""

import numpy as np
import polars as pl


def utf8(text: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the bytes of all texts one after another (uint8), and where each begins and the last ends (int64).

    The second array is one longer than ``text``. A null text has no bytes.
    """
    known = text.cast(pl.String).fill_null("")
    data = known.cast(pl.Binary).cast(pl.List(pl.UInt8)).list.explode(empty_as_null=False).to_numpy()
    ends = np.zeros(len(known) + 1, np.int64)
    np.cumsum(known.str.len_bytes().to_numpy(), out=ends[1:])
    return data, ends
