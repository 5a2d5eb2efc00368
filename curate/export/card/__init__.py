"""The card of an export: its ``README.md``."""
