"""Deduplication, one method a file: ``dedup`` returns, for each row, the kept row that it duplicates.

In Python a step is a function of lists or of a frame:
``from curate.dedup import minhash``, then ``minhash(texts, threshold=0.8)``.
"""

from curate.steps.step_modules import make_callable

make_callable(__name__)
