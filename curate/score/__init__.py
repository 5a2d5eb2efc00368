"""Scorers, one a file: ``score(columns, *, settings)`` returns a value for each row. Recipes name the file.

In Python a step is a function of lists or of a frame:
``from curate.score import constraints``, then ``constraints(responses, ground_truths)``.
"""

from curate.steps.step_modules import make_callable

make_callable(__name__)
