"""Which part of a response is its answer."""
