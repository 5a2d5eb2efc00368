"""Prints what a person sees of the section ``rounds``."""
