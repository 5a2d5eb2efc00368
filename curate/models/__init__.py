"""The only code that touches a model or a network."""
