"""The sandbox for model-written code: one process runs the response, another its tests, and neither is trusted.

``sandbox`` starts them under bubblewrap, ``spares`` ahead of time; ``judge`` has a response judged and is the only one
to say what a test came to (``compare``, ``clock``). ``entrance``, ``values``, ``response``, ``checker``, ``remote`` and
``pytest`` run inside and know the standard library alone.
"""
