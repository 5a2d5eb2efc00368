"""``gristmill init train FILE``: looks at data, and writes the recipe that trains on it.

``look`` reads the data (``readable``: those files of a folder that can be), ``jobs`` says what can be learnt from them,
``verifier`` which scorer reads their ground truths, ``recipe_text`` writes the recipe, and ``command`` puts these
together and says what was found. The rows are recognised by ``curate.sources``, and counted as ``gristmill check``
counts them: there is no second reader.
"""
