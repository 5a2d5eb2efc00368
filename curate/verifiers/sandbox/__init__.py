"""The sandbox for model-written code: one process runs the response, another its tests, and neither is trusted.

``judge`` runs a response against its tests and makes the verdicts, with ``compare`` and ``clock``. ``sandbox`` starts
one sandbox (``bwrap_command``, ``seccomp``, ``inner_modules``), ``spares`` starts them ahead of time, ``memory``
says how many programs there is room for. ``entrance``,
``values``, ``response``, ``checker``, ``link``, ``remote``, ``pytest`` and ``numpy_parts`` run inside, with the
standard library alone.
"""
