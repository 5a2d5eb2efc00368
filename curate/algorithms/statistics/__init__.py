"""Figures of how two ratings of the same answers agree, each with an interval that allows for clusters of answers."""
