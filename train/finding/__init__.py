"""Finds a training's trainer by its name or its dotted path, without importing TRL."""
