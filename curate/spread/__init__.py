"""Calling a pure function for many tasks: here, in worker processes, or where ``run_by`` says."""
