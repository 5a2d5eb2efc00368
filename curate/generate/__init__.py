"""Sources of prompts and candidates, one a file; the name of a file's function says what it makes.

``ask`` returns the messages to send to a model for each prompt; a reply is a candidate. ``write`` returns a new text
without a model. ``candidates`` and ``prompts`` make as many requests as they need (``curate.steps.model_calls``) and
return new candidates or new prompts.
"""
