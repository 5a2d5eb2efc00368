"""Serves a model of ours on loopback, with OpenAI's API, to a program that this process has started."""
