"""Where candidates come from, one way a file: ``ask`` what to send to a model, ``write`` a new text without one."""
