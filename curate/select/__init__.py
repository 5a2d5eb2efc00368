"""Selection rules, one a file: ``select`` picks candidates, ``pair`` makes pairs, ``subset`` keeps diverse rows.

In Python a step is a function of lists or of a frame:
``from curate.select import k_center``, then ``k_center(embedding=vectors, keep=100)``.
"""

from curate.steps.step_modules import make_callable

make_callable(__name__)
