"""Parses the text that a model wrote: reasoning traces, tool calls and short answers."""
