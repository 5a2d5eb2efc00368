"""Data sets on the hub, and files at a URL."""
