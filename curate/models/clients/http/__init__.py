"""Servers that are asked over HTTP: what is sent, how replies are read, limits, retries and connections."""
