"""Constraints that programs check: ``truths`` reads the constraints of rows, ``kinds`` has a check for each kind.

A check works on a column of texts. ``layout`` has the kinds about lines, lists and sections, ``ifeval`` IFEval's own,
``if_multi`` and ``rlvr`` those of open-instruct's sets; ``forms`` defines what a kind is, ``text_units`` what a word,
sentence, line and paragraph is. ``recorded_lists`` and ``written_settings`` read constraints as files hold them.
"""
