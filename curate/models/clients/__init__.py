"""The engines that run models, one a file: ``clients/NAME.py`` is the engine that a recipe calls ``NAME``.

Each file defines ``SPEC``, an ``curate.models.engine.EngineSpec``: its settings, what it can do, how a recipe's entry
becomes a ``ModelRef``, and which class serves each task. The file is imported to plan a run, so it imports neither
torch nor aiohttp; the classes stand in the packages beside it (``http``, ``local``, ``vllm_server``), which are
imported when the first request is made.
"""
