"""Benchmarks of others: lm-evaluation-harness, in an environment of its own, asks the models that gristmill serves."""
