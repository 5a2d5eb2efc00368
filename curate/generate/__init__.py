"""Where prompts and candidates come from, one way a file; the function's name says what it makes.

``ask``: what to send to a model for each prompt, whose reply is a candidate. ``write``: a new text without a model.
``candidates`` and ``prompts`` ask as often as they need (``curate.steps.model_calls``), for new candidates and new prompts.
"""
